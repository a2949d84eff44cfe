"""Clients that work beside each other, each in a thread, until the test has seen enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Crowd:
    """Calls `work` with 0, 1, 2 and so on, each in a thread, for the time of a `with` block.

    Args:
        count: how many.
        work: one client's life; it ends soon after `stop` is set.
        patience: seconds that a client may take to end; one that takes longer hangs.
    """

    def __init__(self, count: int, work: Callable[[int], None], patience: float = 120) -> None:
        self.stop = threading.Event()
        self._patience = patience
        self._threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(self._patience)
            assert not thread.is_alive(), "a client hangs"
