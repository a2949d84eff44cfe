"""The ledger: what became of scans whose sender may not know it, so that a re-send is settled.

Pure: the clock is an argument, everything is in memory, bounded, and forgotten after ten minutes.
A scan is known by its user, its requested name, its size and its SHA-256, all four. What is kept:

- *stored*: OpenSPP has the scan, but the reply that said so has not demonstrably arrived. A re-send
  is answered from here. The entry then belongs to that answer, and goes when the answer arrives.
- *doubtful*: OpenSPP got the whole scan and gave no verdict. A re-send is stored under a name that
  is ours alone, for only there "same name" proves that an earlier attempt of these bytes arrived.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from openspp_ftpd import names

KEEP_FOR: Final = 600.0
"""Seconds until an entry is forgotten."""

MOST_ENTRIES: Final = 4096
"""Entries of each kind; beyond that the oldest is forgotten."""

OWN_NAMES: Final = 4
"""Names that are ours alone, given to each delivery that needs one."""

_MOST_ATTEMPTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two scans the same one."""

    user: str
    name: str  # as requested by the scanner and cleaned, not as stored
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NamePlan:
    """The names to store a scan under, tried in order while OpenSPP says that one is taken.

    Under a name in `proofs` "same name" means that an earlier attempt of these very bytes arrived.
    `requested` tells whether the first one is the name the scanner asked for.
    """

    names: tuple[str, ...]
    proofs: frozenset[str]
    requested: bool


@dataclass(frozen=True, slots=True)
class _StoredEntry:
    name: str
    owner: Hashable
    since: float


@dataclass(frozen=True, slots=True)
class _DoubtfulEntry:
    tried: tuple[str, ...]  # names under which an attempt has no verdict
    own: frozenset[str]  # those of them that are ours alone
    since: float


_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Ledger:
    """The entries. `now` is monotonic seconds; an owner stands for one reply to a scanner."""

    def __init__(self, keep_for: float = KEEP_FOR, most: int = MOST_ENTRIES) -> None:
        self._keep_for = keep_for
        self._most = most
        self._stored: dict[Key, _StoredEntry] = {}
        self._doubtful: dict[Key, _DoubtfulEntry] = {}
        self._given: dict[tuple[str, str], float] = {}  # (user, name of ours) -> when

    def stored_as(self, key: Key, now: float) -> str | None:
        """The name under which OpenSPP has this scan, if its sender may not know."""
        self._forget_old(now)
        entry = self._stored.get(key)
        return entry.name if entry else None

    def doubts(self, key: Key, now: float) -> tuple[str, ...]:
        """The names under which this scan may or may not be in OpenSPP."""
        self._forget_old(now)
        entry = self._doubtful.get(key)
        return entry.tried if entry else ()

    def in_doubt_since(self, key: Key) -> float | None:
        """When the last attempt for which there are `doubts` got into doubt; None: none is."""
        entry = self._doubtful.get(key)
        return entry.since if entry else None

    def plan(self, key: Key, received: datetime, now: float, duplicates: bool = True) -> NamePlan:
        """Under which names to store this scan, received at `received` (the scanner's local time).

        The requested name comes first, unless an attempt of this user under that name has no
        verdict (something may yet appear there) or this scan itself is in doubt. Without
        `duplicates` a requested name that is taken is not evaded.
        """
        self._forget_old(now)
        entry = self._doubtful.get(key)
        if entry is None and not self._may_appear(key.user, key.name):
            others = self._own_names(key, received, now) if duplicates else ()
            return NamePlan((key.name, *others), frozenset(), requested=True)
        own = entry.own if entry else frozenset()
        earlier = tuple(name for name in reversed(entry.tried) if name in own) if entry else ()
        fresh = self._own_names(key, received, now)
        return NamePlan((*earlier[:1], *fresh), own, requested=False)

    def give_back(self, user: str, unused: Iterable[str]) -> None:
        """Names of ours that a plan held and nothing was ever sent under."""
        for name in unused:
            self._given.pop((user, name), None)

    def is_stored(self, key: Key, name: str, owner: Hashable, now: float) -> None:
        """OpenSPP has the scan under `name`; the reply to tell it is `owner`."""
        self._doubtful.pop(key, None)
        self._put(self._stored, key, _StoredEntry(name, owner, now))

    def belongs_to(self, key: Key, owner: Hashable) -> None:
        """A re-send was answered from the entry; from now on it waits for the reply `owner`."""
        if entry := self._stored.get(key):
            self._stored[key] = _StoredEntry(entry.name, owner, entry.since)

    def arrived(self, key: Key, owner: Hashable) -> None:
        """The reply `owner` arrived: the same bytes sent again are another document."""
        entry = self._stored.get(key)
        if entry is not None and entry.owner == owner:
            del self._stored[key]

    def is_doubtful(self, key: Key, name: str, own: bool, now: float) -> None:
        """An attempt under `name` has no verdict. `own` tells whether the name is ours alone."""
        entry = self._doubtful.get(key)
        tried = tuple(each for each in entry.tried if each != name) if entry else ()
        owned = (entry.own if entry else frozenset()) | ({name} if own else frozenset())
        self._put(self._doubtful, key, _DoubtfulEntry((*tried, name), frozenset(owned), now))

    def is_not_stored(self, key: Key, name: str) -> None:
        """The attempt under `name`, doubtful until now, certainly stored nothing."""
        entry = self._doubtful.get(key)
        if entry is None:
            return
        tried = tuple(each for each in entry.tried if each != name)
        if tried:
            self._doubtful[key] = _DoubtfulEntry(tried, entry.own - {name}, entry.since)
        else:
            del self._doubtful[key]

    def _may_appear(self, user: str, name: str) -> bool:
        return any(
            key.user == user and name in entry.tried for key, entry in self._doubtful.items()
        )

    def _own_names(self, key: Key, received: datetime, now: float) -> tuple[str, ...]:
        """Names that no other delivery of this process has, or has ever used.

        The same bytes sent twice in one second would otherwise get the same name, and "same name"
        would prove the arrival of the other one.
        """
        fresh: list[str] = []
        for attempt in range(_MOST_ATTEMPTS):
            name = names.ours_alone(key.name, received, key.sha256, attempt)
            if (key.user, name) not in self._given:
                self._given[(key.user, name)] = now
                fresh.append(name)
                if len(fresh) == OWN_NAMES:
                    break
        _trim(self._given, OWN_NAMES * self._most)
        return tuple(fresh)

    def _put(self, entries: dict[Key, _Value], key: Key, entry: _Value) -> None:
        entries.pop(key, None)  # so that the newest stands last
        entries[key] = entry
        _trim(entries, self._most)

    def _forget_old(self, now: float) -> None:
        oldest = now - self._keep_for
        while self._stored and (first := next(iter(self._stored.items())))[1].since <= oldest:
            del self._stored[first[0]]
        while self._doubtful and (each := next(iter(self._doubtful.items())))[1].since <= oldest:
            del self._doubtful[each[0]]
        while self._given and (given := next(iter(self._given.items())))[1] <= oldest:
            del self._given[given[0]]


def _trim(entries: dict[_Key, _Value], most: int) -> None:
    while len(entries) > most:
        del entries[next(iter(entries))]
