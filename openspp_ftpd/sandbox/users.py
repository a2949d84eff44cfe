"""Who may use the embedded OpenSPP: the users of the recording, and those of the command line."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class User:
    """An OpenSPP user as far as the scanner interface looks at him.

    scanner: he is in the Scanner group; directory: he has an active directory; documents_group: he
    is in Documents/User; enters_directory: an access group lets him into his directory;
    store_delay: seconds that each of his uploads takes longer.
    """

    login: str
    password: str = field(repr=False)
    active: bool = True
    scanner: bool = True
    directory: bool = True
    documents_group: bool = True
    enters_directory: bool = True
    store_delay: float = 0.0


RECORDED: Final = (
    User("alice", "scan-alice"),
    User("bob", "scan-bob", directory=False),
    User("carol", "scan-carol", scanner=False),
    User("dave", "scan-dave", documents_group=False),
    User("erin", "scan-erin", enters_directory=False),
    User("frank", "scan-frank"),
    # Her directory holds 20 000 files, and the duplicate check loads all their names.
    User("gina", "scan-gina", store_delay=0.8),
    User("dbuser", "scan-dbuser"),
    User("inactive", "scan-inactive", active=False),
    User("زانا.کوردی@example.org", "پاسسوۆرد-é-🔑"),
)
"""The users of the recording (WIRE.md sections 1, 2 and 6)."""


class Users:
    """All users by login."""

    def __init__(self, users: Iterable[User]) -> None:
        """users: a later one replaces an earlier one of the same login."""
        self._by_login = {user.login: user for user in users}

    def find(self, login: object, password: object) -> User | None:
        """Return the active user whose login and scanner password these are, else None.

        login: what the request holds; a list means any of its members, since Odoo puts the value
        straight into a search (WIRE.md section 1).
        """
        if not isinstance(password, str):
            return None
        candidates = login if isinstance(login, list) else [login]
        for candidate in candidates:
            user = self._by_login.get(candidate) if isinstance(candidate, str) else None
            if user is not None and user.active and _same(user.password, password):
                return user
        return None


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
