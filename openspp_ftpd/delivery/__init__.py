"""Takes a login or an upload, asks OpenSPP without blocking the loop, returns the outcome.

    loop ── login, upload ──> worker threads ── openspp ──> OpenSPP
      ^                            │
      └── collect <── mailbox <────┘

Everything here belongs to the thread of one event loop. Nothing blocks it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from openspp_ftpd.delivery.login_requests import LoginRequests
from openspp_ftpd.delivery.logins import RememberedLogins
from openspp_ftpd.delivery.mailbox import Mailbox, Timer, Timers
from openspp_ftpd.delivery.outcomes import Delivered, Outcome, Receipt, Scan, ScanContent
from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.delivery.uploads import Uploads
from openspp_ftpd.delivery.workers import Workers
from openspp_ftpd.errors import Failure
from openspp_ftpd.ledger import Ledger
from openspp_ftpd.openspp import Api, Credentials
from openspp_ftpd.settings import OpenSPPSettings

__all__ = [
    "Delivered",
    "Delivery",
    "Outcome",
    "Pending",
    "Receipt",
    "Scan",
    "ScanContent",
    "Timer",
    "Timers",
]


class Pending(Protocol):
    """A login or an upload on its way."""

    def abandon(self) -> bool:
        """Nobody wants it any more, and a scan must not be stored.

        True: it certainly is not stored, and `then` will not be called. False: OpenSPP has it or
        may have it; the delivery goes on, and `then` is called as usual.
        """


class Delivery:
    """The way to OpenSPP for all sessions of a process."""

    def __init__(
        self,
        api: Api,
        settings: OpenSPPSettings,
        timers: Timers,
        ledger: Ledger | None = None,
        slots: Slots | None = None,
    ) -> None:
        """
        ledger: of an earlier delivery to the same OpenSPP, whose re-sends are still to come.
        slots: for the uploads of all deliveries; None where this is the only one there will be.
        """
        slots = slots or Slots(settings.parallel_requests)
        self.ledger = ledger or Ledger()
        self._mailbox = Mailbox()
        remembered = RememberedLogins(secrets.token_bytes(64))
        self._workers = Workers()
        shared = (api, settings, timers, self._mailbox, remembered)
        self._logins = LoginRequests(*shared, self._workers, slots.processes)
        self._uploads = Uploads(*shared, self.ledger, self._workers, slots)

    def fileno(self) -> int:
        """A descriptor that is readable when `collect` has something to do; -1 once closed."""
        return self._mailbox.fileno()

    def collect(self) -> None:
        """Call `then` of what has an outcome.

        All are called even if one raises; what was raised comes out as an ExceptionGroup.
        """
        self._mailbox.collect()

    def login(self, credentials: Credentials, then: Callable[[Failure | None], None]) -> Pending:
        """Ask OpenSPP whether this user may send scans; `then` gets None if he may.

        The outcome comes within `login_within`, by way of `collect` even where it is known already.
        """
        return self._logins.begin(credentials, then)

    def upload(self, scan: Scan, then: Callable[[Outcome], None]) -> Pending:
        """Have OpenSPP store `scan`, whose content belongs to the delivery from now on.

        The outcome comes within `answer_within`, by way of `collect`. Delivered means that OpenSPP
        has exactly these bytes. A Failure of the problem UNCERTAIN means that nobody knows; after
        any other nothing is stored.
        """
        return self._uploads.begin(scan, then)

    def uploads_pending(self) -> int:
        """Uploads whose scanner still waits for the outcome."""
        return self._uploads.pending()

    def close(self) -> None:
        """End without waiting: what is not wholly sent is cut and certainly not stored.

        Whoever still waits is told in here. Afterwards everything is answered with STOPPING. Take
        the descriptor off the loop before.
        """
        try:
            self._mailbox.collect()
        finally:
            self._logins.close()
            self._uploads.close()
            self._workers.close()
            try:
                self._mailbox.collect()
            finally:
                self._mailbox.close()
