"""Sessions on a loop that the test turns itself: real sockets, and an OpenSPP that it plays."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openspp_ftpd import tls
from openspp_ftpd.delivery import Delivered, Outcome, Receipt, Scan
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp.control import ControlConnection
from openspp_ftpd.ftp.listener import Listener, Reception, balancers_on
from openspp_ftpd.ftp.loop import EventLoop
from openspp_ftpd.ftp.passive import PassivePorts
from openspp_ftpd.ftp.public_address import PublicAddresses
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.ledger import Ledger
from openspp_ftpd.limits import Limits
from openspp_ftpd.listening import Door, open_socket
from openspp_ftpd.openspp import Credentials
from openspp_ftpd.settings import (
    Address,
    LogSettings,
    OpenSPPSettings,
    Settings,
    TlsSettings,
    UploadSettings,
)
from openspp_ftpd.spool import Spool

WRONG_PASSWORD = "wrong"


@dataclass
class Handed:
    """A scan that was handed over; the test says what becomes of it."""

    scan: Scan
    then: Callable[[Outcome], None]
    may_be_abandoned: bool = True
    abandoned: bool = False

    def abandon(self) -> bool:
        self.abandoned = self.may_be_abandoned
        return self.may_be_abandoned

    def is_stored(self, name: str = "") -> None:
        """OpenSPP has it."""
        scan = self.scan
        self.then(Delivered(name or scan.name, Receipt(Ledger(), scan.key)))


@dataclass
class PlayedDelivery:
    """Lets everybody in whose password is not wrong, and keeps what is uploaded."""

    loop: EventLoop
    handed: list[Handed] = field(default_factory=list)

    def login(self, credentials: Credentials, then: Callable[[Failure | None], None]) -> None:
        wrong = credentials.password == WRONG_PASSWORD
        self.loop.call_later(0, then, Failure(Problem.WRONG_PASSWORD) if wrong else None)

    def upload(self, scan: Scan, then: Callable[[Outcome], None]) -> Handed:
        self.handed.append(Handed(scan, then))
        return self.handed[-1]


class Ground:
    """A listener with `passive_ports` passive ports; TLS where a certificate is given."""

    def __init__(
        self, directory: Path, passive_ports: int = 1, certificate: tuple[str, str] | None = None
    ) -> None:
        self.opened = contextlib.ExitStack()  # by clients
        self.loop = EventLoop()
        self.sessions: set[ControlConnection] = set()
        self.delivery = PlayedDelivery(self.loop)
        self.settings = Settings(
            OpenSPPSettings("http://127.0.0.1:9"),
            tls=TlsSettings("optional", *certificate) if certificate else TlsSettings("off"),
            uploads=UploadSettings(str(directory)),
        )
        journal = Journal(LogSettings(), logging.getLogger("openspp_ftpd.test"))
        balancers = balancers_on(self.loop, self.settings.ftp.proxy_networks, lambda: journal)
        self.ports = PassivePorts(
            ["127.0.0.1"], free_ports(passive_ports), "session", balancers, self.loop
        )
        limits = Limits(self.settings.limits)
        self.services = Services(
            settings=self.settings,
            tls=tls.contexts(self.settings.tls) if certificate else None,
            delivery=self.delivery,  # type: ignore[arg-type]
            spool=Spool(str(directory), 1024 * 1024),
            limits=limits,
            passive=self.ports,
            public_addresses=PublicAddresses(()),
            journal=journal,
            buffer=memoryview(bytearray(65536)),
        )
        listening = open_socket(Address("127.0.0.1", 0))
        # Little room for replies that nobody reads; sessions inherit it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.address = listening.getsockname()
        reception = Reception(self.sessions, self.services, self.loop)
        door = Door(listening, False)
        self.listener = Listener(door, limits, reception, balancers, self.loop)

    def run_until(self, condition: Callable[[], Any], seconds: float = 5.0) -> None:
        """Turn the loop until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            self.loop.loop(timeout=0.01, blocking=False)

    def run_for(self, seconds: float) -> None:
        """Turn the loop for a while."""
        end = time.monotonic() + seconds
        self.run_until(lambda: time.monotonic() >= end, seconds + 1)

    def client(self, user: str = "") -> Client:
        """A client that has connected, and logged in where a user is named."""
        client = Client(self)
        assert client.answer() == 220
        if user:
            assert [client.ask(f"USER {user}"), client.ask("PASS right")] == [331, 230]
        return client

    def close(self) -> None:
        self.opened.close()
        for session in list(self.sessions):
            session.close()
        self.listener.close()
        self.ports.close()
        self.loop.close()


class Client:
    """One client of a ground; whatever it waits for, it turns the loop meanwhile."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.connection = ground.opened.enter_context(socket.socket())
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.connect(ground.address)
        self.connection.setblocking(False)
        self._received = b""
        self.ended = False

    def send(self, *lines: str) -> None:
        """Send commands in one piece."""
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def answer(self) -> int:
        """The code of the next reply (of its last line), 0 at the end of the connection."""
        while True:
            self._ground.run_until(lambda: self._line() or self.ended)
            line = self._line()
            self._received = self._received[len(line) :]
            if not line or re.match(rb"\d{3} ", line):
                return int(line[:3] or 0)

    def ask(self, line: str) -> int:
        """Send a command; the code of its reply."""
        self.send(line)
        return self.answer()

    def port(self) -> int:
        """PASV; the port that it tells."""
        self.send("PASV")
        self._ground.run_until(self._line)
        numbers = re.findall(rb"\d+", self._line())
        assert self.answer() == 227
        return int(numbers[-2]) * 256 + int(numbers[-1])

    def connect(self, port: int) -> socket.socket:
        """A data connection; the daemon's side has not seen it yet."""
        return self._ground.opened.enter_context(socket.create_connection(("127.0.0.1", port)))

    def _line(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            while b"\n" not in self._received and not self.ended:
                try:
                    received = self.connection.recv(65536)
                except ConnectionResetError:
                    received = b""
                self._received += received
                self.ended = not received
        before, end, _ = self._received.partition(b"\n")
        return before + end if end else b""


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextlib.contextmanager
def ground_in(
    directory: Path, passive_ports: int = 1, certificate: tuple[str, str] | None = None
) -> Iterator[Ground]:
    """A ground, closed at the end."""
    ground = Ground(directory, passive_ports, certificate)
    try:
        yield ground
    finally:
        ground.close()
