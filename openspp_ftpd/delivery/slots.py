"""How many uploads may run at once: one number for all deliveries of a process, which can change.

Pure. A process that is alone may use all. One of several has what it was lent (`supervisor.lending`
decides) and says, by way of `settled`, when it needs more and when it can do with less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Queue(Protocol):
    """A delivery's uploads."""

    def start_those_who_may(self) -> None:
        """Start every upload whose turn it is."""

    def give_way(self) -> bool:
        """End a request that only stands in others' way; False where there is none."""

    def startable(self, slots: int) -> int:
        """How many of those that wait could start if so many more slots were free."""


class Slots:
    """Slots for requests.

    Args:
        whole: of all processes together ([openspp] parallel_requests); a user's half goes by it.
        processes: how many share them. The only one has them all, one of several none at first.
    """

    def __init__(self, whole: int, processes: int = 1) -> None:
        self.whole = whole
        self.processes = processes
        self.taken = 0
        self.lent = 0
        """How many may be taken here, where several processes share them."""
        self.unwanted = 0
        """Of those lent, how many no other process waits for."""
        self.settled: Callable[[], None] = _nothing
        """Called when all have started that may."""
        self._queues: list[Queue] = []
        self._advancing = False

    @property
    def most(self) -> int:
        """How many may be taken here."""
        return self.whole if self.processes == 1 else self.lent

    def join(self, queue: Queue) -> None:
        """A delivery takes its slots from here."""
        self._queues.append(queue)

    def leave(self, queue: Queue) -> None:
        """A delivery needs none any more; harmless when repeated."""
        if queue in self._queues:
            self._queues.remove(queue)
            self.advance()

    def advance(self) -> None:
        """Something has changed: start every upload whose turn it is."""
        if self._advancing:
            return  # what happens in here may lead here again
        self._advancing = True
        try:
            self._start_those_who_may()
            while any(queue.give_way() for queue in self._queues):
                self._start_those_who_may()
        finally:
            self._advancing = False
        self.settled()

    def wanted_elsewhere(self, queue: Queue) -> bool:
        """Whether somebody else than this delivery waits for one of the slots that are taken."""
        enough = self.whole if self.processes == 1 else self.unwanted
        if self.taken > enough:
            return True
        others = [other for other in self._queues if other is not queue]
        return self.taken >= self.most and any(other.startable(1) for other in others)

    def needed(self) -> int:
        """How many could be used now, of all: those taken, and those that are waited for."""
        if self.taken < self.most:
            return self.taken  # who waits does not wait for a slot
        more = self.whole - self.taken
        return self.taken + min(more, sum(queue.startable(more) for queue in self._queues))

    def _start_those_who_may(self) -> None:
        for queue in self._queues:
            queue.start_those_who_may()
        self._queues = self._queues[1:] + self._queues[:1]  # each is the first in its turn


def _nothing() -> None:
    """Where nobody else has a part in the slots."""
