"""Who may come in is counted once for all workers, and handed to the one that serves him."""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from openspp_ftpd.events import Journal
from openspp_ftpd.limits import Limits
from openspp_ftpd.settings import (
    Address,
    FtpSettings,
    LimitSettings,
    LogSettings,
    OpenSPPSettings,
    Settings,
)
from openspp_ftpd.supervisor import gate as gate_module
from openspp_ftpd.supervisor.gate import Gate
from openspp_ftpd.supervisor.loop import Loop
from openspp_ftpd.supervisor.messages import Begin, Data, Message
from openspp_ftpd.supervisor.shares import worker_of
from openspp_ftpd.supervisor.team import Team, Worker


class PlayedWorker:
    """One that serves: its sessions by address."""

    def __init__(self) -> None:
        self.sessions: Counter[str] = Counter()


class PlayedTeam:
    """Takes whatever is handed over, while it does."""

    def __init__(self) -> None:
        self.takes = True
        self.taken: list[tuple[int, Message]] = []
        self.connections: list[socket.socket] = []
        self.workers = [PlayedWorker(), PlayedWorker()]

    def hand_over(self, number: int, message: Message, connection: socket.socket) -> bool:
        if self.takes:
            self.taken.append((number, message))
            self.connections.append(connection)
        return self.takes

    def worker(self, number: int) -> PlayedWorker:
        return self.workers[number]


class Ground:
    """A gate before two played workers; two sessions may be open, from each address."""

    def __init__(self, implicit_tls: bool = False) -> None:
        (passive,) = _free_ports(1)
        here = (Address("127.0.0.1", 0),)
        settings = Settings(
            OpenSPPSettings("http://127.0.0.1:9"),
            FtpSettings(
                listen=() if implicit_tls else here,
                listen_implicit=here if implicit_tls else (),
                passive_ports=(passive,),
                workers=2,
            ),
            limits=LimitSettings(sessions=2),
        )
        self.passive = passive
        self.loop = Loop()
        self.loop.call_every(0.02, lambda: None)  # so that a turn always has its end
        self.team = PlayedTeam()
        self.limits = Limits(settings.limits)
        journal = Journal(LogSettings(), logging.getLogger("openspp_ftpd.test"))
        team = cast(Team, self.team)
        self.gate = Gate(settings, self.limits, team, lambda: journal, self.loop)
        self.gate.open()
        self.clients: list[socket.socket] = []

    def connect(self, source: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """A client; its connection waits to be accepted."""
        (door,) = self.gate.doors
        target = ("127.0.0.1", port or door.listening.getsockname()[1])
        self.clients.append(socket.create_connection(target, 20, source_address=(source, 0)))
        return self.clients[-1]

    def end_session(self, client: str) -> None:
        """The worker tells of a session's end."""
        worker = self.team.workers[worker_of(client, 2)]
        self.gate.count_out(cast(Worker, worker), client)

    def turn_until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            self.loop.turn()

    def hears(self, client: socket.socket) -> bytes:
        """What a client that was turned away has read at the end."""
        client.setblocking(False)
        received = b""

        def ended() -> bool:
            nonlocal received
            try:
                piece = client.recv(1000)
            except BlockingIOError:
                return False
            received += piece
            return not piece

        self.turn_until(ended)
        return received

    def close(self) -> None:
        self.gate.close()
        self.loop.close()
        for each in (*self.clients, *self.team.connections):
            each.close()


@pytest.fixture
def ground() -> Iterator[Ground]:
    ground = Ground()
    yield ground
    ground.close()


def test_sessions_and_their_data_go_to_the_worker_of_the_address(ground: Ground) -> None:
    for host in (2, 3):
        ground.connect(f"127.0.0.{host}")
        ground.connect(f"127.0.0.{host}", ground.passive)
    ground.turn_until(lambda: len(ground.team.taken) == 4)
    for number, message in ground.team.taken:
        assert isinstance(message, Begin | Data)
        assert number == worker_of(message.client, 2)
    assert ground.limits.sessions == 2  # data connections are none


def test_who_comes_before_the_end_of_another_was_told_is_let_in(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that reads 221 and connects again is quicker than the worker that tells of it."""
    monkeypatch.setattr(gate_module, "SECOND_LOOK_SECONDS", 3.0)
    for _ in range(2):
        ground.connect()
    ground.turn_until(lambda: len(ground.team.taken) == 2)
    ground.connect()
    began = time.monotonic()
    ground.turn_until(lambda: time.monotonic() - began > 0.2)
    assert len(ground.team.taken) == 2
    ground.end_session("127.0.0.1")
    ground.turn_until(lambda: len(ground.team.taken) == 3)
    assert ground.limits.sessions == 2


def test_who_is_too_much_is_told_so_a_moment_later(ground: Ground) -> None:
    for _ in range(2):
        ground.connect()
    ground.turn_until(lambda: len(ground.team.taken) == 2)
    assert ground.hears(ground.connect()).startswith(b"421 Too many scanners connected at once.")
    assert ground.limits.sessions == 2


def test_a_flood_is_refused_at_once(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "SECOND_LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(gate_module, "MOST_SECOND_LOOKS", 3)
    for _ in range(2):
        ground.connect()
    ground.turn_until(lambda: len(ground.team.taken) == 2)
    for _ in range(3):
        ground.connect()
    assert ground.hears(ground.connect()).startswith(b"421 ")


def test_without_its_worker_nobody_waits_and_nobody_is_counted(ground: Ground) -> None:
    ground.team.takes = False
    assert ground.hears(ground.connect()) == b"421 The gateway is busy. Try again in a minute.\r\n"
    assert ground.hears(ground.connect(port=ground.passive)) == b""
    assert ground.limits.sessions == 0


def test_where_tls_begins_at_once_nothing_is_said_in_clear() -> None:
    ground = Ground(implicit_tls=True)
    ground.team.takes = False
    assert ground.hears(ground.connect()) == b""
    ground.close()


def test_a_worker_ends_only_sessions_that_it_has(ground: Ground) -> None:
    ground.connect()
    ground.turn_until(lambda: ground.team.taken)
    ground.end_session("127.0.0.1")
    with pytest.raises(KeyError):
        ground.end_session("127.0.0.1")
    assert ground.limits.sessions == 0


def test_a_worker_that_ended_has_no_session_left(ground: Ground) -> None:
    for _ in range(2):
        ground.connect()
    ground.turn_until(lambda: len(ground.team.taken) == 2)
    worker = cast(Worker, ground.team.workers[worker_of("127.0.0.1", 2)])
    assert ground.gate.count_all_out(worker) == 2
    assert ground.limits.sessions == 0


def test_when_the_doors_are_closed_data_still_comes(ground: Ground) -> None:
    (door,) = ground.gate.doors
    address = door.listening.getsockname()
    ground.gate.close_doors()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    ground.connect(port=ground.passive)
    ground.turn_until(lambda: ground.team.taken)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
