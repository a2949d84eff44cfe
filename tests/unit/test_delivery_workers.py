"""The threads that ask OpenSPP: used again while there is work, gone when there is none."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import pytest

from openspp_ftpd.delivery import workers as module
from openspp_ftpd.delivery.workers import Workers
from openspp_ftpd.errors import Failure, Problem
from tests.unit.delivering import SLOWEST, end_of_workers
from tests.unit.delivering import workers as threads


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """None of its threads ends for want of work."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 10 * SLOWEST)
    made = Workers()
    yield made
    made.close()
    end_of_workers()


def do(workers: Workers, work: Callable[[], object] = lambda: None) -> int:
    """Have `work` done and its thread wait for more; which thread it was."""
    done = threading.Event()
    by: list[int] = []

    def all_of_it() -> None:
        work()
        by.append(threading.get_ident())
        done.set()

    workers.run(all_of_it, lambda failure: pytest.fail(failure.detail))
    assert done.wait(SLOWEST)
    until(lambda: workers_waiting(workers) > 0)
    return by[0]


def workers_waiting(workers: Workers) -> int:
    return len(workers._waiting)


def _hang(gate: threading.Event) -> None:
    gate.wait(SLOWEST)


class Scan:
    """Something that can be gone."""


def _look_at(scan: Scan) -> None:
    assert scan


def _is_empty(some: Collection[object]) -> bool:
    return not some


def until(so: Callable[[], object]) -> None:
    patience = threading.Event()
    for _ in range(int(SLOWEST * 1000)):
        if so():
            return
        patience.wait(0.001)
    pytest.fail("it did not come to pass")


def test_a_thread_is_used_again(workers: Workers) -> None:
    first = do(workers)
    assert [do(workers) for _ in range(5)] == [first] * 5
    assert threads() == 1


def test_one_that_hangs_holds_up_no_other(workers: Workers) -> None:
    gate = threading.Event()
    do(workers)
    workers.run(partial(_hang, gate), lambda failure: None)
    try:
        do(workers)
        assert threads() == 2
    finally:
        gate.set()
    until(lambda: workers_waiting(workers) == 2)


def test_without_work_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    workers = Workers()
    done = threading.Event()
    workers.run(done.set, lambda failure: None)
    assert done.wait(SLOWEST)
    end_of_workers()
    again = threading.Event()
    workers.run(again.set, lambda failure: None)
    assert again.wait(SLOWEST)
    end_of_workers()


def test_what_is_given_out_when_it_is_about_to_end_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, done = threading.Event(), threading.Event()

    class Late(queue.SimpleQueue[Any]):
        """Says that nothing came, and then something is there."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if timeout is None:
                return super().get()
            assert given.wait(SLOWEST)
            raise queue.Empty

    monkeypatch.setattr(queue, "SimpleQueue", Late)
    workers = Workers()
    workers.run(lambda: None, lambda failure: pytest.fail(failure.detail))
    until(lambda: workers_waiting(workers) == 1)
    workers.run(done.set, lambda failure: pytest.fail(failure.detail))
    given.set()
    assert done.wait(SLOWEST)
    workers.close()
    end_of_workers()


def test_closing_ends_those_that_wait_and_those_at_work_afterwards(workers: Workers) -> None:
    gate, at_work = threading.Event(), threading.Event()

    def waits() -> None:
        at_work.set()
        _hang(gate)

    workers.run(waits, lambda failure: None)
    assert at_work.wait(SLOWEST)
    do(workers)
    workers.close()
    until(lambda: threads() == 1)
    gate.set()
    end_of_workers()


def test_nothing_of_a_scan_is_kept_while_it_waits(workers: Workers) -> None:
    for _ in range(2):
        scan = Scan()
        left = weakref.WeakSet([scan])
        do(workers, partial(_look_at, scan))
        del scan
        until(partial(_is_empty, left))


def test_without_a_thread_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    failures: list[Failure] = []
    Workers().run(lambda: None, failures.append)
    assert [failure.problem for failure in failures] == [Problem.INTERNAL]
    assert "TasksMax" in failures[0].detail
