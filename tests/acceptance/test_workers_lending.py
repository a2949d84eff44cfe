"""Several workers share the requests to OpenSPP: all for one that is busy, never more at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon
from tests.acceptance.scanner import Answer, Scanner
from tests.acceptance.test_crowds import CountingOpenSPP
from tests.acceptance.test_workers import addresses
from tests.acceptance.test_workers_lost import replaced

LONG = 60.0
"""Seconds to wait at most for what comes soon on an idle machine."""

PARALLEL = 8


class OpenSPPThatWaits(CountingOpenSPP):
    """Counts by office, the first part of a scan's name, and answers when it is told so."""

    def __init__(self) -> None:
        super().__init__(0)
        self.at_once: Counter[str] = Counter()
        self.most_of: Counter[str] = Counter()
        self.order: list[str] = []
        self._answers = threading.Semaphore(0)
        self._count = threading.Lock()

    def answer(self, count: int) -> None:
        """Answer so many of the uploads that wait, or will."""
        self._answers.release(count)

    def take(self, params: dict[str, str], seconds: float) -> None:
        """One upload, from its last byte to its answer."""
        office = params["filename"].split("-")[0]
        with self._count:
            self.order.append(office)
            for key in (office, ""):
                self.at_once[key] += 1
                self.most_of[key] = max(self.most_of[key], self.at_once[key])
        self._answers.acquire(timeout=LONG)
        with self._count:
            self.at_once.subtract([office, ""])

    def has(self, office: str, count: int) -> bool:
        """Whether it has exactly so many of an office now, or ("") of all, in the end."""
        return until(lambda: self.at_once[office] == count, LONG)


def daemon_of(workers: int, directory: Path, openspp: CountingOpenSPP, parallel: int) -> Daemon:
    options = {
        "ftp": {"workers": str(workers)},
        "openspp": {"parallel_requests": str(parallel), "answer_within": "5min"},
    }
    return Daemon(directory, openspp.url, options)


def has_said(daemon: Daemon, words: str, times: int) -> bool:
    """Whether its log has them so often in the end."""
    return until(lambda: daemon.log().count(words) == times, LONG)


class Office:
    """Sends scans of several users, all from one address, each in a session of its own."""

    def __init__(self, name: str, daemon: Daemon, address: str, pool: ThreadPoolExecutor) -> None:
        self._name = name
        self._daemon = daemon
        self._address = address
        self._pool = pool
        self.scans: list[Future[Answer]] = []

    def send(self, count: int) -> None:
        """So many scans more, of four users in turn."""
        for _ in range(count):
            self.scans.append(self._pool.submit(self._scan, len(self.scans)))

    def _scan(self, number: int) -> Answer:
        with Scanner(self._daemon.port, source=self._address, timeout=2 * LONG) as scanner:
            assert scanner.login(f"{self._name}{number % 4}").code == 230
            return scanner.store(f"{self._name}-{number}.pdf", pdf(2000, number))

    def codes(self) -> set[int]:
        """What the scanners were answered."""
        return {scan.result().code for scan in self.scans}


@pytest.mark.parametrize(("workers", "parallel"), [(2, 8), (4, 8), (3, 2)])
def test_one_address_uses_all_requests(workers: int, parallel: int, tmp_path: Path) -> None:
    """An office behind one address has one worker; what the others have is not idle meanwhile."""
    with (
        OpenSPPThatWaits() as openspp,
        daemon_of(workers, tmp_path, openspp, parallel) as daemon,
        ThreadPoolExecutor(64) as pool,
    ):
        for number in range(workers):
            office = Office(f"office{number}", daemon, next(addresses(number, workers)), pool)
            office.send(3 * parallel)
            assert openspp.has("", parallel)
            openspp.answer(3 * parallel)
            assert office.codes() == {226}
        assert openspp.most_of[""] == parallel


def test_two_busy_addresses_share_and_neither_has_less_than_its_half(tmp_path: Path) -> None:
    with (
        OpenSPPThatWaits() as openspp,
        daemon_of(2, tmp_path, openspp, PARALLEL) as daemon,
        ThreadPoolExecutor(64) as pool,
    ):
        first, second = (
            Office(name, daemon, next(addresses(number, 2)), pool)
            for number, name in enumerate(("first", "second"))
        )
        first.send(32)
        assert openspp.has("first", PARALLEL)
        second.send(16)
        assert has_said(daemon, "<- STOR second", 16)
        # As soon as eight have ended, whosever they were, the second has its half.
        openspp.answer(PARALLEL)
        assert openspp.has("second", PARALLEL // 2)
        assert openspp.has("first", PARALLEL // 2)
        openspp.answer(100)
        assert first.codes() == second.codes() == {226}
        assert openspp.most_of[""] == PARALLEL
    assert Counter(openspp.order) == {"first": 32, "second": 16}


def test_what_a_killed_worker_had_is_free(tmp_path: Path) -> None:
    with (
        OpenSPPThatWaits() as openspp,
        daemon_of(2, tmp_path, openspp, PARALLEL) as daemon,
        ThreadPoolExecutor(64) as pool,
    ):
        lost, other = (
            Office(name, daemon, next(addresses(number, 2)), pool)
            for number, name in enumerate(("lost", "other"))
        )
        lost.send(16)
        assert openspp.has("lost", PARALLEL)
        other.send(24)
        assert has_said(daemon, "<- STOR other", 24)
        time.sleep(1)
        assert openspp.at_once["other"] == 0  # none has ended yet
        before = daemon.workers()
        os.kill(before[0], signal.SIGKILL)
        assert openspp.has("other", PARALLEL)
        assert replaced(daemon, before)
        again = Office("again", daemon, next(addresses(0, 2)), pool)
        again.send(8)
        assert has_said(daemon, "<- STOR again", 8)
        openspp.answer(100)
        assert other.codes() == again.codes() == {226}
        assert openspp.most_of["other"] == PARALLEL
        assert all(isinstance(scan.exception(), ConnectionError) for scan in lost.scans)
        assert "Traceback" not in daemon.log()


def test_a_reload_changes_how_many_there_are_at_once(tmp_path: Path) -> None:
    with (
        OpenSPPThatWaits() as openspp,
        daemon_of(2, tmp_path, openspp, PARALLEL) as daemon,
        ThreadPoolExecutor(64) as pool,
    ):
        offices = [
            Office(f"office{number}", daemon, next(addresses(number, 2)), pool)
            for number in range(2)
        ]
        for said, parallel in enumerate((3, 12), start=1):
            sections = dict(daemon.sections)
            sections["openspp"] = {**sections["openspp"], "parallel_requests": str(parallel)}
            daemon.write_configuration(sections)
            daemon.signal(signal.SIGHUP)
            assert has_said(daemon, "Configuration reloaded", said)
            openspp.most_of.clear()
            for office in offices:
                office.send(parallel)
            assert openspp.has("", parallel)
            openspp.answer(2 * parallel)
            assert [office.codes() for office in offices] == [{226}] * 2
            assert openspp.most_of[""] == parallel
