"""What goes into a delivery and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from openspp_ftpd.errors import Failure
from openspp_ftpd.ledger import Key, Ledger
from openspp_ftpd.openspp import Content, Credentials


class ScanContent(Content, Protocol):
    """The content of a scan, which can be discarded even while a thread reads it."""

    def discard(self) -> None:
        """Free its memory. Harmless a second time."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that was received whole."""

    credentials: Credentials
    name: str  # final and cleaned
    content: ScanContent = field(repr=False)
    received: datetime  # local time, for names of ours

    @property
    def key(self) -> Key:
        """What makes it the same scan as another one."""
        content = self.content
        return Key(self.credentials.user, self.name, content.size, content.sha256)


class Receipt:
    """The reply to one scanner that OpenSPP has its scan."""

    def __init__(self, ledger: Ledger, key: Key) -> None:
        self._ledger = ledger
        self._key = key

    def arrived(self) -> None:
        """The reply demonstrably arrived: the session spoke again or closed in order.

        Until then the same scan, sent again, is taken for a repetition and not stored anew.
        """
        self._ledger.arrived(self._key, self)


@dataclass(frozen=True, slots=True)
class Delivered:
    """OpenSPP has the scan.

    `again`: another sending of the same scan stored it, this one nothing. `proven`: OpenSPP
    had it from an earlier attempt: it has a name that only that can have used, or the very bytes.
    `second_copy`: an earlier attempt without a verdict may have left another copy.
    """

    name: str  # as stored in OpenSPP
    receipt: Receipt = field(repr=False)
    again: bool = False
    proven: bool = False
    second_copy: bool = False
    attempts: int = 0  # requests to OpenSPP
    seconds: float = 0.0  # since the scan was handed over


Outcome = Delivered | Failure
