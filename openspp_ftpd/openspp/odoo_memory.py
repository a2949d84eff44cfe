"""What is remembered of an Odoo, so that a scan costs one call: users, directories, names.

Pure but for a lock: the clock is an argument, and everything is bounded and forgotten after a
while. A key is never kept, only a keyed hash of it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from openspp_ftpd.openspp.answers import Credentials

IDENTIFY_AFTER: Final = 600.0
"""Seconds after which the key is checked anew: from its cache Odoo takes a removed one for as long
as it runs (WIRE17.md section 7). A directory is looked up again with it."""

NAMES_FOR: Final = 60.0
"""Seconds for which the names of a directory are taken to be those that were found there."""

MOST_USERS: Final = 4096
MOST_DIRECTORIES: Final = 256
MOST_DOCUMENTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user's scans go: his id, whose key was right at `since`, and that of his directory,
    which was there at `seen` (None: not looked up yet)."""

    uid: int
    since: float
    directory: int | None = None
    seen: float = 0.0


class Places:
    """Those of users that were identified lately. Safe in every thread; `now` is monotonic."""

    def __init__(self, key: bytes) -> None:
        """key: up to 64 random bytes that no other process has."""
        self._key = key
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Place] = OrderedDict()

    def get(self, credentials: Credentials, now: float) -> Place | None:
        """Who these credentials are, if it was asked lately."""
        seal = self._seal(credentials)
        with self._lock:
            found = self._known.get(seal)
            if found is None or now - found.since >= IDENTIFY_AFTER:
                return None
            if now - found.seen >= IDENTIFY_AFTER:
                return replace(found, directory=None)
            return found

    def put(self, credentials: Credentials, place: Place) -> None:
        """Remember it; the oldest goes when there are too many."""
        with self._lock:
            seal = self._seal(credentials)
            self._known[seal] = place
            self._known.move_to_end(seal)
            if len(self._known) > MOST_USERS:
                self._known.popitem(last=False)

    def forget(self, credentials: Credentials) -> None:
        """Odoo does not know this user or key any more."""
        with self._lock:
            self._known.pop(self._seal(credentials), None)

    def _seal(self, credentials: Credentials) -> bytes:
        digest = hashlib.blake2b(key=self._key)
        for text in (credentials.user, credentials.password):
            raw = text.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.digest()


class _Names:
    """What is known of one directory."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.claimed: set[str] = set()  # by uploads under way
        self.until = 0.0
        self.complete = False


class Names:
    """The names in each directory, which Odoo does not guard: it stores any name twice.

    A name is claimed before a scan is stored under it, so that no two uploads take the same one.
    Safe in every thread; `now` is monotonic seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directories: OrderedDict[int, _Names] = OrderedDict()

    def must_be_listed(self, directory: int, now: float) -> bool:
        """Whether it is time to look which names there are."""
        with self._lock:
            return now >= self._of(directory).until

    def listed(self, directory: int, names: Iterable[str], complete: bool, now: float) -> None:
        """These names are there, and if `complete` no others."""
        with self._lock:
            found = self._of(directory)
            found.taken, found.complete, found.until = set(names), complete, now + NAMES_FOR

    def forget(self, directory: int) -> None:
        """Something that was thought to be there is not: look again."""
        with self._lock:
            self._of(directory).until = 0.0

    def too_many(self, directory: int) -> bool:
        """Whether the list is too long to tell that nothing has a name."""
        with self._lock:
            return not self._of(directory).complete

    def claim(self, directory: int, name: str) -> bool:
        """Take `name` for an upload. False: it is taken."""
        with self._lock:
            found = self._of(directory)
            if name in found.taken or name in found.claimed:
                return False
            found.claimed.add(name)
            return True

    def release(self, directory: int, name: str, *, stored: bool) -> None:
        """The upload under a claimed name is over; `stored` where its document is or may be."""
        with self._lock:
            found = self._of(directory)
            found.claimed.discard(name)
            if stored:
                found.taken.add(name)

    def _of(self, directory: int) -> _Names:
        found = self._directories.setdefault(directory, _Names())
        self._directories.move_to_end(directory)
        if len(self._directories) > MOST_DIRECTORIES:
            idle = next((key for key, each in self._directories.items() if not each.claimed), None)
            if idle is not None and idle != directory:
                del self._directories[idle]
        return found


class Documents:
    """The ids of what this process stored: the same bytes, sent again, are another document."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: OrderedDict[int, None] = OrderedDict()

    def add(self, document: int) -> None:
        """Stored; the oldest goes when there are too many."""
        with self._lock:
            self._ids[document] = None
            if len(self._ids) > MOST_DOCUMENTS:
                self._ids.popitem(last=False)

    def __contains__(self, document: int) -> bool:
        with self._lock:
            return document in self._ids
