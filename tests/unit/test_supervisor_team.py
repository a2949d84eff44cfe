"""Worker processes are started, minded and replaced, whatever they serve."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from openspp_ftpd.supervisor import messages, processes
from openspp_ftpd.supervisor.channel import Channel
from openspp_ftpd.supervisor.loop import Loop
from openspp_ftpd.supervisor.messages import Message
from openspp_ftpd.supervisor.team import Team, Worker

Work = Callable[[Channel], None]


class Owner:
    """Remembers what it is told."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.heard_of: list[Message] = []
        self.ends: list[tuple[str, float | None]] = []
        self.why = ""
        self.returned: list[Message] = []

    def work(self, endpoint: socket.socket, number: int) -> None:
        self._work(Channel(endpoint))

    def give_up(self) -> None:
        """Nothing is ours."""

    def heard(self, worker: Worker, message: Message) -> None:
        self.heard_of.append(message)

    def ended(self, worker: Worker, how: str, rest: float | None) -> None:
        self.ends.append((how, rest))
        self.why = worker.why

    def not_taken(self, message: Message, connection: socket.socket) -> None:
        self.returned.append(message)
        connection.close()


class Ground:
    """One worker of a team, on a loop of its own."""

    def __init__(self, work: Work) -> None:
        self.loop = Loop()
        self.owner = Owner(work)
        self.team = Team(["Worker 1"], self.owner, self.loop)
        self.loop.call_every(0.02, self.team.reap)

    def turn_until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Turn the loop until something holds; SIGCHLD is looked for all the time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            self.loop.turn()

    def has_seen(self, ends: int) -> bool:
        return len(self.owner.ends) == ends


@pytest.fixture
def start() -> Iterator[Callable[[Work], Ground]]:
    grounds: list[Ground] = []

    def make(work: Work) -> Ground:
        grounds.append(Ground(work))
        grounds[-1].team.start()
        return grounds[-1]

    yield make
    for ground in grounds:
        ground.team.kill()
        ground.loop.close()


Start = Callable[[Work], Ground]


def hang(channel: Channel) -> None:
    channel.send(messages.Ready())
    time.sleep(60)


def test_what_it_said_last_is_heard_and_then_its_end(start: Start) -> None:
    def work(channel: Channel) -> None:
        channel.send(messages.Closed("192.0.2.1"))

    ground = start(work)
    ground.turn_until(lambda: ground.owner.ends)
    assert ground.owner.heard_of == [messages.Closed("192.0.2.1")]
    assert ground.owner.ends == [("ended with exit status 0", None)]
    assert len(ground.team) == 0


def test_a_fault_ends_it(start: Start) -> None:
    def work(channel: Channel) -> None:
        raise RuntimeError("on purpose")

    ground = start(work)
    ground.turn_until(lambda: ground.owner.ends)
    assert ground.owner.ends == [("ended with exit status 1", None)]


def test_why_it_cannot_start_is_told(start: Start) -> None:
    def work(channel: Channel) -> None:
        channel.send(messages.CannotStart("no room"))

    ground = start(work)
    ground.turn_until(lambda: ground.owner.ends)
    assert ground.owner.ends == [("could not start: no room", None)]
    assert ground.owner.why == "no room"
    assert not ground.team.all_ready()


def test_one_that_does_not_answer_is_killed(start: Start) -> None:
    ground = start(hang)
    ground.turn_until(ground.team.all_ready)
    for _ in range(3):
        ground.team.beat(3, 10.0)
    assert not ground.owner.ends
    ground.team.beat(3, 10.0)
    ground.turn_until(lambda: ground.owner.ends)
    assert ground.owner.ends == [("did not answer for 30 s and was killed", None)]


def test_one_that_answers_is_left_alone(start: Start) -> None:
    def work(channel: Channel) -> None:
        channel.endpoint.setblocking(True)
        for _ in range(20):
            channel.endpoint.recv(100)
            channel.send(messages.Here())
        time.sleep(60)

    ground = start(work)
    (worker,) = ground.team
    for _ in range(10):
        ground.team.beat(1, 10.0)
        ground.turn_until(lambda: not worker.unanswered)
    assert not ground.owner.ends


def test_one_that_talks_nonsense_is_killed(start: Start) -> None:
    def work(channel: Channel) -> None:
        channel.endpoint.send(b".nonsense")
        time.sleep(60)

    ground = start(work)
    ground.turn_until(lambda: ground.owner.ends)
    assert ground.owner.ends == [("was killed by signal 9 (Killed)", None)]


def test_connections_that_it_did_not_take_are_given_back(start: Start) -> None:
    ground = start(hang)
    sent = 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        while sent < 400:
            client = socket.create_connection(server.getsockname())
            connection, _ = server.accept()
            client.close()
            assert ground.team.hand_over(0, messages.Begin("192.0.2.1", False), connection)
            sent += 1
    (worker,) = ground.team
    worker.kill()
    ground.turn_until(lambda: ground.owner.ends)
    assert 0 < len(ground.owner.returned) < sent
    with socket.socket() as unconnected:
        assert not ground.team.hand_over(0, messages.Begin("192.0.2.1", False), unconnected)


def test_the_next_one_comes_at_once_and_then_later(start: Start) -> None:
    ground = start(hang)
    ground.team.replaces = True
    for ends in (1, 2):
        ground.turn_until(lambda: len(ground.team))
        (worker,) = ground.team
        worker.kill()
        ground.turn_until(partial(ground.has_seen, ends))
    how = "was killed by signal 9 (Killed)"
    assert ground.owner.ends == [(how, 0.0), (how, 1.0)]
    began = time.monotonic()
    ground.turn_until(lambda: len(ground.team))
    assert time.monotonic() - began > 0.7


def test_where_no_process_can_be_made_it_is_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ground = start(hang)
    ground.team.replaces = True
    ground.turn_until(ground.team.all_ready)
    fork = os.fork
    failures: list[int] = []

    def fail_once() -> int:
        if not failures:
            failures.append(1)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", fail_once)
    (worker,) = ground.team
    worker.kill()
    ground.turn_until(lambda: failures)
    ground.turn_until(lambda: len(ground.team))
    assert "No process can be made for Worker 1" in caplog.text


@pytest.mark.parametrize("status", [0, 256, 9, 11, 64])
def test_every_end_has_its_words(status: int) -> None:
    assert processes.how_it_ended(status).startswith(("ended with", "was killed by signal"))


def test_signals_of_the_administrator_are_not_for_workers(start: Start) -> None:
    ground = start(hang)
    ground.turn_until(ground.team.all_ready)
    (worker,) = ground.team
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(worker.pid, number)
    time.sleep(0.2)
    ground.team.reap()
    assert not ground.owner.ends
