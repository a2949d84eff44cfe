"""The threads that ask OpenSPP: each does one thing at a time and then waits a moment for the next.

Starting a thread makes the loop wait until it runs, which under load is as long as a request
takes; handing something to one that waits does not.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from openspp_ftpd.errors import Failure, Problem

IDLE_SECONDS: Final = 0.25
"""After so long without work a thread ends: there are none while nothing happens."""

Work = Callable[[], None]


class Workers:
    """As many threads as there is work; how much of it there may be, their users decide.

    One that hangs in the look-up of a name holds nobody up: only one that waits is given work. All
    are daemon threads, so it does not keep the process either.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[queue.SimpleQueue[Work | None]] = []  # each one's box, last come last
        self._closed = False

    def run(self, work: Work, failed: Callable[[Failure], None]) -> None:
        """Have `work`, which must not raise, done by a thread; `failed` is told, in here, where
        there can be none."""
        with self._lock:
            box = self._waiting.pop() if self._waiting else None
        if box is not None:
            box.put(work)
            return
        box = queue.SimpleQueue()
        box.put(work)  # not the thread's argument, which would be kept as long as it lives
        try:
            threading.Thread(
                target=self._serve, args=(box,), name="openspp-request", daemon=True
            ).start()
        except RuntimeError:
            detail = "no more threads: is TasksMax of the unit too low?"
            failed(Failure(Problem.INTERNAL, detail=detail))

    def close(self) -> None:
        """Those that wait end at once, those at work when it is done."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for box in waiting:
            box.put(None)

    def _serve(self, box: queue.SimpleQueue[Work | None]) -> None:
        """In the thread."""
        work = box.get()
        while work is not None:
            work()
            work = None  # nothing of a scan or a password is kept while waiting
            with self._lock:
                if self._closed:
                    return
                self._waiting.append(box)
            work = self._next(box)

    def _next(self, box: queue.SimpleQueue[Work | None]) -> Work | None:
        try:
            return box.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            with self._lock:
                if box in self._waiting:
                    self._waiting.remove(box)
                    return None
            return box.get()  # given out just now
