"""The workers as processes: started, minded, replaced, told.

Here belongs all that is the same whatever the workers serve; what their messages mean to the daemon
is the supervisor's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from openspp_ftpd.supervisor import messages, processes
from openspp_ftpd.supervisor.channel import Channel
from openspp_ftpd.supervisor.loop import Loop
from openspp_ftpd.supervisor.messages import Message
from openspp_ftpd.supervisor.shares import Rest

_log = logging.getLogger("openspp_ftpd")


@dataclass(eq=False, slots=True)
class Worker:
    """One worker's process, as the supervisor sees it."""

    number: int
    name: str
    pid: int
    channel: Channel
    born: float
    ready: bool = False
    unanswered: int = 0  # how often it was asked since it last said that its loop turns
    fate: str = ""  # why it was killed
    why: str = ""  # why it cannot start
    sessions: Counter[str] = field(default_factory=Counter)  # handed over and not over, by address

    def kill(self) -> None:
        """kill -9; no core is written, for it would hold scans."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


class Owner(Protocol):
    """What the supervisor is to its workers."""

    def work(self, endpoint: socket.socket, number: int) -> None:
        """A worker's life, in its own process."""

    def give_up(self) -> None:
        """Close, in a worker's process, the copies of what is the supervisor's."""

    def heard(self, worker: Worker, message: Message) -> None:
        """A worker says something that is not for the team."""

    def ended(self, worker: Worker, how: str, rest: float | None) -> None:
        """A worker's process is gone; another is started in `rest` seconds (None: no other)."""

    def not_taken(self, message: Message, connection: socket.socket) -> None:
        """A connection was on its way to a worker that ended."""


class Team:
    """One worker for each of `names`, numbered from 0 on."""

    def __init__(self, names: Sequence[str], owner: Owner, loop: Loop) -> None:
        self._names = names
        self._owner = owner
        self._loop = loop
        self._workers: dict[int, Worker] = {}
        self._rests = [Rest() for _ in names]
        self.replaces = False
        """Whether a worker that ends is replaced."""

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Start them all. Raises OSError: no process can be made."""
        for number in range(len(self._rests)):
            self._start(number)

    def all_ready(self) -> bool:
        """Everyone can serve."""
        return len(self) == len(self._rests) and all(worker.ready for worker in self)

    def tell(self, worker: Worker, message: Message) -> None:
        """Tell one of them."""
        worker.channel.send(message)
        self._see_to(worker)

    def tell_all(self, message: Message) -> None:
        """Tell them all."""
        for worker in self:
            self.tell(worker, message)

    def hand_over(self, number: int, message: Message, connection: socket.socket) -> bool:
        """Hand a connection to a worker; False: it cannot take it, and nothing has happened."""
        worker = self._workers.get(number)
        if worker is None or not worker.channel.hand_over(message, connection):
            return False
        self._see_to(worker)
        return True

    def worker(self, number: int) -> Worker:
        """The worker of this number. Raises KeyError while there is none."""
        return self._workers[number]

    def beat(self, patience: int, seconds: float) -> None:
        """Ask everyone whether its loop turns; kill who has left `patience` questions unanswered,
        which were asked every `seconds`."""
        for worker in self:
            if worker.unanswered >= patience:
                worker.fate = f"did not answer for {patience * seconds:g} s and was killed"
                worker.kill()
            else:
                worker.unanswered += 1
                self.tell(worker, messages.AreYouThere())
        self.reap()

    def reap(self) -> None:
        """Look who has ended (SIGCHLD)."""
        for worker in self:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(worker, status)

    def kill(self) -> None:
        """Kill them all and wait until they are gone."""
        self.replaces = False
        for worker in self:
            worker.kill()
        for worker in self:
            _, status = os.waitpid(worker.pid, 0)
            self._ended(worker, status)

    def close_copies(self) -> None:
        """Close, in a forked process, its copies of the channels; the parent goes on."""
        for worker in self:
            for _, connection in worker.channel.close():
                connection.close()

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def give_up() -> None:
            ours.close()
            self._owner.give_up()

        try:
            pid = processes.start(give_up, partial(self._owner.work, theirs, number))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = Worker(number, self._names[number], pid, Channel(ours), time.monotonic())
        self._workers[number] = worker
        # What a worker says counts before the next connection does.
        heard, flush = partial(self._receive, worker), partial(self._flush, worker)
        self._loop.watch(ours, heard, flush, at_once=True)

    def _receive(self, worker: Worker) -> None:
        for message, connection in worker.channel.receive():
            if connection is not None:  # they hand nothing over
                connection.close()
            self._heed(worker, message)
        self._see_to(worker)

    def _flush(self, worker: Worker) -> None:
        worker.channel.flush()
        self._see_to(worker)

    def _see_to(self, worker: Worker) -> None:
        """After anything was said or heard."""
        if worker.channel.ended:
            self._loop.forget(worker.channel.endpoint)
            worker.kill()  # of no use without a channel; SIGCHLD tells when it is gone
        else:
            self._loop.want_write(worker.channel.endpoint, worker.channel.waiting)

    def _heed(self, worker: Worker, message: Message) -> None:
        match message:
            case messages.Here():
                worker.unanswered = 0
            case messages.CannotStart(why):
                worker.why, worker.fate = why, f"could not start: {why}"
            case messages.Ready():
                worker.ready = True
            case _:
                self._owner.heard(worker, message)

    def _ended(self, worker: Worker, status: int) -> None:
        for message in worker.channel.last_words():
            self._heed(worker, message)
        self._loop.forget(worker.channel.endpoint)
        left = worker.channel.close()
        del self._workers[worker.number]
        rest = None
        if self.replaces:
            rest = self._rests[worker.number].after(time.monotonic() - worker.born)
            self._replace_in(rest, worker.number)
        self._owner.ended(worker, worker.fate or processes.how_it_ended(status), rest)
        for message, connection in left:
            self._owner.not_taken(message, connection)

    def _replace_in(self, seconds: float, number: int) -> None:
        def replace() -> None:
            if not self.replaces:
                return
            try:
                self._start(number)
            except OSError as error:
                rest = self._rests[number].after(0.0)
                _log.error(
                    "No process can be made for %s (%s); tried again in %g s.",
                    *(self._names[number], error.strerror, rest),
                )
                self._replace_in(rest, number)

        self._loop.call_later(seconds, replace)
