"""A daemon before an embedded OpenSPP, and what must hold after every upload that failed.

Every test of failing uploads ends with `Gateway.check`: nothing acknowledged is missing, nothing
cut is stored, nothing of it stays in the spool, neither a password nor content is in the daemon's
log, and the same daemon serves the next scan.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.acceptance import documents
from tests.acceptance.interfaces import SCANNER, answering, configured
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Answer, Scanner

STORED: Final = "226 Transfer complete. OpenSPP has it."
OTHER_NAME: Final = "226 Transfer complete. Stored "
"""How the 226 begins where OpenSPP has the scan under another name."""
UNREACHABLE: Final = "451 OpenSPP cannot be reached. Not stored. Try again later."
OUT_OF_ORDER: Final = "451 OpenSPP is out of order. Not stored. Try again later."
TOO_SLOW: Final = "451 OpenSPP did not answer in time. Try again later."
UNCERTAIN: Final = "451 OpenSPP did not confirm the scan. Please send it again."

ANSWER_WITHIN: Final = 3.0
OPTIONS: Final = {
    "openspp": {"answer_within": f"{ANSWER_WITHIN:g}s", "login_within": "10s"},
    "limits": {"failed_logins": "1000"},
}
"""What most of these tests configure."""

SMALL: Final = 20_000
LARGE: Final = 12_000_000
"""More bytes than the systems' buffers between daemon and OpenSPP hold."""

MARK: Final = b"CONTENT-THAT-NOBODY-LOGS-4711"
"""What is in every document of these tests, a kilobyte apart, and never in a log."""

PASSWORDS: Final = tuple(
    f"scan-{user}" for user in ("alice", "bob", "carol", "dave", "erin", "frank", "gina", "dbuser")
)

Result = TypeVar("Result")


def _base64_of_mark() -> list[bytes]:
    """The mark as it shows within base64, where it begins at any of three places."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + MARK + bytes(3))
        found.append(encoded[4:-8])
    return found


SECRETS: Final = (MARK, *_base64_of_mark(), *(word.encode() for word in PASSWORDS))


def marked(content: bytes) -> bytes:
    """The same content with the mark in it, a kilobyte apart."""
    with_mark = bytearray(content)
    for offset in range(512, len(content) - 512, 1024):
        with_mark[offset : offset + len(MARK)] = MARK
    return bytes(with_mark)


def pdf(size: int = SMALL) -> bytes:
    """A PDF that no other test has."""
    return marked(documents.pdf(size, next(_seeds)))


def noise(size: int = SMALL) -> bytes:
    """Content of unknown kind that no other test has."""
    return marked(documents.noise(size, next(_seeds)))


def whole_pdf() -> bytes:
    """What a scanner sends that is not disturbed."""
    return pdf(300_000)


def cut_pdf() -> bytes:
    """The first half of a PDF."""
    return pdf(600_000)[:300_000]


class _Seeds:
    """Numbers, each once, whichever thread asks."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def __next__(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


_seeds = _Seeds()


def unique(name: str) -> str:
    """`name` behind a number, so that no other test has a file of this name."""
    return f"{next(_seeds)}-{name}"


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """Call all in threads of their own at the same time; their results in order.

    Raises the first exception that one of them raised.
    """
    results: dict[int, Result] = {}
    failed: list[BaseException] = []

    def run(number: int, call: Callable[[], Result]) -> None:
        try:
            results[number] = call()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error
    return [results[number] for number in range(len(calls))]


def until(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether `condition` became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Gateway:
    """One daemon and the OpenSPP behind it, for several tests; `api`: its interface."""

    def __init__(self, daemon: Daemon, openspp: EmbeddedOpenSPP, api: str = SCANNER) -> None:
        self.daemon = daemon
        self.openspp = openspp
        self.api = api
        self._whole: set[str] = set()
        self._acknowledged: set[str] = set()

    def session(
        self, user: str = "alice", tls: str = "", source: str = "127.0.0.1", timeout: float = 30.0
    ) -> Scanner:
        """A scanner that has logged in."""
        scanner = Scanner(self.daemon.port, tls, source, timeout)
        answer = scanner.login(user)
        assert answer.code == 230, answer
        return scanner

    def send(self, name: str, content: bytes, user: str = "alice", tls: str = "") -> str:
        """A whole upload in a session of its own; its final reply."""
        with self.session(user, tls) as scanner:
            reply = self.store(scanner, name, content)
            scanner.quit()
        return reply

    def store(self, scanner: Scanner, name: str, content: bytes) -> str:
        """A whole upload in this session; its final reply."""
        return self.told(content, scanner.store(name, content))

    @contextlib.contextmanager
    def sessions(self, *users: str) -> Iterator[list[Scanner]]:
        """Scanners that have logged in, one for each; they go in order."""
        with contextlib.ExitStack() as stack:
            scanners = [stack.enter_context(self.session(user)) for user in users]
            yield scanners
            for scanner in scanners:
                scanner.quit()

    def store_together(
        self, scanners: Sequence[Scanner], name: str, scans: Sequence[bytes]
    ) -> tuple[list[str], float]:
        """One upload in each session, all at once: their final replies, and how long that took."""
        began = time.monotonic()
        replies = at_once(
            *(
                partial(self.store, scanner, unique(name), scan)
                for scanner, scan in zip(scanners, scans, strict=True)
            )
        )
        return replies, time.monotonic() - began

    def told(self, content: bytes, answer: Answer) -> str:
        """The final reply to a scanner that sent `content`, for the check at the end."""
        sha256 = documents.sha256(content)
        self._whole.add(sha256)
        if answer.code == 226:
            self._acknowledged.add(sha256)
        return f"{answer.code} {answer.text}"

    def names(self, content: bytes) -> list[str]:
        """The names under which OpenSPP has stored this document, oldest first."""
        sha256 = documents.sha256(content)
        self._whole.add(sha256)
        record = self.openspp.record()
        return [document["filename"] for document in record if document["sha256"] == sha256]

    def copies(self, content: bytes) -> int:
        """How often OpenSPP has stored this document."""
        return len(self.names(content))

    def journal_tells(self, *words: str, seconds: float = 10.0) -> bool:
        """Whether one line of the daemon's log has all these words, or gets them soon."""
        return until(
            lambda: any(
                all(word in line for word in words) for line in self.daemon.log().splitlines()
            ),
            seconds,
        )

    def check(self) -> None:
        """What must hold after every test."""
        self.serves_the_next_scan()
        record = Counter(document["sha256"] for document in self.openspp.record())
        assert self._acknowledged <= set(record), "an acknowledged scan is not in OpenSPP"
        assert set(record) <= self._whole, "OpenSPP has something that was never sent whole"
        assert until(lambda: not self.daemon.spooled_bytes()), "a scan stays in the spool"
        self.keeps_secrets()

    def serves_the_next_scan(self) -> None:
        """The same daemon, right afterwards."""
        for tls in ("", "explicit") if "certificate" in self.daemon.sections["tls"] else ("",):
            content = pdf()
            assert self.send(unique("next.pdf"), content, tls=tls) == STORED
            assert self.copies(content) == 1

    def keeps_secrets(self) -> None:
        """No password and no content in the daemon's log, and no traceback of a defect either."""
        log = self.daemon.log_path.read_bytes()
        for secret in SECRETS:
            assert secret not in log, f"the log shows {secret!r}"
        assert b"Traceback" not in log, self.daemon.log()[-3000:]


@contextlib.contextmanager
def gateway_of(
    directory: Path,
    options: Mapping[str, Mapping[str, str]],
    sandbox: Sequence[str] = (),
    api: str = SCANNER,
    **daemon: Any,
) -> Iterator[Gateway]:
    """An embedded OpenSPP, which answers by the interface `api`, and a daemon before it."""
    with (
        EmbeddedOpenSPP(directory, *answering(api, directory), *sandbox) as openspp,
        Daemon(directory, openspp.url, configured(api, options), **daemon) as running,
    ):
        yield Gateway(running, openspp, api)


def row(description: str, *values: object) -> Any:
    """One row of a table of tests; its description is its name."""
    return pytest.param(*values, id=description)
