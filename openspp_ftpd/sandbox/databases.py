"""The databases of one embedded OpenSPP 17 or OpenSPP 2, and which of them a request is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openspp_ftpd.sandbox import accounts, dms, records
from openspp_ftpd.sandbox.accounts import Account, Accounts
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.models import Models
from openspp_ftpd.sandbox.users import User

VERSIONS: Final[Mapping[str, int]] = {"odoo17": 17, "odoo19": 19}
"""The interfaces by their name on the command line."""

_RELEASES: Final = {17: "17.0-20240709", 19: "19.0"}
_SCANS: Final = "Scans"
_RECORDED_DIRECTORIES: Final[Mapping[int, tuple[tuple[int, str, int, bool], ...]]] = {
    17: (
        (1, _SCANS, 0, True),
        (2, "alice", 1, True),
        (3, "bob", 1, True),
        (4, "Archive", 0, True),
        (5, "alice", 4, True),
        (6, "Scans / alice", 0, True),
    ),
    19: ((1, _SCANS, 0, True), (2, "alice", 1, True), (3, "old", 1, False)),
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What an administrator has set.

    names: the databases, none: one of the recorded name; listed: db.list tells them; filter: a
    regular expression, as dbfilter; change_requests: as with the module spp_change_request.
    """

    names: Sequence[str] = ()
    listed: bool = True
    filter: str = ""
    change_requests: bool = False


class Databases:
    """All databases of one OpenSPP. Each has the same users, and a document store of its own."""

    def __init__(
        self,
        version: int,
        setup: Setup,
        users: Sequence[User],
        documents: Documents,
        pause: Callable[[float], None],
        *,
        recorded: bool,
    ) -> None:
        """version: 17 or 19; users: each with a directory "Scans / NAME" and his password as key.

        pause: waits for that many seconds; recorded: the recorded users and directories are there.
        """
        self.version = version
        self.setup = setup
        names = setup.names or (f"spp{version}",)
        now = records.now()
        people: list[Account] = accounts.recorded(version, now) if recorded else []
        replaced = {user.login for user in users}
        people = [one for one in people if one.login not in replaced]
        first_uid = max((one.uid for one in people), default=4) + 1
        people += accounts.named(users, version, now, first_uid)
        self.accounts = Accounts(people)
        directories = list(_RECORDED_DIRECTORIES[version] if recorded else ((1, _SCANS, 0, True),))
        there = {name for _, name, parent, _ in directories if parent == 1}
        for user in users:
            if user.login not in there:
                directories.append((len(directories) + 1, user.login, 1, True))
        self.by_name: Mapping[str, Models] = {
            name: Models(
                dms.Store(version, name, self.accounts, documents, directories),
                pause,
                with_change_requests=setup.change_requests,
            )
            for name in names
        }

    def told(self) -> dict[str, object]:
        """Return what common.version answers (WIRE17.md section 3)."""
        return {
            "server_version": _RELEASES[self.version],
            "server_version_info": [self.version, 0, 0, "final", 0, ""],
            "server_serie": f"{self.version}.0",
            "protocol_version": 1,
        }

    def selected(self, wanted: str) -> Models | None:
        """Return the database of X-Odoo-Database, or the only one there is; None: neither."""
        if wanted:
            return self.by_name.get(wanted)
        left = [name for name in self.by_name if re.match(self.setup.filter, name)]
        return self.by_name[left[0]] if len(left) == 1 else None
