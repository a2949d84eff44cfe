"""The status socket on pyftpdlib's event loop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from openspp_ftpd.ftp.loop import EventLoop, PatientAcceptor


class StatusSocket(PatientAcceptor):
    """Gives every connection to `listening`, which it owns, to `then`."""

    def __init__(
        self, listening: socket.socket, then: Callable[[socket.socket], None], loop: EventLoop
    ) -> None:
        super().__init__(ioloop=loop)
        self._then = then
        self.set_socket(listening)
        self.accepting = True

    def close_copy(self) -> None:
        """Close a forked process's copy; the parent listens on."""
        self.socket.close()

    def handle_accepted(self, connection: socket.socket, address: Any) -> None:
        self._then(connection)
