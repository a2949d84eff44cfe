"""What the administrator is told by `openspp-ftpd status` and `systemctl status`, from a daemon
that real scanners send to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from openspp_ftpd.status import door
from openspp_ftpd.status.snapshot import Snapshot
from tests.acceptance.documents import pdf
from tests.acceptance.promises import until
from tests.acceptance.running import TREE, Daemon, EmbeddedOpenSPP, free_ports
from tests.acceptance.scanner import Scanner, end_properly, reset

SECONDS: Final = 30.0
"""A condition that is true in a second or two on an idle machine."""


@dataclass(frozen=True)
class Observed:
    """A daemon before an embedded OpenSPP, and the socket where it tells its state."""

    daemon: Daemon
    openspp: EmbeddedOpenSPP
    socket: Path

    def state(self) -> Snapshot:
        """What the daemon tells now."""
        return door.ask(str(self.socket))

    def logged_in(self, tls: str = "") -> Scanner:
        """A scanner that has logged in."""
        scanner = Scanner(self.daemon.port, tls)
        assert scanner.login().code == 230
        return scanner

    def command(self, *more: str) -> subprocess.CompletedProcess[str]:
        """`openspp-ftpd status`."""
        return status_of(self.socket, *more)


def status_of(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openspp_ftpd", "status", "--socket", str(path), *more]
    return subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def observed(
    directory: Path,
    options: Mapping[str, Mapping[str, str]] | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Observed]:
    """Start both; the socket has a short path, for systems allow no long one."""
    with (
        tempfile.TemporaryDirectory() as place,
        EmbeddedOpenSPP(directory) as openspp,
        Daemon(
            directory,
            openspp.url,
            options,
            certificate=certificate,
            status_socket=Path(place) / "status",
        ) as daemon,
    ):
        assert until((Path(place) / "status").exists, SECONDS)
        yield Observed(daemon, openspp, Path(place) / "status")


class TestCounts:
    def test_what_became_of_each_scan(self, tmp_path: Path) -> None:
        options = {
            "openspp": {"answer_within": "2s"},
            "uploads": {"max_size": "100K", "empty_files": "ignore"},
        }
        with observed(tmp_path, options) as one:
            with one.logged_in() as scanner:
                assert scanner.store("one.pdf", pdf(5000)).code == 226
                assert scanner.store("two.pdf", pdf(6000)).code == 226
                assert scanner.store("large.pdf", pdf(200_000)).code == 552
                assert scanner.store("empty.pdf", b"").code == 250
                data = scanner.begin("cut.pdf")
                data.sendall(pdf(5000)[:700])
                reset(data)
                assert scanner.answer().code == 426
                one.openspp.kill()
                assert scanner.store("away.pdf", pdf(4000)).code == 451
                state = one.state()
            assert state.scans == {
                "stored": 2, "refused": 1, "failed": 1, "cut": 1, "not_kept": 1,
            }  # fmt: skip
            assert state.scan_bytes["stored"] == 11_000
            assert state.scan_bytes["failed"] == 4000
            assert state.logins["accepted"] == 1
            assert [entry.file for entry in state.last_scans] == ["one.pdf", "two.pdf", "empty.pdf"]
            assert [
                (entry.file, entry.result, entry.reply[:3]) for entry in state.last_failures
            ] == [
                ("large.pdf", "refused", "552"),
                ("cut.pdf", "cut", "426"),
                ("away.pdf", "failed", "451"),
            ]
            assert sum(state.seconds_to_store.counts) == 2
            problems = {name: count for name, count in state.problems.items() if count}
            assert problems == {"too_large": 1, "cut": 1, "unreachable": 1}

    def test_sessions_with_and_without_tls(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        with observed(tmp_path, certificate=certificate) as one:
            with one.logged_in(), one.logged_in("explicit"), one.logged_in("explicit"):
                facts = one.state().facts
                assert (facts.sessions_plain, facts.sessions_tls) == (1, 2)
                assert facts.certificate_expires is not None
            assert until(lambda: one.state().facts.sessions_tls == 0, SECONDS)

    def test_a_scan_that_waits_for_openspp_is_told_and_so_is_its_room(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one, one.logged_in() as scanner:
            before = one.state().facts.spool_used
            data = scanner.begin("page@slow=4.pdf")
            data.sendall(pdf(8_000_000))
            end_properly(data)
            assert until(lambda: one.state().facts.uploads_pending == 1, SECONDS)
            # Others use /dev/shm too, so only the least is known.
            assert one.state().facts.spool_size > one.state().facts.spool_used > 0
            assert before >= 0
            assert scanner.answer().code == 226
            assert one.state().facts.uploads_pending == 0

    def test_a_password_is_nowhere_and_names_are_as_configured(self, tmp_path: Path) -> None:
        with observed(tmp_path, {"log": {"names": "none"}}) as one:
            with one.logged_in() as scanner:
                assert scanner.store("Fatima-Hassan.pdf", pdf(3000)).code == 226
                assert scanner.store("Fatima-Hassan.pdf", pdf(3000, 2)).code == 226
            with Scanner(one.daemon.port) as scanner:
                assert scanner.login("alice", "hunter2-wrong").code == 530
            told = one.command().stdout + one.command("--json").stdout
            assert told.count("alice") >= 4
            for secret in ("hunter2", "scan-alice", "Fatima", "Hassan"):
                assert secret not in told


class TestOpenSPP:
    def test_it_is_known_without_any_scanner(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one:
            assert until(lambda: one.state().openspp.answers, SECONDS)
            assert one.command().returncode == 0
            assert one.state().logins["accepted"] == 0

    def test_one_that_was_never_there_is_known_too(self, tmp_path: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "status"
            url = f"http://127.0.0.1:{free_ports(1)[0]}"
            with Daemon(tmp_path, url, status_socket=path):
                assert until(path.exists, SECONDS)
                assert until(lambda: door.ask(str(path)).openspp.answers is False, SECONDS)
                told = status_of(path)
        assert told.returncode == 1
        assert "OpenSPP has not answered as it should since" in told.stdout
        assert "Connection refused" in told.stdout

    def test_that_it_stopped_and_came_back(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one:
            one.logged_in().quit()
            one.openspp.kill()
            with Scanner(one.daemon.port) as scanner:
                assert scanner.login("bob").code == 421
            told = one.command()
            assert told.returncode == 1
            assert "Connection refused" in told.stdout
            one.openspp.start()
            one.logged_in().quit()
            assert until(lambda: one.command().returncode == 0)
            assert one.state().openspp.answers is True

    def test_that_it_came_back_where_nobody_scans(self, tmp_path: Path) -> None:
        """The daemon asks by itself when nothing was heard for 30 s."""
        with observed(tmp_path) as one:
            one.openspp.kill()
            with Scanner(one.daemon.port) as scanner:
                assert scanner.login("bob").code == 421
            one.openspp.start()
            assert one.state().openspp.answers is False
            assert until(lambda: one.state().openspp.answers, 90)
            assert one.state().openspp.requests["probe"]["answered"] >= 1


class TestSocket:
    def test_it_is_gone_with_the_daemon(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one:
            assert one.command().returncode == 0
            one.daemon.signal(signal.SIGTERM)
            assert one.daemon.wait() == 0
            assert not one.socket.exists()
            assert one.command().returncode == 3

    def test_a_daemon_that_was_killed_is_not_running_and_the_next_one_answers(
        self, tmp_path: Path
    ) -> None:
        with observed(tmp_path) as one:
            one.daemon.kill()
            assert one.command().returncode == 3
            one.daemon.start()
            assert until(one.socket.exists, SECONDS)
            assert until(lambda: one.command().returncode == 0, SECONDS)

    def test_a_daemon_that_stops_says_so(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one, one.logged_in() as scanner:
            data = scanner.begin("page@slow=5.pdf")
            data.sendall(pdf(5000))
            end_properly(data)
            one.daemon.signal(signal.SIGTERM)
            assert until(lambda: one.state().facts.state == "stopping", SECONDS)
            told = one.command()
            assert told.returncode == 1
            assert told.stdout.startswith(
                "Stopping, scans under way are finished first: 1 session;"
            )
            assert scanner.answer().code == 226

    def test_many_who_ask_and_some_who_never_read_disturb_no_scan(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one, contextlib.ExitStack() as stack:
            for _ in range(10):
                silent = stack.enter_context(socket.socket(socket.AF_UNIX))
                silent.settimeout(30)
                silent.connect(str(one.socket))
            scanner = stack.enter_context(one.logged_in())
            for number in range(5):
                for _ in range(100):
                    assert one.state().facts.state == "serving"
                assert scanner.store(f"{number}.pdf", pdf(5000, number)).code == 226
            assert one.state().scans["stored"] == 5

    def test_a_place_where_it_cannot_be_is_a_warning_and_scanners_are_served(
        self, tmp_path: Path
    ) -> None:
        with (
            EmbeddedOpenSPP(tmp_path) as openspp,
            Daemon(tmp_path, openspp.url, status_socket=tmp_path / "missing" / "status") as daemon,
        ):
            with Scanner(daemon.port) as scanner:
                assert scanner.login().code == 230
            assert until(lambda: "No status socket: " in daemon.log(), SECONDS)

    def test_as_json_it_is_for_programs(self, tmp_path: Path) -> None:
        with observed(tmp_path) as one:
            told = json.loads(one.command("--json").stdout)
            assert told["facts"]["state"] == "serving"
            assert told["facts"]["listening"].startswith(
                f"Listening on 127.0.0.1:{one.daemon.port};"
            )


class TestSystemd:
    @pytest.fixture
    def notified(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
        """The socket that systemd would listen on."""
        with (
            tempfile.TemporaryDirectory() as place,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
        ):
            receiver.bind(f"{place}/notify")
            receiver.settimeout(SECONDS)
            monkeypatch.setenv("NOTIFY_SOCKET", f"{place}/notify")
            monkeypatch.setenv("RUNTIME_DIRECTORY", place)
            yield receiver

    def wait_for(self, notified: socket.socket, wanted: str) -> list[str]:
        """All messages up to the first that has these words."""
        heard: list[str] = []
        while not heard or wanted not in heard[-1]:
            heard.append(notified.recv(65536).decode())
        return heard

    def test_its_sentence_is_kept_current_and_not_repeated(
        self, tmp_path: Path, notified: socket.socket
    ) -> None:
        with EmbeddedOpenSPP(tmp_path) as openspp, Daemon(tmp_path, openspp.url) as daemon:
            first = self.wait_for(notified, "READY=1")[-1]
            assert f"\nSTATUS=Listening on 127.0.0.1:{daemon.port};" in first
            self.wait_for(notified, "OpenSPP answers.")
            began = time.monotonic()
            with Scanner(daemon.port) as scanner:
                assert scanner.login().code == 230
                for number in range(20):
                    assert scanner.store(f"{number}.pdf", pdf(3000, number)).code == 226
                heard = self.wait_for(notified, "1 session; 20 scans stored, 0 refused, 0 failed")
                assert len(heard) <= (time.monotonic() - began) / 3 + 2  # every 3 s at most
                notified.settimeout(7)
                with pytest.raises(TimeoutError):  # nothing new, nothing said
                    notified.recv(65536)
                notified.settimeout(SECONDS)
            openspp.kill()
            with Scanner(daemon.port) as scanner:
                scanner.login("bob")
            self.wait_for(notified, "OpenSPP has not answered as it should since")

    def test_the_status_socket_is_where_systemd_has_a_place_for_it(
        self, tmp_path: Path, notified: socket.socket
    ) -> None:
        with EmbeddedOpenSPP(tmp_path) as openspp, Daemon(tmp_path, openspp.url):
            path = f"{os.environ['RUNTIME_DIRECTORY']}/status"
            assert until(lambda: Path(path).exists(), SECONDS)
            assert door.ask(path).facts.state == "serving"
