"""A scanner that keeps to no rule: it sends what it is told, and hears everything that is said.

It never waits for a reply unless it is told to; whatever comes is held against the `Dialogue`.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.acceptance.scanner import reset, tls_context
from tests.fuzz.books import Books, Stream, Upload
from tests.fuzz.dialogue import UPLOADS, Dialogue, Reply, Violation

PATIENCE: Final = 40.0
"""Seconds after which an answer counts as never given; the daemon's own limits are shorter."""

_BRIEFLY: Final = 0.15
_CONTEXT: Final = tls_context(ssl.TLSVersion.TLSv1_2)
_CONTROL_CONTEXT: Final = tls_context()


@dataclass
class Data:
    """A data connection and what is sent on it."""

    socket: socket.socket
    stream: Stream
    secured: bool


class Device:
    """One session. `ports`: the daemon's port, and that of implicit TLS."""

    def __init__(
        self, books: Books, ports: tuple[int, int], source: str, implicit: bool = False
    ) -> None:
        self.books = books
        self.number = books.number()
        self.dialogue = Dialogue()
        self.data: list[Data] = []
        self.source = source
        self.port = 0  # the last one that PASV or EPSV told
        self.private = implicit  # PROT P
        self.left = False  # we ended the control connection
        self.gone = False  # it is at its end
        self._excused = False  # we have given the daemon a reason to close
        self._held = b""
        self._began: float = 0.0
        self._listening: socket.socket | None = None
        self.socket: socket.socket = socket.create_connection(
            ("127.0.0.1", ports[implicit]), PATIENCE, source_address=(source, 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if implicit:
            self._secure(excused=False)
        books.counts["sessions"] += 1

    # -- the control connection

    def say(self, raw: bytes, cuts: Sequence[float] = (), hold: bool = False) -> None:
        """Send these bytes in pieces; `hold` keeps the last one for the next time."""
        raw, self._held = self._held + raw, b""
        places = sorted({int(cut * len(raw)) for cut in cuts} - {0, len(raw)})
        pieces = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]
        if hold and len(pieces) > 1:
            self._held = pieces.pop()
        for piece in pieces:
            self._send(piece)

    def _send(self, piece: bytes) -> None:
        if self.gone or self.left:
            return
        before = self.dialogue.commands
        self.dialogue.say(piece)
        self.books.counts["commands"] += self.dialogue.commands - before
        try:
            self.socket.settimeout(PATIENCE)
            self.socket.sendall(piece)
        except TimeoutError:
            raise Violation("the daemon does not read its control connection") from None
        except OSError:
            self.hear()
            self._ended()

    @property
    def is_private(self) -> bool:
        """The control connection is under TLS."""
        return isinstance(self.socket, ssl.SSLSocket) and not self.gone

    def hear(self, seconds: float = 0.0) -> None:
        """Take in what was said, and wait up to so many seconds for something."""
        deadline = time.monotonic() + seconds
        while not self.gone:
            try:
                self.socket.settimeout(0)
                received = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return
                select.select([self.socket], [], [], rest)
                continue
            except OSError:
                received = b""
            if not received:
                self._ended()
                return
            deadline = 0.0
            for reply in self.dialogue.hear(received):
                self._heard(reply)

    def _ended(self) -> None:
        """The control connection is gone; without a reason it must not be."""
        if self.gone:
            return
        self.gone = True
        dialogue = self.dialogue
        reason = dialogue.closing or dialogue.failed_logins >= 3 or self._excused or self.left
        if not reason:
            raise Violation(f"the daemon closed without a reason; owed: {dialogue.unanswered}")

    def _heard(self, reply: Reply) -> None:
        self.books.counts["replies"] += 1
        command, now = reply.command, time.monotonic()
        if command is None:
            return
        if reply.code in (227, 229):
            numbers = [int(number) for number in re.findall(r"\d+", reply.text)]
            self.port = numbers[-1] if reply.code == 229 else numbers[-2] * 256 + numbers[-1]
        elif reply.code == 150 and command.verb in UPLOADS:
            self._began = now
            self.books.counts["uploads begun"] += 1
        elif command.verb in UPLOADS:
            users = self.dialogue.users
            self.books.answered(self.number, users, reply, now - (self._began or now))
        elif command.verb == "PROT" and reply.code == 200:
            self.private = command.argument.upper() == "P"
        elif reply.code == 234:
            self._secure(excused=self.dialogue.tls_begins(command))

    def _secure(self, excused: bool) -> None:
        """The TLS handshake; excused: we said something else before, so it may fail."""
        try:
            self.socket = _handshake(_CONTROL_CONTEXT, self.socket, PATIENCE)
        except OSError as error:
            if not excused:
                raise Violation(f"the TLS handshake failed: {error}") from None
            self._excused = True
            self._ended()

    def settle(self) -> None:
        """Bring every command to its answer: end what is under way, at last by ABOR."""
        self.say(b"")
        deadline = time.monotonic() + PATIENCE
        self.hear(_BRIEFLY if self.dialogue.owed else 0)
        while self.dialogue.owed and not self.gone and not self.left:
            if time.monotonic() > deadline:
                raise Violation(f"never answered: {self.dialogue}")
            if any(not one.stream.ended for one in self.data):
                self.end_all_data()
            elif self.dialogue.transferring:
                self.say(b"\nABOR\r\n")
            self.hear(1.0)

    def leave(self, how: str) -> None:
        """End the control connection: quit, fin, reset, half (only our own side), notify (TLS)."""
        if self.gone or self.left:
            return
        if how == "quit":
            self.say(b"\nQUIT\r\n")
            return
        self.hear()
        self._excused = self.left = True
        orderly = self.dialogue.closing
        for one in self.data:
            if not orderly and not one.stream.ended and not one.stream.is_whole:
                # Sent on, it may still become whole: `end_data` looks again.
                one.stream.cut = "the control connection was gone before"
        with contextlib.suppress(OSError):
            if how == "reset":
                reset(self.socket)
            elif how == "fin":
                self.socket.close()
            elif how == "half" or not isinstance(self.socket, ssl.SSLSocket):
                # SSLSocket's own would give up TLS, and what is still said would be unreadable.
                socket.socket.shutdown(self.socket, socket.SHUT_WR)
                return
            else:
                self.socket.settimeout(5)
                self.socket.unwrap()
        if how != "half":
            self.gone = True
            self.socket.close()

    # -- data connections

    def listen(self) -> int:
        """Wait for an active connection; the port."""
        if self._listening is not None:
            self._listening.close()
        self._listening = socket.create_server((self.source, 0))
        self._listening.settimeout(0.5)
        port: int = self._listening.getsockname()[1]
        return port

    def connect(self, content: bytes, secure: bool = True) -> bool:
        """Make the data connection that was agreed on; False: there is none, or it failed."""
        self.hear()
        waiting = {command.verb for command in self.dialogue.unanswered}
        if waiting & {"PROT", "AUTH", "REIN"}:
            return False  # who knows whether it is to be secured
        try:
            if self._listening is not None and self.dialogue.transferring:
                connection, _ = self._listening.accept()
            elif self.port:
                port, self.port = self.port, 0
                connection = socket.create_connection(
                    ("127.0.0.1", port), 5, source_address=(self.source, 0)
                )
            else:
                return False
        except OSError:
            return False
        stream = Stream(self.number, content)
        secured = False
        if self.private and secure:
            try:
                connection = _handshake(_CONTEXT, connection, 1.0)
                secured = True
            except OSError:
                return False
        elif self.private:
            stream.cut = "in clear behind PROT P"
        self.data.append(Data(connection, stream, secured))
        return True

    def send_data(self, part: float) -> None:
        """Send this part of what is left of the newest stream."""
        if not self.data or self.data[-1].stream.ended:
            return
        one = self.data[-1]
        stream = one.stream
        more = int(part * (len(stream.content) - stream.sent) + 0.5)
        piece = stream.content[stream.sent : stream.sent + more]
        try:
            one.socket.settimeout(5)
            one.socket.sendall(piece)
        except OSError:
            self._lost(one)
            return
        stream.sent += len(piece)

    def _lost(self, one: Data) -> None:
        one.stream.cut = one.stream.cut or "the connection was lost while it was sent"
        self.books.ended(one.stream)
        one.socket.close()

    def end_data(self, how: str) -> None:
        """End the newest data connection: fin, bare (TLS without close_notify), reset, both."""
        if self.data:
            self._end(self.data[-1], how)

    def end_all_data(self) -> None:
        """End every data connection in order."""
        for one in self.data:
            self._end(one, "fin")
        self.data.clear()

    def _end(self, one: Data, how: str) -> None:
        stream = one.stream
        if stream.ended:
            return
        if stream.cut.startswith("the control") and stream.is_whole:
            stream.cut = ""
        if self.left and not self.dialogue.closing and not stream.is_whole:
            stream.cut = stream.cut or "the control connection was gone before"
        if how == "reset":
            stream.cut = stream.cut or "a reset"
        elif how == "bare" and one.secured and not stream.is_whole:
            stream.cut = stream.cut or "TLS without close_notify"
        self.books.ended(stream)
        with contextlib.suppress(OSError):
            if how == "reset":
                reset(one.socket)
                return
            if isinstance(one.socket, ssl.SSLSocket) and how != "bare":
                one.socket.settimeout(0)
                with contextlib.suppress(ssl.SSLWantReadError):  # close_notify is on its way
                    one.socket.unwrap()
            if how == "both":
                one.socket.shutdown(socket.SHUT_WR)
                reset(one.socket)
        one.socket.close()

    def upload(self, verb: bytes, name: bytes, cuts: Sequence[float] = ()) -> None:
        """STOR, STOU or APPE of a name with a number, which is announced to the books."""
        self.books.uploads[self._token(name)] = Upload(name.decode("latin-1"))
        self.say(verb + b" " + name + b"\r\n", cuts)

    @staticmethod
    def _token(name: bytes) -> int:
        found = re.search(rb"u(\d+)u", name)
        assert found is not None
        return int(found[1])

    def close(self) -> None:
        """Let go of everything."""
        self.end_all_data()
        self.socket.close()
        if self._listening is not None:
            self._listening.close()


def _handshake(context: ssl.SSLContext, connection: socket.socket, seconds: float) -> ssl.SSLSocket:
    """The connection under TLS; where that fails it is closed, and OSError raised."""
    connection.settimeout(seconds)
    try:
        connection.getpeername()  # wrapping what is not connected any more would lose the socket
        secured = context.wrap_socket(connection, do_handshake_on_connect=False)
    except OSError:
        connection.close()
        raise
    try:
        secured.do_handshake()
    except OSError:
        secured.close()
        raise
    return secured
