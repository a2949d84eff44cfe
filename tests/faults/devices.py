"""Scanners that send one scan after the other, and send again what they were not told 226 for."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.acceptance.crowd import Crowd
from tests.acceptance.documents import noise, pdf, sha256
from tests.acceptance.grounds import Ground
from tests.acceptance.scanner import Scanner

DEVICES: Final = 32
USERS: Final = tuple(f"clerk-{number}" for number in range(8))
PATIENCE: Final = 25.0
"""Seconds that a device waits for any reply."""

_SENDINGS: Final = 4
"""How often a device sends a scan before somebody walks away and makes a new one."""


@dataclass
class Books:
    """What all devices did, and were told. SHA-256 stands for a scan."""

    sent: dict[str, str] = field(default_factory=dict)
    """Every scan that was begun, with its name."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Every scan whose 226 was read, with its name."""
    sendings: Counter[str] = field(default_factory=Counter)
    replies: Counter[int] = field(default_factory=Counter)


class Devices(Crowd):
    """All of them, each from an address of its own, a third by each way of TLS."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.books = Books()
        self._ground = ground
        self._seed = seed
        super().__init__(DEVICES, self._work, 8 * PATIENCE)

    def wait_for_more(self, scans: int = DEVICES) -> None:
        """Until so many more scans went through."""
        enough = len(self.books.acknowledged) + scans
        end = time.monotonic() + 90
        while len(self.books.acknowledged) < enough:
            assert time.monotonic() < end, f"nothing goes on: {self.books.replies}"
            time.sleep(0.05)

    def _work(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        count = 0
        while not self.stop.is_set():
            count += 1
            size = chance.randrange(1000, 200_000)
            seed = chance.randrange(1 << 60)
            content = pdf(size, seed) if chance.random() < 0.7 else noise(size, seed)
            self._send_until_it_is_there(number, f"{number}-{count}.pdf", content, chance)

    def _send_until_it_is_there(
        self, number: int, name: str, content: bytes, chance: random.Random
    ) -> None:
        digest = sha256(content)
        self.books.sent[digest] = name
        for _ in range(_SENDINGS):
            # Refused, reset, ended or timed out: what a device does then is to try again.
            with contextlib.suppress(OSError, AssertionError), self._session(number) as scanner:
                self.books.sendings[digest] += 1
                answer = scanner.store(name, content)
                self.books.replies[answer.code] += 1
                if answer.code == 226:
                    self.books.acknowledged[digest] = name
                    return
            if self.stop.wait(chance.uniform(0.05, 0.5)):
                return

    def _session(self, number: int) -> Scanner:
        user = USERS[number % len(USERS)]
        tls = ("", "explicit", "implicit")[number % 3]
        port = self._ground.port(tls)
        scanner = Scanner(port, tls, f"127.0.0.{number + 10}", PATIENCE)
        try:
            assert scanner.login(user).code == 230
        except BaseException:
            scanner.close()
            raise
        return scanner
