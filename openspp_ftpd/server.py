"""The daemon's life: listeners, start, reload, drain and stop."""

from __future__ import annotations

import logging
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from openspp_ftpd import config, systemd, tls
from openspp_ftpd.delivery import Delivery
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp.control import ControlConnection
from openspp_ftpd.ftp.listener import Listener, Mailbox, Wakeup, open_socket
from openspp_ftpd.ftp.loop import EventLoop
from openspp_ftpd.ftp.passive import PassivePorts
from openspp_ftpd.ftp.public_address import PublicAddresses
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.limits import Limits
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import Address, Settings
from openspp_ftpd.spool import Spool, SpoolUnusable

EX_CONFIG: Final = 78
"""Exit status for mistakes in the configuration file (sysexits.h); systemd does not try again."""

_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TICK_SECONDS: Final = 1.0
_BUFFER_BYTES: Final = 256 * 1024
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

_log = logging.getLogger("openspp_ftpd")


@dataclass(frozen=True, slots=True)
class _Bound:
    """A socket that is bound, and what is spoken on it."""

    listening: socket.socket
    implicit_tls: bool


def serve(path: str, credentials: str = "") -> int:
    """Run the daemon with the configuration file `path` until it is told to stop.

    With `credentials`, certificate and key are served from the copies in that directory. Returns
    the exit status: 0 after a normal stop, 78 for mistakes in the configuration, 1 for what the
    world may mend (a port in use).
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
    try:
        server = Server(path, loaded.settings, credentials)
    except (OSError, SpoolUnusable, tls.CertificateProblem) as error:
        why = f"Cannot start: {error.strerror if isinstance(error, OSError) else error}"
        _log.error("%s", why)
        systemd.failing(why)
        return 1
    server.run()
    return 0


class Server:
    """All that lives as long as the process.

    Args:
        path: the configuration file, for reloads.
        settings: what it says now.
        credentials: where copies of certificate and key are, "" to read those configured.

    Raises:
        OSError: an address or port cannot be listened on.
        SpoolUnusable: the upload directory cannot be used.
        tls.CertificateProblem: certificate or key cannot be used.
    """

    def __init__(self, path: str, settings: Settings, credentials: str = "") -> None:
        self._path = path
        self._credentials = credentials
        self._loop = EventLoop()
        self._sessions: set[ControlConnection] = set()
        self._stop_by: float | None = None
        self._deliveries: list[tuple[Delivery, Mailbox]] = []
        # Before anything listens: what is told to stop while it starts stops in order too.
        self._wakeup = Wakeup(self._on_signals, self._loop)
        self._handlers_before = {number: signal.signal(number, _noted) for number in _HANDLED}
        signal.set_wakeup_fd(self._wakeup.descriptor, warn_on_full_buffer=False)
        bound = _bind(settings)
        self._limits = Limits(settings.limits)
        self._spool = Spool(settings.uploads.directory, settings.uploads.max_size)
        self._passive = PassivePorts(
            _addresses([one.listening.getsockname()[0] for one in bound]),
            settings.ftp.passive_ports,
            settings.ftp.data_from,
            self._loop,
        )
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._services = self._make_services(settings, None)
        self._listeners = [
            Listener(one.listening, one.implicit_tls, self._sessions, self._services, self._loop)
            for one in bound
        ]

    def run(self) -> None:
        """Serve until a signal ends it."""
        interval = systemd.watchdog_interval()
        if interval is not None:
            self._loop.call_every(interval, lambda: systemd.notify("WATCHDOG=1"))
        sentence = self._sentence()
        self._services.journal.started(sentence)
        systemd.ready(sentence)
        try:
            self._run_loop()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers_before.items():
                signal.signal(number, handler)
            self._close()

    def _run_loop(self) -> None:
        timeout = _TICK_SECONDS
        while not self._finished():
            due = self._loop.loop(timeout=timeout, blocking=False)
            timeout = _TICK_SECONDS if due is None else min(due, _TICK_SECONDS)
            if len(self._deliveries) > 1:
                self._close_old_deliveries()

    def _finished(self) -> bool:
        if self._stop_by is None:
            return False
        return not self._sessions or time.monotonic() >= self._stop_by

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGHUP:
                self._reload()
            else:
                self._stop()

    def _stop(self) -> None:
        """Drain: idle sessions end, scans under way are finished; a second signal ends at once."""
        if self._stop_by is not None:
            self._stop_by = 0.0
            return
        settings = self._services.settings
        in_force = [session.services.settings.openspp for session in self._sessions]
        answer_within = max(each.answer_within for each in (settings.openspp, *in_force))
        seconds = settings.ftp.drain_within + answer_within + 5.0
        self._stop_by = time.monotonic() + seconds
        self._services.journal.stopping(len(self._sessions))
        systemd.stopping("Stopping, scans under way are finished first.", seconds + 10.0)
        for listener in self._listeners:
            listener.close()
        for session in list(self._sessions):
            session.stop(settings.ftp.drain_within)

    def _reload(self) -> None:
        """Read the configuration and certificates again, for new sessions."""
        if self._stop_by is not None:
            return
        systemd.reloading()
        journal = self._services.journal
        try:
            loaded = config.load(self._path, self._credentials)
            settings = loaded.settings
            _log.setLevel(_LEVELS[settings.log.level])
            services = self._make_services(settings, self._services)
        except (config.ConfigurationError, tls.CertificateProblem, OSError) as error:
            _log.setLevel(_LEVELS[self._services.settings.log.level])
            journal.reload_refused("; ".join(str(error).splitlines()))
        else:
            self._limits.settings = settings.limits
            self._spool.max_size = settings.uploads.max_size
            self._services = services
            for listener in self._listeners:
                listener.services = services
            for warning in loaded.warnings:
                services.journal.warning(str(warning))
            services.journal.reloaded("Configuration reloaded; it holds for new sessions.")
        systemd.ready(self._sentence())

    def _make_services(self, settings: Settings, old: Services | None) -> Services:
        contexts = None if settings.tls.mode == "off" else tls.contexts(settings.tls)
        if old is not None:
            _warn_of_what_needs_a_restart(old.settings, settings, old.journal)
        if old is not None and old.settings.openspp == settings.openspp:
            delivery = old.delivery
        else:
            delivery = self._make_delivery(settings, old)
        if old is not None and old.settings.ftp.public_address == settings.ftp.public_address:
            public_addresses = old.public_addresses
        else:
            public_addresses = PublicAddresses(settings.ftp.public_address)
            if old is not None:
                old.public_addresses.close()
        return Services(
            settings=settings,
            tls=contexts,
            delivery=delivery,
            spool=self._spool,
            limits=self._limits,
            passive=self._passive,
            public_addresses=public_addresses,
            journal=Journal(settings.log, _log),
            buffer=self._buffer,
        )

    def _make_delivery(self, settings: Settings, old: Services | None) -> Delivery:
        before = old.settings.openspp if old is not None else None
        same = before is not None and (before.url, before.database) == (
            settings.openspp.url,
            settings.openspp.database,
        )
        delivery = Delivery(
            ScannerApi(settings.openspp),
            settings.openspp,
            self._loop,
            old.delivery.ledger if old is not None and same else None,
        )
        self._deliveries.append((delivery, Mailbox(delivery, self._loop)))
        return delivery

    def _close_old_deliveries(self) -> None:
        """After a reload: those that no session uses any more."""
        used = {session.services.delivery for session in self._sessions}
        used.add(self._services.delivery)
        for entry in self._deliveries[:]:
            delivery, mailbox = entry
            if delivery not in used and not delivery.uploads_pending():
                self._deliveries.remove(entry)
                mailbox.close()
                delivery.close()

    def _sentence(self) -> str:
        settings = self._services.settings
        where = ", ".join(
            _named(listener.socket) + (" (implicit TLS)" if listener.implicit_tls else "")
            for listener in self._listeners
        )
        ports = settings.ftp.passive_ports
        return (
            f"Listening on {where}; TLS {settings.tls.mode}; passive ports {_ranges(ports)}; "
            f"scans go to {settings.openspp.url}."
        )

    def _close(self) -> None:
        for session in list(self._sessions):
            session.abort_upload()
        for delivery, mailbox in self._deliveries:
            mailbox.close()
            delivery.close()  # tells every session what became of its scan
        for session in list(self._sessions):
            session.close()
        self._services.journal.stopped()
        self._passive.close()
        self._services.public_addresses.close()
        self._wakeup.close()
        self._loop.close()


def _bind(settings: Settings) -> list[_Bound]:
    """All listening sockets, or none: those of socket units, the others opened. Raises OSError."""
    passed = systemd.passed_sockets()
    bound = [_Bound(one.listening, one.name == systemd.FTPS) for one in passed]
    names = {one.name for one in passed}
    wanted: list[tuple[Address, bool]] = []
    if systemd.FTP not in names:
        wanted += [(address, False) for address in settings.ftp.listen]
    if systemd.FTPS not in names:
        wanted += [(address, True) for address in settings.ftp.listen_implicit]
    try:
        for address, implicit_tls in wanted:
            if address.host == "::" and not _has_ipv6():
                continue  # a default for machines that have it
            bound.append(_Bound(open_socket(address), implicit_tls))
    except OSError:
        for one in bound:
            one.listening.close()
        raise
    return bound


def _addresses(listening: Sequence[str]) -> list[str]:
    """Where the passive ports are opened: an address that stands for all of its family suffices."""
    found = set(listening)
    for everything, sign in (("0.0.0.0", "."), ("::", ":")):
        if everything in found:
            found = {each for each in found if sign not in each} | {everything}
    return sorted(found)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _warn_of_what_needs_a_restart(old: Settings, new: Settings, journal: Journal) -> None:
    for name, before, after in (
        ("[ftp] listen", old.ftp.listen, new.ftp.listen),
        ("[ftp] listen_implicit", old.ftp.listen_implicit, new.ftp.listen_implicit),
        ("[ftp] passive_ports", old.ftp.passive_ports, new.ftp.passive_ports),
        ("[ftp] data_from", old.ftp.data_from, new.ftp.data_from),
        ("[uploads] directory", old.uploads.directory, new.uploads.directory),
    ):
        if before != after:
            journal.warning(f"{name} was changed; it takes effect with the next restart.")


def _allow_descriptors() -> None:
    """As many as the system lets this process have: a session needs three or four."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _configure_logging(settings: Settings) -> None:
    """Our log at its level; pyftpdlib's and urllib3's only from warnings on, for their finer ones
    know no names rule and no masks."""
    logging.basicConfig(level=logging.WARNING, handlers=[systemd.log_handler()])
    _log.setLevel(_LEVELS[settings.log.level])


def _noted(number: int, frame: FrameType | None) -> None:
    """A signal; its number arrives on the loop by the descriptor of signal.set_wakeup_fd."""


def _named(listening: Any) -> str:
    host, port = listening.getsockname()[:2]
    return str(Address(host, port))


def _ranges(ports: Sequence[int]) -> str:
    """3000-3005, or 3000,3002,3004."""
    ordered = sorted(ports)
    if ordered == list(range(ordered[0], ordered[-1] + 1)) and len(ordered) > 1:
        return f"{ordered[0]}-{ordered[-1]}"
    return ",".join(map(str, ordered))
