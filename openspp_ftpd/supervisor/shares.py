"""Which worker serves whom, what part is its own, when it is replaced. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from openspp_ftpd.limits import neighbourhood
from openspp_ftpd.settings import Settings

LONGEST_REST: Final = 30.0
"""Seconds before a worker that dies again and again is replaced, at most."""

GOOD_LIFE: Final = 60.0
"""Seconds after which a worker's end is an accident of its own, and no fault that comes again."""


def worker_of(client: str, workers: int) -> int:
    """The number of the worker that serves this client: always the same one, so that a scanner's
    sessions, its ledger, its passive ports and its failed logins are in one process."""
    digest = hashlib.blake2b(neighbourhood(client).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % workers


def share(total: int, workers: int, number: int) -> int:
    """A worker's part of `total`: the same for all, the remainder to the first."""
    return total // workers + (number < total % workers)


def ports_of(settings: Settings, number: int) -> Sequence[int]:
    """The passive ports that sessions of a worker may tell.

    All of them, since a data connection finds its worker by the client's address. With data_from =
    any it comes from anywhere and must be found by the port, so that each has ports of its own.
    """
    ports = settings.ftp.passive_ports
    return ports if settings.ftp.data_from == "session" else ports[number :: settings.ftp.workers]


def worker_of_port(settings: Settings, port: int) -> int:
    """The number of the worker that has this passive port, where `ports_of` divides them."""
    return settings.ftp.passive_ports.index(port) % settings.ftp.workers


class Rest:
    """How long to wait before one worker is replaced; times in monotonic seconds."""

    def __init__(self) -> None:
        self._failures = 0

    def after(self, life: float) -> float:
        """Seconds to wait after a worker ended that lived for `life` seconds.

        None at first; while the next ones die young too, 1, 2, 4 and so on.
        """
        self._failures = 1 if life >= GOOD_LIFE else self._failures + 1
        return 0.0 if self._failures == 1 else min(2.0 ** min(self._failures - 2, 10), LONGEST_REST)
