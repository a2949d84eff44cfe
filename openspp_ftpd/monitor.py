"""Keeps everybody who looks at the daemon up to date: systemd, the status socket, the metrics.

It belongs to the process that the outside speaks with, whose event loop has it take a snapshot a
second, and hands that out; so who looks makes next to no work for the loop, and a snapshot that
grows old shows that the loop hangs.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol

from openspp_ftpd import systemd
from openspp_ftpd.events import Journal
from openspp_ftpd.metrics.server import MetricsServer, Page, Pages
from openspp_ftpd.settings import Address
from openspp_ftpd.status import door, text
from openspp_ftpd.status.snapshot import Snapshot

HANGS_AFTER: Final = 10.0
"""Seconds without a turn of the event loop after which it is called hung; systemd's watchdog
restarts it a little later."""

TICK_SECONDS: Final = 1.0
"""How often the event loop has to call `tick`."""

_SYSTEMD_EVERY: Final = 3.0


class Listening(Protocol):
    """A socket on an event loop."""

    def close(self) -> None:
        """Listen no more."""

    def close_copy(self) -> None:
        """Close a forked process's copy; the parent listens on."""


Listen = Callable[[socket.socket, Callable[[socket.socket], None]], Listening]
"""Puts a listening socket on the event loop, which then hands on every connection."""


class Monitor:
    """What is shown, and to whom.

    Args:
        snapshot: takes one; called on the loop.
        status_socket: where the status socket shall be, "" for none.
        listen: has the event loop listen on it.
        metrics: where Prometheus may ask.
        journal: is told what cannot be shown; scanners are served all the same.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        status_socket: str,
        listen: Listen,
        metrics: Sequence[Address],
        journal: Journal,
    ) -> None:
        self._take = snapshot
        self._shown = Shown(snapshot(), time.monotonic())
        self._told = text.sentence(self._shown.snapshot)
        self._told_at = time.monotonic()
        self._path = status_socket
        self._listening = self._open(listen, journal) if status_socket else None
        self._servers = [
            server for address in metrics if (server := _server(address, self, journal))
        ]

    @property
    def shown(self) -> Shown:
        """The last snapshot, for every thread."""
        return self._shown

    @property
    def sentence(self) -> str:
        """What systemd is told."""
        return self._told

    def close(self) -> None:
        """Show nothing any more."""
        if self._listening is not None:
            self._listening.close()
            door.remove(self._path)
        for server in self._servers:
            server.stop()

    def close_copies(self) -> None:
        """Close a forked process's copy of the status socket; the parent shows on.

        Who forks serves no metrics: their threads would not be in the copy.
        """
        if self._listening is not None:
            self._listening.close_copy()

    def tick(self) -> None:
        """The event loop takes its turns."""
        now = time.monotonic()
        self._shown = Shown(self._take(), now)
        sentence = text.sentence(self._shown.snapshot)
        if sentence != self._told and now - self._told_at >= _SYSTEMD_EVERY:
            self._told, self._told_at = sentence, now
            systemd.status(sentence)

    def _open(self, listen: Listen, journal: Journal) -> Listening | None:
        try:
            listening = door.open_door(self._path)
        except OSError as error:
            journal.warning(
                f"No status socket: {error.strerror}. `openspp-ftpd status` does not work."
            )
            return None
        return listen(listening, lambda connection: door.answer(connection, self._take()))


class Shown:
    """A snapshot, and when the loop took it (monotonic seconds)."""

    def __init__(self, snapshot: Snapshot, taken: float) -> None:
        self.snapshot = snapshot
        self._taken = taken

    def health(self, now: float) -> Page:
        """Whether the event loop takes its turns."""
        silent = now - self._taken
        if silent < HANGS_AFTER:
            return Page(b"alive\n")
        said = f"The event loop hangs since {silent:.0f} s.\n"
        return Page(said.encode(), HTTPStatus.SERVICE_UNAVAILABLE)

    def readiness(self, now: float) -> Page:
        """Whether scanners are served. They are where OpenSPP is away: they hear our sentence."""
        health = self.health(now)
        if health.status != HTTPStatus.OK:
            return health
        snapshot = self.snapshot
        stopping = snapshot.facts.state == "stopping"
        said = f"{'stopping' if stopping else 'ready'}\n"
        said += f"{text.openspp(snapshot.openspp, snapshot.taken)}\n"
        status = HTTPStatus.SERVICE_UNAVAILABLE if stopping else HTTPStatus.OK
        return Page(said.encode(), status)


def pages(shown: Callable[[], Shown]) -> Pages:
    """What Prometheus and a load balancer may ask for."""
    from openspp_ftpd.metrics import page  # its library is needed only where metrics are wanted

    return {
        "/metrics": lambda: Page(page.render(shown().snapshot), content_type=page.CONTENT_TYPE),
        "/healthz": lambda: shown().health(time.monotonic()),
        "/readyz": lambda: shown().readiness(time.monotonic()),
    }


def _server(address: Address, monitor: Monitor, journal: Journal) -> MetricsServer | None:
    try:
        server = MetricsServer(address, pages(lambda: monitor.shown))
    except OSError as error:
        journal.warning(
            f"No metrics on {address}: {error.strerror}. Give [metrics] listen another port and"
            " restart."
        )
        return None
    server.start()
    return server
