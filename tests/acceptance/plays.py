"""What a double plays to an upload, in the form that its interface has."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.acceptance.openspp_doubles import (
    PATIENCE,
    Script,
    confirmation,
    document_of,
    exception,
    pass_on,
    password_of,
    request_id,
    result,
)
from tests.unit.openspp.recorded_odoo import play
from tests.unit.openspp.scripted import Request


def recorded(case: dict[str, Any]) -> Script:
    """Play a recorded answer byte for byte, but for the id, which OpenSPP echoes."""

    def script(request: Request) -> None:
        identity = request_id(request)
        request.read_body()
        answer = case["response"]
        body = re.sub(rb'"id": (null|1)', b'"id": ' + identity, answer["body"].encode(), count=1)
        status = f"{answer['status']} {'OK' if answer['status'] == 200 else 'ERROR'}"
        request.answer(status, answer["content_type"], body)

    return script


def recorded17(case: dict[str, Any]) -> Script:
    """The same with an answer of OpenSPP 17 or OpenSPP 2 (wire17.jsonl)."""

    def script(request: Request) -> None:
        identity = request_id(request)
        request.read_body()
        answer = dict(case["response"])
        if isinstance(answer["body"], dict) and answer["body"].get("id") == 1:
            answer["body"] = {**answer["body"], "id": json.loads(identity)}
        play(request, {"response": answer})

    return script


def answers(status: str, *headers: str) -> Script:
    """Read the whole request and answer this with nothing more."""

    def script(request: Request) -> None:
        request.read_body()
        request.answer(status, "text/html", b"", *headers)

    return script


def confirms(
    status: str = "200 OK", content_type: str = "application/json", error: object = None
) -> Script:
    """Say that the document is stored, which it is not; and beside that the error."""

    def script(request: Request) -> None:
        request.read_body()
        said = confirmation(request, document_of(request))
        request.answer(status, content_type, result(request, said, error=error))

    return script


def confirms_another_id(request: Request) -> None:
    """Say so to a request that nobody made."""
    request.read_body()
    said = confirmation(request, document_of(request))
    request.answer(body=result(request, said, b'"another"'))


def confirms_otherwise(change: Callable[[dict[str, Any]], object]) -> Script:
    """Say that something is stored that is not this document: the record, changed."""

    def script(request: Request) -> None:
        request.read_body()
        said = confirmation(request, document_of(request))
        assert isinstance(said, list)
        request.answer(body=result(request, change(said[0])))

    return script


def confirms_early(document: bytes) -> Script:
    """Say that this document is stored before it has come, and end the connection."""

    def script(request: Request) -> None:
        request.answer(body=result(request, confirmation(request, document)))
        threading.Event().wait(0.3)
        request.reset()

    return script


def says(raw: bytes, then_silent: float = 0.0) -> Script:
    """Read the whole request, write these bytes and close (after a while)."""

    def script(request: Request) -> None:
        request.read_body()
        request.send(raw)
        if then_silent:
            threading.Event().wait(then_silent)

    return script


def echoes(status: str, where: str) -> Script:
    """Answer with the request's own words, as Odoo's HTML 400 does: in the body, the status line,
    or the Location of a redirect."""

    def script(request: Request) -> None:
        request.read_body()
        secret = password_of(request)
        all_of_it = request.body if where == "body" else b"<p>no</p>"
        if where == "status":
            request.send(f"HTTP/1.0 {secret}\r\n\r\n".encode())
        elif where == "header":
            request.answer(
                status,
                "text/html",
                all_of_it,
                f"Location: https://{secret}:{secret}@elsewhere.example.org/{secret}?p={secret}",
            )
        else:
            request.answer(status, "text/html", all_of_it)

    return script


def raises(name: str, message: str = "") -> Script:
    """Answer this exception of OpenSPP's; without a message of its own it quotes the password."""

    def script(request: Request) -> None:
        request.read_body()
        module = "odoo.exceptions" if name == "ValidationError" else "builtins"
        words = message or f"bad: {password_of(request)}"
        status, body = exception(request, f"{module}.{name}", words)
        request.answer(status, body=body)

    return script


def late(script: Script, seconds: float) -> Script:
    """Read the whole request, and play `script` so many seconds later."""

    def play(request: Request) -> None:
        request.read_body()
        threading.Event().wait(seconds)
        script(request)

    return play


def without_end(request: Request) -> None:
    """Answer 200 with a body that never ends."""
    request.read_body()
    request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        request.send(b" " * 65536)


def headers_without_end(request: Request) -> None:
    """Answer 200 with headers that never end."""
    request.read_body()
    request.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        request.send(b"X-Header: value\r\n" * 100)


def reads_nothing(request: Request) -> None:
    """Take the connection and never read."""
    threading.Event().wait(PATIENCE)


def closes_at_once(request: Request) -> None:
    """Take the connection and close it."""


def resets_at_once(request: Request) -> None:
    """Take the connection and reset it."""
    request.reset()


class InOrder:
    """Plays one script a connection; after the last everything goes through."""

    def __init__(self, behind: int, *scripts: Script | None) -> None:
        """None: that request goes through."""
        self._behind = behind
        self._scripts = list(scripts)

    def __call__(self, request: Request) -> None:
        script = self._scripts.pop(0) if self._scripts else None
        if script is None:
            pass_on(request, self._behind)
        else:
            script(request)


def stores_and_dies(behind: int, after: float = 0.0) -> Script:
    """OpenSPP has the document and dies (so many seconds later) before it answers."""

    def script(request: Request) -> None:
        request.read_body()
        with socket.create_connection(("127.0.0.1", behind), PATIENCE) as stored:
            stored.sendall(request.head + b"\r\n\r\n" + request.body)
            while stored.recv(65536):
                continue
        threading.Event().wait(after)

    return script


def dies_after_the_body(request: Request) -> None:
    """OpenSPP dies when it has read the whole document and stored nothing."""
    request.read_body()
