"""OpenSPP over HTTP: what is asked of it and what comes of it; how, only this package knows.

Here are the names the rest of the daemon uses. `answers` judges what OpenSPP said, `exchange` knows
how much of a scan OpenSPP can have, `body` makes the request while it is sent, `transport` and
`client` speak HTTP, `faults` puts into words what kept an answer away, and `scanner` is the
interface of OpenSPP 15.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from openspp_ftpd.openspp.answers import Credentials, Denied, NotStored, Outcome, Stored, Unsettled
from openspp_ftpd.openspp.exchange import Abandoned, Exchange

__all__ = [
    "Abandoned",
    "Api",
    "Content",
    "Credentials",
    "Denied",
    "Exchange",
    "NotStored",
    "Outcome",
    "Stored",
    "Unsettled",
]


class Content(Protocol):
    """The bytes of a scan, readable from any thread and as often as needed."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> str:
        """Of the whole content, in hexadecimal."""

    def pieces(self, length: int) -> Iterator[bytes]:
        """All bytes from the first on, in pieces of `length` bytes, the last one maybe shorter."""


class Api(Protocol):
    """An OpenSPP. Both methods block, belong in a worker thread, never raise, and try once."""

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        """May this user send scans? None: yes."""

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Hand over one scan under `name`, already cleaned."""
