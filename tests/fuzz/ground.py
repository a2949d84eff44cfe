"""The daemon that is fuzzed, with its OpenSPP, and whether it is again as it was."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.acceptance import documents
from tests.acceptance.grounds import Ground, running
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon, make_certificate
from tests.fuzz.books import Books, Stream
from tests.fuzz.dialogue import Violation

BOB: Final = "bob"  # has no active directory
USERS: Final = ("fuzz-0", "fuzz-1", "fuzz-0", "fuzz-1", "fuzz-2", BOB)
ANSWER_WITHIN: Final = 4.0
OPTIONS: Final = {
    "openspp": {
        "answer_within": f"{ANSWER_WITHIN:g}s",
        "login_within": "10s",
        "parallel_requests": "16",
    },
    "scanners": {"side_files": "*.xst"},
    "limits": {
        "failed_logins": "10000",
        "data_idle": "5s",
        "handshake_within": "5s",
        "command_idle": "10min",
        "sessions": "200",
    },
}
TLS: Final = ("", "explicit", "implicit")


@dataclass(frozen=True)
class State:
    """What must return to where it was."""

    descriptors: int
    threads: int
    memory: int  # kilobytes

    @classmethod
    def of(cls, pid: int) -> State:
        status = Path(f"/proc/{pid}/status").read_text()
        numbers = {key: int(number) for key, number in re.findall(r"(\w+):\s+(\d+)", status)}
        return cls(
            len(list(Path(f"/proc/{pid}/fd").iterdir())), numbers["Threads"], numbers["VmRSS"]
        )

    @classmethod
    def at_rest(cls, pid: int) -> State:
        """Once what was done before has ended."""
        states = []
        for _ in range(20):
            states.append(cls.of(pid))
            time.sleep(0.1)
        return min(states, key=lambda state: (state.descriptors, state.threads))


class Log:
    """The daemon's log, read on from where it was read to."""

    def __init__(self, daemon: Daemon) -> None:
        self._path = daemon.log_path
        self._read = 0

    def check(self) -> None:
        """Nothing in it is a defect of ours. Raises Violation."""
        with self._path.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += text.rfind(b"\n") + 1
        if b"Traceback" in text:
            found = text[max(0, text.index(b"Traceback") - 300) :][:3000]
            raise Violation(f"a traceback: {found.decode(errors='replace')}")
        for user in USERS:
            if f"scan-{user}".encode() in text:
                raise Violation("a password is in the log")


@dataclass
class Fuzzed:
    """The daemon, what was sent to it, and how it was before."""

    ground: Ground
    books: Books
    log: Log
    before: State
    _sources: int = 0

    @property
    def ports(self) -> tuple[int, int]:
        """The daemon's, and that of implicit TLS."""
        return self.ground.daemon.port, self.ground.daemon.implicit_port

    def source(self) -> str:
        """An address that nobody has connected from: nothing that others did there matters."""
        self._sources += 1
        return f"127.1.{self._sources >> 8 & 255}.{self._sources & 255}"

    def memory(self) -> int:
        """Kilobytes of the daemon's."""
        return State.of(self.ground.daemon.pid).memory

    def returned(self) -> None:
        """Descriptors, threads and the spool return to where they were. Raises Violation."""
        daemon, before = self.ground.daemon, self.before

        def as_before() -> bool:
            now = State.of(daemon.pid)
            return now.descriptors <= before.descriptors and now.threads <= before.threads

        if not until(as_before, 60):
            raise Violation(f"descriptors or threads stay: {State.of(daemon.pid)} was {before}")
        if daemon.spooled_bytes():
            raise Violation("something stays in the spool")


@contextlib.contextmanager
def fuzzed(folder: Path) -> Iterator[Fuzzed]:
    """Start both; what is made once and kept (modules, buffers) exists afterwards."""
    users = [f"--user={user}:scan-{user}" for user in sorted({*USERS} - {BOB})]
    certificate = make_certificate(folder)
    with running(folder, certificate, OPTIONS, users, passive_ports=3) as ground:
        books = Books(ground.openspp.record_path, ANSWER_WITHIN)
        for tls in TLS:  # whether they are served is for the fuzzers to say
            next_scan(ground, books, tls)
        yield Fuzzed(ground, books, Log(ground.daemon), State.at_rest(ground.daemon.pid))


def openspp(ground: Ground, order: dict[str, Any]) -> None:
    """Tell the embedded OpenSPP what shall go wrong from now on; {}: nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", ground.openspp.port, timeout=30)
    for _ in range(20):
        try:
            body = json.dumps(order)
            connection.request(
                "POST", "/sandbox/faults", body, {"Content-Type": "application/json"}
            )
            assert connection.getresponse().status == 200
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)  # it is down
        finally:
            connection.close()
    raise AssertionError("the embedded OpenSPP does not answer")


def next_scan(ground: Ground, books: Books, tls: str) -> bool:
    """A scan is sent as always and acknowledged, and OpenSPP has it."""
    number = books.number()
    content = documents.pdf(20_000, number)
    stream = Stream(0, content, len(content))
    books.ended(stream)
    with ground.logged_in("fuzz-0", tls) as scanner:
        told = scanner.store(f"u{number}u.pdf", content)
        scanner.quit()
    books.read()
    digest = documents.sha256(content)
    books.acknowledged.add(digest)
    return told.code == 226 and digest in books.stored
