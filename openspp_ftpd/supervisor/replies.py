"""What all workers answer to one question, collected within a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openspp_ftpd.supervisor.loop import Loop


class Replies:
    """Waits for the answers of some workers.

    Args:
        workers: the numbers of those asked.
        within: seconds to wait at most.
        then: gets the answers by the worker's number: when all are there that can still come, or
            when the time is over. Never called before the loop turns again.
        loop: the event loop.
    """

    def __init__(
        self,
        workers: Iterable[int],
        within: float,
        then: Callable[[dict[int, str]], None],
        loop: Loop,
    ) -> None:
        self._missing = set(workers)
        self._answers: dict[int, str] = {}
        self._then = then
        self._loop = loop
        self.complete = False
        self._cancel = loop.call_later(within if self._missing else 0.0, self._finish)

    def came(self, worker: int, answer: str) -> None:
        """A worker answered."""
        if worker in self._missing:
            self._answers[worker] = answer
            self.gone(worker)

    def gone(self, worker: int) -> None:
        """A worker ended; nothing more comes from it."""
        if worker in self._missing:
            self._missing.discard(worker)
            if not self._missing:
                self._cancel()
                self._cancel = self._loop.call_later(0.0, self._finish)

    def _finish(self) -> None:
        if not self.complete:
            self.complete = True
            self._then(self._answers)
