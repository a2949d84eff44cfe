"""Delivery under random misfortune: no false 226, no scan lost, no copy without a reason.

Devices send scans, some of them read their replies, send again or break off, while OpenSPP refuses,
dies with or without storing, hangs, and answers late. Whatever happens, the promises hold.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from openspp_ftpd.delivery import Delivered, Outcome, Timer
from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Outcome as Answer
from tests.unit.delivering import PROMPTLY, Scanners, Sending, scanning, send
from tests.unit.fake_openspp import (
    NO_VERDICT,
    REFUSED,
    UNREACHABLE,
    FakeOpenSPP,
    Request,
    is_discarded,
    scan,
)

ANSWER_WITHIN = 0.25
SCANS_OF_A_DEVICE = 4
SENDINGS_OF_A_SCAN = 4


class Misfortune(Exception):
    """A defect in the daemon."""


class Fate:
    """What comes of a request, at random. Devices of one seed meet the same mixture of fates."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __call__(self, request: Request) -> Answer:
        chance = self._random.random()
        if chance < 0.08:
            return UNREACHABLE
        if chance < 0.11:
            raise Misfortune
        if chance < 0.19:
            request.pause(seconds=self._random.uniform(0, 1.2 * ANSWER_WITHIN))
        request.send()
        if chance < 0.22:
            raise Misfortune
        if chance < 0.27:
            return REFUSED
        if chance < 0.31:
            return UNREACHABLE
        if chance < 0.37:
            return NO_VERDICT
        if chance < 0.45:
            request.pause(seconds=self._random.uniform(0, 2 * ANSWER_WITHIN))
        request.pause(seconds=self._random.uniform(0, 0.02))
        answer = request.work()
        if chance < 0.52:
            return NO_VERDICT
        if chance < 0.60:
            request.pause(seconds=self._random.uniform(0, 2 * ANSWER_WITHIN))
        return answer


class Device:
    """Sends its bytes as several documents, one after the other, each until its reply was read."""

    def __init__(
        self,
        scanners: Scanners,
        openspp: FakeOpenSPP,
        seed: int,
        user: str,
        name: str,
        data: bytes,
    ) -> None:
        self.user = user
        self.name = name
        self.data = data
        self.sendings: list[Sending] = []
        self.abandoned: list[Sending] = []
        self.delivered: list[Delivered] = []
        self.uncertain = 0
        self.documents_read = 0  # of which it read the 226
        self.done = False
        self._breaks_off: Timer | None = None
        self._scanners = scanners
        self._openspp = openspp
        self._random = random.Random(seed)
        self._scans_left = SCANS_OF_A_DEVICE
        self._sendings_left = SENDINGS_OF_A_SCAN
        self._later(self._send)

    def _later(self, call: Callable[[], None]) -> None:
        self._scanners.loop.call_later(self._random.uniform(0, 0.1), call)

    def _send(self) -> None:
        self._sendings_left -= 1
        sending = send(self._scanners, scan(self.data, self.name, self.user), self._hear)
        self.sendings.append(sending)
        self._breaks_off = None
        if self._random.random() < 0.2:
            self._breaks_off = self._scanners.loop.call_later(
                self._random.uniform(0, 0.1), lambda: self._break_off(sending)
            )

    def _break_off(self, sending: Sending) -> None:
        self._breaks_off = None
        if sending.pending.abandon():
            self.abandoned.append(sending)
            self._send_again_or_not()

    def _hear(self, outcome: Outcome) -> None:
        if self._breaks_off:
            self._breaks_off.cancel()
        if isinstance(outcome, Delivered):
            documents = self._openspp.documents
            held = [d.data for d in documents if (d.user, d.name) == (self.user, outcome.name)]
            assert held == [self.data], "a false 226"
            self.delivered.append(outcome)
            if self._random.random() < 0.6:
                outcome.receipt.arrived()
                self.documents_read += 1
                self._next_scan()
                return
        elif outcome.problem is Problem.UNCERTAIN:
            self.uncertain += 1
        self._send_again_or_not()

    def _send_again_or_not(self) -> None:
        if self._sendings_left:
            self._later(self._send)
        else:
            self._next_scan()

    def _next_scan(self) -> None:
        self._scans_left -= 1
        self._sendings_left = SENDINGS_OF_A_SCAN
        if self._scans_left:
            self._later(self._send)
        else:
            self.done = True


@pytest.mark.parametrize("seed", range(3))
def test_the_promises_hold(seed: int) -> None:
    chance = random.Random(seed)
    openspp = FakeOpenSPP()
    openspp.will(Fate(seed))
    slots = chance.choice([1, 2, 4, 8])
    with scanning(
        openspp,
        answer_within=ANSWER_WITHIN,
        parallel_requests=slots,
        on_duplicate=chance.choice(["rename", "rename", "refuse"]),
    ) as scanners:
        devices = [
            Device(
                scanners,
                openspp,
                seed=1000 * seed + number,
                user=f"user{number % 4}",
                name=f"{number % 3}.pdf",
                data=f"scan {number}".encode(),
            )
            for number in range(16)
        ]
        scanners.run(lambda: all(device.done for device in devices), within=60)
        assert scanners.delivery.uploads_pending() == 0
    assert openspp.most_at_once <= slots
    assert openspp.most_of_one_user <= max(1, slots // 2)
    names = Counter((document.user, document.name) for document in openspp.documents)
    assert max(names.values()) == 1, "two documents of one name"
    for device in devices:
        copies = sum((d.user, d.data) == (device.user, device.data) for d in openspp.documents)
        anew = sum(not (each.again or each.proven) for each in device.delivered)
        assert anew <= copies <= anew + device.uncertain, "a copy without a reason"
        assert device.documents_read <= copies, "a document lost"
        for sending in device.sendings:
            told = len(sending.outcomes)
            assert told == (0 if sending in device.abandoned else 1)
            assert is_discarded(sending.scan)
            assert sending.seconds < ANSWER_WITHIN + PROMPTLY
