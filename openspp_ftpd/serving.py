"""The sessions of one process and all that they share: made, reloaded, drained, closed.

Here belongs what is the same for a daemon of one process and for each of several workers; who
listens and who is told of it (`server.py`, `supervisor/`) is not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from openspp_ftpd import __version__, tls
from openspp_ftpd.delivery import Delivery
from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp.control import ControlConnection
from openspp_ftpd.ftp.listener import Mailbox, Reception, balancers_on
from openspp_ftpd.ftp.loop import EventLoop
from openspp_ftpd.ftp.passive import PassivePorts
from openspp_ftpd.ftp.public_address import PublicAddresses
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.limits import Counts
from openspp_ftpd.openspp import api_for
from openspp_ftpd.openspp.odoo_keys import Expiry
from openspp_ftpd.openspp.watched import Watched
from openspp_ftpd.settings import Settings
from openspp_ftpd.spool import Spool
from openspp_ftpd.status.figures import Figures
from openspp_ftpd.status.snapshot import Facts, Snapshot

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
"""[log] level, as logging has it."""

_TICK_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 5.0
_BUFFER_BYTES: Final = 256 * 1024

_log = logging.getLogger("openspp_ftpd")


class Serving:
    """What serves the sessions of a process.

    Args:
        settings: what the configuration says now.
        limits: is told of sessions and logins.
        passive_addresses: where the passive ports are opened; none where another process does.
        passive_ports: those that sessions here may tell.
        loop: the event loop.

    Raises:
        OSError: a port cannot be listened on.
        SpoolUnusable: the upload directory cannot be used.
        tls.CertificateProblem: certificate or key cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Counts,
        passive_addresses: Sequence[str],
        passive_ports: Sequence[int],
        loop: EventLoop,
    ) -> None:
        self.sessions: set[ControlConnection] = set()
        self._loop = loop
        self._stop_by: float | None = None
        self._leaving = False
        self._deliveries: list[tuple[Delivery, Mailbox]] = []
        self._limits = limits
        self.slots = Slots(settings.openspp.parallel_requests, settings.ftp.workers)
        self.figures = Figures()
        self._certificate_expires: float | None = None
        self._spool = Spool(settings.uploads.directory, settings.uploads.max_size)
        self.balancers = balancers_on(loop, settings.ftp.proxy_networks, lambda: self.journal)
        self.passive = PassivePorts(
            passive_addresses, passive_ports, settings.ftp.data_from, self.balancers, loop
        )
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.reception = Reception(self.sessions, self._make_services(settings, None), loop)

    @property
    def services(self) -> Services:
        """What new sessions are given."""
        return self.reception.services

    @property
    def journal(self) -> Journal:
        """The journal, as the settings in force have it."""
        return self.services.journal

    @property
    def stopping(self) -> bool:
        """No new sessions are served any more."""
        return self._stop_by is not None

    @property
    def leaving(self) -> bool:
        """Sessions are served, but a load balancer should send no more."""
        return self._leaving or self.stopping

    def leave(self) -> None:
        """Be unready from now on; `drain` comes later."""
        self._leaving = True

    def run(self) -> None:
        """Serve until `drain` or `end` has come to its end."""
        self._probe()
        self._loop.call_every(_PROBE_SECONDS, self._probe)
        timeout = _TICK_SECONDS
        while not self._finished():
            due = self._loop.loop(timeout=timeout, blocking=False)
            timeout = _TICK_SECONDS if due is None else min(due, _TICK_SECONDS)
            if len(self._deliveries) > 1:
                self._close_old_deliveries()

    def drain(self) -> float:
        """Idle sessions end, scans under way are finished. Returns the seconds this may take."""
        settings = self.services.settings
        in_force = [session.services.settings.openspp for session in self.sessions]
        answer_within = max(each.answer_within for each in (settings.openspp, *in_force))
        seconds = settings.ftp.drain_within + answer_within + 5.0
        self._stop_by = time.monotonic() + seconds
        for session in list(self.sessions):
            session.stop(settings.ftp.drain_within)
        return seconds

    def end(self) -> None:
        """End at once."""
        self._stop_by = 0.0

    def reload(self, settings: Settings) -> None:
        """New sessions get `settings`, and the certificate that is there now.

        Raises OSError or tls.CertificateProblem; then all is as before.
        """
        old = self.services
        set_level(settings)
        try:
            services = self._make_services(settings, old)
        except (OSError, tls.CertificateProblem):
            set_level(old.settings)
            raise
        self._spool.max_size = settings.uploads.max_size
        self.reception.services = services
        self.slots.whole = settings.openspp.parallel_requests
        self.slots.advance()

    def close(self) -> None:
        """End every session, and everything else. Scans under way are not waited for."""
        for session in list(self.sessions):
            session.abort_upload()
        for delivery, mailbox in self._deliveries:
            mailbox.close()
            delivery.close()  # tells every session what became of its scan
        for session in list(self.sessions):
            session.close()
        self.passive.close()
        self.balancers.close()
        self.services.public_addresses.close()

    def snapshot(self, listening: str = "") -> Snapshot:
        """What happened here and what is the case; `listening` says where scanners connect."""
        used, size = self._spool.room()
        encrypted = sum(session.encrypted for session in self.sessions)
        return self.figures.snapshot(
            Facts(
                version=__version__,
                state="stopping" if self.leaving else "serving",
                listening=listening,
                sessions_plain=len(self.sessions) - encrypted,
                sessions_tls=encrypted,
                uploads_pending=sum(each.uploads_pending() for each, _ in self._deliveries),
                spool_used=used,
                spool_size=size,
                certificate_expires=self._certificate_expires,
            )
        )

    def _probe(self) -> None:
        if not self.stopping:
            self._openspp.probe_if_quiet()

    def _finished(self) -> bool:
        if self._stop_by is None:
            return False
        return not self.sessions or time.monotonic() >= self._stop_by

    def _make_services(self, settings: Settings, old: Services | None) -> Services:
        contexts, self._certificate_expires = None, None
        if settings.tls.mode != "off":
            contexts = tls.contexts(settings.tls)
            self._certificate_expires = tls.expires(settings.tls.certificate).timestamp()
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
            passive=self.passive,
            public_addresses=public_addresses,
            journal=Journal(settings.log, _log, self.figures),
            buffer=self._buffer,
        )

    def _make_delivery(self, settings: Settings, old: Services | None) -> Delivery:
        before = old.settings.openspp if old is not None else None
        now = settings.openspp
        same = before is not None and (
            (before.url, before.api, before.database, before.directory)
            == (now.url, now.api, now.database, now.directory)
        )
        self.figures.openspp_is(settings.openspp.url)
        journal = Journal(settings.log, _log)  # safe in every thread

        def tell(user: str, expiry: Expiry | None) -> None:
            if expiry is not None:
                journal.warning(expiry.sentence())
            self.figures.key_expires(user, expiry.sentence() if expiry is not None else "")

        api = api_for(settings.openspp, tell)
        self._openspp = Watched(api, self.figures)
        delivery = Delivery(
            self._openspp,
            settings.openspp,
            self._loop,
            old.delivery.ledger if old is not None and same else None,
            self.slots,
        )
        self._deliveries.append((delivery, Mailbox(delivery, self._loop)))
        return delivery

    def _close_old_deliveries(self) -> None:
        """After a reload: those that no session uses any more."""
        used = {session.services.delivery for session in self.sessions}
        used.add(self.services.delivery)
        for entry in self._deliveries[:]:
            delivery, mailbox = entry
            if delivery not in used and not delivery.uploads_pending():
                self._deliveries.remove(entry)
                mailbox.close()
                delivery.close()


def set_level(settings: Settings) -> None:
    """Log as much as the settings say."""
    _log.setLevel(LEVELS[settings.log.level])


def with_what_stays(old: Settings, new: Settings) -> Settings:
    """What is in force after a reload: `new`, but for what only a restart changes."""
    return replace(
        new,
        ftp=replace(
            new.ftp,
            listen=old.ftp.listen,
            listen_implicit=old.ftp.listen_implicit,
            passive_ports=old.ftp.passive_ports,
            data_from=old.ftp.data_from,
            proxy_networks=old.ftp.proxy_networks,
            workers=old.ftp.workers,
        ),
        uploads=replace(new.uploads, directory=old.uploads.directory),
    )


def needs_a_restart(old: Settings, new: Settings) -> Iterator[str]:
    """What was changed and does not take effect with a reload, a sentence each."""
    for name, before, after in (
        ("[ftp] listen", old.ftp.listen, new.ftp.listen),
        ("[ftp] listen_implicit", old.ftp.listen_implicit, new.ftp.listen_implicit),
        ("[ftp] passive_ports", old.ftp.passive_ports, new.ftp.passive_ports),
        ("[ftp] data_from", old.ftp.data_from, new.ftp.data_from),
        ("[ftp] proxy_networks", old.ftp.proxy_networks, new.ftp.proxy_networks),
        ("[ftp] workers", old.ftp.workers, new.ftp.workers),
        ("[uploads] directory", old.uploads.directory, new.uploads.directory),
        ("[metrics] listen", old.metrics.listen, new.metrics.listen),
    ):
        if before != after:
            yield f"{name} was changed; it takes effect with the next restart."
