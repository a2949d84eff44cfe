"""What is wrong ends in one clear failure: systemctl status has file, line and mend."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.container.installed import CONFIGURATION, PORT, Installed, until

_HOLD = "import socket, time; held = socket.create_server(('0.0.0.0', 8002)); time.sleep(600)"


def mistyped(machine: Installed) -> tuple[str, ...]:
    machine.configure(answer_within="soon")
    return (f"{machine.line_of('answer_within')}: [openspp] answer_within", "45s, 10min, 1h")


def unknown(machine: Installed) -> tuple[str, ...]:
    machine.sh(f"sed -i 's|^.log.$|[log]\\nnosuch = 1|' {CONFIGURATION}")
    return (f"{machine.line_of('nosuch')}: 'nosuch' is no option of [log]", "there are level")


def unset(machine: Installed) -> tuple[str, ...]:
    machine.configure(url="https://openspp.example.org")
    return (f"{machine.line_of('url')}: [openspp] url", "write the address of your OpenSPP")


def unreadable(machine: Installed) -> tuple[str, ...]:
    machine.sh(f"chown root:root {CONFIGURATION}; chmod 600 {CONFIGURATION}")
    return (f"{CONFIGURATION}: cannot be read (Permission denied)",)


def absent(machine: Installed) -> tuple[str, ...]:
    machine.sh(f"mv {CONFIGURATION} /etc/away.conf")
    return (f"{CONFIGURATION}: does not exist",)


def without_key(machine: Installed) -> tuple[str, ...]:
    machine.configure(key="/etc/ssl/private/nosuch.key")
    return (
        f"{machine.line_of('key')}: [tls] key: /etc/ssl/private/nosuch.key does not exist",
        "name your own",
    )


def key_that_is_none(machine: Installed) -> tuple[str, ...]:
    machine.configure(key="/etc/hostname")
    return (f"{machine.line_of('key')}: [tls] key: /etc/hostname",)


def writable_by_others(machine: Installed) -> tuple[str, ...]:
    machine.sh(f"chmod 666 {CONFIGURATION}")
    return ("somebody else than root may write it", f"chmod 640 {CONFIGURATION}")


def spool_on_disk(machine: Installed) -> tuple[str, ...]:
    machine.sh(f"sed -i 's|^#directory = /var/.*|directory = /srv|' {CONFIGURATION}")
    return (f"{machine.line_of('directory')}: [uploads] directory: /srv", "tmpfs")


class TestMistakes:
    @pytest.mark.parametrize(
        "make",
        [
            mistyped,
            unknown,
            unset,
            unreadable,
            absent,
            without_key,
            key_that_is_none,
            writable_by_others,
            spool_on_disk,
        ],
    )
    def test_status_has_the_file_the_line_and_the_mend(
        self, broken: Installed, make: Callable[[Installed], tuple[str, ...]]
    ) -> None:
        wanted = make(broken)
        status = broken.refuses("restart")
        for words in wanted:
            assert words in status
        # No restart is under way or will come: it would be "activating" and "auto-restart".
        assert (broken.show("ActiveState"), broken.show("SubState")) == ("failed", "failed")
        assert broken.show("ExecMainStatus") == "78"
        assert broken.show("NRestarts") == "0"
        assert not broken.listens(PORT)


class TestPortInUse:
    def test_it_says_who_has_it_and_starts_when_that_has_gone(self, machine: Installed) -> None:
        machine.systemctl("stop")
        machine.run("systemd-run", "--quiet", "--unit=holder", "/usr/bin/python3", "-c", _HOLD)
        assert until(lambda: machine.listens(PORT))
        holder = machine.run("systemctl", "show", "--value", "--property=MainPID", "holder").strip()
        status = machine.refuses("start")
        assert f"0.0.0.0:{PORT} cannot be listened on: Address already in use" in status
        said = f"Port {PORT} is held by python3 (process {holder})."
        assert until(lambda: said in machine.status())
        assert until(lambda: machine.show("SubState") == "auto-restart")  # the world may mend it
        machine.run("systemctl", "stop", "holder")
        assert until(lambda: machine.show("ActiveState") == "active")
        machine.serves()
