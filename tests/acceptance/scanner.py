"""A scanner that does exactly what a test says, down to how each connection ends."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from typing import NamedTuple, Self


class Answer(NamedTuple):
    """One reply of the daemon."""

    code: int
    text: str


def tls_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that trusts everybody, as devices do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Scanner:
    """The control connection and, when asked for, data connections.

    Args:
        port: the daemon's port.
        tls: "", "explicit" (AUTH TLS, PBSZ, PROT P) or "implicit".
        source: the loopback address it comes from.
        timeout: seconds to wait for any reply.
        context: another TLS client than one that trusts everybody.
        host: the daemon's address.
    """

    def __init__(
        self,
        port: int,
        tls: str = "",
        source: str = "127.0.0.1",
        timeout: float = 30.0,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.source = source
        self.timeout = timeout
        self.tls = tls
        self._received = b""
        self._data: list[socket.socket] = []
        self.context = context or tls_context()
        self.connection: socket.socket = socket.create_connection(
            (host, port), timeout, source_address=(source, 0)
        )
        try:
            self.greeting = self._begin()
        except BaseException:
            self.connection.close()
            raise

    def _begin(self) -> Answer:
        """Be greeted, under TLS where that is wanted."""
        if self.tls == "implicit":
            self.begin_tls()
        greeting = self.answer()
        if self.tls == "explicit":
            assert self.command("AUTH TLS").code == 234
            self.begin_tls()
            assert self.command("PBSZ 0").code == 200
            assert self.command("PROT P").code == 200
        return greeting

    def begin_tls(self) -> None:
        """The handshake of the control connection."""
        self.connection = self.context.wrap_socket(self.connection)

    def send(self, line: str | bytes) -> None:
        """Send a command and do not wait for its answer."""
        raw = line if isinstance(line, bytes) else line.encode()
        self.connection.sendall(raw + b"\r\n")

    def answer(self, timeout: float | None = None) -> Answer:
        """The next reply (several lines are one); raises ConnectionError at the end."""
        self.connection.settimeout(self.timeout if timeout is None else timeout)
        text = []
        while True:
            line = self._line()
            text.append(line)
            if re.match(r"\d{3} ", line) and line[:3] == text[0][:3]:
                return Answer(int(line[:3]), "\n".join(text)[4:])

    def _line(self) -> str:
        while b"\n" not in self._received:
            received = self.connection.recv(4096)
            if not received:
                raise ConnectionError("the daemon closed the control connection")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        return line.rstrip(b"\r").decode()

    def command(self, line: str | bytes, timeout: float | None = None) -> Answer:
        """Send a command and wait for its answer."""
        self.send(line)
        return self.answer(timeout)

    def login(self, user: str = "alice", password: str = "") -> Answer:
        """USER and PASS; the embedded OpenSPP's passwords are scan-NAME."""
        self.command(f"USER {user}")
        return self.command(f"PASS {password or 'scan-' + user}")

    def passive(self) -> socket.socket:
        """PASV and a connection to the port it tells, still in the clear."""
        return self.connect_data(self.passive_port())

    def passive_port(self) -> int:
        """PASV, without connecting."""
        return self.port_of(self.command("PASV"))

    @staticmethod
    def port_of(answer: Answer) -> int:
        """The port that the answer to PASV tells."""
        assert answer.code == 227, answer
        numbers = re.findall(r"\d+", answer.text)
        return int(numbers[-2]) * 256 + int(numbers[-1])

    def connect_data(self, port: int) -> socket.socket:
        """A data connection, still in the clear."""
        data = socket.create_connection(
            (self.host, port), self.timeout, source_address=(self.source, 0)
        )
        self._data.append(data)
        return data

    def secured(self, data: socket.socket) -> socket.socket:
        """The data connection under TLS where the session has it."""
        if self.tls:
            data = self.context.wrap_socket(data)
            self._data.append(data)
        return data

    def begin(self, name: str, verb: str = "STOR") -> socket.socket:
        """PASV, connect, STOR, 150: the data connection, ready to be written to."""
        data = self.passive()
        answer = self.command(f"{verb} {name}")
        assert answer.code == 150, answer
        return self.secured(data)

    def store(self, name: str, content: bytes, verb: str = "STOR") -> Answer:
        """A whole upload that ends as it should; the final reply."""
        data = self.begin(name, verb)
        data.sendall(content)
        end_properly(data)
        return self.answer()

    def quit(self) -> None:
        """QUIT and close."""
        self.command("QUIT")
        self.connection.close()

    def close(self) -> None:
        """Close without QUIT (a FIN, unless replies were left unread)."""
        self.connection.close()

    def reset(self) -> None:
        """Close by a reset."""
        reset(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()
        for data in self._data:
            data.close()


def end_properly(data: socket.socket) -> None:
    """close_notify where there is TLS, and FIN."""
    if isinstance(data, ssl.SSLSocket):
        data = data.unwrap()
    data.close()


def end_bare(data: socket.socket) -> None:
    """FIN without close_notify."""
    data.shutdown(socket.SHUT_RDWR)
    data.close()


def reset(connection: socket.socket) -> None:
    """RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
