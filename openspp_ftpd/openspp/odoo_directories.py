"""Which directory of OpenSPP a user's scans go to: by its id, or by a path with his login in it.

Odoo joins a path with " / " and lets two directories have one name (WIRE17.md section 4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp.answers import Credentials
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.openspp.odoo_answers import Refused
from openspp_ftpd.openspp.odoo_calls import DIRECTORY, Call, create_directory, search
from openspp_ftpd.openspp.odoo_server import OdooServer
from openspp_ftpd.settings import OpenSPPSettings

_FIELDS: Final = ["id", "complete_name"]
_JOIN: Final = " / "


class Wanted:
    """The directory that is configured, for one user."""

    def __init__(self, configured: str, credentials: Credentials) -> None:
        """configured: `[openspp] directory`."""
        self._id = int(configured) if configured.isdecimal() else None
        user = credentials.user
        # The login is put in after the path was taken apart: a slash in it leads nowhere else.
        self.parts = tuple(
            part.strip().replace("{user}", user) for part in configured.split("/") if part.strip()
        )

    @property
    def by_path(self) -> bool:
        """Whether it is named by a path, and so can be made."""
        return self._id is None

    def question(self, depth: int = 0) -> Call:
        """What to ask for it, or for the directory `depth` above it."""
        if self._id is not None:
            return search(DIRECTORY, [["id", "=", self._id]], _FIELDS, 2)
        # Not by complete_name: a directory's own name may look like this path.
        domain: list[list[Any]] = []
        above = ""
        for part in reversed(self.parts[: len(self.parts) - depth]):
            domain.append([f"{above}name", "=", part])
            above += "parent_id."
        domain.append([above.removesuffix("."), "=", False])
        return search(DIRECTORY, domain, _FIELDS, 2)

    def found(self, rows: object, depth: int = 0) -> int | None:
        """The id in the answer; None: it is not there. Raises Refused."""
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Refused(Failure(Problem.NOT_OPENSPP, detail="no list of directories"))
        if len(rows) > 1:
            detail = (
                f"OpenSPP has more than one directory {self.shown(depth)}; rename one, or write"
                " the id of the right one as directory in [openspp]"
            )
            raise Refused(Failure(Problem.TWO_DIRECTORIES, detail=detail))
        identity = rows[0].get("id") if rows else None
        return identity if isinstance(identity, int) else None

    def values(self, depth: int, parent: int | None) -> dict[str, Any]:
        """What to make the directory `depth` above it with."""
        name = self.parts[len(self.parts) - 1 - depth]
        if parent is None:
            return {"name": name, "is_root_directory": True}
        return {"name": name, "parent_id": parent}

    def shown(self, depth: int = 0) -> str:
        """It in words for the journal."""
        if self._id is not None:
            return f"of the id {self._id}"
        return f'"{_JOIN.join(self.parts[: len(self.parts) - depth])}"'

    def missing(self) -> Refused:
        """It is not there."""
        detail = (
            f"OpenSPP has no directory {self.shown()}, or the user may not see it; make it there,"
            " mend directory in [openspp], or write make_directories = yes"
        )
        return Refused(Failure(Problem.DIRECTORY_MISSING, detail=detail))


class Directories:
    """Finds them, and makes those that are missing where that is configured."""

    def __init__(self, server: OdooServer, settings: OpenSPPSettings) -> None:
        self._server = server
        self._settings = settings
        self._making = threading.Lock()

    def find(self, credentials: Credentials, uid: int, exchange: Exchange) -> int:
        """The id of the directory of this user's scans.

        Raises Refused where there is none or more than one; NoAnswer, Abandoned.
        """
        wanted = Wanted(self._settings.directory, credentials)

        def look(depth: int = 0) -> int | None:
            said = self._server.call(credentials, uid, wanted.question(depth), exchange)
            return wanted.found(said.result(), depth)

        found = look()
        if found is None and wanted.by_path and self._settings.make_directories == "yes":
            with self._making:  # Odoo would make it twice
                found = self._make(wanted, credentials, uid, exchange, look)
        if found is None:
            raise wanted.missing()
        return found

    def _make(
        self,
        wanted: Wanted,
        credentials: Credentials,
        uid: int,
        exchange: Exchange,
        look: Callable[[int], int | None],
    ) -> int | None:
        """Make what is missing of the path, and look whether it is there once."""
        missing = 0
        parent = look(0)
        while parent is None and missing + 1 < len(wanted.parts):
            missing += 1
            parent = look(missing)
        if parent is None:
            missing += 1
        for depth in reversed(range(missing)):
            call = create_directory(wanted.values(depth, parent))
            self._server.call(credentials, uid, call, exchange).result()
            parent = look(depth)
        return parent
