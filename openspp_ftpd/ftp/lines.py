"""The control connection as a stream of lines: read, kept until their turn, answered in order.

pyftpdlib obeys a line as soon as it comes; here lines wait while a command is being answered, and
only ABOR acts at once. What a line means is in `control.py` and `commands.py`.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pyftpdlib.exceptions import _RetryError
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.ioloop import AsyncChat

from openspp_ftpd import tls
from openspp_ftpd.ftp import foreign

LONGEST_LINE: Final = 4096
"""Bytes of one command; the longest path of a device's folders needs far less."""

WAITING_LINES: Final = 8192
"""Bytes of commands that wait during a transfer; beyond that nothing more is read."""

WAITING_REPLIES: Final = 32
"""Replies that a client has not read; with more, its commands wait."""

LINES_AT_ONCE: Final = 32
"""Commands of one session that are handled before the others have their turn."""

LINGER_SECONDS: Final = 5.0
"""How long a connection that we close waits for a client to read its last replies."""

_LINE_END: Final = 2
_TELNET_BEFORE_ABOR: Final = re.compile(rb"^[\xf2\xf4\xff]+")  # RFC 959 section 4.1.3


class CommandLines(TLS_FTPHandler):
    """Lines in, replies out."""

    abort_transfer: Callable[[], bool]

    # Bytes read at once: few, since lines may have to wait, but a whole TLS record, since what
    # OpenSSL keeps decrypted wakes nobody.
    ac_in_buffer_size = 16384
    handle_read_event: Any
    _in_buffer_len: int
    _wanted_io_events: int

    # What control.py and transfers.py have.
    reply: Any
    handle_line: Any
    line_came: Any
    speaks_no_ftp: Any
    stream_broke: Any

    def __init__(self, connection: socket.socket, server: Any, ioloop: Any = None) -> None:
        self.lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.waiting = False  # a command is being answered
        self.client_gone = False  # it closed or lost the connection
        self.closing_ourselves = False
        self._reading = True
        self._running = False
        self._handled = 0  # lines in this turn
        self._goes_on = False  # with the next turn
        self._overlong = False
        super().__init__(connection, server, ioloop)
        self.set_terminator(b"\n")  # a bare LF ends a line too

    def recv(self, buffer_size: int) -> bytes:
        """Read; under TLS too the end is told to our `handle_close`, which pyftpdlib's TLS passes
        over (it would end an upload that is still coming)."""
        if not self._ssl_established:
            plain: bytes = super().recv(buffer_size)
            return plain
        got = tls.receive(self.socket, buffer_size)
        if isinstance(got, bytes):
            return got
        if isinstance(got, tls.Wait):
            raise _RetryError
        if got in (tls.End.RESET, tls.End.BROKEN):
            self.stream_broke()
        self.handle_close()
        return b""

    def send(self, data: bytes) -> int:
        """Write; as with `recv`."""
        if not self._ssl_established:
            plain: int = super().send(data)
            return plain
        sent = tls.send(self.socket, bytes(data))
        if sent is None:
            self.stream_broke()
            self.handle_close()
        return sent or 0

    def initiate_send(self) -> None:
        """Write what waits, and go on with lines that waited for a client that does not read."""
        super(AsyncChat, self).initiate_send()
        if not self._closed:
            self._register()
            if not self.producer_fifo:
                self.run_lines()

    def _register(self) -> None:
        """Tell the loop what is wanted. pyftpdlib's own would always read on."""
        if self.client_gone:
            return
        wanted = self.ioloop.READ if self._reading else 0
        if self.producer_fifo:
            wanted |= self.ioloop.WRITE
        if wanted != self._wanted_io_events:
            self.ioloop.modify(self._fileno, wanted)
            self._wanted_io_events = wanted

    def _stop_reading(self) -> None:
        self._reading = False
        self._register()

    def _resume_reading(self) -> None:
        self._reading = True
        self._register()

    def collect_incoming_data(self, data: bytes) -> None:
        """Part of a line; a line that is too long is thrown away as it comes."""
        if not self._in_buffer_len and not self._overlong:
            what = foreign.beginning(data)
            if what:
                self.speaks_no_ftp(what)
        if self._in_buffer_len + len(data) > LONGEST_LINE:
            self._overlong = True
            self._in_buffer, self._in_buffer_len = [], 0
        if not self._overlong:
            self._in_buffer.append(data)
            self._in_buffer_len += len(data)

    def found_terminator(self) -> None:
        """A whole line: keep it until its turn, or act at once when it is ABOR."""
        line = b"".join(self._in_buffer).rstrip(b"\r")
        self._in_buffer, self._in_buffer_len = [], 0
        overlong, self._overlong = self._overlong, False
        self.line_came()
        stripped = _TELNET_BEFORE_ABOR.sub(b"", line)
        if stripped.strip()[:4].upper() == b"ABOR":
            line = b"ABOR"
            if self._abort():
                return
        if line.strip() or overlong:
            self.lines.append(b"" if overlong else line)
            self._waiting_bytes += len(self.lines[-1]) + _LINE_END
            self.run_lines()
        if self._waiting_bytes > WAITING_LINES:
            self._stop_reading()

    def _abort(self) -> bool:
        """ABOR: 426 for the transfer and then 225 (RFC 959 section 4.1.3, but never 226), before
        any line that waits."""
        running, self._running = self._running, True
        try:
            aborted = self.abort_transfer()
            if aborted:
                self.reply(225, "ABOR command successful.")
        finally:
            self._running = running
        if aborted:
            self.run_lines()
        return aborted

    def run_lines(self) -> None:
        """Handle the lines that wait, as long as nothing else is waited for."""
        if self._running:
            return
        self._running = True
        try:
            while self.lines and self._may_go_on() and self._handled < LINES_AT_ONCE:
                line = self.lines.popleft()
                self._waiting_bytes -= len(line) + _LINE_END
                self._handled += 1
                self.handle_line(line)
        finally:
            self._running = False
        if self._closed or self.waiting:
            return
        if self._handled >= LINES_AT_ONCE and not self._goes_on:
            self._goes_on = True
            self.ioloop.call_later(0, self._next_turn, _errback=self.handle_error)
        if self.lines and self._goes_on:
            return
        if self.client_gone:
            self.close()
        elif not self._reading and not self.lines:
            self._resume_reading()

    def _next_turn(self) -> None:
        self._handled, self._goes_on = 0, False
        self.run_lines()

    def _may_go_on(self) -> bool:
        if self.waiting or self._closed or self.closing_ourselves:
            return False
        return len(self.producer_fifo) < WAITING_REPLIES  # else it does not read what it asked for

    def wait(self) -> None:
        """The command is answered later; lines that come wait."""
        self.waiting = True

    def quit_waits(self) -> bool:
        """QUIT is among the lines that wait."""
        return any(line[:4].upper() == b"QUIT" for line in self.lines)

    def forget_lines(self) -> None:
        """What came and was not obeyed yet is nothing."""
        self.ac_in_buffer = b""
        self._in_buffer, self._in_buffer_len = [], 0
        self.lines.clear()
        self._waiting_bytes = 0

    def close_when_done(self) -> None:
        """Close once all replies are written, or soon for a client that does not read them."""
        self.closing_ourselves = True
        super().close_when_done()
        if not self._closed:
            self.call_while_open(LINGER_SECONDS, self.close)
