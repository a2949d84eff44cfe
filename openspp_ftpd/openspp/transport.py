"""One HTTP connection for one request, which the event loop can shut at any moment.

requests and urllib3 are used through their documented hooks, in the forms that Debian 12 (requests
2.28, urllib3 1.26) and Debian 13 (2.32, 2.3) share.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests import Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from openspp_ftpd.openspp.exchange import Exchange

if TYPE_CHECKING:
    from requests import PreparedRequest

# Its warnings quote an answer's headers, and an answer can echo the password.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """What a server's certificate is checked with; "" means the system's authorities.

    Made once: reading the system's bundle takes longer than a login. Raises OSError (ssl.SSLError
    is one) for a file that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    # Python 3.13 refuses certificates that 3.11 accepts, those of many an in-house authority among
    # them, and accepts an intermediate one in ca_file: the same in both.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class _PlainConnection(HTTPConnection):
    """A connection that its exchange knows about from the moment it exists."""

    def __init__(self, *arguments: Any, exchange: Exchange, patience: float, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._exchange = exchange
        self._patience = patience

    def _new_conn(self) -> socket.socket:
        self._exchange.check()
        connection = super()._new_conn()
        try:
            self._exchange.connected(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect(self) -> None:
        super().connect()
        self._be_patient()

    def _be_patient(self) -> None:
        """urllib3 lets the time-out for connecting stand while a body is sent.

        That would end a large scan on a slow line; the deadline is the event loop's.
        """
        self.timeout = self._patience
        if self.sock is not None:
            self.sock.settimeout(self._patience)

    def send(self, data: Any) -> None:
        """Where the server stops reading, look for the answer that it may have sent before."""
        try:
            super().send(data)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise BrokenPipeError(errno.EPIPE, "the server stopped reading") from error


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same within TLS."""

    def connect(self) -> None:
        """TLS with the context as it is: urllib3 1.26 could not check an address against it."""
        connection = self._new_conn()
        assert self.ssl_context is not None
        try:
            self.sock = self.ssl_context.wrap_socket(connection, server_hostname=self.host)
        except BaseException:
            connection.close()
            raise
        self.is_verified = True
        self._be_patient()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class OneConnection(HTTPAdapter):
    """Sends one request over a connection of its own.

    A connection kept alive from an earlier request can turn out closed only after the body was
    written, and a certain failure would look uncertain.
    """

    def __init__(
        self, url: str, context: ssl.SSLContext | None, exchange: Exchange, patience: float
    ) -> None:
        """patience: seconds that OpenSPP may neither take nor give a byte."""
        super().__init__()
        target = urlsplit(url)
        host = target.hostname or ""
        more: dict[str, Any] = {"exchange": exchange, "patience": patience}
        self._pool: HTTPConnectionPool
        if target.scheme == "https":
            self._pool = _TlsPool(host, target.port, ssl_context=context, **more)
        else:
            self._pool = _PlainPool(host, target.port, **more)

    def init_poolmanager(self, *arguments: object, **more: object) -> None:
        """There is one pool, for one connection."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Without cookies and encodings: the client looks at cookies itself, where they changed."""
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.request = req
        return response

    def get_connection(  # requests 2.28
        self, url: str | bytes, proxies: Mapping[str, str] | None = None
    ) -> HTTPConnectionPool:
        return self._pool

    def get_connection_with_tls_context(  # requests 2.32
        self,
        request: PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """The TLS context verifies; requests would load a bundle of its own for every pool."""

    def close(self) -> None:
        self._pool.close()
