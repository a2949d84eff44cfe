"""Accepts connections for all workers, counts sessions in and out, and hands each to its worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from openspp_ftpd.balancers import Balancers
from openspp_ftpd.errors import Reply
from openspp_ftpd.events import Journal
from openspp_ftpd.limits import Limits
from openspp_ftpd.listening import open_doors, open_passive_port, passive_addresses, turn_away
from openspp_ftpd.settings import Settings
from openspp_ftpd.supervisor.loop import Acceptor, Loop
from openspp_ftpd.supervisor.messages import Begin, Data, Message
from openspp_ftpd.supervisor.shares import worker_of, worker_of_port
from openspp_ftpd.supervisor.team import Team, Worker

SECOND_LOOK_SECONDS: Final = 0.25
MOST_SECOND_LOOKS: Final = 64
"""How long after the first look there is a second one before a connection is refused, and for how
many at once."""

_Of = TypeVar("_Of")

_NO_WORKER: Final = Reply(421, "The gateway is busy. Try again in a minute.")


class Gate:
    """Every way in.

    Args:
        settings: of the whole daemon; a reload changes nothing here.
        limits: who may connect.
        team: the workers.
        journal: the journal in force.
        loop: the event loop.

    Raises:
        OSError: an address or port cannot be listened on.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        team: Team,
        journal: Callable[[], Journal],
        loop: Loop,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._team = team
        self._journal = journal
        self._loop = loop
        self._second_looks: set[socket.socket] = set()
        self._balancers = Balancers(
            settings.ftp.proxy_networks, partial(_watch, loop), loop.call_later, journal
        )
        self._closing = False
        self.doors = open_doors(settings)
        self._for_sessions = [
            Acceptor(
                door.listening, self._passed_on_to(self._session_came, door.implicit_tls), loop
            )
            for door in self.doors
        ]
        self._for_data = [
            Acceptor(
                open_passive_port(address, port), self._passed_on_to(self._data_came, port), loop
            )
            for address in passive_addresses(self.doors)
            for port in settings.ftp.passive_ports
        ]

    def open(self) -> None:
        """Accept connections from now on."""
        for acceptor in (*self._for_sessions, *self._for_data):
            acceptor.begin()

    def close_doors(self) -> None:
        """No new sessions; those that are served may still want data connections."""
        self._closing = True
        for acceptor in self._for_sessions:
            acceptor.close()

    def close(self) -> None:
        """Close everything."""
        self._balancers.close()
        for connection in self._second_looks:
            connection.close()
        for acceptor in (*self._for_sessions, *self._for_data):
            acceptor.close()

    def close_copies(self) -> None:
        """Close, in a forked process, its copies of everything; the parent goes on."""
        self._balancers.close_copies()
        for connection in self._second_looks:
            connection.close()
        for acceptor in (*self._for_sessions, *self._for_data):
            acceptor.close_copy()

    def count_out(self, worker: Worker, client: str) -> None:
        """A session of a worker is over. Raises KeyError where it has none."""
        if not worker.sessions[client]:
            raise KeyError(f"{worker} has no session of {client}")
        worker.sessions[client] -= 1
        if not worker.sessions[client]:
            del worker.sessions[client]
        self._limits.close_session(client)

    def count_all_out(self, worker: Worker) -> int:
        """A worker has ended, and all its sessions with it. Returns how many they were."""
        clients = list(worker.sessions.elements())
        for client in clients:
            self.count_out(worker, client)
        return len(clients)

    def not_taken(self, message: Message, connection: socket.socket) -> None:
        """A connection was on its way to a worker that ended; it is counted out already."""
        if isinstance(message, Begin):
            self._refuse(message, connection, _NO_WORKER)
        else:
            connection.close()

    def _passed_on_to(
        self, then: Callable[[_Of, socket.socket, str, str], None], of: _Of
    ) -> Callable[[socket.socket, str], None]:
        """What an acceptor calls, so that `then` gets whose the connection really is."""
        return partial(self._balancers.pass_on, then=partial(then, of))

    def _session_came(
        self, implicit_tls: bool, connection: socket.socket, client: str, reached: str
    ) -> None:
        """A control connection: hand it over, or turn it away.

        A client that reads 221 and connects again can be quicker than the worker that tells of the
        session's end. So there is a second look before a refusal.
        """
        session = Begin(client, implicit_tls, reached)
        refusal = self._admit(session, connection)
        if refusal is None:
            return
        if self._closing or len(self._second_looks) >= MOST_SECOND_LOOKS:
            self._refuse(session, connection, refusal)
        else:
            self._second_looks.add(connection)
            self._loop.call_later(
                SECOND_LOOK_SECONDS, partial(self._look_again, session, connection)
            )

    def _look_again(self, session: Begin, connection: socket.socket) -> None:
        self._second_looks.discard(connection)
        refusal = self._admit(session, connection)
        if refusal is not None:
            self._refuse(session, connection, refusal)

    def _admit(self, session: Begin, connection: socket.socket) -> Reply | None:
        """Count a session in and hand it over; or its 421, and nothing has happened."""
        refusal = self._limits.open_session(session.client, time.monotonic())
        if refusal is not None:
            return refusal
        if not self._hand_over(session, connection):
            self._limits.close_session(session.client)
            return _NO_WORKER
        return None

    def _hand_over(self, session: Begin, connection: socket.socket) -> bool:
        """A session that is counted in goes to its worker. False: the worker cannot take it."""
        number = worker_of(session.client, self._settings.ftp.workers)
        if not self._team.hand_over(number, session, connection):
            return False
        self._team.worker(number).sessions[session.client] += 1
        return True

    def _data_came(self, port: int, connection: socket.socket, client: str, reached: str) -> None:
        """A data connection: to the worker whose session was told the port."""
        if self._settings.ftp.data_from == "session":
            number = worker_of(client, self._settings.ftp.workers)
        else:
            number = worker_of_port(self._settings, port)
        if not self._team.hand_over(number, Data(client, port), connection):
            connection.close()

    def _refuse(self, session: Begin, connection: socket.socket, reply: Reply) -> None:
        self._journal().session_refused(session.client, reply)
        turn_away(connection, None if session.implicit_tls else reply)


def _watch(loop: Loop, connection: socket.socket, came: Callable[[], None]) -> Callable[[], None]:
    loop.watch(connection, came)
    return partial(loop.forget, connection)
