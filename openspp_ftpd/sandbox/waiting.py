"""Waiting that ends when the server stops, so that what is under way is then finished at once."""

from __future__ import annotations

import threading


class Waiting:
    """One server's waits."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def pause(self, seconds: float) -> None:
        """Wait that many seconds, less when the server stops."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def stop(self) -> None:
        """End all waiting."""
        self._stopping.set()
