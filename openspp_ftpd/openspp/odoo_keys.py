"""When API keys expire: from Odoo 18 on most do, and a scanner then fails from one day to the next.

Pure. Odoo tells a user about his own keys, but not which of them he is using (WIRE17.md section 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from openspp_ftpd.openspp.odoo_answers import moment
from openspp_ftpd.openspp.odoo_calls import Call, search

EXPIRING_FROM: Final = 18
"""The first version of Odoo whose keys expire."""

WARN_BEFORE: Final = timedelta(days=7)

_MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class Expiry:
    """A user's key that will expire next. `certain`: it is his only one."""

    user: str
    at: datetime
    certain: bool

    def soon(self, now: datetime) -> bool:
        """Whether it is time to warn."""
        return self.at - now <= WARN_BEFORE

    def sentence(self) -> str:
        """What the administrator is told."""
        which = "The API key" if self.certain else "One of the API keys"
        condition = "" if self.certain else ", if it is that one"
        return (
            f"{which} of {self.user} in OpenSPP expires on {self.at:%Y-%m-%d at %H:%M} UTC; after"
            f" that the scanner cannot log in{condition}. Make a new one in OpenSPP (My Profile,"
            " Account Security) and enter it in the scanner as its password."
        )


def question() -> Call:
    """What to ask; a user sees his own keys only."""
    return search("res.users.apikeys", [], ["scope", "expiration_date"], _MOST_KEYS)


def next_expiry(user: str, rows: object, now: datetime) -> Expiry | None:
    """Which of the user's valid keys expires first; None: none does."""
    dates: list[datetime | None] = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("scope") in (False, None, "rpc"):
            dates.append(moment(row.get("expiration_date")))
    valid = [date for date in dates if date is None or date > now]
    expiring = [date for date in valid if date is not None]
    return Expiry(user, min(expiring), certain=len(valid) == 1) if expiring else None
