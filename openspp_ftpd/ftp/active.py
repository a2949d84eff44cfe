"""Active mode: the connection to the scanner that PORT or EPRT asked for.

It is made when the transfer begins, always to the address of the control connection (a device that
writes another address, or 0.0.0.0, gets its own), and a failure is the transfer's 425: devices that
then try passive mode do so in the same session.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from pyftpdlib.handlers.ftp.dispatchers import ActiveDTP
from pyftpdlib.ioloop import Connector

CONNECT_SECONDS: Final = 20.0


class ActiveConnection(ActiveDTP):
    """Connects to a scanner's data port.

    Args:
        address: the numeric address of the control connection's other end.
        port: the port that the scanner named.
        session: the control connection.
        then: gets the connected socket, or None when it could not be connected.
    """

    timeout = CONNECT_SECONDS

    def __init__(
        self, address: str, port: int, session: Any, then: Callable[[socket.socket | None], None]
    ) -> None:
        self._then: Callable[[socket.socket | None], None] | None = then
        super().__init__(address, port, session)

    def handle_connect(self) -> None:
        """asyncore: the socket is writable, so connected or refused."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.handle_close()
            return
        # The socket goes on as a data connection; only this dispatcher ends.
        self.del_channel()
        self._cancel_timer()
        self._tell(self.socket)

    def handle_read(self) -> None:
        """asyncore, after `handle_connect`: what comes is the data connection's."""

    def handle_write(self) -> None:
        """asyncore, after `handle_connect`: pyftpdlib would stop the data connection's writing, or
        fail where a short listing has closed it already."""

    def handle_timeout(self) -> None:
        self.handle_close()

    def handle_close(self) -> None:
        self.cancel()
        self._tell(None)

    def handle_error(self) -> None:
        self.log_exception(self)
        self.handle_close()

    def cancel(self) -> None:
        """Give up without telling anybody by itself."""
        self._cancel_timer()
        Connector.close(self)

    def close(self) -> None:
        self.cancel()

    def _cancel_timer(self) -> None:
        if self._idler is not None and not self._idler.cancelled:
            self._idler.cancel()

    def _tell(self, connection: socket.socket | None) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(connection)
