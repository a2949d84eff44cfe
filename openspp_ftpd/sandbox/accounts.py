"""Who may use the embedded OpenSPP 17 and OpenSPP 2: users, their rights, passwords and API keys.

WIRE17.md sections 2 and 7.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from openspp_ftpd.sandbox.users import User

NO_RIGHTS: Final = ""
READS: Final = "read"
STORES: Final = "store"
ALL: Final = "all"

KEY_LASTS: Final = timedelta(days=90)
"""The longest that OpenSPP 2 lets an ordinary user's key last (WIRE17.md section 7)."""

_GATEWAY_SCOPES: Final = ("", "rpc")
_EXPIRED: Final = datetime(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key; scope: "" for any, "rpc", "browser"; expires: when, None for never."""

    number: int
    name: str
    secret: str = field(repr=False)
    scope: str = ""
    expires: datetime | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A user; rights: those in the document store; two_factor: no password works by the API."""

    uid: int
    login: str
    name: str
    rights: str
    password: str = field(default="", repr=False)
    keys: tuple[Key, ...] = ()
    active: bool = True
    two_factor: bool = False


class Accounts:
    """All users of one OpenSPP, by their id; safe to use from several threads."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        """accounts: each uid once."""
        self._accounts = {account.uid: account for account in accounts}
        self._remembered: set[tuple[int, str]] = set()
        self._lock = threading.Lock()

    def all(self) -> Sequence[Account]:
        """Return every account, archived ones too."""
        with self._lock:
            return tuple(self._accounts.values())

    def get(self, uid: int) -> Account | None:
        """Return an account by its id."""
        with self._lock:
            return self._accounts.get(uid)

    def authenticate(self, login: object, secret: object, now: datetime) -> Account | None:
        """Return the user whose password or API key that is, as common.authenticate does.

        login: what the request holds; a list means any of its members (WIRE17.md section 7).
        """
        for candidate in login if isinstance(login, list) else [login]:
            for account in self.all():
                if account.active and account.login == candidate and _opens(account, secret, now):
                    return account
        return None

    def may_execute(self, account: Account, secret: object, now: datetime) -> bool:
        """Return whether execute_kw takes that secret for the user.

        One that was taken once is remembered and taken on, also when its key has been removed
        (WIRE17.md section 7).
        """
        if not isinstance(secret, str) or not account.active:
            return False
        with self._lock:
            if (account.uid, secret) in self._remembered:
                return True
        if not _opens(account, secret, now):
            return False
        with self._lock:
            self._remembered.add((account.uid, secret))
        return True

    def of_bearer(self, secret: str, now: datetime) -> Account | None:
        """Return the user whose API key that is: it alone decides (WIRE17.md section 1)."""
        for account in self.all():
            if account.active and _has_key(account, secret, now):
                return account
        return None

    def change_key(self, login: str, *, removed: bool, expires: datetime | None) -> bool:
        """Remove a user's first key, or bring it back, or let it expire. Returns whether he is."""
        with self._lock:
            for uid, account in self._accounts.items():
                if account.login == login and account.keys:
                    first, *others = account.keys
                    changed = replace(first, removed=removed, expires=expires or first.expires)
                    self._accounts[uid] = replace(account, keys=(changed, *others))
                    return True
        return False


def _opens(account: Account, secret: object, now: datetime) -> bool:
    if not isinstance(secret, str) or not secret:
        return False
    if account.password and not account.two_factor and _same(account.password, secret):
        return True
    return _has_key(account, secret, now)


def _has_key(account: Account, secret: str, now: datetime) -> bool:
    return any(
        key.scope in _GATEWAY_SCOPES
        and not key.removed
        and (key.expires is None or now < key.expires)
        and _same(key.secret, secret)
        for key in account.keys
    )


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )


_ZANA: Final = "زانا.کوردی@example.org"


def recorded(version: int, now: datetime) -> list[Account]:
    """Return the users of the recording. The API key of each is the scanner password, scan-NAME.

    version: 17 or 19; now: from when on the keys of 19 last.
    """
    last = now + KEY_LASTS if version >= 19 else None
    if version < 19:
        people = [
            (6, "alice", "Alice", ALL),
            (7, "bob", "Bob", NO_RIGHTS),
            (8, "carol", "Carol", READS),
            (9, "dave", "Dave", ALL),
            (10, "erin", "Erin", ALL),
            (11, _ZANA, "Zana", ALL),
            (12, "frank", "Frank", ALL),
            (13, "petra", "Petra", NO_RIGHTS),
        ]
        more: tuple[Key, ...] = (
            Key(9, "other scope", "scan-alice-browser", "browser"),
            Key(10, "rpc scope", "scan-alice-rpc", "rpc"),
        )
    else:
        people = [
            (5, "alice", "Alice", STORES),
            (6, "bob", "Bob", NO_RIGHTS),
            (7, "carol", "Carol", READS),
            (8, "dave", "Dave", STORES),
            (9, "erin", "Erin", STORES),
        ]
        more = (
            Key(7, "noscope", "scan-alice-noscope", "", last),
            Key(8, "other", "scan-alice-browser", "browser", last),
            Key(9, "expired", "scan-alice-expired", "rpc", _EXPIRED),
        )
    scope = "" if version < 19 else "rpc"
    found: list[Account] = []
    for index, (uid, login, name, rights) in enumerate(people):
        secret = "scan-zana" if login == _ZANA else f"scan-{login}"
        keys: tuple[Key, ...] = (Key(1 + index, "scanner", secret, scope, last),)
        password = "پاسسوۆرد-é-🔑" if login == _ZANA else f"pw-{login}-123"
        account = Account(uid, login, name, rights, password, keys)
        if login == "alice":
            account = replace(account, keys=keys + more)
        found.append(replace(account, active=login != "erin", two_factor=login == "dave"))
    return found


def named(users: Sequence[User], version: int, now: datetime, first_uid: int) -> list[Account]:
    """Return accounts of users who may store; their scanner password is their API key."""
    last = now + KEY_LASTS if version >= 19 else None
    rights = ALL if version < 19 else STORES
    scope = "" if version < 19 else "rpc"
    return [
        Account(
            first_uid + index,
            user.login,
            user.login,
            rights,
            keys=(Key(100 + index, "scanner", user.password, scope, last),),
        )
        for index, user in enumerate(users)
    ]
