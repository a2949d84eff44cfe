"""Giving up: at any moment, at once, and the answer `certainly not stored` is always true."""

import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import (
    Abandoned,
    Credentials,
    Denied,
    Exchange,
    NotStored,
    Stored,
    Unsettled,
)

from .scripted import (
    ALICE,
    LARGE,
    SMALL,
    Background,
    Request,
    Scan,
    api_at,
    eventually,
    scripted,
    store,
)

AT_ONCE = 1.0  # seconds
MIDDLING = Scan(b"x" * 700_000)


class Seen:
    """What a server saw of an upload: whether the whole body came."""

    def __init__(self, read: int | None = None) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.whole: list[bool] = []
        self._read = read

    def __call__(self, request: Request) -> None:
        request.read_head()
        if self._read is not None:
            request.read_body(self._read)
        self.reached.set()
        assert self.go_on.wait(20)
        self.whole.append(request.read_body())


class TestWhileTheBodyIsBeingSent:
    def test_a_server_that_stops_reading_costs_no_time(self) -> None:
        seen = Seen(read=100_000)
        exchange = Exchange()
        with scripted(seen) as server:
            job = Background(lambda: store(server.url, LARGE, exchange=exchange))
            assert seen.reached.wait(20)
            time.sleep(0.1)  # until every buffer between is full
            assert not job.done
            assert exchange.abandon() is True
            assert isinstance(job.result(AT_ONCE), NotStored)
            seen.go_on.set()
            assert eventually(lambda: seen.whole == [False])

    def test_nothing_more_is_sent_after_it(self) -> None:
        """The end of the scan is in no buffer: even a server that goes on reading cannot get it."""
        held, proceed = threading.Event(), threading.Event()

        class Held(Scan):
            def pieces(self, length: int) -> Iterator[bytes]:
                yield from super().pieces(length)
                held.set()
                assert proceed.wait(20)

        seen = Seen()
        seen.go_on.set()
        exchange = Exchange()
        with scripted(seen) as server:
            job = Background(lambda: store(server.url, Held(SMALL.data), exchange=exchange))
            assert held.wait(20)
            assert exchange.abandon() is True
            proceed.set()
            assert isinstance(job.result(AT_ONCE), NotStored)
            assert eventually(lambda: seen.whole == [False])


class TestBeforeAnythingWasSent:
    def test_nothing_is(self) -> None:
        exchange = Exchange()
        assert exchange.abandon() is True
        with scripted(lambda request: request.read_head()) as server:
            outcome = store(server.url, exchange=exchange)
            denied = api_at(server.url).authenticate(ALICE, exchange)
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.TOO_SLOW
        assert isinstance(denied, Denied)
        assert server.requests == []

    def test_not_after_a_name_server_that_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, answer = threading.Event(), threading.Event()
        look_up = socket.getaddrinfo

        def hang(host: Any, *arguments: Any, **more: Any) -> Any:
            asked.set()
            assert answer.wait(20)
            return look_up("127.0.0.1", *arguments, **more)

        exchange = Exchange()
        with scripted(lambda request: request.read_head()) as server:
            monkeypatch.setattr(socket, "getaddrinfo", hang)
            url = f"http://openspp.example:{server.port}"
            job = Background(lambda: store(url, exchange=exchange))
            assert asked.wait(20)
            assert exchange.abandon() is True
            answer.set()
            assert isinstance(job.result(AT_ONCE), NotStored)
            monkeypatch.undo()
            assert eventually(lambda: len(server.requests) == 1)
            assert eventually(lambda: all(request.head == b"" for request in server.requests))

    def test_a_stalled_tls_handshake_costs_no_time(self) -> None:
        accepted = threading.Event()

        def stall(request: Request) -> None:
            accepted.set()
            request.wait_for_end()

        exchange = Exchange()
        with scripted(stall) as server:
            url = server.url.replace("http:", "https:")
            job = Background(lambda: store(url, exchange=exchange))
            assert accepted.wait(20)
            time.sleep(0.05)
            assert not job.done
            assert exchange.abandon() is True
            assert isinstance(job.result(AT_ONCE), NotStored)

    def test_a_wait_between_two_attempts_costs_no_time(self) -> None:
        exchange = Exchange()
        job = Background(lambda: exchange.wait(20))
        assert exchange.abandon() is True
        assert job.result(AT_ONCE) is False
        assert exchange.wait(0) is False

    def test_a_wait_that_nobody_ends_is_waited_out(self) -> None:
        start = time.monotonic()
        assert Exchange().wait(0.05) is True
        assert time.monotonic() - start >= 0.05


class TestAfterTheEndOfTheBody:
    def test_the_verdict_stays_open_and_is_still_heard(self) -> None:
        received, answer = threading.Event(), threading.Event()

        def answer_late(request: Request) -> None:
            request.read()
            received.set()
            assert answer.wait(20)
            request.succeed()

        exchange = Exchange()
        with scripted(answer_late) as server:
            job = Background(lambda: store(server.url, exchange=exchange))
            assert received.wait(20)
            assert eventually(lambda: exchange.wholly_sent)
            assert exchange.abandon() is False
            answer.set()
            assert job.result() == Stored()
        assert exchange.abandon() is False

    def test_no_further_attempt_is_made(self) -> None:
        received, answer = threading.Event(), threading.Event()

        def answer_late(request: Request) -> None:
            request.read()
            received.set()
            assert answer.wait(20)
            request.answer("503 Service Unavailable", "text/html")

        exchange = Exchange()
        with scripted(answer_late) as server:
            job = Background(lambda: store(server.url, exchange=exchange))
            assert received.wait(20)
            assert eventually(lambda: exchange.wholly_sent)
            assert exchange.abandon() is False
            answer.set()
            outcome = job.result()
            assert isinstance(outcome, NotStored)
            assert outcome.may_retry
            assert exchange.wait(5) is False
            assert isinstance(store(server.url, exchange=exchange), NotStored)
            assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "begun",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nX: ",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        ],
        ids=["nothing", "headers", "body"],
    )
    def test_hanging_up_ends_a_server_that_trickles(self, begun: bytes) -> None:
        received = threading.Event()

        def trickle(request: Request) -> None:
            request.read()
            request.send(begun)
            received.set()
            request.wait_for_end()

        exchange = Exchange()
        with scripted(trickle) as server:
            job = Background(lambda: store(server.url, exchange=exchange))
            assert received.wait(20)
            assert eventually(lambda: exchange.wholly_sent)
            assert exchange.abandon() is False
            exchange.hang_up()
            assert isinstance(job.result(AT_ONCE), Unsettled)

    def test_it_is_no_longer_certain_ever_after(self) -> None:
        """An open verdict is not forgotten over a second attempt that is given up in time."""

        def drop(request: Request) -> None:
            request.read()

        exchange = Exchange()
        with scripted(drop) as server:
            assert isinstance(store(server.url, exchange=exchange), Unsettled)
        assert exchange.abandon() is False

    def test_a_refusal_makes_it_certain_again(self) -> None:
        def refuse(request: Request) -> None:
            request.read()
            request.answer("503 Service Unavailable", "text/html")

        exchange = Exchange()
        with scripted(refuse) as server:
            assert isinstance(store(server.url, exchange=exchange), NotStored)
        assert exchange.abandon() is True


class TestLogins:
    @pytest.mark.parametrize("end", ["abandon", "hang_up"])
    def test_end_at_once_whatever_was_sent(self, end: str) -> None:
        received = threading.Event()

        def be_silent(request: Request) -> None:
            request.read()
            received.set()
            request.wait_for_end()

        exchange = Exchange()
        with scripted(be_silent) as server:
            api = api_at(server.url)
            job = Background(lambda: api.authenticate(Credentials("alice", "x"), exchange))
            assert received.wait(20)
            getattr(exchange, end)()
            assert isinstance(job.result(AT_ONCE), Denied)


class TestTheLastPiece:
    """Giving up and writing it exclude each other."""

    def test_is_not_written_after_giving_up(self) -> None:
        exchange = Exchange()
        assert exchange.abandon() is True
        with pytest.raises(Abandoned):
            exchange.last_piece()

    def test_makes_giving_up_uncertain(self) -> None:
        exchange = Exchange()
        exchange.last_piece()
        assert exchange.abandon() is False
        assert exchange.wholly_sent is False
        exchange.sent()
        assert exchange.wholly_sent is True

    def test_and_giving_up_agree_with_what_the_server_got(self) -> None:
        """At a hundred different moments: True only where the server did not get the end."""
        whole: set[str] = set()

        def watch(request: Request) -> None:
            request.read_head()
            if request.read_body():
                whole.add(request.json()["params"]["filename"])
                request.succeed()

        given_up: set[str] = set()
        stored: set[str] = set()
        with scripted(watch) as server:
            api = api_at(server.url)
            for number in range(100):
                exchange, name = Exchange(), f"{number}.pdf"
                job = Background(partial(api.store, ALICE, name, MIDDLING, exchange))
                time.sleep(number * 0.0002)
                if exchange.abandon():
                    given_up.add(name)
                if job.result() == Stored():
                    stored.add(name)
        assert given_up
        assert stored
        assert not given_up & whole
        assert stored <= whole
