"""A scanner next door that uploads while a daemon is attacked, and what the attack may cost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

import psutil

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.promises import until
from tests.acceptance.scanner import Answer, Scanner

MIB: Final = 1024 * 1024

NEXT_DOOR: Final = "127.0.0.2"
"""The neighbour's address; attackers have others."""

ATTACKER: Final = "127.0.0.66"

PATIENT: Final = 20.0
"""Seconds of a whole session of the neighbour's, where the machine is busy too."""


class Neighbour:
    """Connects, logs in, uploads, says QUIT, over and over, in a thread."""

    def __init__(self, ground: Ground) -> None:
        self.sent: dict[str, bytes] = {}
        self.slowest = 0.0
        self.failed: BaseException | None = None
        self._ground = ground
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                began = time.monotonic()
                name, content = f"next-door-{len(self.sent)}.pdf", pdf(200_000, len(self.sent))
                with self._ground.logged_in(source=NEXT_DOOR) as scanner:
                    assert scanner.store(name, content) == (
                        226,
                        "Transfer complete. OpenSPP has it.",
                    )
                    scanner.quit()
                self.sent[name] = content
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._over.wait(0.05)
        except BaseException as error:
            self.failed = error

    def goes_on(self) -> bool:
        """Three more scans arrive."""
        wanted = len(self.sent) + 3
        return until(lambda: self.failed or len(self.sent) >= wanted, 30) and not self.failed

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(60)


def memory(ground: Ground) -> int:
    """Bytes of the daemon's own (PSS), its children included."""
    process = psutil.Process(ground.daemon.pid)
    everyone = [process, *process.children(recursive=True)]
    return int(sum(each.memory_full_info().pss for each in everyone))


@contextlib.contextmanager
def under_attack(ground: Ground, growth: int = 24 * MIB) -> Iterator[Neighbour]:
    """The body attacks. Meanwhile and afterwards a neighbour is served, every scan of his arrives,
    and the daemon grows by no more than `growth` bytes."""
    with Neighbour(ground) as neighbour:
        assert neighbour.goes_on(), neighbour.failed
        before = memory(ground)
        yield neighbour
        assert neighbour.goes_on(), neighbour.failed
        assert memory(ground) - before < growth, f"grew by {(memory(ground) - before) // MIB} MiB"
    assert neighbour.failed is None
    assert neighbour.slowest < PATIENT
    assert ground.recorded() == expected(neighbour.sent)
    assert until(lambda: not ground.daemon.spooled_bytes())
    assert "Traceback" not in ground.daemon.log()


def last_words(scanner: Scanner, seconds: float = 20.0) -> list[Answer]:
    """Every reply until the daemon closes."""
    answers = []
    with contextlib.suppress(ConnectionError):
        while True:
            answers.append(scanner.answer(seconds))
    return answers
