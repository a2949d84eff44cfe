"""The whole way of a new user: install, check, try, and what each trouble looks like.

What is shown is printed too: `pytest -s -k walk` shows the walk.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container.conftest import Booting, Installation
from tests.container.installed import CONFIGURATION, Installed
from tests.container.machine import Ran
from tests.faults.network import Nft

PASSIVE_PORTS = range(3000, 3006)


def typed(machine: Installed, *command: str, stdin: str = "") -> Ran:
    """Run a command as the administrator types it, and show it."""
    ran = machine.attempt(*command, stdin=stdin)
    print(f"\n# {' '.join(command)}\n{ran.output.rstrip()}\n(exit status {ran.status})")
    return ran


def trial(machine: Installed, user: str, password: str) -> Ran:
    """`try` with a password in a file."""
    machine.write("/run/password", f"{password}\n")
    return typed(machine, "openspp-ftpd", "try", "--user", user, "--password-file", "/run/password")


@pytest.fixture
def machine(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """A machine on which nothing was done yet but `apt install openspp-ftpd`."""
    with booting(installation.installed) as untouched:
        yield untouched


def test_a_new_user_walks_the_whole_way(machine: Installed) -> None:
    asked = typed(machine, "openspp-ftpd", "check")
    assert asked.status == 2
    assert f"{CONFIGURATION}:" in asked.output
    assert "write the address of your OpenSPP" in asked.output

    machine.start_openspp()
    machine.configure(url=machine.url)
    machine.systemctl("start")
    asked = typed(machine, "openspp-ftpd", "check")
    assert asked.status in (0, 1)  # a machine may have no clock of the network's
    assert "OpenSPP: http://127.0.0.1:8069: OpenSPP, takes scans" in asked.output
    assert "the running daemon listens" in asked.output
    assert "certificate: CN=" in asked.output
    assert "Listening on 0.0.0.0:8002" in asked.output

    tried = trial(machine, "alice", "scan-alice")
    assert tried.status == 0
    assert tried.output.count("OpenSPP has it: ") == 2
    assert len(machine.record()) == 2
    told = typed(machine, "openspp-ftpd", "status")
    assert told.status == 0
    assert "2 scans stored" in told.output

    tried = trial(machine, "alice", "wrong")
    assert tried.status == 1
    assert "530 Wrong OpenSPP user or scanner password." in tried.output
    tried = trial(machine, "bob", "scan-bob")
    assert tried.status == 1
    assert "550 No active directory for this user." in tried.output

    with machine.network(), Nft().cut(list(PASSIVE_PORTS)):
        tried = trial(machine, "alice", "scan-alice")
    assert tried.status == 1
    assert "login works, but the passive port cannot be reached" in tried.output

    machine.stop_openspp()
    asked = typed(machine, "openspp-ftpd", "check")
    assert asked.status == 2
    assert "is OpenSPP running?" in asked.output
    # A login is remembered for a minute, and only while OpenSPP's last answer was good.
    tried = trial(machine, "frank", "scan-frank")
    assert tried.status == 1
    assert "421 OpenSPP cannot be reached." in tried.output
    assert len(machine.record()) == 2
