"""Clients that do what no scanner does: they cost nobody else his turn, his time or his scan.

One test a fault that was found in a review; its name says what must not happen again.
"""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Answer, Scanner, end_properly
from tests.unit.openspp.scripted import Request

ZOE = "--user=zoe:scan-zoe"


def cpu_share(daemon: Daemon, seconds: float) -> float:
    """The part of one processor that the daemon uses from now on."""
    before = daemon.cpu_seconds()
    time.sleep(seconds)
    return (daemon.cpu_seconds() - before) / seconds


def is_quiet(daemon: Daemon) -> bool:
    """The daemon does nothing, and never failed."""
    return cpu_share(daemon, 1.0) < 0.3 and "Traceback" not in daemon.log()


@contextlib.contextmanager
def unread_session(ground: Ground) -> Iterator[None]:
    """A client that asks until the daemon takes no more, and reads no reply."""
    with ground.logged_in() as scanner:
        scanner.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        scanner.connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            for _ in range(10_000):
                scanner.connection.sendall(b"HELP\r\n" * 500)
        assert until(lambda: cpu_share(ground.daemon, 0.2) < 0.1)
        yield


class TestAPassivePortThatWasTakenOver:
    """With one port, zoe is given the port that alice was told and did not use."""

    def test_what_alice_sends_after_all_is_never_stored_as_zoes(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, passive_ports=1, openspp=(ZOE,)) as ground,
            ground.logged_in("alice") as alice,
            ground.logged_in("zoe") as zoe,
        ):
            port, began = alice.passive_port(), time.monotonic()
            assert zoe.passive_port() == port
            assert 3.9 < time.monotonic() - began < 8
            zoe.send("STOR zoe.pdf")
            assert zoe.answer().code == 150
            data = alice.connect_data(port)
            alice.send("STOR alice.pdf")
            with contextlib.suppress(OSError):
                data.sendall(pdf(5000))
                data.close()
            assert alice.answer().code == 425
            assert zoe.answer().code == 426
            assert "Another session claims the data connection" in ground.daemon.log()
            assert ground.openspp.record() == []
            for scanner in (alice, zoe):
                assert scanner.store("again.pdf", pdf(5000)).code == 226


class TestPassivePortsThatAreWaitedFor:
    """Commands behind a PASV that waits are nobody else's affair."""

    @pytest.mark.parametrize("behind", ["PASV", "EPSV", "QUIT"])
    def test_every_session_that_waits_is_answered(self, tmp_path: Path, behind: str) -> None:
        with running(tmp_path, passive_ports=1) as ground, contextlib.ExitStack() as closing:
            holding, *waiting = (closing.enter_context(ground.logged_in()) for _ in range(4))
            holding.passive_port()
            for scanner in waiting:
                scanner.connection.sendall(f"PASV\r\n{behind}\r\n".encode())
            time.sleep(0.2)
            assert holding.command("QUIT").code == 221
            for scanner in waiting:  # those behind them take their turn after the others
                assert scanner.answer(3).code == 227
                if behind == "QUIT":
                    assert scanner.answer(3).code == 221
            with ground.logged_in() as scanner:
                assert scanner.command("NOOP").code == 200
            assert "Traceback" not in ground.daemon.log()


class TestTimers:
    def test_commands_of_one_session_do_not_delay_the_answer_to_another(
        self, tmp_path: Path
    ) -> None:
        """answer_within is held although another session's idle limit is put off all the time."""
        options = {"openspp": {"answer_within": "2s"}, "limits": {"command_idle": "3s"}}

        def never(request: Request) -> None:
            threading.Event().wait(20)

        with (
            EmbeddedOpenSPP(tmp_path) as openspp,
            OpenSPPDouble(openspp.port) as double,
            Daemon(tmp_path, double.url, options) as daemon,
            Scanner(daemon.port) as busy,
            Scanner(daemon.port) as waiting,
        ):
            double.scripts["never"] = never
            assert busy.login().code == waiting.login("bob").code == 230
            time.sleep(1.5)
            assert busy.command("NOOP").code == waiting.command("NOOP").code == 200
            time.sleep(1.8)  # busy's limit is the next to come: after 4.5 s, the answer's after 5.3
            data = waiting.begin("never.pdf")
            data.sendall(pdf(5000))
            end_properly(data)
            began = time.monotonic()
            answers: list[Answer] = []
            thread = threading.Thread(target=lambda: answers.append(waiting.answer()))
            thread.start()
            while thread.is_alive() and time.monotonic() - began < 8:
                time.sleep(0.2)
                assert busy.command("NOOP").code == 200
            assert time.monotonic() - began < 3.5
            thread.join()
            assert answers[0].code == 451


class TestRepliesThatNobodyReads:
    def test_such_a_session_ends_and_its_place_is_free_again(self, tmp_path: Path) -> None:
        options = {"limits": {"command_idle": "1s", "sessions": "2"}, "log": {"level": "info"}}
        with (
            running(tmp_path, options=options) as ground,
            unread_session(ground),
            unread_session(ground),
        ):
            with ground.scanner() as refused:
                assert refused.greeting.code == 421

            def has_a_place() -> bool:
                with ground.scanner() as scanner:
                    return scanner.greeting.code == 220

            assert until(has_a_place, 10)
            assert is_quiet(ground.daemon)


class TestManyTinyLines:
    def test_they_cost_no_more_than_their_bytes(self, tmp_path: Path) -> None:
        """Lines of one byte while the login is answered: each was weighed with all before it."""
        with (
            running(tmp_path, openspp=("--slow-login", "30")) as ground,
            ground.scanner() as other,
            contextlib.ExitStack() as closing,
        ):
            senders = [closing.enter_context(ground.scanner()) for _ in range(10)]
            for sender in senders:
                sender.send("USER alice")
                assert sender.answer().code == 331
                sender.send("PASS scan-alice")
            before = ground.daemon.cpu_seconds()
            for sender in senders:
                sender.connection.sendall(b"A\n" * 9000)
            for _ in range(10):
                began = time.monotonic()
                assert other.command("NOOP").code == 200
                assert time.monotonic() - began < 2
                time.sleep(0.05)
            assert ground.daemon.cpu_seconds() - before < 2

    def test_two_thousand_commands_in_one_tls_record_are_all_answered(self, ground: Ground) -> None:
        """What OpenSSL keeps decrypted wakes nobody."""
        for tls in ("explicit", "implicit"):
            with ground.logged_in(tls=tls) as scanner:
                scanner.connection.sendall(b"NOOP\r\n" * 2000)
                assert [scanner.answer(5).code for _ in range(2000)] == [200] * 2000


class TestFolders:
    def test_the_current_folder_does_not_grow_without_bound(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            deeper = "CWD " + "a/" * 400
            assert scanner.command(deeper).code == 250
            before = scanner.command("PWD")
            for _ in range(5):
                assert scanner.command(deeper) == Answer(550, "This path is too long.")
            assert scanner.command("MKD " + "b/" * 400).code == 550
            assert scanner.command("PWD") == before
            assert scanner.command("CWD /").code == 250
            content = pdf(2000)
            assert scanner.store("page.pdf", content).code == 226
        assert ground.recorded() == expected({"page.pdf": content})


class TestSilenceInTheMiddleOfTls:
    def test_the_idle_limit_in_the_handshake_ends_the_session(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        """The 421 could not be written, and the loop span until the handshake's own limit."""
        options = {"limits": {"command_idle": "1s", "handshake_within": "10s"}}
        with (
            running(tmp_path, certificate, options) as ground,
            ground.scanner() as explicit,
            socket.create_connection(("127.0.0.1", ground.daemon.implicit_port)) as implicit,
        ):
            assert explicit.command("AUTH TLS").code == 234
            for connection in (explicit.connection, implicit):
                connection.settimeout(4)
                assert connection.recv(1) == b""
            assert is_quiet(ground.daemon)


class TestNoDescriptorLeft:
    def test_the_daemon_does_not_spin_and_recovers(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground:
            descriptors = Path(f"/proc/{ground.daemon.pid}/fd")
            most = max(int(each.name) for each in descriptors.iterdir()) + 6
            before = resource.prlimit(ground.daemon.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(ground.daemon.pid, resource.RLIMIT_NOFILE, (most, before[1]))
            with contextlib.ExitStack() as closing:
                for _ in range(20):
                    closing.enter_context(
                        socket.create_connection(("127.0.0.1", ground.daemon.port))
                    )
                log = ground.daemon.log
                assert until(lambda: "No connection can be accepted" in log())
                assert cpu_share(ground.daemon, 1.5) < 0.3
                assert log().count("No connection can be accepted") < 10
                assert "raise LimitNOFILE" in log()
            with ground.logged_in() as scanner:  # the others have left
                resource.prlimit(ground.daemon.pid, resource.RLIMIT_NOFILE, before)
                assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert is_quiet(ground.daemon)


class TestDataInTheClear:
    """Where TLS is required, nothing that came without it is stored."""

    @pytest.fixture
    def required(self, tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[Ground]:
        with running(tmp_path, certificate, {"tls": {"mode": "required"}}) as ground:
            yield ground
            assert ground.openspp.record() == []

    def test_a_data_connection_made_under_prot_c_is_not_used_under_prot_p(
        self, required: Ground
    ) -> None:
        with required.logged_in(tls="explicit") as scanner:
            assert scanner.command("PROT C").code == 200
            data = scanner.passive()
            time.sleep(0.1)
            assert scanner.command("PROT P").code == 200
            assert scanner.command("STOR page.pdf").code == 425
            self.is_closed(data)
            assert scanner.command("NOOP").code == 200

    def test_a_port_told_under_prot_c_leads_to_a_handshake_under_prot_p(
        self, required: Ground
    ) -> None:
        with required.logged_in(tls="explicit") as scanner:
            assert scanner.command("PROT C").code == 200
            port = scanner.passive_port()
            assert scanner.command("PROT P").code == 200
            data = scanner.connect_data(port)
            assert scanner.command("STOR page.pdf").code == 150
            data.sendall(pdf(2000))
            assert scanner.answer().code == 522

    @pytest.mark.parametrize("connected", ["before AUTH", "after AUTH"])
    def test_a_data_connection_agreed_on_before_auth_is_not_used(
        self, ground: Ground, connected: str
    ) -> None:
        with ground.logged_in() as scanner:
            port = scanner.passive_port()
            if connected == "before AUTH":
                data = scanner.connect_data(port)
                time.sleep(0.1)
            assert scanner.command("AUTH TLS").code == 234
            scanner.begin_tls()
            assert scanner.login(ground.user).code == 230
            assert scanner.command("PBSZ 0").code == 200
            if connected == "after AUTH":
                data = scanner.connect_data(port)
                time.sleep(0.1)
            assert scanner.command("PROT P").code == 200
            assert scanner.command("STOR page.pdf").code == 425
            self.is_closed(data)
        assert ground.recorded() == []

    @staticmethod
    def is_closed(data: socket.socket) -> None:
        data.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert data.recv(1) == b""


class TestSessions:
    @pytest.mark.parametrize("change", ["USER", "REIN"])
    def test_the_next_user_does_not_see_the_files_of_the_one_before(
        self, ground: Ground, change: str
    ) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("CWD folder").code == 250
            assert scanner.store("page.pdf", noise(2000)).code == 226
            assert scanner.command("SIZE page.pdf").code == 213
            if change == "REIN":
                assert scanner.command("REIN").code == 220
            assert scanner.login("user-199").code == 230
            assert scanner.command("SIZE /folder/page.pdf").code == 550
            assert scanner.command("PWD").text.startswith('"/" ')
            assert not re.search("page|folder", scanner.command("STAT *").text)

    def test_lines_do_not_keep_a_session_that_never_logs_in(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, options={"limits": {"command_idle": "1s"}}) as ground,
            ground.logged_in() as logged_in,
            ground.scanner() as empty_lines,
            ground.scanner() as commands,
        ):
            began = time.monotonic()
            for scanner, line in ((empty_lines, ""), (commands, "NOOP")) * 20:
                with contextlib.suppress(OSError):
                    scanner.send(line)
                # Who has logged in goes on as long as he asks.
                assert logged_in.command("NOOP").code == 200
                time.sleep(0.05)
            assert time.monotonic() - began > 2
            for scanner in (empty_lines, commands):
                with pytest.raises(ConnectionError):
                    while True:
                        assert scanner.answer(0.5).code in (200, 421)

    def test_commands_behind_a_final_421_are_not_obeyed(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground, ground.scanner() as scanner:
            ground.openspp.kill()
            scanner.connection.sendall(b"USER alice\r\nPASS scan-alice\r\nNOOP\r\nNOOP\r\n")
            assert [scanner.answer().code, scanner.answer().code] == [331, 421]
            with pytest.raises(ConnectionError):
                scanner.answer(5)
