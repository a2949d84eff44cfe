"""One job's conversation with OpenSPP, and how much of a scan OpenSPP can have because of it.

A worker thread sends; the event loop may give up at any moment, since it owns the deadline. The
last piece of a request's body decides: without it OpenSPP stores nothing (WIRE.md section 4: a cut
body is never stored). So writing that piece and giving up exclude each other, under one lock.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import threading


class Abandoned(Exception):
    """Nobody waits for this request any more; nothing (more) was sent."""


class _Body(enum.Enum):
    """How much of the present request's body has been handed to the socket."""

    INCOMPLETE = enum.auto()  # the last piece is missing
    ENDING = enum.auto()  # the last piece may be on its way
    COMPLETE = enum.auto()  # the system took the last byte


class Exchange:
    """One login or one upload, with all its attempts. Every method is safe in every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._abandoned = threading.Event()
        self._hung_up = threading.Event()
        self._settling = False  # only questions are asked, whether OpenSPP has it
        self._connection: socket.socket | None = None
        self._body = _Body.INCOMPLETE
        self._may_be_stored = False

    # The event loop's side

    def abandon(self) -> bool:
        """Give up. True: OpenSPP has stored nothing and will not, whatever the thread still does.

        False: a last byte is written or being written. That verdict stays open and the thread goes
        on listening for it, or asking after it, but it starts no further attempt.
        """
        with self._lock:
            self._abandoned.set()
            if self._settling or self._body is not _Body.INCOMPLETE:
                return False
            self._shut()
            return not self._may_be_stored

    def hang_up(self) -> None:
        """Give up and end the connection, whatever its state: the thread comes back at once.

        Looking up a name and connecting are not interrupted, but nothing is sent after them.
        """
        with self._lock:
            self._abandoned.set()
            self._hung_up.set()
            self._shut()

    # The worker thread's side

    def wait(self, seconds: float) -> bool:
        """Wait between two attempts. False, at once: given up, so there is to be no other."""
        return not self._end().wait(seconds)

    @property
    def wholly_sent(self) -> bool:
        """Whether OpenSPP can have the whole body of the present request."""
        with self._lock:
            return self._body is _Body.COMPLETE

    def check(self) -> None:
        """Raises Abandoned after `hang_up`, and after `abandon` unless it is being settled."""
        if self._end().is_set():
            raise Abandoned

    def connected(self, connection: socket.socket) -> None:
        """From now on `abandon` and `hang_up` shut this connection. Raises Abandoned.

        Kept is a duplicate: TLS takes the original's descriptor away during its handshake, and a
        duplicate cannot come to mean a stranger's connection when the original is closed.
        """
        with self._lock:
            self.check()
            self._forget_connection()
            self._connection = connection.dup()

    def last_piece(self) -> None:
        """The next thing written is the body's last piece. Raises Abandoned: it must not be."""
        with self._lock:
            self.check()
            self._body = _Body.ENDING

    def sent(self) -> None:
        """The system took the last piece to its last byte."""
        with self._lock:
            self._body = _Body.COMPLETE

    def disconnected(self) -> None:
        """The connection is over; its descriptor is freed."""
        with self._lock:
            self._forget_connection()

    def conclude(self, *, nothing_stored: bool) -> None:
        """The attempt is over; `nothing_stored` says that this one is certain not to be stored."""
        with self._lock:
            self._may_be_stored = self._may_be_stored or not nothing_stored
            self._body = _Body.INCOMPLETE

    def settle(self) -> None:
        """An attempt may be stored. From now on nothing is sent that stores: OpenSPP is only asked
        whether it has the scan, and that goes on until `hang_up`."""
        with self._lock:
            self._settling = True
            self._body = _Body.INCOMPLETE

    def settled(self) -> None:
        """No attempt so far was stored, nor will be; another one may follow."""
        with self._lock:
            self._settling = False
            self._may_be_stored = False

    def _end(self) -> threading.Event:
        return self._hung_up if self._settling else self._abandoned

    def _shut(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # the other side may have been faster
                self._connection.shutdown(socket.SHUT_RDWR)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
