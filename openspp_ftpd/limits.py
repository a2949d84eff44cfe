"""Who may connect: sessions at once, failed logins, bans.

Here belongs the counting, and nothing else: addresses and the time come in, replies and waits go
out. A whole office can sit behind one address and share one user, so an address is banned only for
failed logins under several names with no good one between, and a user is only slowed, never locked.
"""

from __future__ import annotations

import functools
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, Protocol, TypeVar

from openspp_ftpd.errors import Reply
from openspp_ftpd.settings import LimitSettings, Network

SEVERAL_NAMES: Final = 3
"""Failed logins under fewer names than this ban no address: they are devices set up wrongly."""

SEVERAL_GUESSES: Final = 3
"""Passwords for one name from one address, fewer of which are old ones or slips of the hand."""

FIRST_WAIT: Final = 3.0
LONGEST_WAIT: Final = 30.0
"""Seconds before a 530: the first time, doubled by each further failure, and at most."""

MOST_ENTRIES: Final = 10_000
"""What each table remembers at most; who cycles through addresses or names displaces the oldest."""

_LONGEST_USER: Final = 64

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Slowed(NamedTuple):
    """A user's failed logins from one address."""

    failures: int
    since: float  # the last of them
    guesses: frozenset[int]  # what stands for the passwords, at most SEVERAL_GUESSES


class Counts(Protocol):
    """What sessions tell of themselves; the wait is for the one who failed.

    In a daemon of one process `Limits` itself hears it, else who passes it on to the supervisor's.
    """

    def close_session(self, address: str) -> None:
        """A session from `address` that was counted in is over."""

    def login_wait(self, address: str, user: str, now: float) -> float:
        """The seconds to wait before OpenSPP is asked for `user` from `address` (again)."""

    def login_failed(self, address: str, user: str, now: float, guess: int = 0) -> float:
        """OpenSPP refused `user`'s password, for which `guess` stands; the seconds to wait before
        the 530."""

    def login_succeeded(self, address: str, user: str, now: float) -> None:
        """`user` logged in."""


class Limits:
    """The counts of the whole daemon.

    `settings` may be replaced at any time; counts and bans stay. Times are monotonic seconds.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self._sessions: Counter[str] = Counter()
        # Each table is in the order of last use, so that what is out of date stands first.
        self._suspected: OrderedDict[str, dict[str, deque[float]]] = OrderedDict()
        self._slowed: OrderedDict[tuple[str, str], _Slowed] = OrderedDict()
        self._banned: OrderedDict[str, float] = OrderedDict()

    @property
    def sessions(self) -> int:
        """Sessions that are open."""
        return self._sessions.total()

    def open_session(self, address: str, now: float) -> Reply | None:
        """Count a session from `address` in; or return the 421 that it gets, uncounted."""
        client = parsed(address)
        if not self._trusted(client):
            banned_since = self._banned.get(_neighbourhood(client))
            if banned_since is not None and now < banned_since + self.settings.ban_time:
                minutes = math.ceil((banned_since + self.settings.ban_time - now) / 60)
                wait = "in a minute" if minutes == 1 else f"in {minutes} minutes"
                return Reply(421, f"Too many failed logins from here. Try again {wait}.")
            most = self.settings.sessions_per_address
            if most and self._sessions[str(client)] >= most:
                return Reply(421, "Too many connections from this address. Try again in a minute.")
        if self.sessions >= self.settings.sessions:
            return Reply(421, "Too many scanners connected at once. Try again in a minute.")
        self._sessions[str(client)] += 1
        return None

    def close_session(self, address: str) -> None:
        """Count a session out that was counted in. Raises KeyError where there is none."""
        client = str(parsed(address))
        if client not in self._sessions:
            raise KeyError(f"no session from {client} is open")
        self._sessions[client] -= 1
        if not self._sessions[client]:
            del self._sessions[client]

    def login_wait(self, address: str, user: str, now: float) -> float:
        """The seconds to wait before OpenSPP may be asked for `user` from `address` (again).

        Who guesses would else hang up before his 530 and come back. A device that was set up
        wrongly repeats the same password, and slows nobody who has the right one.
        """
        slowed = self._slowed.get((_neighbourhood(parsed(address)), _same_name(user)))
        if slowed is None or len(slowed.guesses) < SEVERAL_GUESSES:
            return 0.0
        return max(0.0, slowed.since + _wait(slowed.failures) - now)

    def login_failed(self, address: str, user: str, now: float, guess: int = 0) -> float:
        """Remember that OpenSPP refused `user`'s password; the seconds to wait before the 530.

        The wait counts this user's failures from this address. Bans the address where it has tried
        several names. `guess` stands for the password: the same for the same one, and telling
        nothing of it.
        """
        self._forget(now)
        client = parsed(address)
        name = _same_name(user)
        if not self._trusted(client):
            self._suspect(_neighbourhood(client), name, now)
        key = (_neighbourhood(client), name)
        before = self._slowed.get(key, _Slowed(0, now, frozenset()))
        failures, guesses = before.failures + 1, before.guesses
        if len(guesses) < SEVERAL_GUESSES:
            guesses |= {guess}
        _put_last(self._slowed, key, _Slowed(failures, now, guesses))
        return _wait(failures)

    def login_succeeded(self, address: str, user: str, now: float) -> None:
        """Remember that `user` logged in: the address is above suspicion, the user not slowed."""
        self._forget(now)
        client = _neighbourhood(parsed(address))
        self._suspected.pop(client, None)
        self._banned.pop(client, None)
        self._slowed.pop((client, _same_name(user)), None)

    def _suspect(self, client: str, user: str, now: float) -> None:
        most = self.settings.failed_logins
        failures = self._suspected.get(client, {})
        failures.setdefault(user, deque(maxlen=most)).append(now)
        start = now - self.settings.ban_time
        for name in list(failures):
            while failures[name] and failures[name][0] <= start:
                failures[name].popleft()
            if not failures[name]:
                del failures[name]
        if len(failures) >= SEVERAL_NAMES and sum(map(len, failures.values())) >= most:
            _put_last(self._banned, client, now)
            self._suspected.pop(client, None)
        else:
            _put_last(self._suspected, client, failures)

    def _trusted(self, client: _Client) -> bool:
        return _among(client, self.settings.trusted_networks)

    def _forget(self, now: float) -> None:
        """Drop what is older than `ban_time`: user names are not kept longer than needed."""
        start = now - self.settings.ban_time
        _drop_first(self._banned, lambda since: since <= start)
        _drop_first(self._slowed, lambda slowed: slowed.since <= start)
        _drop_first(
            self._suspected, lambda failures: all(times[-1] <= start for times in failures.values())
        )


def neighbourhood(address: str, trusted: Iterable[Network] = ()) -> str:
    """What counts as one client: the address, for IPv6 its network of /64; "" for one of `trusted`,
    which are not counted."""
    client = parsed(address)
    return "" if _among(client, trusted) else _neighbourhood(client)


_Client = IPv4Address | IPv6Address | str


@functools.lru_cache(maxsize=256)  # asked several times for each connection
def parsed(address: str) -> _Client:
    """The address; an IPv4 one also where it came through an IPv6 socket."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def _wait(failures: int) -> float:
    return min(FIRST_WAIT * 2.0 ** min(failures - 1, 10), LONGEST_WAIT)


def _among(client: _Client, networks: Iterable[Network]) -> bool:
    return not isinstance(client, str) and any(client in network for network in networks)


def _neighbourhood(client: _Client) -> str:
    """What one attacker can choose addresses from: for IPv6 the network of /64."""
    if isinstance(client, IPv6Address):
        return str(IPv6Network((int(client), 64), strict=False))
    return str(client)


def _same_name(user: str) -> str:
    """One spelling for what a person at a keypad means by one name, and no longer than needed."""
    return user[:_LONGEST_USER].casefold()


def _put_last(table: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST_ENTRIES:
        table.popitem(last=False)


def _drop_first(table: OrderedDict[_Key, _Value], outdated: Callable[[_Value], bool]) -> None:
    while table and outdated(next(iter(table.values()))):
        table.popitem(last=False)
