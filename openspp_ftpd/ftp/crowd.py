"""Sessions that have not logged in: they take at most half of the places, so that a client that
connects again and again, and says nothing, leaves room for scanners. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final, Protocol, TypeVar

from openspp_ftpd.limits import neighbourhood
from openspp_ftpd.settings import LimitSettings

SEVERAL: Final = 4
"""Sessions of one address that are about to log in, fewer of which are no crowd."""


class Stranger(Protocol):
    """A session, as it is seen here."""

    @property
    def remote_ip(self) -> str: ...

    @property
    def authenticated(self) -> bool: ...

    @property
    def began(self) -> float: ...


Session = TypeVar("Session", bound=Stranger)


def one_too_many(sessions: Collection[Session], settings: LimitSettings) -> Session | None:
    """Who must leave; None where there is room.

    It is the oldest session without a login of the address that has most of them: a scanner logs in
    at once, and is seldom one of many at its address that do so.
    """
    strangers = [session for session in sessions if not session.authenticated]
    if len(strangers) * 2 <= settings.sessions:
        return None
    clients = [neighbourhood(each.remote_ip, settings.trusted_networks) for each in strangers]
    counts = Counter(client for client in clients if client)  # trusted ones are let be
    worst, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    if most < SEVERAL:
        return None
    of_worst = [each for each, client in zip(strangers, clients, strict=True) if client == worst]
    return min(of_worst, key=lambda session: session.began)
