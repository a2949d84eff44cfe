"""The supervisor's loop turns on whatever happens, and waits no longer than it should."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from openspp_ftpd.supervisor import loop as loop_module
from openspp_ftpd.supervisor.loop import Acceptor, Loop
from openspp_ftpd.supervisor.replies import Replies


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.call_every(0.02, lambda: None)  # so that a turn always has its end
    yield loop
    loop.close()


def turn_until(loop: Loop, condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Turn the loop until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        loop.turn()


class TestLoop:
    def test_a_fault_in_one_is_nothing_to_the_others(
        self, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        done: list[str] = []

        def fail() -> None:
            done.append("failed")
            raise RuntimeError("on purpose")

        loop.call_later(0, fail)
        loop.call_every(0.01, fail)
        loop.call_later(0.05, partial(done.append, "later"))
        turn_until(loop, lambda: "later" in done and done.count("failed") > 3)
        assert "on purpose" in caplog.text

    def test_a_cancelled_call_is_not_made_and_may_be_cancelled_again(self, loop: Loop) -> None:
        done: list[str] = []
        cancel = loop.call_later(0.01, partial(done.append, "cancelled"))
        cancel()
        cancel()
        made = loop.call_later(0.02, partial(done.append, "made"))
        turn_until(loop, lambda: done)
        made()
        assert done == ["made"]

    def test_what_is_wanted_at_once_comes_first(self, loop: Loop) -> None:
        order: list[int] = []
        with contextlib.ExitStack() as closing:
            for number in range(6):
                ours, theirs = map(closing.enter_context, socket.socketpair())
                loop.watch(ours, partial(order.append, number), at_once=number % 2 == 1)
                theirs.send(b"x")
            loop.turn()
            assert (set(order[:3]), set(order[3:])) == ({1, 3, 5}, {0, 2, 4})

    def test_a_socket_that_was_forgotten_or_closed_is_not_called(self, loop: Loop) -> None:
        called: list[int] = []
        pairs = [socket.socketpair() for _ in range(2)]

        def forget_the_other(number: int) -> None:
            called.append(number)
            for other, _ in pairs:
                loop.forget(other)
                loop.want_write(other, True)

        for number, (ours, theirs) in enumerate(pairs):
            loop.watch(ours, partial(forget_the_other, number))
            theirs.send(b"x")
        loop.turn()
        assert len(called) == 1
        for pair in pairs:
            for end in pair:
                end.close()
        loop.forget(pairs[0][0])
        loop.want_write(pairs[0][0], True)


class TestAcceptor:
    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
    def test_it_rests_where_there_is_no_room_and_goes_on(
        self,
        family: socket.AddressFamily,
        loop: Loop,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr(loop_module, "REST_SECONDS", 0.3)
        came: list[str] = []

        class Full(socket.socket):
            """Has no descriptor left, once."""

            tries = 0

            def accept(self) -> tuple[socket.socket, object]:
                Full.tries += 1
                if Full.tries == 1:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                return super().accept()

        def take(connection: socket.socket, client: str) -> None:
            came.append(client)
            connection.close()

        local = family == socket.AF_UNIX
        listening = Full(family)
        listening.bind(str(tmp_path / "socket") if local else ("127.0.0.1", 0))
        listening.listen()
        acceptor = Acceptor(listening, take, loop)
        acceptor.begin()
        with socket.socket(family) as client:
            client.connect(listening.getsockname())
            began = time.process_time()
            turn_until(loop, lambda: came)
            assert time.process_time() - began < 0.2  # it did not spin
        assert came == ["" if local else "127.0.0.1"]
        assert "LimitNOFILE" in caplog.text
        acceptor.close()

    def test_one_that_cannot_be_served_is_nothing_to_the_next(
        self, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL)
        came: list[socket.socket] = []

        def take(connection: socket.socket, client: str) -> None:
            came.append(connection)
            if len(came) == 1:
                raise RuntimeError("on purpose")

        listening = socket.create_server(("127.0.0.1", 0))
        acceptor = Acceptor(listening, take, loop)
        acceptor.begin()
        clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]
        turn_until(loop, lambda: len(came) == 2)
        acceptor.close()
        for each in (*came, *clients):
            each.close()


class TestReplies:
    def ask(self, loop: Loop, workers: list[int], within: float) -> tuple[Replies, list[object]]:
        then: list[object] = []
        return Replies(workers, within, then.append, loop), then

    def test_all_of_them(self, loop: Loop) -> None:
        replies, then = self.ask(loop, [0, 1], 60)
        replies.came(1, "one")
        replies.came(1, "again")
        assert not then
        replies.came(0, "zero")
        turn_until(loop, lambda: then)
        assert then == [{0: "zero", 1: "one"}]
        replies.came(0, "late")
        assert len(then) == 1

    def test_no_longer_than_wanted(self, loop: Loop) -> None:
        replies, then = self.ask(loop, [0, 1], 0.1)
        replies.came(1, "one")
        turn_until(loop, lambda: then)
        assert then == [{1: "one"}]

    def test_who_is_gone_is_not_waited_for(self, loop: Loop) -> None:
        replies, then = self.ask(loop, [0, 1], 60)
        replies.came(1, "one")
        replies.gone(0)
        turn_until(loop, lambda: then)
        assert then == [{1: "one"}]

    def test_nobody(self, loop: Loop) -> None:
        _, then = self.ask(loop, [], 60)
        assert not then
        turn_until(loop, lambda: then)
        assert then == [{}]
