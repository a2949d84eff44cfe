"""What deliveries need of the event loop: its timers, and a mailbox for results of worker threads.

Timers and callbacks of the loop are not thread-safe. So a thread posts in the mailbox what is to be
called, and the loop, woken by a descriptor, calls it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

Call = Callable[[], None]


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> object:
        """Do not make the call. At most once, and only before the call is made."""


class Timers(Protocol):
    """The timers of the loop (pyftpdlib's IOLoop fits)."""

    def call_later(self, seconds: float, target: Call, /) -> Timer:
        """Call `target` on the loop in `seconds`."""


class Mailbox:
    """Calls that wait for the loop."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()  # so that nobody writes to a closed descriptor's number
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """A descriptor that is readable while calls wait."""
        return self._descriptor

    def post(self, call: Call) -> None:
        """Have `call` made on the loop. From any thread; dropped when the mailbox is closed."""
        with self._lock:
            if self._descriptor < 0:
                return
            self._calls.append(call)
            os.eventfd_write(self._descriptor, 1)

    def collect(self) -> None:
        """On the loop: make the calls that wait now. Those they post wait for the next time.

        Every call is made even if one raises; what was raised comes out as an ExceptionGroup.
        """
        with self._lock:
            calls, self._calls = self._calls, []
            if calls:
                os.eventfd_read(self._descriptor)  # every post wrote, so it never blocks
        errors: list[Exception] = []
        for call in calls:
            try:
                call()
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("calls from the mailbox failed", errors)

    def close(self) -> None:
        """Drop what waits and close the descriptor. Harmless a second time."""
        with self._lock:
            self._calls.clear()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
