"""What systemd is told and gives: notifications, sockets, the journal; nothing where it is not."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd import systemd
from openspp_ftpd.events import Event, Journal, Who
from openspp_ftpd.settings import LogSettings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd would listen on."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield receiver


class TestNotify:
    def test_readiness_comes_with_a_sentence(self, notified: socket.socket) -> None:
        systemd.ready("Listening.")
        assert notified.recv(999) == b"READY=1\nSTATUS=Listening."

    def test_a_stop_asks_for_the_time_it_needs(self, notified: socket.socket) -> None:
        systemd.stopping("Stopping.", 75.5)
        assert notified.recv(999) == (b"STOPPING=1\nEXTEND_TIMEOUT_USEC=75500000\nSTATUS=Stopping.")

    def test_a_reload_has_its_time(self, notified: socket.socket) -> None:
        systemd.reloading()
        first, _, microseconds = notified.recv(999).partition(b"\nMONOTONIC_USEC=")
        assert first == b"RELOADING=1"
        assert int(microseconds) > 0

    def test_a_failed_start_says_why_in_one_line(self, notified: socket.socket) -> None:
        systemd.failing("x.conf:3: wrong\nx.conf:4: wrong too")
        assert notified.recv(999) == b"STATUS=x.conf:3: wrong"

    def test_elsewhere_nothing_happens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        systemd.ready("Listening.")


class TestWatchdog:
    def test_it_is_fed_twice_in_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        assert systemd.watchdog_interval() == 15

    @pytest.mark.parametrize(("usec", "pid"), [("", ""), ("30000000", "1"), ("soon", "")])
    def test_one_that_is_not_ours_is_not(
        self, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str
    ) -> None:
        monkeypatch.setenv("WATCHDOG_USEC", usec)
        monkeypatch.setenv("WATCHDOG_PID", pid)
        assert systemd.watchdog_interval() is None


def passed_to_a_process(
    sockets: list[socket.socket], names: str
) -> subprocess.CompletedProcess[str]:
    """What a process makes of sockets that it is given as systemd gives them (sd_listen_fds(3))."""
    script = (
        "import os\nfrom openspp_ftpd import systemd\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "try:\n"
        "    for one in systemd.passed_sockets():\n"
        "        print(one.name, one.listening.getsockname()[1])\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
        "print(systemd.passed_sockets())"
    )

    def as_systemd_numbers_them() -> None:
        for number, descriptor in enumerate([os.dup(one.fileno()) for one in sockets], start=3):
            os.dup2(descriptor, number)

    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names},
        pass_fds=range(3, 3 + len(sockets)),
        preexec_fn=as_systemd_numbers_them,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


class TestPassedSockets:
    def test_elsewhere_there_are_none(self) -> None:
        assert systemd.passed_sockets() == ()

    def test_they_come_with_their_names_and_are_taken_once(self, listening: socket.socket) -> None:
        port = listening.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as other:
            ran = passed_to_a_process([listening, other], "ftp:ftps")
            expected = [f"ftp {port}", f"ftps {other.getsockname()[1]}", "()"]
        assert (ran.stdout.splitlines(), ran.stderr) == (expected, "")

    def test_another_name_is_refused_with_what_to_write(self, listening: socket.socket) -> None:
        ran = passed_to_a_process([listening], "openspp-ftpd.socket")
        assert "FileDescriptorName=ftp or ftps" in ran.stdout

    def test_one_that_does_not_listen_is_refused(self) -> None:
        with socket.socket() as one:
            assert "Accept=no" in passed_to_a_process([one], "ftp").stdout

    def test_one_for_both_families_is_refused_with_what_to_write(self) -> None:
        if not socket.has_dualstack_ipv6():
            pytest.skip("this machine has no IPv6")
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as one:
            assert "BindIPv6Only=ipv6-only" in passed_to_a_process([one], "ftp").stdout


class TestTmpfsOfUnit:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (
                "/var/spool/openspp-ftpd:size=50%,mode=1777 /other",
                ("/var/spool/openspp-ftpd", "/other"),
            ),
            ("", ()),
        ],
    )
    def test_it_is_what_systemd_says(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        said: str,
        expected: tuple[str, ...],
    ) -> None:
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert systemd.tmpfs_of_unit() == expected

    def test_without_systemd_there_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert systemd.tmpfs_of_unit() == ()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What goes to the journal: the fields of each entry."""
    entries: list[dict[str, str]] = []

    def send(*fields: str) -> None:
        entries.append(dict(field.split("=", 1) for field in fields))

    monkeypatch.setattr("systemd.journal.sendv", send)
    return entries


class TestJournal:
    def logger(self, monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
        """A logger that writes as the daemon does below systemd."""
        monkeypatch.setattr("openspp_ftpd.systemd._stderr_is_the_journal", lambda: True)
        logger = logging.Logger("openspp_ftpd.test", logging.DEBUG)
        logger.addHandler(systemd.log_handler())
        return logger

    def test_an_entry_has_its_sentence_its_fields_and_the_daemon_s_name(
        self, sent: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal(LogSettings(), self.logger(monkeypatch))
        journal.logged_in(Who("a1b2c3d4", "192.0.2.7", "clerk"), 0.25, encrypted=True)
        (entry,) = sent
        assert entry["MESSAGE"] == "clerk at 192.0.2.7 logged in with TLS."
        assert entry["MESSAGE_ID"] == Event.LOGGED_IN.message_id
        assert entry["SYSLOG_IDENTIFIER"] == "openspp-ftpd"
        assert (entry["USER"], entry["CLIENT"], entry["PRIORITY"]) == ("clerk", "192.0.2.7", "6")

    def test_arguments_of_a_log_call_stay_out_of_the_fields(
        self, sent: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.logger(monkeypatch).warning("%.0s A login failed.", "scan-password")
        (entry,) = sent
        assert "scan-password" not in str(entry)
        assert entry["PRIORITY"] == "4"

    def test_elsewhere_stderr_gets_time_and_level(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        logger = logging.Logger("openspp_ftpd.test", logging.DEBUG)
        logger.addHandler(systemd.log_handler())
        logger.error("Cannot start.")
        assert capsys.readouterr().err.endswith(" ERROR   Cannot start.\n")
