"""The data connection: what came, and whether its end was one.

pyftpdlib answers 226 after a reset (its issues 461, 624, 655), spins on a TLS connection that is
half closed, and closes in the middle of a TLS handshake that came to nothing without a word. Here
every way to end has a name, and what it means for the scan is decided elsewhere (`upload.py`).
"""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from pyftpdlib.handlers import TLS_DTPHandler
from pyftpdlib.ioloop import AsyncChat

from openspp_ftpd import tls

READS_PER_EVENT: Final = 16
"""How often one connection is read before the others have their turn."""

TLS_RECORD: Final = 16 * 1024
"""Bytes that TLS gives at once, at most (RFC 5246 section 6.2.1)."""

TLS_PIECE: Final = 4 * TLS_RECORD
"""Bytes of TLS records taken together: each piece costs a write and a hash."""

DRAIN_SECONDS: Final = 5.0
"""How long the rest of a refused file is read and thrown away: a client that may finish sending
reads the reply, one that is cut off often does not."""


class End(enum.Enum):
    """How a data connection came to its end."""

    CLOSED = enum.auto()  # plain: FIN; TLS: close_notify
    CLOSED_BARE = enum.auto()  # TLS: FIN without close_notify
    RESET = enum.auto()  # reset, a broken TLS record, a dead network
    STALLED = enum.auto()  # nothing came for too long
    TLS_FAILED = enum.auto()  # the TLS handshake failed or never came
    NOT_RESUMED = enum.auto()  # TLS, but not the control connection's session where it must be
    SENT = enum.auto()  # a listing was sent
    ERROR = enum.auto()  # our own fault


class Session(Protocol):
    """What a data connection needs of the session it belongs to."""

    buffer: memoryview
    data_tls: Any  # the TLS context for this data connection, None in the clear
    data_idle: float
    handshake_within: float

    def is_resumed(self, data: Any) -> bool:
        """The TLS connection `data` resumed this session's, as far as that is required."""


class DataConnection(TLS_DTPHandler):
    """One data connection, in either direction, plain or TLS.

    Args:
        connection: the connected socket.
        session: the control connection (what pyftpdlib calls cmd_channel).
    """

    timeout = 0  # pyftpdlib's own timer; ours tells why it ends

    # Its __init__ may close a connection that died at once, before ours has set these.
    _take: Callable[[memoryview], None] | None = None
    _listing: bytes | None = None
    _on_end: Callable[[End], None] | None = None
    _resumed = True  # not: whoever this is, it is not surely the session's client
    _early_end: End | None = None  # it ended before a transfer used it
    _tls_end: End | None = None  # came behind the last piece

    def __init__(self, connection: socket.socket, session: Any) -> None:
        # TLS_DTPHandler would start TLS with the control connection's context; the data connection
        # has one of its own (TLS 1.2 at most), so its __init__ is passed over.
        super(TLS_DTPHandler, self).__init__(connection, session)
        self._session: Session = session
        self._last_progress = time.monotonic()
        self.received = 0
        self.encrypted = session.data_tls is not None
        if not self.connected:
            return
        if self.encrypted:
            self.secure_connection(session.data_tls)
        else:
            self.del_channel()  # nothing is read before the transfer begins

    def begin_receiving(
        self, take: Callable[[memoryview], None], on_end: Callable[[End], None]
    ) -> None:
        """Begin to read; every piece goes to `take`, the end to `on_end` (once)."""
        self._take, self._on_end = take, on_end
        self._begin()

    def send_listing(self, listing: bytes, on_end: Callable[[End], None]) -> None:
        """Send a listing and close; the end goes to `on_end` (once)."""
        self._listing, self._on_end = listing, on_end
        self._begin()

    def finish(self, end: End) -> None:
        """Close the connection and tell its end; nothing happens the second time."""
        if self._closed:
            return
        if self._ssl_established and end not in (End.RESET, End.ERROR):
            tls.say_goodbye(self.socket)
        AsyncChat.close(self)
        if not self._resumed:
            end = End.NOT_RESUMED
        self._early_end = end
        self._tell(end)

    def _tell(self, end: End) -> None:
        on_end, self._on_end, self._take = self._on_end, None, None
        if on_end is not None:
            on_end(end)

    def drop(self) -> None:
        """Close without a word to anybody (the session is gone or wants another connection)."""
        self._on_end = None
        self.finish(End.RESET)

    def close(self) -> None:
        """Called by pyftpdlib when the client left in the middle of the TLS handshake."""
        self.finish(End.TLS_FAILED if self._ssl_accepting else End.RESET)

    # What the event loop calls.

    def readable(self) -> bool:
        return not self._closed

    def writable(self) -> bool:
        return not self._closed and bool(
            self._ssl_want_write or (self._listing is not None and self.producer_fifo)
        )

    def handle_read_event(self) -> None:
        if self._ssl_accepting:
            super().handle_read_event()
        elif self._take is not None:
            self._read()
        elif self._listing is None:
            self.del_channel()  # TLS is up before the transfer begins
        else:
            self._discard()

    def handle_ssl_established(self) -> None:
        self._resumed = self._session.is_resumed(self.socket)
        self._begin()

    def handle_failed_ssl_handshake(self) -> None:
        self.finish(End.TLS_FAILED)

    def handle_close(self) -> None:
        """Called by asyncore when the listing is sent, and for a connection that is dead."""
        sent = self._listing is not None and not self.producer_fifo
        self.finish(End.SENT if sent else End.RESET)

    def handle_error(self) -> None:
        self.log_exception(self)
        self.finish(End.ERROR)

    def _begin(self) -> None:
        """Start the transfer once both are there: the command and, where wanted, TLS."""
        if self._closed:
            self._tell(self._early_end or End.RESET)
            return
        if self._take is None and self._listing is None:
            return
        if self.encrypted and not self._ssl_established:
            self.call_later(self._session.handshake_within, self._check_handshake)
            return
        if not self._resumed:
            # Nothing is taken from it and nothing given, but a client reads why if it may finish.
            wait = DRAIN_SECONDS if self._listing is None else 0.0
            self.call_later(wait, self.finish, End.NOT_RESUMED)
            self.modify_ioloop_events(self.ioloop.READ)
            return
        self._last_progress = time.monotonic()
        self.call_later(self._session.data_idle, self._check_progress)
        if self._listing is None:
            self.modify_ioloop_events(self.ioloop.READ)
        else:
            self.modify_ioloop_events(self.ioloop.READ | self.ioloop.WRITE)
            if self._listing:
                AsyncChat.push(self, self._listing)
            self.close_when_done()
            self.initiate_send()

    def _read(self) -> None:
        for _ in range(READS_PER_EVENT):
            if self._take is None or self._closed:
                return
            try:
                got = self._receive()
            except OSError:
                self.finish(End.RESET)
                return
            if isinstance(got, End):
                self.finish(got)
                return
            if not got:
                return
            self.received += len(got)
            self._last_progress = time.monotonic()
            if self._resumed:
                self._take(got)
        if self._tls_end is not None:  # nothing more comes that would wake us for it
            self.finish(self._tls_end)

    def _receive(self) -> memoryview | End | None:
        """Bytes, an end, or None when nothing waits."""
        if self.encrypted:
            return self._receive_tls()
        buffer = self._session.buffer
        try:
            count = self.socket.recv_into(buffer)
        except BlockingIOError:
            return None
        if count:
            return buffer[:count]
        # A reset that overtook the end leaves its mark: a reset is never an end.
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return End.RESET if error else End.CLOSED

    def _receive_tls(self) -> memoryview | End | None:
        buffer, filled = self._session.buffer, 0
        while self._tls_end is None and filled + TLS_RECORD <= min(TLS_PIECE, len(buffer)):
            got = tls.receive(self.socket, TLS_RECORD)
            if isinstance(got, tls.Wait):
                break
            if isinstance(got, tls.End):
                self._tls_end = {
                    tls.End.CLOSED_PROPERLY: End.CLOSED,
                    tls.End.CLOSED_BARE: End.CLOSED_BARE,
                }.get(got, End.RESET)
            else:
                buffer[filled : filled + len(got)] = got
                filled += len(got)
        return buffer[:filled] if filled else self._tls_end

    def _discard(self) -> None:
        """While a listing is sent nothing may come but the end."""
        try:
            got = self._receive()
        except OSError:
            got = End.RESET
        if isinstance(got, End) or self._tls_end is not None:
            self.finish(End.RESET)

    def handle_write_event(self) -> None:
        if self._ssl_accepting:
            super().handle_write_event()
        else:
            self.initiate_send()

    def _check_handshake(self) -> None:
        if self._ssl_accepting:
            self.finish(End.TLS_FAILED)

    def _check_progress(self) -> None:
        rest = self._last_progress + self._session.data_idle - time.monotonic()
        if rest <= 0:
            self.finish(End.STALLED)
        else:
            self.call_later(rest, self._check_progress)
