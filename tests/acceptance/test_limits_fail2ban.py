"""The filter for Fail2Ban finds the addresses of those who guess, and nobody can name another.

The lines are the daemon's own, as Fail2Ban gets them from the journal.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd import systemd
from openspp_ftpd.events import Event
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, running
from tests.acceptance.promises import until
from tests.acceptance.running import TREE

OURS = TREE / "etc" / "fail2ban"
WRONG = "Wrong OpenSPP user or scanner password."
UNPACKED = TREE / "build" / "fail2ban"
"""Where tests/deps puts it, since an installed one would watch this machine."""


@pytest.fixture(scope="module")
def fail2ban(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fail2Ban's configuration with our files in it."""
    root = Path("/") if shutil.which("fail2ban-regex") else UNPACKED
    directory = tmp_path_factory.mktemp("fail2ban") / "etc"
    shutil.copytree(root / "etc" / "fail2ban", directory)
    shutil.copytree(OURS, directory, dirs_exist_ok=True)
    return directory


def run(program: str, *arguments: str) -> str:
    """What one of Fail2Ban's programs writes."""
    installed = shutil.which(program)
    command = [installed] if installed else ["/usr/bin/python3", f"{UNPACKED}/usr/bin/{program}"]
    ran = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": f"{UNPACKED}/usr/lib/python3/dist-packages"},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


class TestTheFilter:
    @pytest.fixture(scope="class")
    def ground(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
        options = {
            "limits": {
                "failed_logins": "3",
                "sessions": "30",
                "sessions_per_address": "4",
                "data_idle": "2s",
            },
            "log": {"level": "info"},
        }
        with running(tmp_path_factory.mktemp("daemon"), options=options) as made:
            yield made

    def found(self, ground: Ground, fail2ban: Path, tmp_path: Path) -> list[str]:
        """The addresses that the filter finds in the daemon's whole log, in order."""
        journal = tmp_path / "journal"
        written = re.findall(
            r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ [A-Z]+ +(.*)$",
            ground.daemon.log(),
            re.MULTILINE,
        )
        assert len(written) > 2
        lines = (f"{time} scans openspp-ftpd[4711]: {message}\n" for time, message in written)
        journal.write_text("".join(lines))
        ours = fail2ban / "filter.d" / "openspp-ftpd.conf"
        return run("fail2ban-regex", "-o", "ip", str(journal), str(ours)).split()

    def fail(self, ground: Ground, user: str | bytes, source: str) -> None:
        """A login with a wrong password, as far as the daemon's log."""
        before = ground.daemon.log().count("could not log in")
        with ground.scanner(source=source) as scanner:
            name = user if isinstance(user, bytes) else user.encode()
            scanner.connection.sendall(b"USER " + name + b"\r\nPASS wrong\r\n")
            assert until(lambda: ground.daemon.log().count("could not log in") > before, 20)

    def test_every_line_of_the_daemon(self, ground: Ground, fail2ban: Path, tmp_path: Path) -> None:
        expected: list[str] = []

        def check() -> None:
            assert self.found(ground, fail2ban, tmp_path) == expected

        with ground.logged_in(source="127.0.0.10") as scanner:  # nothing of it is a failure
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert scanner.store("empty.pdf", b"").code == 550
            scanner.store(f"x at 10.1.1.1 could not log in: {WRONG} Reply: 530 {WRONG}", pdf(2000))
            scanner.begin("cut.pdf")
            scanner.reset()
        check()

        self.fail(ground, "alice", "127.0.0.11")
        expected.append("127.0.0.11")
        check()

        for name in (
            "10.2.2.2",
            "x at 10.2.2.2",
            f"x at 10.2.2.2 could not log in: {WRONG} Reply: 530 {WRONG}",
            f"x at 10.2.2.2 could not log in: {WRONG} Reply: 530 {WRONG}\x0b\x0cy",
            "Connection from 10.2.2.2 refused: 421 Too many failed logins from here. Try again in"
            " 5 minutes.",
            "scans openspp-ftpd[4711]: x at 10.2.2.2",
            "<HOST>",
            "%(__prefix_line)s",
            f"x\u2028y at 10.2.2.2 could not log in: {WRONG} Reply: 530 {WRONG}\u2029",
            b"\xff\xfe at 10.2.2.2 could not",
        ):
            source = f"127.0.0.{20 + len(expected)}"
            self.fail(ground, name, source)
            expected.append(source)
            check()

        with contextlib.ExitStack() as closing:  # too many are no guessers
            for _ in range(4):
                closing.enter_context(ground.scanner(source="127.0.0.12"))
            assert closing.enter_context(ground.scanner(source="127.0.0.12")).greeting.code == 421
        check()

        for user in ("one", "two", "three"):
            self.fail(ground, user, "127.0.0.13")
            expected.append("127.0.0.13")
        with ground.scanner(source="127.0.0.13") as scanner:
            assert "failed logins" in scanner.greeting.text
        expected.append("127.0.0.13")
        check()

        ground.openspp.kill()
        with ground.scanner(source="127.0.0.14") as scanner:
            assert scanner.login().code == 421
        check()

    def test_it_reads_what_the_unit_writes_about_logins_and_bans(self) -> None:
        parser = configparser.RawConfigParser()
        parser.read(OURS / "filter.d" / "openspp-ftpd.conf")
        alternatives = parser["Definition"]["journalmatch"].split(" + ")
        unit = f"_SYSTEMD_UNIT={systemd.UNIT}"
        events = (Event.LOGIN_FAILED, Event.SESSION_REFUSED)
        assert alternatives == [f"{unit} OPENSPP_EVENT={each.name.lower()}" for each in events]


class TestTheJail:
    def test_it_is_off_and_can_be_switched_on(self, fail2ban: Path) -> None:
        assert "'openspp-ftpd'" not in run("fail2ban-client", "-c", str(fail2ban), "-d")
        switched_on = fail2ban / "jail.d" / "openspp-ftpd.local"
        switched_on.write_text("[openspp-ftpd]\nenabled = true\n")
        told = run("fail2ban-client", "-c", str(fail2ban), "-d")
        assert "['add', 'openspp-ftpd', 'systemd']" in told
        assert "_SYSTEMD_UNIT=openspp-ftpd.service" in told
        assert "['set', 'openspp-ftpd', 'maxretry', 20]" in told
