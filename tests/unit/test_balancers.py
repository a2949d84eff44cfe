"""Whose a connection is that a balancer passes on: told by its header, and read to the byte."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from openspp_ftpd.balancers import Balancers, HeaderReader
from openspp_ftpd.events import Journal
from openspp_ftpd.proxy_protocol import NotProxied
from openspp_ftpd.settings import LogSettings

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 8002\r\n"
BALANCER = "10.0.0.1"
NETWORKS = (ip_network("10.0.0.0/24"), ip_network("2001:db8::/64"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A balancer's end and ours."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        ours.setblocking(False)
        yield theirs, ours


class TestTheReader:
    def test_leaves_what_follows_the_header(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        theirs, ours = pair
        theirs.sendall(LINE + b"USER alice\r\n")
        header = HeaderReader(ours).read()
        assert header is not None
        assert header.source is not None
        assert header.source.host == "192.0.2.7"
        assert ours.recv(100) == b"USER alice\r\n"

    def test_takes_it_in_pieces_without_asking_for_the_same_again(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        theirs, ours = pair
        reader = HeaderReader(ours)
        for byte in LINE[:-1]:
            theirs.sendall(bytes([byte]))
            assert reader.read() is None
            with pytest.raises(BlockingIOError):  # else the loop would spin
                ours.recv(1, socket.MSG_PEEK)
        theirs.sendall(LINE[-1:] + b"x")
        assert reader.read() is not None
        assert ours.recv(10) == b"x"

    def test_nothing_there_is_no_end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        assert HeaderReader(pair[1]).read() is None

    def test_an_end_before_it(self, pair: tuple[socket.socket, socket.socket]) -> None:
        theirs, ours = pair
        theirs.sendall(LINE[:10])
        reader = HeaderReader(ours)
        assert reader.read() is None
        theirs.close()
        with pytest.raises(ConnectionError):
            reader.read()

    def test_something_else(self, pair: tuple[socket.socket, socket.socket]) -> None:
        theirs, ours = pair
        theirs.sendall(b"USER alice\r\n")
        with pytest.raises(NotProxied):
            HeaderReader(ours).read()


class Ground:
    """Balancers on a loop that a test turns by hand."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        logger = logging.getLogger("openspp_ftpd.test")
        caplog.set_level(logging.INFO, logger.name)
        journal = Journal(LogSettings(), logger)
        self.watched: dict[socket.socket, Callable[[], None]] = {}
        self.timers: list[Callable[[], None]] = []
        self.came: list[tuple[socket.socket, str, str]] = []
        self.balancers = Balancers(NETWORKS, self._watch, self._later, lambda: journal)

    def pass_on(self, connection: socket.socket, client: str) -> None:
        """A connection is accepted."""
        self.balancers.pass_on(connection, client, lambda *came: self.came.append(came))

    def _watch(self, connection: socket.socket, came: Callable[[], None]) -> Callable[[], None]:
        self.watched[connection] = came

        def undo() -> None:
            del self.watched[connection]

        return undo

    def _later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        self.timers.append(action)
        return lambda: self.timers.remove(action)


@pytest.fixture
def ground(caplog: pytest.LogCaptureFixture) -> Ground:
    return Ground(caplog)


class TestABalancersConnection:
    def test_is_its_clients(
        self, ground: Ground, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        theirs, ours = pair
        for address in (BALANCER, f"::ffff:{BALANCER}", "2001:db8::9"):
            ground.pass_on(ours, address)
            assert ground.came == []
            theirs.sendall(LINE)
            ground.watched[ours]()
            assert ground.came.pop() == (ours, "192.0.2.7", "198.51.100.1")
            assert ground.watched == {}
            assert ground.timers == []

    def test_of_its_own_is_the_balancers(
        self, ground: Ground, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        theirs, ours = pair
        ground.pass_on(ours, BALANCER)
        theirs.sendall(b"PROXY UNKNOWN\r\n")
        ground.watched[ours]()
        assert ground.came == [(ours, BALANCER, "")]

    def test_without_a_header_is_closed_and_said(
        self,
        ground: Ground,
        pair: tuple[socket.socket, socket.socket],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        theirs, ours = pair
        ground.pass_on(ours, BALANCER)
        theirs.sendall(b"USER alice\r\n")
        ground.watched[ours]()
        assert ours.fileno() == -1
        assert ground.came == []
        assert "send-proxy-v2" in caplog.text
        assert "alice" not in caplog.text

    def test_that_says_nothing_is_closed_in_time(
        self,
        ground: Ground,
        pair: tuple[socket.socket, socket.socket],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        ground.pass_on(pair[1], BALANCER)
        ground.timers[0]()
        assert pair[1].fileno() == -1
        assert "no header came in time" in caplog.text
        assert (ground.watched, ground.timers) == ({}, [])

    def test_that_only_looks_is_closed_in_silence(
        self,
        ground: Ground,
        pair: tuple[socket.socket, socket.socket],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        theirs, ours = pair
        ground.pass_on(ours, BALANCER)
        theirs.close()
        ground.watched[ours]()
        assert ours.fileno() == -1
        assert caplog.text == ""

    def test_that_waits_ends_with_the_daemon(
        self, ground: Ground, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        ground.pass_on(pair[1], BALANCER)
        ground.balancers.close()
        assert pair[1].fileno() == -1
        assert (ground.watched, ground.timers) == ({}, [])


def test_everybody_elses_connection_is_his_own(
    ground: Ground, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    theirs.sendall(LINE)
    for client in ("10.0.1.1", "192.0.2.7", "fe80::1"):
        ground.pass_on(ours, client)
        assert ground.came.pop() == (ours, client, "")
    assert ours.recv(100) == LINE
