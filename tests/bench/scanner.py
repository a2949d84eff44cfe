"""A lean scanner: blocking sockets and few system calls, for it shares the cores with the daemon.

TLS is the same for every peer: version 1.2, one cipher suite, no session taken up again.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Final, Self

HOST: Final = "127.0.0.1"
_PATIENCE: Final = struct.pack("ll", 240, 0)
_CIPHERS: Final = "ECDHE-RSA-AES256-GCM-SHA384"
_TLS_PIECE: Final = 1 << 20
_LAST_LINE: Final = re.compile(rb"(?:^|\n)(\d\d\d) [^\n]*\n$")


class Refused(Exception):
    """The server did not answer as is needed to go on; `code` is what it answered (0: nothing)."""

    def __init__(self, what: str, code: int, text: str) -> None:
        super().__init__(f"{what}: {code} {text}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes that all scans of a work have in common, in a file and mapped."""

    descriptor: int
    view: memoryview

    def __len__(self) -> int:
        return len(self.view)


def client_context() -> ssl.SSLContext:
    """Trusts everybody, as devices do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    return context


def connected(port: int, source: str, host: str) -> socket.socket:
    """A connection from that address to that host. Raises OSError."""
    connection = socket.socket()
    try:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.setsockopt(socket.SOL_SOCKET, option, _PATIENCE)
        connection.bind((source, 0))
        connection.connect((host, port))
    except BaseException:
        connection.close()
        raise
    return connection


class Session:
    """A control connection that has been greeted, under TLS where `context` is given."""

    def __init__(
        self, port: int, source: str, context: ssl.SSLContext | None, host: str = HOST
    ) -> None:
        self._source = source
        self._host = host
        self._context = context
        self._connection = connected(port, source, host)
        try:
            self.expect("greeting", 220)
            if context is not None:
                self.command("AUTH TLS", 234)
                self._connection = context.wrap_socket(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def login(self, user: str, password: str) -> None:
        """USER, PASS, what TLS needs, TYPE I. Raises Refused, OSError."""
        self.command(f"USER {user}", 331)
        self.command(f"PASS {password}", 230)
        if self._context is not None:
            self.command("PBSZ 0", 200)
            self.command("PROT P", 200)
        self.command("TYPE I", 200)

    def begin(self, name: str) -> socket.socket:
        """PASV and STOR; the data connection. Raises Refused, OSError."""
        told = re.search(r"(\d+),(\d+)\)", self.command("PASV", 227))
        if told is None:
            raise Refused("PASV", 227, "without a port")
        data = connected(int(told[1]) * 256 + int(told[2]), self._source, self._host)
        try:
            self.command(f"STOR {name}", 150, 125)
            if self._context is not None:
                data = self._context.wrap_socket(data)
        except BaseException:
            data.close()
            raise
        return data

    def command(self, line: str, *wanted: int) -> str:
        """Send a line; the text of its reply. Raises Refused, OSError."""
        self._connection.sendall(line.encode() + b"\r\n")
        return self.expect(line.partition(" ")[0], *wanted)

    def expect(self, what: str, *wanted: int) -> str:
        """The text of the next reply. Raises Refused, OSError."""
        received = b""
        while (last := _LAST_LINE.search(received)) is None:
            piece = self._connection.recv(4096)
            if not piece:
                raise Refused(what, 0, "the server closed the connection")
            received += piece
        text = received.decode("latin-1")
        if int(last[1]) not in wanted:
            raise Refused(what, int(last[1]), text[4:].strip())
        return text

    def quit(self) -> None:
        """QUIT, its reply, and close."""
        with contextlib.suppress(Refused):
            self.command("QUIT", 221)
        self.close()

    def close(self) -> None:
        """Close the control connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def send(data: socket.socket, stamp: bytes, content: Content, begin: int, end: int) -> None:
    """Send these bytes of a scan: `stamp` and what the content has behind it. Raises OSError."""
    if begin < len(stamp):
        flags = 0 if isinstance(data, ssl.SSLSocket) else socket.MSG_MORE
        data.sendall(stamp, flags)
        begin = len(stamp)
    if isinstance(data, ssl.SSLSocket):
        for start in range(begin, end, _TLS_PIECE):
            data.sendall(content.view[start : min(end, start + _TLS_PIECE)])
        return
    while begin < end:
        begin += os.sendfile(data.fileno(), content.descriptor, begin, end - begin)


def end(data: socket.socket) -> None:
    """close_notify where there is TLS, and FIN."""
    if isinstance(data, ssl.SSLSocket):
        # Not every peer answers a close_notify.
        with contextlib.suppress(OSError):
            data = data.unwrap()
    data.close()


def reset(data: socket.socket) -> None:
    """End by RST: the scan is cut."""
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    data.close()
