"""What the kernel knows of the other end of a control connection (tcp(7))."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Any, Final

# tcp_info.tcpi_state, in the numbers of linux/net/tcp_states.h
_ESTABLISHED: Final = 1
_CLOSE: Final = 7
_CLOSE_WAIT: Final = 8


def has_ended(connection: Any) -> bool:
    """The client's FIN or reset has arrived, though what it sent before may not be read yet."""
    return _state(connection) in (_CLOSE, _CLOSE_WAIT)


def closed_in_order(connection: Any) -> bool:
    """The client closed after it had read all that was written to it.

    A client that closes with something unread in its socket sends a reset instead of a FIN, and
    what had not arrived when it closed is not acknowledged. (Established: only TLS was closed yet.)
    """
    try:
        failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return (
            not failed
            and _state(connection) in (_CLOSE_WAIT, _ESTABLISHED)
            and not unacknowledged(connection)
        )
    except OSError:
        return False


def unacknowledged(connection: Any) -> int:
    """Bytes written that the client's kernel has not acknowledged (SIOCOUTQ)."""
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def _state(connection: Any) -> int:
    try:
        information: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:
        return _CLOSE
    return information[0]
