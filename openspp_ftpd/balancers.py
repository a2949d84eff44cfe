"""Connections that load balancers pass on: whose they really are, read before anything else.

A balancer named in `[ftp] proxy_networks` begins each of its connections with a header of the PROXY
protocol (`proxy_protocol`). One that does not is refused, and so is whoever else sends one: to
those a header is no FTP command.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from openspp_ftpd.events import Journal
from openspp_ftpd.limits import parsed
from openspp_ftpd.proxy_protocol import LONGEST, Header, NotProxied, parse
from openspp_ftpd.settings import Network

HEADER_SECONDS: Final = 5.0
"""How long a header is waited for: a balancer sends it at once."""

Then = Callable[[socket.socket, str, str], None]
"""Gets a connection, the client's address, and the balancer's address that the client connected to
("": the connection's own)."""

Undo = Callable[[], None]


class HeaderReader:
    """Reads a header from a non-blocking connection, and not a byte of what follows it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def read(self) -> Header | None:
        """The header; None while more of it must come.

        Raises NotProxied, and ConnectionError where the connection ended before.
        """
        try:
            seen = self._connection.recv(LONGEST, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        if not seen:
            raise ConnectionResetError("it ended without a header")
        header = parse(self._received + seen)
        # What came before the end of the header is the header's; what follows it stays.
        mine = len(seen) if header is None else header.length - len(self._received)
        self._received += self._connection.recv(mine)
        return header


class Balancers:
    """Every connection goes through here, and on to whoever serves it.

    Args:
        networks: where balancers are; empty: there are none.
        watch: calls a function whenever a connection can be read, until what it returns is called.
        later: calls a function in so many seconds, unless what it returns is called before.
        journal: the journal in force.
    """

    def __init__(
        self,
        networks: Collection[Network],
        watch: Callable[[socket.socket, Callable[[], None]], Undo],
        later: Callable[[float, Callable[[], None]], Undo],
        journal: Callable[[], Journal],
    ) -> None:
        self._networks = networks
        self._watch = watch
        self._later = later
        self._journal = journal
        self._waiting: dict[socket.socket, tuple[Undo, Undo]] = {}

    def pass_on(self, connection: socket.socket, client: str, then: Then) -> None:
        """Give a connection to `then`, at once or when its header has come; or close it."""
        if not self._is_balancer(client):
            then(connection, client, "")
            return
        connection.setblocking(False)
        reader = HeaderReader(connection)
        came = partial(self._came, connection, client, reader, then)
        late = partial(self._refuse, connection, client, "no header came in time")
        self._waiting[connection] = (
            self._watch(connection, came),
            self._later(HEADER_SECONDS, late),
        )

    def close(self) -> None:
        """Close what still waits for its header."""
        for connection in list(self._waiting):
            self._forget(connection)
            connection.close()

    def close_copies(self) -> None:
        """Close a forked process's copies; the parent waits on."""
        for connection in self._waiting:
            connection.close()

    def _is_balancer(self, client: str) -> bool:
        if not self._networks:
            return False
        address = parsed(client)
        return not isinstance(address, str) and any(address in each for each in self._networks)

    def _came(
        self, connection: socket.socket, client: str, reader: HeaderReader, then: Then
    ) -> None:
        try:
            header = reader.read()
        except NotProxied as error:
            self._refuse(connection, client, str(error))
            return
        except OSError:  # a balancer that only looks whether somebody listens
            self._forget(connection)
            connection.close()
            return
        if header is None:
            return
        self._forget(connection)
        source = client if header.source is None else header.source.host
        then(connection, source, "" if header.target is None else header.target.host)

    def _refuse(self, connection: socket.socket, client: str, why: str) -> None:
        self._forget(connection)
        connection.close()
        self._journal().balancer_refused(client, why)

    def _forget(self, connection: socket.socket) -> None:
        for undo in self._waiting.pop(connection):
            undo()
