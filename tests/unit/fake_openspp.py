"""An OpenSPP without HTTP, scripted, for tests of the delivery.

The fake keeps documents as the real one does: two requests at the same time under one name are both
stored (WIRE.md section 7). What a request comes to is scripted; what must never happen is noted.
"""

from __future__ import annotations

import hashlib
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from openspp_ftpd.delivery import Scan
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import (
    Abandoned,
    Content,
    Credentials,
    Denied,
    Exchange,
    NotStored,
    Outcome,
    Stored,
    Unsettled,
)

LONGEST_PAUSE = 10.0  # seconds

TAKEN = NotStored(Failure(Problem.NAME_TAKEN, said="A file with the same name already exists."))
UNREACHABLE = NotStored(Failure(Problem.UNREACHABLE, detail="refused"), may_retry=True)
REFUSED = NotStored(Failure(Problem.REFUSED, said="The file name is invalid."))
NO_VERDICT = Unsettled(Failure(Problem.UNCERTAIN, detail="the connection was reset"))


class Gone(Exception):
    """The connection was shut."""


class FakeContent:
    """A scan's content that knows whether it was read after its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.discarded = False
        self.size = len(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.sha512 = hashlib.sha512(data).hexdigest()

    def pieces(self, length: int) -> Iterator[bytes]:
        for start in range(0, len(self.data), length):
            if self.discarded:
                raise ValueError("the scan is discarded")
            yield self.data[start : start + length]

    def discard(self) -> None:
        self.discarded = True


def scan(
    data: bytes | str = "bytes",
    name: str = "scan.pdf",
    user: str = "alice",
    received: datetime | None = None,
) -> Scan:
    content = FakeContent(data.encode() if isinstance(data, str) else data)
    return Scan(Credentials(user, "secret"), name, content, received or datetime.now())


def is_discarded(scan: Scan) -> bool:
    try:
        next(scan.content.pieces(1))
    except ValueError:
        return True
    return False


@dataclass(frozen=True)
class Document:
    """What OpenSPP keeps."""

    user: str
    name: str
    data: bytes


@dataclass(eq=False)
class Request:
    """One request to store, as a script sees it."""

    openspp: FakeOpenSPP
    user: str
    name: str
    content: Content
    exchange: Exchange
    connection: socket.socket
    data: bytes = field(default=b"")

    def send(self) -> None:
        """All of the body."""
        self.data = b"".join(self.content.pieces(7))
        self.exchange.last_piece()
        self.exchange.sent()

    def work(self) -> Outcome:
        """What OpenSPP does with a whole body."""
        return self.openspp.keep(self)

    def is_cut(self) -> bool:
        """Whether the gateway has shut the connection."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def pause(self, gate: threading.Event | None = None, seconds: float = LONGEST_PAUSE) -> None:
        """Until `gate` opens. Raises Gone as soon as the connection is shut."""
        until = time.monotonic() + seconds
        while gate is None or not gate.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return
            if select.select([self.connection], [], [], min(left, 0.005))[0]:
                raise Gone


Script = Callable[[Request], Outcome]


def stores(request: Request) -> Outcome:
    """OpenSPP in good order."""
    request.send()
    return request.work()


def answers(outcome: Outcome) -> Script:
    """The whole body is read, and nothing is stored."""

    def script(request: Request) -> Outcome:
        request.send()
        return outcome

    return script


def dies_after_storing(request: Request) -> Outcome:
    request.send()
    request.work()
    return NO_VERDICT


def waits_before_the_end(gate: threading.Event) -> Script:
    """The last byte is not taken before `gate` opens."""

    def script(request: Request) -> Outcome:
        request.pause(gate)
        return stores(request)

    return script


def waits_for_its_answer(gate: threading.Event, outcome: Outcome | None = None) -> Script:
    """Everything is sent; the answer (`outcome`, or after storing) comes when `gate` opens."""

    def script(request: Request) -> Outcome:
        request.send()
        request.pause(gate)
        return outcome or request.work()

    return script


class FakeOpenSPP:
    """The Api of a scripted OpenSPP."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.requests: list[tuple[str, str]] = []  # (user, name), as they began
        self.wrongs: list[str] = []  # what must never happen
        self.settles_after: float | None = None  # it cannot be asked what it has
        self.asked: list[str] = []  # the names that were asked for
        self.answers_questions = True
        self.most_at_once = 0
        self.most_of_one_user = 0
        self.logins: list[str] = []
        self.login_script: Callable[[Exchange], Denied | None] = lambda exchange: None
        self._scripts: dict[str, Iterator[Script]] = {}
        self._last: dict[str, Script] = {}
        self._running: list[Request] = []
        self._lock = threading.Lock()

    def will(self, *scripts: Script, name: str = "") -> None:
        """What comes of the next requests (for `name`, or any); the last script stays."""
        self._scripts[name] = iter(scripts)
        self._last[name] = scripts[-1]

    def names(self) -> list[str]:
        return [document.name for document in self.documents]

    def keep(self, request: Request) -> Outcome:
        with self._lock:
            if any((d.user, d.name) == (request.user, request.name) for d in self.documents):
                return TAKEN
            self.documents.append(Document(request.user, request.name, request.data))
            return Stored()

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        self.logins.append(credentials.user)
        return self.login_script(exchange)

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        ours, theirs = socket.socketpair()
        request = Request(self, credentials.user, name, content, exchange, theirs)
        outcome: Outcome
        try:
            exchange.connected(ours)  # what is abandoned from now on is seen to be cut
            outcome = self._begin(request)(request)
        except Abandoned:
            outcome = NotStored(Failure(Problem.TOO_SLOW, detail="given up"))
        except Gone:
            outcome = NO_VERDICT if exchange.wholly_sent else UNREACHABLE
        finally:
            with self._lock:
                if request in self._running:
                    self._running.remove(request)
            exchange.disconnected()
            ours.close()
            theirs.close()
        exchange.conclude(nothing_stored=isinstance(outcome, NotStored))
        return outcome

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        exchange.check()
        self.asked.append(name)
        if not self.answers_questions:
            return NO_VERDICT
        with self._lock:
            there = any(
                (document.user, document.name) == (credentials.user, name)
                and hashlib.sha512(document.data).hexdigest() == content.sha512
                for document in self.documents
            )
        return Stored(earlier=True) if there else NotStored(Failure(Problem.OUT_OF_ORDER))

    def _begin(self, request: Request) -> Script:
        with self._lock:
            self._running = [other for other in self._running if not other.is_cut()]
            for other in self._running:
                if (other.user, other.name) == (request.user, request.name):
                    self.wrongs.append(f"{request.name} runs twice")
            self.requests.append((request.user, request.name))
            self._running.append(request)
            self.most_at_once = max(self.most_at_once, len(self._running))
            users = Counter(each.user for each in self._running)
            self.most_of_one_user = max(self.most_of_one_user, *users.values())
            key = request.name if request.name in self._scripts else ""
            return next(self._scripts.get(key, iter(())), self._last.get(key, stores))
