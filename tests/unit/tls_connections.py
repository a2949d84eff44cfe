"""TLS connections over loopback for tests: our end is pyOpenSSL's, the client's is ssl's."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from OpenSSL import SSL

PATIENCE = 10.0  # seconds; nothing here takes one


def client_context(highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = highest
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which Python sets: a bare end would pass
    return context


@contextmanager
def tcp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of one TCP connection over loopback: the server's (non-blocking), the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        server, _ = listener.accept()
    server.setblocking(False)
    try:
        yield server, client
    finally:
        server.close()
        client.close()


def handshake(server: SSL.Connection) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            server.do_handshake()
            return
        except SSL.WantReadError:
            select.select([server], [], [], PATIENCE)
    raise TimeoutError


@contextmanager
def tls_pair(
    context: SSL.Context,
    client: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> Iterator[tuple[SSL.Connection, ssl.SSLSocket]]:
    """A TLS connection over loopback, its handshake done: our end and the client's."""
    with tcp_pair() as (server_socket, client_socket):
        server = SSL.Connection(context, server_socket)
        server.set_accept_state()
        wrapped: list[ssl.SSLSocket] = []
        failures: list[Exception] = []

        def connect() -> None:
            try:
                wrapped.append(
                    (client or client_context()).wrap_socket(
                        client_socket,
                        server_hostname="scan.test",
                        suppress_ragged_eofs=False,
                        session=session,
                    )
                )
            except (OSError, ssl.SSLError) as error:
                failures.append(error)
                client_socket.close()

        thread = threading.Thread(target=connect)
        thread.start()
        try:
            handshake(server)
        finally:
            thread.join(PATIENCE)
        if failures:
            raise failures[0]
        try:
            yield server, wrapped[0]
        finally:
            wrapped[0].close()
