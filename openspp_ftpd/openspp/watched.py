"""An OpenSPP whose requests are counted and timed, each with what came of it.

Here belongs what a request says about OpenSPP itself: a wrong password is an answer like any
other, a connection that is refused is none.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

from openspp_ftpd.errors import OPENSPP_NOT_WELL, Failure
from openspp_ftpd.openspp.answers import Credentials, Denied, Outcome, Stored
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.status.figures import Figures

if TYPE_CHECKING:
    from openspp_ftpd.openspp import Content, ProbedApi

QUIET_SECONDS: Final = 30.0
"""After so long without a request OpenSPP is asked whether it is there."""


class Watched:
    """`api`, with everything told to `figures`; an `Api` itself. Safe in every thread."""

    def __init__(self, api: ProbedApi, figures: Figures) -> None:
        self._api = api
        self._figures = figures
        self._last: float | None = None  # when a request ended (monotonic)
        self._prober: threading.Thread | None = None

    @property
    def settles_after(self) -> float | None:
        """See Api."""
        return self._api.settles_after

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        """See Api."""
        began = time.monotonic()
        denied = self._api.authenticate(credentials, exchange)
        self._tell("login", denied.failure if denied else None, began, exchange)
        return denied

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """See Api."""
        began = time.monotonic()
        outcome = self._api.store(credentials, name, content, exchange)
        failure = None if isinstance(outcome, Stored) else outcome.failure
        self._tell("upload", failure, began, exchange)
        return outcome

    def probe_if_quiet(self) -> None:
        """Have a thread `probe` where nothing was heard of OpenSPP lately. Never blocks."""
        quiet = self._last is None or time.monotonic() - self._last >= QUIET_SECONDS
        if quiet and (self._prober is None or not self._prober.is_alive()):
            self._prober = threading.Thread(target=self.probe, name="openspp-probe", daemon=True)
            with contextlib.suppress(RuntimeError):  # no more threads: the next time
                self._prober.start()

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """See Api. Not counted: it is asked because OpenSPP was not well, and many times."""
        return self._api.settle(credentials, name, content, exchange)

    def probe(self) -> None:
        """Look whether OpenSPP is there, without user and password; blocks, and never raises."""
        began = time.monotonic()
        exchange = Exchange()
        denied = self._api.probe(exchange)
        self._tell("probe", denied.failure if denied else None, began, exchange)

    def _tell(self, kind: str, failure: Failure | None, began: float, exchange: Exchange) -> None:
        self._last = time.monotonic()
        if failure is None or failure.problem not in OPENSPP_NOT_WELL:
            self._figures.openspp_answered(kind, time.monotonic() - began)
        elif exchange.wait(0):
            self._figures.openspp_failed(kind, failure)
        else:
            # We hung up: what it failed with says nothing. Where its time was over, the scanner
            # hears so, and the journal tells the figures.
            self._figures.openspp_given_up(kind)
