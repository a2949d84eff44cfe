"""The metrics of several workers, served by a process of its own.

Their HTTP server has threads, and a process that forks, as the supervisor does for every worker
that it replaces, must have none. This one is minded as the workers are, and told every snapshot.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable, Sequence

from openspp_ftpd.events import Journal
from openspp_ftpd.monitor import Listening, Monitor
from openspp_ftpd.settings import Address, LogSettings
from openspp_ftpd.status.snapshot import Snapshot, from_json
from openspp_ftpd.supervisor import messages
from openspp_ftpd.supervisor.channel import Channel
from openspp_ftpd.supervisor.loop import Loop
from openspp_ftpd.supervisor.messages import Message
from openspp_ftpd.supervisor.team import Team, Worker

_log = logging.getLogger("openspp_ftpd")


class MetricsProcess:
    """The supervisor's side of it (a `team.Owner`).

    Args:
        addresses: where Prometheus may ask; without any there is no process.
        log: how its journal shows names.
        give_up: closes, in the new process, the copies of what is the supervisor's.
        ended: is told of its end.
        loop: the event loop.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        log: LogSettings,
        give_up: Callable[[], None],
        ended: Callable[[Worker, str, float | None], None],
        loop: Loop,
    ) -> None:
        self._addresses = addresses
        self._log = log
        self._give_up = give_up
        self._ended = ended
        self.team = Team(["Server of metrics"] if addresses else [], self, loop)

    def show(self, snapshot: Snapshot) -> None:
        """Serve this from now on."""
        if len(self.team):
            self.team.tell_all(messages.Told(0, snapshot.to_json()))

    def work(self, endpoint: socket.socket, number: int) -> None:
        """Its life, in its own process."""
        show_metrics(Channel(endpoint), self._addresses, Journal(self._log, _log))

    def give_up(self) -> None:
        """Close the copies of what is the supervisor's."""
        self._give_up()

    def heard(self, worker: Worker, message: Message) -> None:
        """It has nothing to say."""
        raise ValueError(f"{type(message).__name__} is no message of {worker}")

    def ended(self, worker: Worker, how: str, rest: float | None) -> None:
        """Its process is gone."""
        self._ended(worker, how, rest)

    def not_taken(self, message: Message, connection: socket.socket) -> None:
        """Nothing is handed over to it."""
        connection.close()


def show_metrics(channel: Channel, addresses: Sequence[Address], journal: Journal) -> None:
    """Serve what the supervisor tells, until it ends."""
    told: list[Snapshot] = []
    monitor: Monitor | None = None
    channel.send(messages.Ready())
    while not channel.ended:
        select.select([channel.endpoint], [channel.endpoint] if channel.waiting else [], [])
        channel.flush()
        for message, _ in channel.receive():
            if isinstance(message, messages.AreYouThere):
                channel.send(messages.Here())
            elif isinstance(message, messages.Told):
                told[:] = [from_json(message.document)]
                if monitor is None:
                    monitor = Monitor(lambda: told[0], "", _no_socket, addresses, journal)
                monitor.tick()


def _no_socket(listening: socket.socket, then: Callable[[socket.socket], None]) -> Listening:
    raise RuntimeError("the status socket is the supervisor's")
