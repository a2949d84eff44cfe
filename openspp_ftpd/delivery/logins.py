"""Remembered logins: users whose password OpenSPP found right within the last minute.

Pure: the clock is an argument. Devices log in for every page, so a success is remembered for a
short time, as a keyed hash and never as the password; every process makes its own key. Whoever asks
OpenSPP has the memory heed its failures: a 401 or 403 removes the user, and any sign that OpenSPP
is not well empties the memory, so that a scanner hears of it before it scans.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from openspp_ftpd.errors import OPENSPP_NOT_WELL, Failure, Problem

REMEMBER_FOR: Final = 60.0
"""Seconds that a successful login is remembered."""

MOST_REMEMBERED: Final = 4096
"""Users remembered at once; beyond that the oldest is forgotten."""

_TURNED_AWAY: Final = frozenset(
    [Problem.WRONG_PASSWORD, Problem.NOT_A_SCANNER_USER, Problem.MAY_NOT_STORE]
)
_NOT_WELL: Final = OPENSPP_NOT_WELL | {Problem.INTERNAL}


@dataclass(frozen=True, slots=True)
class _Success:
    seal: bytes = field(repr=False)
    at: float


class RememberedLogins:
    """The memory. `now` is always monotonic seconds."""

    def __init__(
        self, key: bytes, remember_for: float = REMEMBER_FOR, most: int = MOST_REMEMBERED
    ) -> None:
        """`key`: up to 64 random bytes that no other process has."""
        self._remember_for = remember_for
        self._most = most
        self._key = key
        self._successes: dict[str, _Success] = {}  # by user, oldest first

    def seal(self, user: str, password: str) -> bytes:
        """What stands for this user with this password in this process; tells neither."""
        digest = hashlib.blake2b(key=self._key)
        for text in (user, password):
            raw = text.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
        return digest.digest()

    def remember(self, user: str, password: str, now: float) -> None:
        """OpenSPP has just let `user` in with `password`."""
        self._successes.pop(user, None)
        self._successes[user] = _Success(self.seal(user, password), now)
        while len(self._successes) > self._most:
            del self._successes[next(iter(self._successes))]

    def known(self, user: str, password: str, now: float) -> bool:
        """Whether OpenSPP let `user` in with this very `password` lately."""
        success = self._successes.get(user)
        if success is None:
            return False
        if now - success.at >= self._remember_for:
            del self._successes[user]
            return False
        return hmac.compare_digest(success.seal, self.seal(user, password))

    def heed(self, user: str, failure: Failure) -> None:
        """A request for `user` failed so: forget what may no longer be true."""
        if failure.problem in _TURNED_AWAY:
            self._successes.pop(user, None)
        elif failure.problem in _NOT_WELL:
            self._successes.clear()
