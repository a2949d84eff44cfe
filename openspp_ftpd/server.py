"""The daemon's life: start, reload, drain and stop; here for one process that does it all.

Several workers have a supervisor, which does the same over all of them (`supervisor/`).
"""

from __future__ import annotations

import logging
import resource
import signal
import sys
from types import FrameType
from typing import Final

from openspp_ftpd import config, serving, systemd, tls
from openspp_ftpd.ftp.listener import Listener, Wakeup
from openspp_ftpd.ftp.loop import EventLoop
from openspp_ftpd.ftp.status_socket import StatusSocket
from openspp_ftpd.limits import Limits
from openspp_ftpd.listening import open_doors, passive_addresses, sentence
from openspp_ftpd.monitor import TICK_SECONDS, Monitor
from openspp_ftpd.serving import Serving
from openspp_ftpd.settings import Settings
from openspp_ftpd.spool import SpoolUnusable
from openspp_ftpd.status import door, text
from openspp_ftpd.status.snapshot import Snapshot

EX_CONFIG: Final = 78
"""Exit status for mistakes in the configuration file (sysexits.h); systemd does not try again."""

_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger("openspp_ftpd")


def serve(path: str, credentials: str = "", status_socket: str = "") -> int:
    """Run the daemon with the configuration file `path` until it is told to stop.

    With `credentials`, certificate and key are served from the copies in that directory. The status
    socket is at `status_socket`, or where systemd gives the daemon a place; else there is none.
    Returns the exit status: 0 after a normal stop, 78 for mistakes in the configuration, 1 for what
    the world may mend (a port in use).
    """
    try:
        loaded = config.load(path, credentials)
    except config.ConfigurationError as error:
        print(error, file=sys.stderr)
        systemd.failing(str(error))
        return EX_CONFIG
    _configure_logging(loaded.settings)
    _allow_descriptors()
    for warning in loaded.warnings:
        _log.warning("%s", warning)
    where = status_socket or door.path_for_this_process()
    try:
        if loaded.settings.ftp.workers > 1:
            from openspp_ftpd.supervisor.supervisor import Supervisor  # one process does without

            daemon: Server | Supervisor = Supervisor(path, loaded.settings, credentials, where)
        else:
            daemon = Server(path, loaded.settings, credentials, where)
    except (OSError, SpoolUnusable, tls.CertificateProblem) as error:
        why = f"Cannot start: {error.strerror if isinstance(error, OSError) else error}"
        _log.error("%s", why)
        systemd.failing(why)
        return 1
    daemon.run()
    return 0


class Server:
    """All that lives as long as the process.

    Args:
        path: the configuration file, for reloads.
        settings: what it says now.
        credentials: where copies of certificate and key are, "" to read those configured.
        status_socket: where the status socket shall be, "" for none.

    Raises:
        OSError: an address or port cannot be listened on.
        SpoolUnusable: the upload directory cannot be used.
        tls.CertificateProblem: certificate or key cannot be used.
    """

    def __init__(
        self, path: str, settings: Settings, credentials: str = "", status_socket: str = ""
    ) -> None:
        self._path = path
        self._credentials = credentials
        self._status_socket = status_socket
        self._loop = EventLoop()
        # Before anything listens: what is told to stop while it starts stops in order too.
        self._wakeup = Wakeup(self._on_signals, self._loop)
        self._handlers_before = {number: signal.signal(number, _noted) for number in _HANDLED}
        signal.set_wakeup_fd(self._wakeup.descriptor, warn_on_full_buffer=False)
        self._doors = open_doors(settings)
        self._listening = sentence(self._doors, settings)
        self._limits = Limits(settings.limits)
        self._serving = Serving(
            settings,
            self._limits,
            passive_addresses(self._doors),
            settings.ftp.passive_ports,
            self._loop,
        )
        reception = self._serving.reception
        self._listeners = [
            Listener(door, self._limits, reception, self._serving.balancers, self._loop)
            for door in self._doors
        ]

    def run(self) -> None:
        """Serve until a signal ends it."""
        interval = systemd.watchdog_interval()
        if interval is not None:
            self._loop.call_every(interval, lambda: systemd.notify("WATCHDOG=1"))
        self._serving.journal.started(self._listening)
        metrics = self._serving.services.settings.metrics.listen
        monitor = Monitor(
            self._snapshot,
            self._status_socket,
            lambda listening, then: StatusSocket(listening, then, self._loop),
            metrics,
            self._serving.journal,
        )
        self._loop.call_every(TICK_SECONDS, monitor.tick)
        systemd.ready(monitor.sentence)
        try:
            self._serving.run()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers_before.items():
                signal.signal(number, handler)
            self._serving.close()
            monitor.close()
            self._serving.journal.stopped()
            self._wakeup.close()
            self._loop.close()

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGHUP:
                self._reload()
            else:
                self._stop()

    def _stop(self) -> None:
        """Be unready, then drain: idle sessions end, scans under way are finished.

        A second signal drains at once, or ends at once where that has begun.
        """
        if self._serving.stopping:
            self._serving.end()
            return
        unready_for = self._serving.services.settings.ftp.unready_for
        if unready_for and not self._serving.leaving:
            self._serving.leave()
            self._loop.call_later(unready_for, self._drain)
            systemd.stopping(systemd.UNREADY, unready_for + 10.0)
            return
        self._drain()

    def _drain(self) -> None:
        if self._serving.stopping:
            return
        self._serving.journal.stopping(len(self._serving.sessions))
        for listener in self._listeners:
            listener.close()
        seconds = self._serving.drain()
        systemd.stopping("Stopping, scans under way are finished first.", seconds + 10.0)

    def _reload(self) -> None:
        """Read the configuration and certificates again, for new sessions."""
        if self._serving.leaving:
            return
        systemd.reloading()
        old, journal = self._serving.services.settings, self._serving.journal
        try:
            loaded = config.load(self._path, self._credentials)
            self._serving.reload(serving.with_what_stays(old, loaded.settings))
        except (config.ConfigurationError, tls.CertificateProblem, OSError) as error:
            journal.reload_refused("; ".join(str(error).splitlines()))
        else:
            self._limits.settings = loaded.settings.limits
            journal = self._serving.journal
            for sentence_of_it in serving.needs_a_restart(old, loaded.settings):
                journal.warning(sentence_of_it)
            for warning in loaded.warnings:
                journal.warning(str(warning))
            journal.reloaded("Configuration reloaded; it holds for new sessions.")
        self._listening = sentence(self._doors, self._serving.services.settings)
        systemd.ready(text.sentence(self._snapshot()))

    def _snapshot(self) -> Snapshot:
        return self._serving.snapshot(self._listening)


def _allow_descriptors() -> None:
    """As many as the system lets this process have: a session needs three or four."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _configure_logging(settings: Settings) -> None:
    """Our log at its level; pyftpdlib's and urllib3's only from warnings on, for their finer ones
    know no names rule and no masks."""
    logging.basicConfig(level=logging.WARNING, handlers=[systemd.log_handler()])
    serving.set_level(settings)


def _noted(number: int, frame: FrameType | None) -> None:
    """A signal; its number arrives on the loop by the descriptor of signal.set_wakeup_fd."""
