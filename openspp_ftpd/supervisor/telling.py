"""What the supervisor tells of all workers together: it asks them every second, in passing."""

from __future__ import annotations

import socket
from collections.abc import Callable

from openspp_ftpd.events import Journal
from openspp_ftpd.monitor import TICK_SECONDS, Monitor
from openspp_ftpd.status.gathering import Gathering
from openspp_ftpd.status.snapshot import Snapshot, from_json
from openspp_ftpd.supervisor.loop import Acceptor, Loop

Ask = Callable[[Callable[[list[str]], None], float], None]
"""Asks all workers for their documents; what came within some seconds is handed on."""


class Telling:
    """The monitor of a daemon with several workers.

    Args:
        ask: asks the workers.
        own: what the supervisor itself counted, with what is so of the daemon as a whole.
        status_socket: where the status socket shall be, "" for none.
        show: gets every snapshot.
        journal: is told what cannot be shown.
        loop: the event loop.
    """

    def __init__(
        self,
        ask: Ask,
        own: Callable[[], Snapshot],
        status_socket: str,
        show: Callable[[Snapshot], None],
        journal: Journal,
        loop: Loop,
    ) -> None:
        self._ask = ask
        self._own = own
        self._show = show
        self._loop = loop
        self._gathering = Gathering()
        self._latest = self._gathering.merged([], own())
        self._monitor = Monitor(lambda: self._latest, status_socket, self._listen, (), journal)
        self._inquire()

    @property
    def sentence(self) -> str:
        """What systemd is told."""
        return self._monitor.sentence

    def close(self) -> None:
        """Tell nothing any more."""
        self._monitor.close()

    def close_copies(self) -> None:
        """Close a forked process's copies of the sockets; the parent tells on."""
        self._monitor.close_copies()

    def _inquire(self) -> None:
        self._monitor.tick()
        self._show(self._latest)
        self._ask(self._came, TICK_SECONDS)

    def _came(self, documents: list[str]) -> None:
        self._loop.call_later(TICK_SECONDS, self._inquire)
        answers = [from_json(document) for document in documents]
        self._latest = self._gathering.merged(answers, self._own())

    def _listen(self, listening: socket.socket, then: Callable[[socket.socket], None]) -> Acceptor:
        acceptor = Acceptor(listening, lambda connection, _: then(connection), self._loop)
        acceptor.begin()
        return acceptor
