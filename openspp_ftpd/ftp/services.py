"""What every session is given: the settings in force when it began, and what all sessions share."""

from __future__ import annotations

from dataclasses import dataclass

from openspp_ftpd.delivery import Delivery
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp.passive import PassivePorts
from openspp_ftpd.ftp.public_address import PublicAddresses
from openspp_ftpd.limits import Counts
from openspp_ftpd.settings import Settings
from openspp_ftpd.spool import Spool
from openspp_ftpd.tls import Contexts


@dataclass(frozen=True, slots=True)
class Services:
    """A reload makes a new value for new sessions; those under way keep theirs."""

    settings: Settings
    tls: Contexts | None  # None: TLS is off
    delivery: Delivery
    spool: Spool
    limits: Counts
    passive: PassivePorts
    public_addresses: PublicAddresses
    journal: Journal
    buffer: memoryview  # for reading data connections; one loop, one buffer
