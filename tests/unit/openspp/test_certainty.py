"""What is certain when something comes between: only what cannot be stored may be tried again.

`wholly sent` is what decides. So each case is one in which the server did, or did not, get the end
of the body, and the outcome has to agree with what the server saw.
"""

import socket
import time
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Exchange, NotStored, Stored, Unsettled

from .scripted import (
    ALICE,
    LARGE,
    MIB,
    SMALL,
    Request,
    Scan,
    Script,
    api_at,
    eventually,
    scripted,
    store,
    success,
    unused_port,
)


def refused(outcome: Any) -> tuple[Problem, bool]:
    assert isinstance(outcome, NotStored)
    return outcome.failure.problem, outcome.may_retry


def unsettled(outcome: Any) -> Problem:
    assert isinstance(outcome, Unsettled)
    assert "may be stored" in outcome.failure.detail
    return outcome.failure.problem


class TestBeforeTheEndOfTheBody:
    """Certain: nothing is stored."""

    def test_nobody_listens(self) -> None:
        outcome = store(f"http://127.0.0.1:{unused_port()}")
        assert refused(outcome) == (Problem.UNREACHABLE, True)
        assert isinstance(outcome, NotStored)
        assert "Connection refused; is OpenSPP running?" in outcome.failure.detail

    def test_the_name_does_not_exist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_such_name(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
        outcome = store("http://openspp.invalid:8069")
        assert refused(outcome) == (Problem.UNREACHABLE, True)
        assert isinstance(outcome, NotStored)
        assert "the name openspp.invalid cannot be resolved" in outcome.failure.detail

    def test_a_name_that_cannot_be_one(self) -> None:
        assert refused(store(f"http://{'x' * 70}.invalid:8069"))[0] is Problem.UNREACHABLE

    def test_connecting_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("openspp_ftpd.openspp.client.CONNECT_WITHIN", 0.2)
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            queued = [socket.socket() for _ in range(4)]
            for one in queued:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            outcome = store(f"http://127.0.0.1:{port}")
            for one in queued:
                one.close()
        assert refused(outcome) == (Problem.UNREACHABLE, True)

    @pytest.mark.parametrize("end", ["close", "reset"])
    def test_accepted_and_dropped(self, end: str) -> None:
        def drop(request: Request) -> None:
            if end == "reset":
                request.reset()

        with scripted(drop) as server:
            assert refused(store(server.url, LARGE)) == (Problem.UNREACHABLE, True)

    @pytest.mark.parametrize("end", ["close", "reset"])
    def test_dropped_after_half_of_the_body(self, end: str) -> None:
        def read_half(request: Request) -> None:
            request.read_head()
            request.read_body(request.length // 2)
            if end == "reset":
                request.reset()

        with scripted(read_half) as server:
            assert refused(store(server.url, LARGE)) == (Problem.UNREACHABLE, True)

    @pytest.mark.parametrize(
        ("status", "problem", "may_retry"),
        [
            ("413 Request Entity Too Large", Problem.TOO_LARGE_FOR_PROXY, False),
            ("503 Service Unavailable", Problem.OUT_OF_ORDER, True),
            ("401 Unauthorized", Problem.NOT_OPENSPP, False),
            ("502 Bad Gateway", Problem.OUT_OF_ORDER, True),
            ("504 Gateway Timeout", Problem.OUT_OF_ORDER, True),
            ("301 Moved Permanently", Problem.REDIRECTED, False),
        ],
    )
    def test_answered_early_and_closed(
        self, status: str, problem: Problem, may_retry: bool
    ) -> None:
        """The answer is read although the server closed on us in mid-body (RST: unread data)."""

        def answer_early(request: Request) -> None:
            request.read_head()
            request.read_body(MIB)
            request.answer(status, "text/html", b"<html>no</html>")

        with scripted(answer_early) as server:
            assert refused(store(server.url, LARGE)) == (problem, may_retry)

    def test_answered_early_while_the_rest_is_read(self) -> None:
        def answer_early(request: Request) -> None:
            request.read_head()
            request.answer("413 Request Entity Too Large", "text/html", b"<html>no</html>")
            request.wait_for_end()

        with scripted(answer_early) as server:
            outcome = store(server.url, LARGE)
        assert refused(outcome) == (Problem.TOO_LARGE_FOR_PROXY, False)

    @pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", success("x")])
    def test_answered_early_with_nonsense(self, answer: bytes) -> None:
        def answer_early(request: Request) -> None:
            request.read_head()
            request.read_body(MIB)
            request.send(answer)

        with scripted(answer_early) as server:
            assert refused(store(server.url, LARGE))[0] is Problem.UNREACHABLE

    def test_success_before_the_whole_body_is_none(self) -> None:
        def answer_early(request: Request) -> None:
            request.read_head()
            request.read_body(MIB)
            identifier = request.body.split(b'"id": "')[1].split(b'"')[0].decode()
            request.answer(body=success(identifier))

        with scripted(answer_early) as server:
            assert refused(store(server.url, LARGE)) == (Problem.NOT_OPENSPP, False)

    def test_a_scan_that_cannot_be_read_to_its_end_is_cut(self) -> None:
        """A fault of our own must end the request before its closing brackets."""

        class Torn(Scan):
            def pieces(self, length: int) -> Any:
                yield self.data[:length]
                raise ValueError("read after discard")

        whole: list[bool] = []

        def watch(request: Request) -> None:
            request.read_head()
            whole.append(request.read_body())

        with scripted(watch) as server:
            assert refused(store(server.url, Torn(LARGE.data))) == (Problem.INTERNAL, False)
            assert eventually(lambda: whole == [False])

    @pytest.mark.parametrize("fault", ["short", "odd pieces"])
    def test_a_scan_that_is_not_what_it_was_is_cut(self, fault: str) -> None:
        class Changed(Scan):
            def pieces(self, length: int) -> Any:
                if fault == "short":
                    yield self.data[: self.size - 3]
                else:
                    yield self.data[:100]
                    yield self.data[100:]

        whole: list[bool] = []

        def watch(request: Request) -> None:
            request.read_head()
            whole.append(request.read_body())

        with scripted(watch) as server:
            assert refused(store(server.url, Changed(SMALL.data))) == (Problem.INTERNAL, False)
            assert eventually(lambda: whole == [False])


class TestAfterTheEndOfTheBody:
    """Without a verdict it stays open."""

    @pytest.mark.parametrize("end", ["close", "reset"])
    @pytest.mark.parametrize("scan", [SMALL, LARGE], ids=["small", "large"])
    def test_dropped_without_an_answer(self, scan: Scan, end: str) -> None:
        def read_all(request: Request) -> None:
            request.read()
            if end == "reset":
                request.reset()

        with scripted(read_all) as server:
            assert unsettled(store(server.url, scan)) is Problem.UNCERTAIN

    def test_no_answer_for_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("openspp_ftpd.openspp.scanner.LISTEN_ON", 0.0)

        def be_silent(request: Request) -> None:
            request.read()
            request.wait_for_end()

        with scripted(be_silent) as server:
            api = api_at(server.url, answer_within=0.3)
            assert unsettled(api.store(ALICE, "a.pdf", SMALL, Exchange())) is Problem.UNCERTAIN

    @pytest.mark.parametrize(
        "answer",
        [
            b"garbage",
            b"garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Ty",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: x\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<htm>",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\n{'id'\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        ],
    )
    def test_an_unintelligible_answer(self, answer: bytes) -> None:
        def answer_so(request: Request) -> None:
            request.read()
            request.send(answer)

        with scripted(answer_so) as server:
            assert unsettled(store(server.url)) is Problem.UNCERTAIN

    def test_an_answer_without_end_is_read_to_the_limit_only(self) -> None:
        sent = 0

        def answer_on(request: Request) -> None:
            nonlocal sent
            request.read()
            request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while True:
                request.send(b" " * MIB)
                sent += MIB

        with scripted(answer_on) as server:
            assert unsettled(store(server.url)) is Problem.UNCERTAIN
        assert sent < 64 * MIB

    def test_a_redirect_without_end_is_read_to_the_limit_only(self) -> None:
        def answer_on(request: Request) -> None:
            request.read()
            request.send(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n\r\n")
            while True:
                request.send(b" " * MIB)

        with scripted(answer_on) as server:
            assert refused(store(server.url)) == (Problem.REDIRECTED, False)

    def test_a_compressed_answer_is_not_unfolded(self) -> None:
        def answer_gzip(request: Request) -> None:
            assert request.read()["id"]
            assert request.header("Accept-Encoding") == "identity"
            request.answer("200 OK", "application/json", b"\x1f\x8b...", "Content-Encoding: gzip")

        with scripted(answer_gzip) as server:
            assert unsettled(store(server.url)) is Problem.UNCERTAIN

    @pytest.mark.parametrize(
        ("status", "problem", "may_retry"),
        [
            ("400 Bad Request", Problem.OUT_OF_ORDER, True),
            ("404 Not Found", Problem.NOT_OPENSPP, True),
            ("413 Request Entity Too Large", Problem.TOO_LARGE_FOR_PROXY, False),
            ("500 Internal Server Error", Problem.OUT_OF_ORDER, True),
            ("503 Service Unavailable", Problem.OUT_OF_ORDER, True),
        ],
    )
    def test_a_status_that_says_it_was_not_carried_out(
        self, status: str, problem: Problem, may_retry: bool
    ) -> None:
        def answer_so(request: Request) -> None:
            request.read()
            request.answer(status, "text/html", b"<html>no</html>")

        with scripted(answer_so) as server:
            assert refused(store(server.url)) == (problem, may_retry)


def kept_alive(request: Request) -> None:
    identifier = request.read()["id"]
    request.answer(
        "200 OK",
        "application/json",
        success(identifier),
        "Connection: keep-alive",
        version="HTTP/1.1",
    )
    request.wait_for_end()


def chunked(request: Request) -> None:
    body = success(request.read()["id"])
    request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    request.send(b"Transfer-Encoding: chunked\r\n\r\n")
    for byte in body:
        request.send(b"1\r\n" + bytes([byte]) + b"\r\n")
    request.send(b"0\r\n\r\n")


def without_length(request: Request) -> None:
    body = success(request.read()["id"])
    request.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)


def continued(request: Request) -> None:
    request.read_head()
    request.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert request.read_body()
    request.succeed()


def trickled(request: Request) -> None:
    identifier = request.read()["id"]
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 76\r\n\r\n"
    body = success(identifier)
    for byte in head.replace(b"76", str(len(body)).encode()) + body:
        request.send(bytes([byte]))
        time.sleep(0.001)


def slow_reader(request: Request) -> None:
    request.read_head()
    while request.length > len(request.body):
        request.read_body(min(request.length, len(request.body) + MIB))
        time.sleep(0.01)
    request.succeed()


@pytest.mark.parametrize(
    "script", [kept_alive, chunked, without_length, continued, trickled, slow_reader]
)
def test_success_in_whatever_form_it_comes(script: Script) -> None:
    with scripted(script) as server:
        assert store(server.url, LARGE) == Stored()
        assert store(server.url, SMALL) == Stored()
