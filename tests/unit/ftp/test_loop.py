"""The loop serves timers that cancel each other, and acceptors for which there is no room."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openspp_ftpd.ftp import loop as loop_module
from openspp_ftpd.ftp.loop import EventLoop, PatientAcceptor


class Door(PatientAcceptor):
    """Listens on loopback and keeps what comes."""

    def __init__(self, loop: EventLoop) -> None:
        super().__init__(ioloop=loop)
        self.came: list[socket.socket] = []
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.bind(("127.0.0.1", 0))
        self.listen(5)

    def handle_accepted(self, connection: socket.socket, address: Any) -> None:
        self.came.append(connection)


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


@pytest.fixture
def door(loop: EventLoop) -> Iterator[Door]:
    door = Door(loop)
    yield door
    for connection in door.came:
        connection.close()
    door.close()


def run_until(loop: EventLoop, condition: Callable[[], bool], seconds: float = 5.0) -> int:
    """Run the loop until something holds; how often it woke."""
    deadline, rounds = time.monotonic() + seconds, 0
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        loop.loop(timeout=0.02, blocking=False)
        rounds += 1
    return rounds


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process can open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_timer_cancelled_by_another_of_the_same_moment_is_not_called(
    loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []

    def first() -> None:
        called.append("first")
        second.cancel()

    loop.call_later(0.01, first)
    second = loop.call_later(0.01, lambda: called.append("second"))
    time.sleep(0.05)
    loop.loop(timeout=0, blocking=False)
    assert called == ["first"]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_timers_behind_one_that_was_cancelled_by_another_are_called(loop: EventLoop) -> None:
    called: list[str] = []
    loop.call_later(0.01, lambda: second.cancel())
    second = loop.call_later(0.02, lambda: called.append("second"))
    loop.call_later(0.03, lambda: called.append("third"))
    time.sleep(0.06)
    loop.loop(timeout=0, blocking=False)
    assert called == ["third"]


def test_an_acceptor_without_a_descriptor_rests_and_goes_on(
    loop: EventLoop,
    door: Door,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loop_module, "REST_SECONDS", 0.4)
    Door(loop)  # the loop waits for something else meanwhile
    with socket.create_connection(door.socket.getsockname()):
        end = time.monotonic() + 0.3
        with no_descriptor_left():
            rounds = run_until(loop, lambda: time.monotonic() >= end)
        assert door.came == []
        assert rounds < 40, "the loop spins"
        assert [record.getMessage() for record in caplog.records] == [
            "No connection can be accepted (Too many open files): raise LimitNOFILE of the unit, "
            "or lower [limits] sessions."
        ]
        run_until(loop, lambda: len(door.came) == 1)


def test_an_acceptor_that_was_closed_while_it_rested_stays_closed(
    loop: EventLoop, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "REST_SECONDS", 0.05)
    with socket.create_connection(door.socket.getsockname()):
        with no_descriptor_left():
            loop.loop(timeout=1, blocking=False)
        door.close()
        end = time.monotonic() + 0.2
        run_until(loop, lambda: time.monotonic() >= end)
    assert loop.socket_map == {}


def test_an_acceptor_goes_on_after_a_connection_that_failed(
    loop: EventLoop, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: socket.socket, address: Any) -> None:
        connection.close()
        raise ValueError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(door, "handle_accepted", fail)
        with socket.create_connection(door.socket.getsockname()):
            loop.loop(timeout=1, blocking=False)
    with socket.create_connection(door.socket.getsockname()):
        run_until(loop, lambda: len(door.came) == 1)
