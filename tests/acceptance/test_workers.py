"""Several workers serve as one: each client has its worker, and every limit is one for all."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from openspp_ftpd.supervisor.shares import worker_of
from tests.acceptance.clients import lftp
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import at_once, until
from tests.acceptance.running import Process
from tests.acceptance.scanner import Answer, Scanner

Options = Mapping[str, Mapping[str, str]]


@contextlib.contextmanager
def served_by(
    workers: int,
    directory: Path,
    certificate: tuple[Path, Path] | None = None,
    options: Options | None = None,
    status_socket: Path | None = None,
) -> Iterator[Ground]:
    """A daemon with so many workers."""
    given = {section: dict(values) for section, values in (options or {}).items()}
    given.setdefault("ftp", {})["workers"] = str(workers)
    with running(directory, certificate, given, status_socket=status_socket) as ground:
        assert until(lambda: "Listening on" in ground.daemon.log(), 30)
        yield ground


def addresses(worker: int, workers: int) -> Iterator[str]:
    """Loopback addresses that this worker serves."""
    return (
        address
        for address in (f"127.0.0.{host}" for host in range(2, 255))
        if worker_of(address, workers) == worker
    )


def store_actively(scanner: Scanner, name: str, content: bytes) -> Answer:
    """PORT, STOR; the daemon connects to the scanner's address."""
    with socket.create_server((scanner.source, 0)) as waiting:
        port = waiting.getsockname()[1]
        numbers = [*scanner.source.split("."), str(port // 256), str(port % 256)]
        assert scanner.command(f"PORT {','.join(numbers)}").code == 200
        assert scanner.command(f"STOR {name}").code == 150
        waiting.settimeout(30)
        data = scanner.secured(waiting.accept()[0])
        data.sendall(content)
        if scanner.tls:
            data = data.unwrap()  # type: ignore[attr-defined]
        data.close()
    return scanner.answer()


@pytest.mark.parametrize("workers", [2, 3])
def test_every_way_to_send_works_from_every_address(
    workers: int, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    sent: dict[str, bytes] = {}
    with served_by(workers, tmp_path, certificate) as ground:

        def send(address: str, tls: str) -> None:
            with ground.logged_in(tls=tls, source=address) as scanner:
                for active in (False, True):
                    name = f"{address}-{tls or 'plain'}-{active}.pdf"
                    sent[name] = pdf(30_000, len(sent))
                    store = partial(store_actively, scanner) if active else scanner.store
                    assert store(name, sent[name]).code == 226
                scanner.quit()

        for tls in ("", "explicit", "implicit"):
            ours = [next(addresses(number, workers)) for number in range(workers)]
            at_once(*(partial(send, address, tls) for address in ours))
        file = tmp_path / "by-lftp.pdf"
        sent[file.name] = pdf(40_000, 99)
        file.write_bytes(sent[file.name])
        assert lftp(ground.way("explicit", active=True), [file]).status == 0
        assert ground.recorded() == expected(sent)
        assert "Traceback" not in ground.daemon.log()


@pytest.mark.parametrize("workers", [2, 3])
def test_a_client_has_always_the_same_worker_and_that_one_stops_nobody_elses(
    workers: int, tmp_path: Path
) -> None:
    with served_by(workers, tmp_path) as ground:
        processes = ground.daemon.workers()
        assert len(processes) == workers
        for number, process in enumerate(processes):
            os.kill(process, signal.SIGSTOP)
            try:
                stopped = next(addresses(number, workers))
                others = [next(addresses(other, workers)) for other in range(workers)]
                others.remove(stopped)
                with pytest.raises(TimeoutError):
                    Scanner(ground.daemon.port, source=stopped, timeout=1)
                for other in others:
                    with ground.logged_in(source=other) as scanner:
                        name = f"{number}-{other}.pdf"
                        assert scanner.store(name, pdf(3000)).code == 226
            finally:
                os.kill(process, signal.SIGCONT)
            with ground.logged_in(source=stopped) as scanner:
                assert scanner.store(f"{number}-{stopped}.pdf", pdf(3000)).code == 226


class TestCounts:
    @pytest.mark.parametrize("workers", [2, 3])
    def test_sessions_are_counted_exactly(self, workers: int, tmp_path: Path) -> None:
        options = {"limits": {"sessions": "7"}}
        with (
            served_by(workers, tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
        ):

            def connect(host: int) -> Scanner:
                return closing.enter_context(ground.scanner(source=f"127.0.0.{host}"))

            scanners = at_once(*(partial(connect, host) for host in range(2, 32)))
            codes = sorted(scanner.greeting.code for scanner in scanners)
            assert codes == [220] * 7 + [421] * 23
            inside = [scanner for scanner in scanners if scanner.greeting.code == 220]
            for scanner in inside[:3]:
                scanner.quit()
            # Who connects at once after 221 finds the place free.
            assert [connect(host).greeting.code for host in range(50, 55)] == [220] * 3 + [421] * 2

    def test_a_client_that_comes_back_at_once_is_never_refused(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions": "1", "sessions_per_address": "1"}}
        with served_by(2, tmp_path, options=options) as ground:
            for number in range(100):
                with ground.scanner(source=f"127.0.0.{2 + number % 9}") as scanner:
                    assert scanner.greeting.code == 220, number
                    scanner.quit()

    def test_sessions_of_an_address(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions_per_address": "2", "trusted_networks": "127.0.0.64/26"}}
        with (
            served_by(3, tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
        ):

            def greetings(source: str, count: int) -> list[int]:
                return [
                    closing.enter_context(ground.scanner(source=source)).greeting.code
                    for _ in range(count)
                ]

            for number in range(3):
                assert greetings(next(addresses(number, 3)), 3) == [220, 220, 421]
            assert greetings("127.0.0.65", 5) == [220] * 5

    def test_a_ban_is_for_its_address_alone(self, tmp_path: Path) -> None:
        options = {"limits": {"failed_logins": "3"}}
        with (
            served_by(2, tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
        ):
            ours = addresses(0, 2)
            banned, neighbour, other = next(ours), next(ours), next(addresses(1, 2))
            for user in ("alice", "bob", "nobody"):
                scanner = closing.enter_context(ground.scanner(source=banned))
                scanner.command(f"USER {user}")
                scanner.send("PASS wrong")
            log = ground.daemon.log
            assert until(lambda: log().count("could not log in") >= 3, 30)
            refused = closing.enter_context(ground.scanner(source=banned))
            assert refused.greeting.code == 421
            assert "failed logins" in refused.greeting.text
            for address in (neighbour, other):
                closing.enter_context(ground.logged_in(source=address))

    def test_a_good_login_is_told_to_the_one_that_counts(self, tmp_path: Path) -> None:
        options = {"limits": {"failed_logins": "3"}}
        with (
            served_by(2, tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
        ):

            def fail(user: str, failures: int) -> None:
                scanner = closing.enter_context(ground.scanner(source="127.0.0.5"))
                scanner.command(f"USER {user}")
                scanner.send("PASS wrong")
                log = ground.daemon.log
                assert until(lambda: log().count("could not log in") >= failures, 30)

            fail("alice", 1)
            fail("bob", 2)
            closing.enter_context(ground.logged_in("frank", source="127.0.0.5"))
            fail("nobody", 3)
            again = closing.enter_context(ground.scanner(source="127.0.0.5"))
            assert again.greeting.code == 220


class TestDataConnections:
    def test_from_anywhere_it_finds_the_worker_by_its_port(self, tmp_path: Path) -> None:
        options = {"ftp": {"data_from": "any"}}
        with served_by(2, tmp_path, options=options) as ground:
            sent: dict[str, bytes] = {}
            for number in range(2):
                for elsewhere in (next(addresses(0, 2)), next(addresses(1, 2))):
                    with ground.logged_in(source=next(addresses(number, 2))) as scanner:
                        port = scanner.passive_port()
                        scanner.source = elsewhere
                        data = scanner.connect_data(port)
                        name = f"{number}-{elsewhere}.pdf"
                        assert scanner.command(f"STOR {name}").code == 150
                        sent[name] = pdf(3000, len(sent))
                        data.sendall(sent[name])
                        data.close()
                        assert scanner.answer().code == 226
            assert ground.recorded() == expected(sent)

    def test_one_that_nobody_waits_for_is_closed(self, tmp_path: Path) -> None:
        with served_by(2, tmp_path) as ground:
            for number in range(2):
                source = (next(addresses(number, 2)), 0)
                with socket.create_connection(
                    ("127.0.0.1", ground.daemon.passive_ports[0]), 30, source_address=source
                ) as stranger:
                    assert stranger.recv(1) == b""


def test_two_hundred_sessions_leave_no_descriptor_behind(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    with served_by(2, tmp_path, certificate) as ground:
        ours = [next(addresses(0, 2)), next(addresses(1, 2))]

        def sessions(number: int) -> None:
            for count in range(25):
                tls = "explicit" if count % 5 == 0 else ""
                with ground.logged_in(tls=tls, source=ours[number % 2]) as scanner:
                    assert scanner.store(f"{number}-{count}.pdf", pdf(2000)).code == 226
                    scanner.quit()

        def opened() -> list[int]:
            processes = [ground.daemon.pid, *ground.daemon.workers()]
            return [len(list(Path(f"/proc/{one}/fd").iterdir())) for one in processes]

        at_once(*(partial(sessions, number) for number in range(2)))
        before = opened()
        at_once(*(partial(sessions, number) for number in range(8)))
        most = [then + 2 for then in before]
        assert until(lambda: all(now <= then for now, then in zip(opened(), most, strict=True)), 30)
        # The workers have neither listening sockets nor anything else of the supervisor.
        assert max(before) < 30


class TestStart:
    def test_a_port_in_use_ends_it_as_with_one_worker(self, tmp_path: Path) -> None:
        said = []
        for workers in ("1", "2"):
            directory = tmp_path / workers
            directory.mkdir()
            with served_by(2, directory) as ground:
                sections = {**ground.daemon.sections}
                sections["ftp"] = {**sections["ftp"], "workers": workers}
                ground.daemon.write_configuration(sections)
                command = ["serve", "-c", str(ground.daemon.configuration)]
                with Process(directory / "second.log", command) as second:
                    second.start_process()
                    assert second.wait(30) == 1
                    why = second.log().partition("Cannot start")[2]
                said.append(why.replace(str(ground.daemon.port), "PORT"))
        assert "cannot be listened on" in said[0]
        assert said[0] == said[1]
