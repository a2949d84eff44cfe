"""An OpenSPP that misbehaves: it stands before the embedded one and plays what a test wrote.

What no test has a script for goes through to the embedded OpenSPP unchanged, so logins, the next
scan and the record are the embedded one's. A script gets the bare connection and shares no code
with any server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final

from tests.acceptance.promises import Gateway
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.unit.openspp.scripted import OK, Request

Script = Callable[[Request], None]

_STRING: Final = rb'("(?:[^"\\]|\\.)*")'
_NAMES: Final = {
    "/dms/upload": re.compile(rb'"filename": ' + _STRING),
    "/jsonrpc": re.compile(rb'"web_save", \[\[\], \{"name": ' + _STRING),
    "/json/2/spp.dms.file/web_save": re.compile(rb'"name": ' + _STRING),
}
"""Where in a request the name of the document stands that is to be stored, by path."""

_ID: Final = re.compile(rb'"id": ("[^"]*")')
PATIENCE: Final = 60.0


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
            connection.settimeout(PATIENCE)
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
            script = self._script(request)
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
        if not name:
            return None
        for beginning, script in self.scripts.items():
            if name.startswith(beginning):
                return script
        return None


class DoubledGateway(Gateway):
    """A gateway before an embedded OpenSPP, and the double between them."""

    def __init__(
        self, daemon: Daemon, openspp: EmbeddedOpenSPP, api: str, double: OpenSPPDouble
    ) -> None:
        super().__init__(daemon, openspp, api)
        self.double = double

    def check(self) -> None:
        """What must hold after every test; the double plays nothing any more."""
        self.double.scripts.clear()
        super().check()


def filename(request: Request) -> str:
    """The name of the document, of which no more is read than that takes; "": it stores none."""
    pattern = _NAMES.get(request.path)
    found = pattern and _read_to(request, pattern)
    return str(json.loads(found)) if found else ""


def request_id(request: Request) -> bytes:
    """The request's id, as JSON; /json/2 has none."""
    return _read_to(request, _ID) or b"null"


def _read_to(request: Request, wanted: re.Pattern[bytes]) -> bytes | None:
    while (found := wanted.search(request.body)) is None:
        if len(request.body) >= request.length:
            return None
        received = request.connection.recv(4096)
        if not received:
            raise ConnectionError("the request ended before its name")
        request.body += received
    return found[1]


def password_of(request: Request) -> str:
    """The password or API key in a request that was read."""
    if request.path.startswith("/json/2/"):
        return request.header("Authorization").removeprefix("bearer ")
    parameters = request.json()["params"]
    return str(parameters["args"][2] if request.path == "/jsonrpc" else parameters["password"])


def document_of(request: Request) -> bytes:
    """The document in an upload that was read."""
    content = request.json()
    if request.path == "/dms/upload":
        return base64.b64decode(content["params"]["file"])
    values = content["vals"] if "vals" in content else content["params"]["args"][5][1]
    return base64.b64decode(values["content"])


def confirmation(request: Request, document: bytes) -> object:
    """What OpenSPP says when it has stored the document of this upload."""
    if request.path == "/dms/upload":
        return OK
    checksum = hashlib.sha512(document).hexdigest()
    return [{"id": 4711, "checksum": checksum, "size": float(len(document))}]


def result(request: Request, value: object, identity: bytes = b"", error: object = None) -> bytes:
    """The body of an answer with this result, under the request's id; and with an error beside."""
    if request.path.startswith("/json/2/"):
        return json.dumps(value).encode()
    name = json.loads(identity or request_id(request))
    beside = {} if error is None else {"error": error}
    return json.dumps({"jsonrpc": "2.0", "id": name, "result": value, **beside}).encode()


def exception(request: Request, name: str, words: str) -> tuple[str, bytes]:
    """The status and body of an answer with this exception of OpenSPP's."""
    data = {"name": name, "debug": words, "message": words, "arguments": [words], "context": {}}
    if request.path.startswith("/json/2/"):
        refused = name == "odoo.exceptions.ValidationError"
        return "422 UNPROCESSABLE" if refused else "500 ERROR", json.dumps(data).encode()
    error = {"code": 200, "message": "Odoo Server Error", "data": data}
    answer = {"jsonrpc": "2.0", "id": json.loads(request_id(request)), "error": error}
    return "200 OK", json.dumps(answer).encode()


def pass_on(request: Request, port: int) -> None:
    """Hand the request to the embedded OpenSPP and its answer back, and both ends as they come."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as behind:
        behind.sendall(request.head + b"\r\n\r\n" + request.body)
        ways = {request.connection: behind, behind: request.connection}
        while behind in ways:
            for ready in select.select(list(ways), [], [], PATIENCE)[0]:
                received = ready.recv(256 * 1024)
                if received:
                    ways[ready].sendall(received)
                else:
                    other = ways.pop(ready)
                    with contextlib.suppress(OSError):
                        other.shutdown(socket.SHUT_WR)
