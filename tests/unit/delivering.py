"""Scanners without FTP: a loop, sessions that log in and upload, and what they were told."""

from __future__ import annotations

import heapq
import itertools
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openspp_ftpd.delivery import Delivered, Delivery, Outcome, Pending, Scan
from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.errors import Failure
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings
from tests.unit.fake_openspp import FakeOpenSPP, is_discarded, scan

SLOWEST = 30.0
"""Seconds after which a test has failed."""

PROMPTLY = 5.0
"""Seconds within which comes what waits for nothing, on a machine that is busy with other work."""


class _Timer:
    def __init__(self, target: Callable[[], None]) -> None:
        self.target = target
        self.over = False

    def cancel(self) -> None:
        assert not self.over, "cancelled after it was made, or twice"
        self.over = True


class Loop:
    """A loop of one thread, with timers as strict as the protocol allows."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, _Timer]] = []
        self._number = itertools.count()

    def call_later(self, seconds: float, target: Callable[[], None], /) -> _Timer:
        timer = _Timer(target)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._number), timer))
        return timer

    def due_timers(self) -> int:
        return sum(not timer.over for _, _, timer in self._timers)

    def run(self, delivery: Delivery, until: Callable[[], object], within: float = SLOWEST) -> None:
        """Until `until()` is true; fails after `within` seconds."""
        end = time.monotonic() + within
        while not until():
            assert time.monotonic() < end, "it did not happen in time"
            self.once(delivery)

    def run_for(self, delivery: Delivery, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.once(delivery)

    def once(self, delivery: Delivery) -> None:
        if select.select([delivery], [], [], 0.005)[0]:
            delivery.collect()
        self.make_due_calls()

    def make_due_calls(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            timer = heapq.heappop(self._timers)[2]
            if not timer.over:
                timer.over = True
                timer.target()


class Scanners:
    """Sessions that log in and upload through one delivery, and what they were told."""

    def __init__(
        self,
        openspp: FakeOpenSPP | OpenSPPSettings,
        slots: Slots | None = None,
        **settings: float | str | int,
    ) -> None:
        """
        openspp: a fake, with the `settings` that matter; or those of one that speaks HTTP.
        slots: of several deliveries together.
        """
        self.loop = Loop()
        if isinstance(openspp, FakeOpenSPP):
            values: dict[str, Any] = {"answer_within": 5.0, "login_within": 5.0, **settings}
            fake = OpenSPPSettings("http://127.0.0.1:1", **values)
            self.delivery = Delivery(openspp, fake, self.loop, slots=slots)
        else:
            self.delivery = Delivery(ScannerApi(openspp), openspp, self.loop, slots=slots)

    def run(self, until: Callable[[], object], within: float = SLOWEST) -> None:
        self.loop.run(self.delivery, until, within)

    def run_for(self, seconds: float) -> None:
        self.loop.run_for(self.delivery, seconds)


class Sending:
    """One scan given to the delivery, and what came back."""

    def __init__(
        self, scanners: Scanners, what: Scan, then: Callable[[Outcome], None] | None = None
    ) -> None:
        self.scan = what
        self._told = then
        self.outcomes: list[Outcome] = []
        self.thread: threading.Thread | None = None
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.pending: Pending = scanners.delivery.upload(what, self._then)
        assert not self.outcomes, "told before upload() returned"

    def _then(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.thread = threading.current_thread()
        self.seconds = time.monotonic() - self.begun
        if self._told:
            self._told(outcome)

    @property
    def delivered(self) -> Delivered:
        (outcome,) = self.outcomes
        assert isinstance(outcome, Delivered), outcome
        return outcome

    @property
    def failure(self) -> Failure:
        (outcome,) = self.outcomes
        assert isinstance(outcome, Failure), outcome
        return outcome


@contextmanager
def scanning(
    openspp: FakeOpenSPP | OpenSPPSettings, **settings: float | str | int
) -> Iterator[Scanners]:
    """Scanners whose delivery leaves nothing behind: no wrong in OpenSPP, no timer, no thread."""
    scanners = Scanners(openspp, None, **settings)
    try:
        yield scanners
    finally:
        scanners.delivery.close()
    if isinstance(openspp, FakeOpenSPP):
        assert openspp.wrongs == []
    assert scanners.loop.due_timers() == 0
    end_of_workers()


def workers() -> int:
    """Worker threads that have not ended."""
    return sum(thread.name.startswith("openspp-") for thread in threading.enumerate())


def end_of_workers() -> None:
    """Wait until all have ended."""
    end = time.monotonic() + SLOWEST
    while workers():
        assert time.monotonic() < end, "a thread does not end"
        time.sleep(0.001)


def send(
    scanners: Scanners, what: Scan | None = None, then: Callable[[Outcome], None] | None = None
) -> Sending:
    return Sending(scanners, what or scan(), then)


def deliver(scanners: Scanners, what: Scan | None = None) -> Sending:
    """Send and wait for the outcome."""
    sending = send(scanners, what)
    scanners.run(lambda: sending.outcomes)
    assert is_discarded(sending.scan)
    return sending
