"""Where sessions begin, and what else wakes the loop: the delivery's mailbox and signals."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from pyftpdlib.ioloop import AsyncChat

from openspp_ftpd.balancers import Balancers
from openspp_ftpd.delivery import Delivery
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp.control import ControlConnection
from openspp_ftpd.ftp.loop import EventLoop, PatientAcceptor, Watch
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.limits import Limits
from openspp_ftpd.listening import Door, turn_away
from openspp_ftpd.settings import Network

_log = logging.getLogger("openspp_ftpd")


class ImplicitTlsConnection(ControlConnection):
    """A session whose TLS begins with the connection (port 990)."""

    implicit_tls = True


class Reception:
    """Begins sessions on connections that were counted in.

    Args:
        sessions: where sessions register while they live.
        services: what new sessions are given; replaced by a reload.
        loop: the event loop.
    """

    ip_map: Final = ()  # of pyftpdlib's FTPServer, which counts sockets and not sessions

    def __init__(
        self, sessions: set[ControlConnection], services: Services, loop: EventLoop
    ) -> None:
        self.sessions = sessions
        self.services = services
        self._loop = loop

    def begin(
        self, connection: socket.socket, client: str, implicit_tls: bool, reached: str = ""
    ) -> None:
        """Begin a session from `client`; where it has left already, it is counted out.

        reached: the address that the client connected to, "" for the connection's own.
        """
        kind = ImplicitTlsConnection if implicit_tls else ControlConnection
        session = None
        try:
            session = kind(connection, self, ioloop=self._loop)
        finally:
            if session is None or not session.connected:  # it left before it was accepted
                self.services.limits.close_session(client)
        if not session.connected:
            return
        session.passed_on(client, reached)
        try:
            session.handle()
        except Exception:
            session.handle_error()


class Listener(PatientAcceptor):
    """Accepts sessions on one address.

    Args:
        door: the listening socket.
        limits: who may connect.
        reception: begins the sessions.
        balancers: know whose a connection is.
        loop: the event loop.
    """

    def __init__(
        self,
        door: Door,
        limits: Limits,
        reception: Reception,
        balancers: Balancers,
        loop: EventLoop,
    ) -> None:
        self._balancers = balancers
        self._implicit_tls = door.implicit_tls
        self._limits = limits
        self._reception = reception
        super().__init__(door.listening, loop)
        self.accepting = True  # it listens already

    def handle_accepted(self, connection: socket.socket, address: Any) -> None:
        """A connection came."""
        self._balancers.pass_on(connection, address[0], self._came)

    def _came(self, connection: socket.socket, client: str, reached: str) -> None:
        """Count the session in, or turn it away."""
        services = self._reception.services
        if self._implicit_tls and services.tls is None:
            connection.close()
            return
        refusal = self._limits.open_session(client, time.monotonic())
        if refusal is None:
            self._reception.begin(connection, client, self._implicit_tls, reached)
            return
        services.journal.session_refused(client, refusal)
        turn_away(connection, None if self._implicit_tls else refusal)


def balancers_on(
    loop: EventLoop, networks: Collection[Network], journal: Callable[[], Journal]
) -> Balancers:
    """The balancers in `networks`, their headers awaited on this loop."""
    return Balancers(
        networks,
        lambda connection, came: Watch(connection, came, _nothing, loop).close,
        lambda seconds, action: loop.call_later(seconds, action).cancel,
        journal,
    )


def _nothing() -> None:
    """There is nothing to write."""


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
