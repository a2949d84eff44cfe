"""HTTP as the recorded OpenSPP speaks it, one request a connection, or as nginx before it does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from email.message import Message
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from typing import Final
from urllib.parse import parse_qsl, unquote

from openspp_ftpd.sandbox.answers import (
    Answer,
    BodyCut,
    Early,
    HangUp,
    Request,
    html_error,
    reason,
)
from openspp_ftpd.sandbox.site import Site

_PIECE: Final = 256 * 1024
_LONGEST_LINE: Final = 65536
_SESSION_SECONDS: Final = 90 * 24 * 60 * 60
_LINGER_SECONDS: Final = 2.0
_HANDSHAKE_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0


class RequestBody:
    """A request's body, with Content-Length or in chunks; with neither it is empty (section 1)."""

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self._stream = stream
        self._chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        given = headers.get("Content-Length", "").strip()
        self._left = int(given) if given.isascii() and given.isdigit() else 0
        self.length = None if self._chunked else self._left

    @property
    def is_read(self) -> bool:
        """Whether nothing of it is left on the connection."""
        return not self._chunked and not self._left

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces of 256 KiB at most. Raises BodyCut, with the recorded answer."""
        if self._chunked:
            yield from self._chunks()
        else:
            yield from self._bytes(html_error(400), html_error(400), chunked=False)

    def _bytes(self, cut: Answer, paused: Answer | None, *, chunked: bool) -> Iterator[bytes]:
        while self._left:
            try:
                piece = self._stream.read1(min(self._left, _PIECE))
            except TimeoutError:
                raise BodyCut("paused", paused, chunked=chunked) from None
            except ssl.SSLError:
                raise BodyCut("cut", None, chunked=chunked) from None
            if not piece:
                raise BodyCut("cut", cut, chunked=chunked)
            self._left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            self._left = self._chunk_size()
            if not self._left:
                break
            yield from self._bytes(html_error(500), None, chunked=True)
            self._line()
        while self._line().strip():
            continue
        self._chunked = False

    def _chunk_size(self) -> int:
        size = self._line().partition(b";")[0].strip()
        try:
            return int(size, 16)
        except ValueError:
            raise BodyCut("cut", html_error(500), chunked=True) from None

    def _line(self) -> bytes:
        try:
            line = self._stream.readline(_LONGEST_LINE)
        except TimeoutError:
            raise BodyCut("paused", None, chunked=True) from None
        if not line.endswith(b"\n"):
            raise BodyCut("cut", html_error(500), chunked=True)
        return line


class SandboxServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens, and gives every connection a thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        family: socket.AddressFamily,
        site: Site,
        *,
        keep_alive: float = 0.0,
        socket_timeout: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """keep_alive: seconds an idle connection stays open; 0 closes it after each answer.

        socket_timeout: seconds without a byte that end a request, 0 for none. Raises OSError when
        the address cannot be had.
        """
        self.address_family = family
        self.site = site
        self.keep_alive = keep_alive
        self.socket_timeout = socket_timeout
        self.tls = tls
        self._busy = 0
        self._idle = threading.Condition()
        super().__init__(address, Connection)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Take no connection while the sandbox plays being down."""
        return not self.site.faults.down

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """A request is being handled: a stop waits for it, as the recorded server's does."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def stop(self) -> None:
        """Close the listener, finish the requests under way, for five seconds at most."""
        self.server_close()
        self.site.stop()
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, _STOP_SECONDS)

    def server_close(self) -> None:
        """Close the listener; threads are not waited for here."""
        self.socket.close()

    def shutdown_request(self, request: object) -> None:
        """Close a connection that was not taken; the others close themselves."""
        if isinstance(request, socket.socket) and request.fileno() >= 0:
            self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is the client's affair; anything else is a mistake here."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class Connection(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: SandboxServer
    headers: Message

    def setup(self) -> None:
        """Take the connection over, with its TLS handshake, which thus holds nobody else up."""
        if self.server.tls is not None:
            self.request.settimeout(_HANDSHAKE_SECONDS)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(self.server.socket_timeout or None)
        banner = self.server.site.banner
        self.server_version, self.sys_version = banner.server, banner.python
        if self.server.keep_alive or banner.closes_by_header:
            self.protocol_version = "HTTP/1.1"
        super().setup()

    def finish(self) -> None:
        """Close the connection."""
        super().finish()
        self.request.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request line is of no interest, and more must not be shown."""

    def handle_expect_100(self) -> bool:
        """Leave it to _answer: the recorded server sends 100 Continue to every client that asks."""
        return True

    def handle_one_request(self) -> None:
        """Read a request and answer it."""
        self.close_connection = True
        self.requestline, self.request_version, self.command = "", "", ""
        try:
            self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
            if not self.raw_requestline:
                return
            with self.server.working():
                self.request.settimeout(self.server.socket_timeout or None)
                if len(self.raw_requestline) > _LONGEST_LINE:
                    self.send_error(414)
                elif self.parse_request():
                    self._answer()
        except TimeoutError:
            return
        if self.server.keep_alive:
            self.request.settimeout(self.server.keep_alive)

    def _answer(self) -> None:
        body = RequestBody(self.rfile, self.headers)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            answer = self.server.site.answer(self._request(body))
        except HangUp as end:
            self._hang_up(reset=end.reset)
            return
        except Early as early:
            answer = early.answer
        except BodyCut as cut:
            if cut.answer is None:
                self._hang_up(reset=False)
                return
            answer = cut.answer
        except ConnectionError:
            self.close_connection = True
            return
        except OSError as error:
            print(f"openspp-ftpd sandbox: not stored: {error}", file=sys.stderr)
            answer = html_error(500)
        except Exception:
            traceback.print_exc()
            answer = html_error(500)
        self._send(answer, last=not body.is_read)
        if not body.is_read:
            self._linger()

    def _request(self, body: RequestBody) -> Request:
        path, _, query = self.path.partition("?")
        scheme = "http" if self.server.tls is None else "https"
        host, port = self.connection.getsockname()[:2]
        return Request(
            method=self.command,
            path=unquote(path),
            query=dict(parse_qsl(query)),
            header=lambda name: self.headers.get(name, ""),
            pieces=body.pieces,
            length=body.length,
            base_url=f"{scheme}://{self.headers.get('Host', f'{host}:{port}')}",
            target=self.path,
        )

    def _send(self, answer: Answer, *, last: bool) -> None:
        manner = answer.manner
        self.server.site.pause(manner.delay)
        if manner.ending:
            self._hang_up(reset=manner.ending == "reset")
            return
        if last or manner.cut or not self.server.keep_alive:
            self.close_connection = True
        if answer.file is not None:
            with answer.file as file:
                length = file.seek(0, os.SEEK_END)
                file.seek(0)
                self.wfile.write(self._head(answer, length))
                shutil.copyfileobj(file, self.wfile, _PIECE)
            return
        head = self._head(answer, len(answer.body))
        body = b"" if self.command == "HEAD" else answer.body
        if manner.chunked and self.server.keep_alive:
            body = b"".join(
                b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:], b"")
            )
        if manner.cut:
            body = body[: len(body) // 2]
        if not manner.head_over and not manner.body_over:
            self.wfile.write(head + body)
            return
        self._trickle(head, manner.head_over)
        self._trickle(body, manner.body_over)

    def _head(self, answer: Answer, length: int) -> bytes:
        nginx = bool(self.server.keep_alive)
        lines = [
            f"{self.protocol_version} {answer.status} {reason(answer.status)}",
            f"Content-Type: {answer.content_type}",
        ]
        if answer.manner.chunked and nginx:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append(f"Content-Length: {length}")
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.session:
            expires = time.strftime(
                "%a, %d-%b-%Y %H:%M:%S GMT", time.gmtime(time.time() + _SESSION_SECONDS)
            )
            lines.append(
                f"Set-Cookie: session_id={answer.session}; Expires={expires}; "
                f"Max-Age={_SESSION_SECONDS}; HttpOnly; Path=/"
            )
        if nginx or self.server.site.banner.closes_by_header:
            lines.append(f"Connection: {'close' if self.close_connection else 'keep-alive'}")
        lines.append(f"Server: {'nginx' if nginx else self.version_string()}")
        lines.append(f"Date: {formatdate(usegmt=True)}")
        # A header never carries what a client sent with a line end in it.
        return "\r\n".join(
            [*(line.replace("\r", "").replace("\n", "") for line in lines), "", ""]
        ).encode("latin-1", "replace")

    def _trickle(self, data: bytes, seconds: float) -> None:
        if not seconds:
            self.wfile.write(data)
            return
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.server.site.pause(seconds / len(data))

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _linger(self) -> None:
        """Read on a little, so that a client that is still sending gets the answer and no reset."""
        end = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(_LINGER_SECONDS)
            while time.monotonic() < end and self.request.recv(_PIECE):
                continue
