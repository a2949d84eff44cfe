"""Passive ports are shared by client address, and a silent session keeps nobody waiting."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from openspp_ftpd.balancers import Balancers
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp import passive
from openspp_ftpd.ftp.listener import balancers_on
from openspp_ftpd.ftp.loop import EventLoop
from openspp_ftpd.ftp.passive import Holder, PassivePorts
from openspp_ftpd.settings import LogSettings


class Session:
    """A session, as the passive ports see it."""

    def __init__(self, address: str) -> None:
        self.remote_ip = address
        self.port: int | None = None
        self.refused = False
        self.lost = False
        self.transfer_waits = False
        self.connection: socket.socket | None = None

    def passive_granted(self, port: int) -> None:
        self.port = port

    def passive_refused(self) -> None:
        self.refused = True

    def passive_lost(self, successor: Holder) -> None:
        self.lost = True

    def passive_contested(self) -> None:
        raise AssertionError("nobody contests here")

    def passive_connected(self, connection: socket.socket) -> None:
        self.connection = connection

    def awaits_data(self) -> bool:
        return self.transfer_waits


def without_balancers(loop: EventLoop) -> Balancers:
    """Nobody passes connections on."""
    journal = Journal(LogSettings(), logging.getLogger("openspp_ftpd.test"))
    return balancers_on(loop, (), lambda: journal)


class Ground:
    """Two passive ports on a loop of their own."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        self.numbers = _free_ports(2)
        self.ports = PassivePorts(
            ["127.0.0.1"], self.numbers, "session", without_balancers(self.loop), self.loop
        )

    def run_until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Run the loop until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            self.loop.loop(timeout=0.02, blocking=False)

    def run_for(self, seconds: float) -> None:
        """Run the loop for a while."""
        end = time.monotonic() + seconds
        self.run_until(lambda: time.monotonic() >= end, seconds + 1)

    def session(self, address: str = "127.0.0.1") -> Session:
        """A session that asked for a port."""
        session = Session(address)
        self.ports.reserve(session)
        return session


@pytest.fixture
def ground() -> Iterator[Ground]:
    ground = Ground()
    yield ground
    ground.ports.close()
    ground.loop.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passive, "WAIT_SECONDS", 0.6)
    monkeypatch.setattr(passive, "TAKE_OVER_SECONDS", 0.2)
    monkeypatch.setattr(passive, "_CHECK_SECONDS", 0.05)


def test_each_address_has_all_ports(ground: Ground) -> None:
    for host in range(1, 20):
        sessions = [ground.session(f"127.0.0.{host}") for _ in ground.numbers]
        assert sorted(session.port or 0 for session in sessions) == sorted(ground.numbers)


def test_a_data_connection_goes_to_the_session_of_its_address(ground: Ground) -> None:
    first, second = ground.session("127.0.0.2"), ground.session("127.0.0.3")
    first_again = ground.session("127.0.0.2")
    shared = second.port
    owner = first if first.port == shared else first_again
    for session in (second, owner):
        with socket.create_connection(
            ("127.0.0.1", shared or 0), source_address=(session.remote_ip, 0)
        ) as client:
            ground.run_until(partial(_is_connected, session))
            assert session.connection is not None
            assert session.connection.getpeername() == client.getsockname()
            session.connection.close()


def test_a_connection_that_nobody_waits_for_is_closed(ground: Ground) -> None:
    session = ground.session("127.0.0.2")
    with socket.create_connection(("127.0.0.1", session.port or 0)) as stranger:
        ground.run_for(0.1)
        stranger.settimeout(1)
        assert stranger.recv(1) == b""
    assert session.connection is None


def test_a_session_waits_for_a_port_and_gets_the_one_that_becomes_free(ground: Ground) -> None:
    first, second = ground.session(), ground.session()
    third = ground.session()
    assert third.port is None
    ground.ports.release(first)
    ground.run_until(lambda: third.port is not None)
    assert third.port == first.port
    assert not second.lost


def test_a_port_is_free_again_once_its_connection_came(ground: Ground) -> None:
    first, _, third = ground.session(), ground.session(), ground.session()
    with socket.create_connection(("127.0.0.1", first.port or 0)):
        ground.run_until(lambda: third.port is not None)
        assert first.connection is not None
        first.connection.close()


@pytest.mark.usefixtures("hasty")
def test_a_session_that_asked_and_stays_silent_gives_its_port_up(ground: Ground) -> None:
    silent = [ground.session(), ground.session()]
    waiting = ground.session()
    ground.run_until(lambda: waiting.port is not None, 1.0)
    assert [session.lost for session in silent] == [True, False]


@pytest.mark.usefixtures("hasty")
def test_a_session_whose_transfer_waits_keeps_its_port(ground: Ground) -> None:
    for session in (ground.session(), ground.session()):
        session.transfer_waits = True
    waiting = ground.session()
    ground.run_until(lambda: waiting.refused, 2.0)
    assert waiting.port is None


def test_a_new_pasv_gets_another_port_than_the_one_before(ground: Ground) -> None:
    session = ground.session()
    before = session.port
    ground.ports.reserve(session)
    assert session.port != before


def test_a_port_in_use_is_named_at_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"passive port {port} on 127\.0\.0\.1 cannot be opened"):
            loop = EventLoop()
            PassivePorts(["127.0.0.1"], [port], "session", without_balancers(loop), loop)


def _is_connected(session: Session) -> bool:
    return session.connection is not None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
