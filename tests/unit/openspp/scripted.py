"""An HTTP server that does to its client just what a test's script tells it to, and a scan to send.

It is no OpenSPP and shares no code with one: a script gets the bare connection.
"""

import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from openspp_ftpd.openspp import Credentials, Denied, Exchange, Outcome
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings

ALICE = Credentials("alice", "scan-alice")
PATIENCE = 20.0  # seconds; a test that gets this far has failed
MIB = 1024 * 1024

OK = "<Response 7 bytes [200 OK]>"


@dataclass(frozen=True)
class Scan:
    """Content as the spool gives it."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def sha512(self) -> str:
        return hashlib.sha512(self.data).hexdigest()

    def pieces(self, length: int) -> Iterator[bytes]:
        for start in range(0, self.size, length):
            yield self.data[start : start + length]


SMALL = Scan(b"%PDF-1.4 a small scan\n" * 5)
LARGE = Scan(bytes(range(256)) * (8 * MIB // 256))  # more than the system buffers on its own


class Request:
    """One connection to the server, as its script sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.head = b""
        self.body = b""

    def read_head(self) -> None:
        while b"\r\n\r\n" not in self.head:
            received = self.connection.recv(65536)
            if not received:
                raise ConnectionError("the client sent no whole head")
            self.head += received
        self.head, _, self.body = self.head.partition(b"\r\n\r\n")

    @property
    def length(self) -> int:
        return int(self.header("Content-Length") or 0)

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    def header(self, name: str) -> str:
        for line in self.head.decode().split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""

    def read_body(self, length: int | None = None) -> bool:
        """Read up to so many bytes of the body (all of it). False: the client ended it before."""
        wanted = self.length if length is None else length
        pieces = [self.body]
        have = len(self.body)
        while have < wanted:
            received = self.connection.recv(min(MIB, wanted - have))
            if not received:
                break
            pieces.append(received)
            have += len(received)
        self.body = b"".join(pieces)
        return have >= wanted

    def read(self) -> dict[str, Any]:
        """Head and body of the request; the body as JSON."""
        self.read_head()
        assert self.read_body()
        return self.json() if self.body else {}

    def json(self) -> dict[str, Any]:
        content = json.loads(self.body)
        assert isinstance(content, dict)
        return content

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(
        self,
        status: str = "200 OK",
        content_type: str = "application/json",
        body: bytes = b"",
        *headers: str,
        version: str = "HTTP/1.0",
    ) -> None:
        """An answer in the form of WIRE.md section 0."""
        lines = [
            f"{version} {status}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            *headers,
            "Server: Werkzeug/0.16.1 Python/3.9.18",
            "Date: Sun, 22 Nov 2026 09:13:14 GMT",
        ]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def succeed(self, result: object = OK) -> None:
        """The answer of an OpenSPP that does as it was asked."""
        self.answer(body=success(self.json()["id"], result))

    def reset(self) -> None:
        """End the connection by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait_for_end(self) -> None:
        """Until the client ends the connection; nothing is done with what it sends."""
        with contextlib.suppress(OSError):
            while self.connection.recv(MIB):
                pass


def success(request_id: object, result: object = OK) -> bytes:
    """A successful answer's body."""
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()


Script = Callable[[Request], None]


class ScriptedServer:
    """Listens on loopback and plays `script` for every connection, in a thread of its own."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._closing = False
        self.requests: list[Request] = []
        self.mistakes: list[BaseException] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def port(self) -> int:
        port = self._listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            # Else an answer can still wait here when its script closes, and be lost with the reset.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            thread = threading.Thread(target=self._play, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _play(self, connection: socket.socket) -> None:
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._connections.append(connection)
            request = Request(connection)
            self.requests.append(request)
            self._script(request)
        except OSError:
            pass  # the client went away, as many of these tests have it do
        except BaseException as error:
            self.mistakes.append(error)
        finally:
            connection.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def scripted(script: Script, context: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server for one test. A script's failed assertion fails the test."""
    server = ScriptedServer(script, context)
    try:
        yield server
    finally:
        server.close()
    for mistake in server.mistakes:
        raise mistake


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def api_at(url: str, **settings: Any) -> ScannerApi:
    return ScannerApi(OpenSPPSettings(url, **settings))


def store(
    url: str, scan: Scan = SMALL, name: str = "scan.pdf", exchange: Exchange | None = None
) -> Outcome:
    """One attempt to store a scan."""
    return api_at(url).store(ALICE, name, scan, exchange or Exchange())


def authenticate(url: str) -> Denied | None:
    """One attempt to log in."""
    return api_at(url).authenticate(ALICE, Exchange())


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


class Background:
    """A call in a worker thread, as delivery makes it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:
            self._outcome = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, within: float = PATIENCE) -> Any:
        self._thread.join(within)
        assert self.done, "the thread does not come back"
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome
