"""Listens for all workers, counts for all of them, and does what systemd and administrator say.

It handles no FTP: it accepts, counts in and hands over. So it never blocks, and one scanner, one
slow OpenSPP or one dead worker is nothing to the others.
"""

from __future__ import annotations

import errno
import logging
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Final, Literal

from openspp_ftpd import __version__, config, serving, systemd, tls
from openspp_ftpd.events import Journal
from openspp_ftpd.limits import Limits
from openspp_ftpd.listening import sentence
from openspp_ftpd.settings import Settings
from openspp_ftpd.spool import Spool
from openspp_ftpd.status.figures import Figures
from openspp_ftpd.status.snapshot import Facts, Snapshot
from openspp_ftpd.supervisor import messages, processes
from openspp_ftpd.supervisor.gate import Gate
from openspp_ftpd.supervisor.lending import Lender
from openspp_ftpd.supervisor.loop import Loop
from openspp_ftpd.supervisor.messages import Message
from openspp_ftpd.supervisor.metrics import MetricsProcess
from openspp_ftpd.supervisor.replies import Replies
from openspp_ftpd.supervisor.team import Team, Worker
from openspp_ftpd.supervisor.telling import Telling
from openspp_ftpd.supervisor.worker import work

BEAT_SECONDS: Final = 10.0
PATIENCE: Final = 3
"""How often workers are asked whether their loop turns, and how many questions may stay unanswered,
where no watchdog of systemd says how long a loop may hang."""

END_SECONDS: Final = 5.0
"""What a worker may need to end, beyond what its scans need."""

_RELOAD_SECONDS: Final = 30.0

_log = logging.getLogger("openspp_ftpd")


class Supervisor:
    """The daemon, where it has several workers.

    Args:
        path: the configuration file, for reloads.
        settings: what it says now.
        credentials: where copies of certificate and key are, "" to read those configured.
        status_socket: where the status socket shall be, "" for none.

    Raises:
        OSError: an address or port cannot be listened on, or a worker cannot start.
        SpoolUnusable: the upload directory cannot be used.
        tls.CertificateProblem: certificate or key cannot be used.
    """

    def __init__(
        self, path: str, settings: Settings, credentials: str = "", status_socket: str = ""
    ) -> None:
        self._path = path
        self._credentials = credentials
        self._status_socket = status_socket
        self._figures = Figures()
        self._telling: Telling | None = None
        self._listening = ""
        self._settings = settings
        self._longest_answer = settings.openspp.answer_within
        self._stopping = False
        self._leaving = False
        self._failed = ""
        self._reload: Replies | None = None
        self._reload_again = False
        self._inquiries: dict[int, Replies] = {}
        self._journal = Journal(settings.log, _log, self._figures)
        self._limits = Limits(settings.limits)
        self._loop = Loop()
        self._listen_to_signals()
        names = [f"Worker {number + 1}" for number in range(settings.ftp.workers)]
        self._team = Team(names, self, self._loop)
        self._metrics = MetricsProcess(
            settings.metrics.listen, settings.log, self.give_up, self._metrics_ended, self._loop
        )
        self._teams = (self._team, self._metrics.team)
        self._lender = Lender(settings.openspp.parallel_requests, settings.ftp.workers)
        self._gate = Gate(settings, self._limits, self._team, lambda: self._journal, self._loop)
        _try_out(settings)
        self._start()

    # -- life

    def run(self) -> None:
        """Serve until a signal ends it."""
        try:
            if not self._stopping:
                self._begin()
            while len(self._team) or not self._stopping:
                self._loop.turn()
        finally:
            self._close()
            self._journal.stopped()

    def _start(self) -> None:
        """Start the workers and wait until all are ready, or it is told to stop."""
        watchdog = systemd.watchdog_interval()
        beat, patience = (BEAT_SECONDS, PATIENCE) if watchdog is None else (watchdog, 2)
        self._loop.call_every(beat, partial(self._beat, patience, beat))
        try:
            for team in self._teams:
                team.start()
            self._metrics.team.replaces = True  # scanners are served without it
            while not (self._team.all_ready() or self._stopping or self._failed):
                self._loop.turn()
            if self._failed:
                raise ChildProcessError(errno.ECHILD, self._failed)
        except BaseException:
            self._close()
            raise

    def _begin(self) -> None:
        self._team.replaces = True
        self._gate.open()
        self._listening = sentence(self._gate.doors, self._settings)
        self._journal.started(self._listening)
        self._telling = Telling(
            self.ask,
            self._own_snapshot,
            self._status_socket,
            self._metrics.show,
            self._journal,
            self._loop,
        )
        systemd.ready(self._telling.sentence)

    def _be_ready(self) -> None:
        """The end of a reload (sd_notify(3), RELOADING=1)."""
        systemd.ready(self._telling.sentence if self._telling else self._listening)

    def _own_snapshot(self) -> Snapshot:
        """What is counted here, and what is so of the daemon as a whole."""
        leaving = self._leaving or self._stopping
        state: Literal["serving", "stopping"] = "stopping" if leaving else "serving"
        self._figures.openspp_is(self._settings.openspp.url)
        return self._figures.snapshot(Facts(__version__, state, self._listening))

    def _beat(self, patience: int, seconds: float) -> None:
        if systemd.watchdog_interval() is not None:
            systemd.notify("WATCHDOG=1")
        for team in self._teams:
            team.beat(patience, seconds)

    def _close(self) -> None:
        for team in self._teams:
            team.kill()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        self._gate.close()
        if self._telling is not None:
            self._telling.close()
        self._close_wakeup()
        self._loop.close()

    # -- the workers (`team.Owner`)

    def work(self, endpoint: socket.socket, number: int) -> None:
        """A worker's life, in its own process."""
        work(endpoint, self._settings, number, self._credentials)

    def give_up(self) -> None:
        """Close a worker's copies of what is the supervisor's."""
        self._loop.close()
        self._close_wakeup()
        self._gate.close_copies()
        if self._telling is not None:
            self._telling.close_copies()
        for team in self._teams:
            team.close_copies()

    def heard(self, worker: Worker, message: Message) -> None:
        """What a worker counts, and what it answers."""
        now = time.monotonic()
        match message:
            case messages.Closed(client):
                self._gate.count_out(worker, client)
            case messages.LoginFailed(client, user):
                self._limits.login_failed(client, user, now)
            case messages.LoginSucceeded(client, user):
                self._limits.login_succeeded(client, user, now)
            case messages.Needs():
                self._lender.heard(worker.number, message)
                self._lend()
            case messages.Reloaded(why):
                if self._reload is not None:
                    self._reload.came(worker.number, why)
            case messages.Told(number, document):
                if number in self._inquiries:
                    self._inquiries[number].came(worker.number, document)
            case _:
                raise ValueError(f"{type(message).__name__} is no message to the supervisor")

    def ended(self, worker: Worker, how: str, rest: float | None) -> None:
        """A worker's process is gone: its sessions are over, and it answers nothing any more."""
        sessions = self._gate.count_all_out(worker)
        self._lender.gone(worker.number)
        self._lend()
        for replies in (self._reload, *self._inquiries.values()):
            if replies is not None:
                replies.gone(worker.number)
        if rest is not None:
            self._journal.worker_ended(str(worker), how, sessions, rest)
        elif not self._stopping and not self._failed:
            self._failed = worker.why or f"{worker} {how}"
        elif self._stopping and how != _IN_ORDER:
            self._journal.worker_ended(str(worker), how, sessions, None)

    def _lend(self) -> None:
        for number, order in self._lender.orders().items():
            worker = self._team.worker(number)
            if not worker.channel.ended:  # else it is heard for the last time
                self._team.tell(worker, order)

    def _metrics_ended(self, process: Worker, how: str, rest: float | None) -> None:
        if rest is not None:
            self._journal.worker_ended(str(process), how, 0, rest)

    def not_taken(self, message: Message, connection: socket.socket) -> None:
        """A connection was on its way to a worker that ended."""
        self._gate.not_taken(message, connection)

    def ask(self, then: Callable[[list[str]], None], within: float) -> None:
        """Ask all workers for their documents (`Worker.document`); `then` gets those that came.

        It is called from the loop after `within` seconds at most.
        """
        number = max(self._inquiries, default=0) + 1

        def finished(answers: dict[int, str]) -> None:
            del self._inquiries[number]
            then([answers[worker] for worker in sorted(answers)])

        asked = [worker.number for worker in self._team]
        self._inquiries[number] = Replies(asked, within, finished, self._loop)
        self._team.tell_all(messages.Ask(number))

    # -- signals

    def _listen_to_signals(self) -> None:
        # Before anything listens: what is told to stop while it starts stops in order too.
        self._noted, self._note = socket.socketpair()
        for end in (self._noted, self._note):
            end.setblocking(False)
        self._loop.watch(self._noted, self._on_signals)
        handled = (*processes.OBEYED, signal.SIGCHLD)
        self._handlers_before = {number: signal.signal(number, _noted) for number in handled}
        signal.set_wakeup_fd(self._note.fileno(), warn_on_full_buffer=False)

    def _close_wakeup(self) -> None:
        self._noted.close()
        self._note.close()

    def _on_signals(self) -> None:
        for number in self._noted.recv(256):
            if number == signal.SIGCHLD:
                for team in self._teams:
                    team.reap()
            elif number == signal.SIGHUP:
                self._begin_reload()
            else:
                self._stop()

    def _stop(self) -> None:
        """Be unready, then drain: idle sessions end, scans under way are finished.

        A second signal drains at once, or ends at once where that has begun.
        """
        unready_for = self._settings.ftp.unready_for
        if unready_for and not (self._stopping or self._leaving) and self._telling is not None:
            self._leaving = True
            self._loop.call_later(unready_for, self._drain_once)
            systemd.stopping(systemd.UNREADY, unready_for + 10.0)
            return
        self._drain()

    def _drain_once(self) -> None:
        if not self._stopping:
            self._drain()

    def _drain(self) -> None:
        if self._stopping:
            self._team.tell_all(messages.Stop())
            self._loop.call_later(END_SECONDS, self._team.kill)
            return
        self._stopping = True
        self._team.replaces = False
        self._journal.stopping(self._limits.sessions)
        self._gate.close_doors()
        seconds = self._settings.ftp.drain_within + self._longest_answer + 5.0
        systemd.stopping("Stopping, scans under way are finished first.", seconds + 10.0)
        self._team.tell_all(messages.Stop())
        self._loop.call_later(seconds + END_SECONDS, self._team.kill)

    # -- reload

    def _begin_reload(self) -> None:
        """Read the configuration again; where it is good, every worker makes its services anew."""
        if self._stopping or self._leaving:
            return
        if self._reload is not None:
            self._reload_again = True
            return
        systemd.reloading()
        old = self._settings
        try:
            loaded = config.load(self._path, self._credentials)
            _try_certificate(loaded.settings)
        except (config.ConfigurationError, tls.CertificateProblem, OSError) as error:
            self._journal.reload_refused("; ".join(str(error).splitlines()))
            self._be_ready()
            return
        self._settings = serving.with_what_stays(old, loaded.settings)
        self._longest_answer = max(self._longest_answer, self._settings.openspp.answer_within)
        self._limits.settings = self._settings.limits
        serving.set_level(self._settings)
        self._journal = Journal(self._settings.log, _log, self._figures)
        for one in serving.needs_a_restart(old, loaded.settings):
            self._journal.warning(one)
        for warning in loaded.warnings:
            self._journal.warning(str(warning))
        asked = [worker.number for worker in self._team]
        self._reload = Replies(asked, _RELOAD_SECONDS, self._end_reload, self._loop)
        self._team.tell_all(messages.Reload(loaded.text))
        self._lender.whole = self._settings.openspp.parallel_requests
        self._lend()

    def _end_reload(self, answers: dict[int, str]) -> None:
        self._reload = None
        for number, why in answers.items():
            if why:
                self._journal.warning(
                    f"Worker {number + 1} keeps the configuration it had: {why}. Reload again."
                )
        self._journal.reloaded("Configuration reloaded; it holds for new sessions.")
        self._listening = sentence(self._gate.doors, self._settings)
        self._be_ready()
        if self._reload_again:
            self._reload_again = False
            self._begin_reload()


_IN_ORDER: Final = "ended with exit status 0"


def _try_out(settings: Settings) -> None:
    """See whether what each worker needs is there. Raises SpoolUnusable, tls.CertificateProblem."""
    Spool(settings.uploads.directory, settings.uploads.max_size)
    _try_certificate(settings)


def _try_certificate(settings: Settings) -> None:
    if settings.tls.mode != "off":
        tls.contexts(settings.tls)


def _noted(number: int, frame: FrameType | None) -> None:
    """A signal; its number arrives on the loop by the descriptor of signal.set_wakeup_fd."""
