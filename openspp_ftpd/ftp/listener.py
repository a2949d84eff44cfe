"""Listeners of the control connection, and the delivery's mailbox, on pyftpdlib's event loop."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from pyftpdlib.ioloop import AsyncChat
from pyftpdlib.servers import FTPServer

from openspp_ftpd.delivery import Delivery
from openspp_ftpd.ftp.control import ControlConnection
from openspp_ftpd.ftp.loop import EventLoop, PatientAcceptor
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.settings import Address

BACKLOG: Final = 256

_log = logging.getLogger("openspp_ftpd")


class ImplicitTlsConnection(ControlConnection):
    """A session whose TLS begins with the connection (port 990)."""

    implicit_tls = True


class Listener(PatientAcceptor, FTPServer):
    """Accepts sessions on one address.

    Args:
        listening: a bound socket (`open_socket`, or one that systemd passed).
        implicit_tls: TLS begins with the connection.
        sessions: where sessions register while they live.
        services: what new sessions are given; replaced by a reload.
        loop: the event loop.
    """

    def __init__(
        self,
        listening: socket.socket,
        implicit_tls: bool,
        sessions: set[ControlConnection],
        services: Services,
        loop: EventLoop,
    ) -> None:
        self.sessions = sessions
        self.services = services
        self.implicit_tls = implicit_tls
        handler = ImplicitTlsConnection if implicit_tls else ControlConnection
        super().__init__(listening, handler, ioloop=loop, backlog=BACKLOG)

    def handle_accepted(self, connection: socket.socket, address: Any) -> None:
        """Count the session in, or turn it away (pyftpdlib counts sockets, not sessions)."""
        client = address[0]
        if self.implicit_tls and self.services.tls is None:
            connection.close()
            return
        refusal = self.services.limits.open_session(client, time.monotonic())
        if refusal is not None:
            self.services.journal.session_refused(client, refusal)
            if not self.implicit_tls:
                _say(connection, f"{refusal}\r\n".encode())
            connection.close()
            return
        session = None
        try:
            session = self.handler(connection, self, ioloop=self.ioloop)
        finally:
            if session is None or not session.connected:  # it left before it was accepted
                self.services.limits.close_session(client)
        if not session.connected:
            return
        try:
            session.handle()
        except Exception:
            session.handle_error()


class Mailbox(AsyncChat):
    """Brings the workers' results to the event loop."""

    def __init__(self, delivery: Delivery, loop: EventLoop) -> None:
        super().__init__(ioloop=loop)
        self._delivery = delivery
        self._fileno = delivery.fileno()
        self.add_channel()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self._delivery.collect()

    def handle_error(self) -> None:
        """Stay registered: without the mailbox nobody would be answered any more."""
        _log.exception("Error while handing over a result")

    def close(self) -> None:
        """Leave the loop; the descriptor belongs to the delivery."""
        self.del_channel()


class Wakeup(AsyncChat):
    """Wakes the loop for signals (signal.set_wakeup_fd), whose numbers go to `then`."""

    def __init__(self, then: Callable[[bytes], None], loop: EventLoop) -> None:
        self._then = then
        self._sender, receiver = socket.socketpair()
        self._sender.setblocking(False)
        super().__init__(receiver, ioloop=loop)

    @property
    def descriptor(self) -> int:
        """For signal.set_wakeup_fd."""
        return self._sender.fileno()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self._then(self.socket.recv(256))

    def handle_error(self) -> None:
        _log.exception("Error while handling a signal")

    def close(self) -> None:
        super().close()
        self._sender.close()


def open_socket(address: Address) -> socket.socket:
    """A bound TCP socket for a listener, IPv6 without IPv4 beside it.

    Raises:
        OSError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address.host, address.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"{address} cannot be listened on: {error.strerror}") from error
    return listening


def _say(connection: socket.socket, line: bytes) -> None:
    """One line to a client that is turned away; it fits into any socket buffer."""
    try:
        connection.setblocking(False)
        connection.send(line)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
