"""Data connections in the wrong hands: stolen ports, other hosts' addresses, nobody's data.

What is sent by the wrong one is stored under nobody's name, and the right one gets his turn.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from tests.acceptance.attacks import ATTACKER, MIB, NEXT_DOOR, last_words, under_attack
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import at_once, until
from tests.acceptance.running import free_ports
from tests.acceptance.scanner import Scanner

USERS = [f"user-{number}" for number in range(60)]
OPENSPP = [f"--user={user}:scan-{user}" for user in USERS]


@pytest.fixture(scope="module")
def running_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    options = {"limits": {"data_idle": "4s"}}
    with running(tmp_path_factory.mktemp("daemon"), None, options, OPENSPP) as made:
        yield made


@pytest.fixture
def ground(running_ground: Ground) -> Iterator[Ground]:
    yield running_ground
    assert "Traceback" not in running_ground.daemon.log()


@pytest.fixture
def victim(ground: Ground, request: pytest.FixtureRequest) -> str:
    """A user of the test's own."""
    number: int = request.node.session.items.index(request.node)
    return USERS[number % len(USERS)]


def send_from(source: str, port: int, content: bytes) -> bytes:
    """Send content to a passive port; what comes back until the daemon closes."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0)) as thief,
    ):
        thief.sendall(content)
        return b"".join(iter(partial(thief.recv, 4096), b""))
    return b""


class TestPassivePortsThatAreStolen:
    @pytest.mark.parametrize("when", ["before STOR", "after STOR"])
    def test_from_another_address(self, when: str, victim: str, ground: Ground) -> None:
        with ground.logged_in(victim) as scanner:
            port = scanner.passive_port()
            if when == "before STOR":
                assert send_from(ATTACKER, port, pdf(5000, 1)) == b""
            scanner.send("STOR page.pdf")
            assert scanner.answer().code == 150
            if when == "after STOR":
                assert send_from(ATTACKER, port, pdf(5000, 1)) == b""
            data = scanner.connect_data(port)
            data.sendall(pdf(5000, 2))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded(victim) == expected({"page.pdf": pdf(5000, 2)})

    def test_by_one_who_tries_all_of_them_all_the_time(self, victim: str, ground: Ground) -> None:
        over = threading.Event()

        def steal() -> None:
            while not over.is_set():
                for port in ground.daemon.passive_ports:
                    send_from(ATTACKER, port, pdf(5000, 1))

        thieves = [threading.Thread(target=steal) for _ in range(2)]
        for thief in thieves:
            thief.start()
        try:
            with ground.logged_in(victim, source=NEXT_DOOR) as scanner:
                for number in range(20):
                    assert scanner.store(f"page-{number}.pdf", pdf(5000, 10 + number)).code == 226
        finally:
            over.set()
            for thief in thieves:
                thief.join()
        documents = {f"page-{number}.pdf": pdf(5000, 10 + number) for number in range(20)}
        assert ground.recorded(victim) == expected(documents)

    def test_a_second_connection_to_a_port_that_was_used(self, victim: str, ground: Ground) -> None:
        """The port is told to one and taken by one."""
        with ground.logged_in(victim) as scanner:
            port = scanner.passive_port()
            data = scanner.connect_data(port)
            assert scanner.command("STOR page.pdf").code == 150
            assert send_from("127.0.0.1", port, pdf(5000, 1)) == b""
            data.sendall(pdf(5000, 2))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded(victim) == expected({"page.pdf": pdf(5000, 2)})

    def test_a_port_that_was_told_to_nobody(self, ground: Ground) -> None:
        for port in ground.daemon.passive_ports:
            assert send_from("127.0.0.1", port, pdf(5000)) == b""


class TestBounce:
    """RFC 2577 section 2: the daemon connects to nobody but its client."""

    @pytest.mark.parametrize("command", ["PORT {comma},{high},{low}", "EPRT |1|{host}|{port}|"])
    def test_to_another_host(self, command: str, victim: str, ground: Ground) -> None:
        (port,) = free_ports(1)
        with (
            socket.create_server(("127.0.0.77", port)) as elsewhere,
            socket.create_server(("127.0.0.1", port)) as own,
            ground.logged_in(victim) as scanner,
        ):
            host = "127.0.0.77"
            named = command.format(
                comma=host.replace(".", ","), high=port >> 8, low=port & 255, host=host, port=port
            )
            assert scanner.command(named).code == 200
            assert scanner.command("STOR page.pdf").code == 150
            own.settimeout(20)
            data, _ = own.accept()
            with data:
                data.sendall(pdf(5000))
            assert scanner.answer().code == 226
            elsewhere.settimeout(0.5)
            with pytest.raises(TimeoutError):
                elsewhere.accept()
        assert ground.recorded(victim) == expected({"page.pdf": pdf(5000)})

    @pytest.mark.parametrize("port", [0, 1, 21, 22, 25, 80, 1023])
    def test_to_a_well_known_port(self, port: int, victim: str, ground: Ground) -> None:
        with ground.logged_in(victim) as scanner:
            assert scanner.command(f"PORT 127,0,0,1,0,{port}").code == 501
            if port < 256:
                assert scanner.command(f"EPRT |1|127.0.0.1|{port}|").code == 501
            assert scanner.command("STOR page.pdf").code == 425

    def test_a_port_scan_by_active_mode_tells_little_and_slowly_nothing_else(
        self, victim: str, ground: Ground
    ) -> None:
        """A closed port is a 425, and the session goes on; nothing is sent to an open one."""
        (port,) = free_ports(1)
        with ground.logged_in(victim) as scanner:
            assert scanner.command(f"PORT 127,0,0,1,{port >> 8},{port & 255}").code == 200
            assert scanner.command("STOR page.pdf").code == 150
            assert scanner.answer().code == 425
            assert scanner.store("page.pdf", pdf(5000)).code == 226


class TestWhatCostsNothing:
    def test_a_flood_of_connections_to_the_passive_ports(self, victim: str, ground: Ground) -> None:
        def flood() -> None:
            for number in range(300):
                send_from(
                    f"127.0.3.{number % 250 + 1}", ground.daemon.passive_ports[0], b"x" * 9000
                )

        with under_attack(replace(ground, user=victim)):
            at_once(*[flood] * 2)

    def test_more_than_is_allowed_is_thrown_away_as_it_comes(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """200 MB where 1 MB is allowed, from eight at once."""
        options = {"uploads": {"max_size": "1M"}}
        folder = tmp_path_factory.mktemp("large")
        with running(folder, None, options, OPENSPP) as ground, under_attack(ground):

            def pour(number: int) -> None:
                with ground.logged_in(USERS[number], source=ATTACKER) as scanner:
                    data = scanner.begin("large.bin")
                    with contextlib.suppress(OSError):
                        for _ in range(400):
                            data.sendall(bytes(MIB // 16))
                    data.close()
                    assert scanner.answer().code == 552

            at_once(*(partial(pour, number) for number in range(8)))

    def test_open_data_connections_that_send_nothing(self, victim: str, ground: Ground) -> None:
        """They end by data_idle, each session with its 426."""
        with (
            contextlib.ExitStack() as closing,
            under_attack(replace(ground, user=victim)),
        ):
            silent: list[Scanner] = []
            for number in range(40):
                scanner = ground.logged_in(USERS[number], source=f"127.0.4.{number + 1}")
                silent.append(closing.enter_context(scanner))
                scanner.begin("silent.pdf")
            assert {scanner.answer().code for scanner in silent} == {426}

    def test_listings_that_nobody_reads(self, victim: str, ground: Ground) -> None:
        with (
            contextlib.ExitStack() as closing,
            under_attack(replace(ground, user=victim)),
        ):
            waiting: list[Scanner] = []
            for number in range(10):
                scanner = ground.logged_in(USERS[number], source=f"127.0.5.{number + 1}")
                waiting.append(closing.enter_context(scanner))
                for folder in range(100):
                    scanner.send(f"MKD {'x' * 240}-{folder}")
                assert {scanner.answer().code for _ in range(100)} == {257}
                data = scanner.passive()
                data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                assert scanner.command("LIST").code == 150
            assert {scanner.answer().code for scanner in waiting} <= {226, 426}
            for scanner in waiting:
                scanner.send("QUIT")
                assert last_words(scanner)[0].code == 221
        assert until(lambda: not ground.daemon.spooled_bytes())
