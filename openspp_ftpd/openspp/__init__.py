"""OpenSPP over HTTP: what is asked of it and what comes of it; how, only this package knows.

Here are the names the rest of the daemon uses. `answers` judges what OpenSPP said, `exchange` knows
how much of a scan OpenSPP can have, `body` makes the request while it is sent, `transport` and
`client` speak HTTP, `faults` puts into words what kept an answer away. `scanner` is the interface
of OpenSPP 15, `odoo` that of OpenSPP 17 and OpenSPP 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from openspp_ftpd.openspp.answers import Credentials, Denied, NotStored, Outcome, Stored, Unsettled
from openspp_ftpd.openspp.exchange import Abandoned, Exchange
from openspp_ftpd.openspp.odoo_keys import Expiry
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings

__all__ = [
    "Abandoned",
    "Api",
    "Content",
    "Credentials",
    "Denied",
    "Exchange",
    "Expiry",
    "NotStored",
    "Outcome",
    "ProbedApi",
    "Stored",
    "Unsettled",
    "api_for",
]


class Content(Protocol):
    """The bytes of a scan, readable from any thread and as often as needed."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> str:
        """Of the whole content, in hexadecimal."""

    @property
    def sha512(self) -> str:
        """The same; made when it is first asked for, which takes a while, and kept."""

    def pieces(self, length: int) -> Iterator[bytes]:
        """All bytes from the first on, in pieces of `length` bytes, the last one maybe shorter."""


class Api(Protocol):
    """An OpenSPP. Its methods block, belong in a worker thread, never raise, and try once."""

    @property
    def settles_after(self) -> float | None:
        """Seconds after the last byte of a scan when `settle` tells for good whether OpenSPP has
        it; None: this interface cannot be asked."""

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        """May this user send scans? None: yes."""

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Hand over one scan under `name`, already cleaned."""

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Is a scan that has no verdict stored under `name`? NotStored: not by now.

        Of `content` only the numbers are used. Unsettled: OpenSPP could not be asked.
        """


class ProbedApi(Api, Protocol):
    """An OpenSPP that can be asked whether it is there; blocks as the others do."""

    def probe(self, exchange: Exchange) -> Denied | None:
        """Is it there, with the interface that scans need? No password is sent. None: yes."""


def api_for(
    settings: OpenSPPSettings,
    tell: Callable[[str, Expiry | None], None] = lambda user, expiry: None,
) -> ProbedApi:
    """The interface that `[openspp] api` names. Raises OSError for a bad `ca_file`.

    tell: is told, from any thread, of a user whose API key expires soon, and of one (None) without.
    """
    if settings.api != "odoo":
        return ScannerApi(settings)
    from openspp_ftpd.openspp.odoo import OdooApi  # most have no use for it, and it is the larger

    return OdooApi(settings, tell)
