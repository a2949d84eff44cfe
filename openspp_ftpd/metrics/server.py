"""A small HTTP server for /metrics, /healthz and /readyz, in threads of its own.

Few connections at once, each short: whoever asks slowly makes way for who comes after him, and
nobody who asks is ever in the way of a scanner.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

from openspp_ftpd.settings import Address

MOST_CONNECTIONS: Final = 8
"""At once; a further one takes the place of the oldest."""

SECONDS_FOR_A_PIECE: Final = 5.0
"""How long each read and write of a connection may take."""

_log = logging.getLogger("openspp_ftpd")


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Page]]
"""By path; called in the thread of a connection."""


class MetricsServer(socketserver.ThreadingTCPServer):
    """Serves `pages` on `address` from `start` to `stop`. Raises OSError: it cannot listen."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: Address, pages: Pages) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.pages = pages
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        self._thread = threading.Thread(
            target=self.serve_forever, name="openspp-metrics", daemon=True
        )
        super().__init__((address.host, address.port), _Conversation)

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; answers under way are cut."""
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                _cut(connection)

    def server_bind(self) -> None:
        """IPv6 without IPv4 beside it."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Make room for it."""
        with self._lock:
            while len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                _cut(oldest)
            self._open[request] = None
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """The connection's end."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing; a defect is logged and costs this answer only."""
        _log.debug("A request for metrics from %s was not answered", client_address, exc_info=True)


class _Conversation(BaseHTTPRequestHandler):
    """One request, one answer, as HTTP/1.0 has it."""

    server: MetricsServer
    timeout = SECONDS_FOR_A_PIECE
    server_version = "openspp-ftpd"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer it."""
        make = self.server.pages.get(urlsplit(self.path).path)
        if make is None:
            there_are = f"There are {', '.join(self.server.pages)}.\n"
            page = Page(there_are.encode(), HTTPStatus.NOT_FOUND)
        else:
            page = make()
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Not to stderr, which is the journal."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)
