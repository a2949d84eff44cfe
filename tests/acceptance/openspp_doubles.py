"""An OpenSPP that misbehaves: it stands before the embedded one and plays what a test wrote.

What no test has a script for goes through to the embedded OpenSPP unchanged, so logins, the next
scan and the record are the embedded one's. A script gets the bare connection and shares no code
with any server.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.unit.openspp.scripted import Request, success

Script = Callable[[Request], None]

_NAME = re.compile(rb'"filename": ("(?:[^"\\]|\\.)*")')
_ID = re.compile(rb'"id": ("[^"]*")')
_PATIENCE = 60.0


class OpenSPPDouble:
    """Listens on loopback, before the embedded OpenSPP on port `behind`.

    `scripts` are played to uploads by how their file name begins; `door` to every connection,
    before a byte of it is read.
    """

    def __init__(self, behind: int, context: ssl.SSLContext | None = None) -> None:
        self.scripts: dict[str, Script] = {}
        self.door: Script | None = None
        self.connections = 0
        self._behind = behind
        self._context = context
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._admitted = threading.Event()
        self._admitted.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def at_the_door(self, script: Script) -> Iterator[None]:
        """Every connection meets this script until the end of the block."""
        self.door = script
        try:
            yield
        finally:
            self.door = None
            self.cut_all()

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """No connection comes about: as with a host that is gone, nothing answers a SYN."""
        self._admitted.clear()
        self._listener.listen(0)
        fillers = []
        for _ in range(4):  # the accepting thread takes one, the queue has room for another
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            fillers.append(filler)
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()
            self._listener.listen(128)
            self._admitted.set()

    def cut_all(self) -> None:
        """End every connection that is open."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def __enter__(self) -> OpenSPPDouble:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._admitted.wait()
            connection.settimeout(_PATIENCE)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, accepted: socket.socket) -> None:
        connection = accepted
        try:
            if self._context:
                connection = self._context.wrap_socket(accepted, server_side=True)
            request = Request(connection)
            if self.door is not None:
                self.door(request)
                return
            request.read_head()
            script = self._script(request) if request.path == "/dms/upload" else None
            if script is None:
                pass_on(request, self._behind)
            else:
                script(request)
        except OSError:
            pass  # the daemon went away, as many of these tests have it do
        finally:
            with self._lock:
                self._open.discard(accepted)
            connection.close()

    def _script(self, request: Request) -> Script | None:
        name = filename(request)
        for beginning, script in self.scripts.items():
            if name.startswith(beginning):
                return script
        return None


def filename(request: Request) -> str:
    """The name of the document, of which no more is read than that takes."""
    return str(json.loads(_read_to(request, _NAME)))


def request_id(request: Request) -> bytes:
    """The request's id, as JSON."""
    return _read_to(request, _ID)


def _read_to(request: Request, wanted: re.Pattern[bytes]) -> bytes:
    while (found := wanted.search(request.body)) is None:
        received = request.connection.recv(4096)
        if not received:
            raise ConnectionError("the request ended before its name")
        request.body += received
    return found[1]


def pass_on(request: Request, port: int) -> None:
    """Hand the request to the embedded OpenSPP and its answer back, and both ends as they come."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as behind:
        behind.sendall(request.head + b"\r\n\r\n" + request.body)
        ways = {request.connection: behind, behind: request.connection}
        while behind in ways:
            for ready in select.select(list(ways), [], [], _PATIENCE)[0]:
                received = ready.recv(256 * 1024)
                if received:
                    ways[ready].sendall(received)
                else:
                    other = ways.pop(ready)
                    with contextlib.suppress(OSError):
                        other.shutdown(socket.SHUT_WR)


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


def answers(
    body: bytes, status: str = "200 OK", content_type: str = "application/json", *headers: str
) -> Script:
    """Read the whole request and answer this; `%ID%` in the body stands for the request's id."""

    def script(request: Request) -> None:
        identity = request_id(request)
        request.read_body()
        request.answer(status, content_type, body.replace(b"%ID%", identity), *headers)

    return script


def says(raw: bytes, then_silent: float = 0.0) -> Script:
    """Read the whole request, write these bytes and close (after a while)."""

    def script(request: Request) -> None:
        request.read_body()
        request.send(raw)
        if then_silent:
            threading.Event().wait(then_silent)

    return script


def answers_early(body: bytes, status: str = "200 OK") -> Script:
    """Answer before the document has come, and end the connection."""

    def script(request: Request) -> None:
        identity = request_id(request)
        request.answer(status, "application/json", body.replace(b"%ID%", identity))
        threading.Event().wait(0.3)
        request.reset()

    return script


def echoes(status: str, where: str) -> Script:
    """Answer with the request's own words, as Odoo's HTML 400 does: in the body, the status line,
    or the Location of a redirect."""

    def script(request: Request) -> None:
        request.read_body()
        secret = str(request.json()["params"]["password"])
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


def raises(exception: str, message: str = "") -> Script:
    """Answer this exception of OpenSPP's; without a message of its own it quotes the password."""

    def script(request: Request) -> None:
        request.read_body()
        call = request.json()
        words = message or f"bad: {call['params']['password']}"
        module = "odoo.exceptions" if exception == "ValidationError" else "builtins"
        data = {"name": f"{module}.{exception}", "debug": words, "message": words}
        error = {"code": 200, "message": "Odoo Server Error", "data": data}
        answer = {"jsonrpc": "2.0", "id": call["id"], "error": error}
        request.answer(body=json.dumps(answer).encode())

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
    threading.Event().wait(_PATIENCE)


def closes_at_once(request: Request) -> None:
    """Take the connection and close it."""


def resets_at_once(request: Request) -> None:
    """Take the connection and reset it."""
    request.reset()


def another_id(request: Request) -> None:
    """Answer success to a request that nobody made."""
    request.read_body()
    request.answer(body=success("another"))


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
        with socket.create_connection(("127.0.0.1", behind), _PATIENCE) as stored:
            stored.sendall(request.head + b"\r\n\r\n" + request.body)
            while stored.recv(65536):
                continue
        threading.Event().wait(after)

    return script


def dies_after_the_body(request: Request) -> None:
    """OpenSPP dies when it has read the whole document and stored nothing."""
    request.read_body()
