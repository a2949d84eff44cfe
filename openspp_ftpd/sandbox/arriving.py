"""A request's documents while they come in, and the faults that they meet on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from openspp_ftpd.sandbox.answers import Early, HangUp
from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import NOTHING, Faults, Plan
from openspp_ftpd.sandbox.keeping import Incoming


class Arriving:
    """The documents of one request by Odoo's own API; at the end what was not stored goes."""

    def __init__(
        self,
        documents: Documents,
        faults: Faults,
        pause: Callable[[float], None],
        route: str = "",
    ) -> None:
        """route: what the request is to the faults, where its path tells that already."""
        self._documents = documents
        self._faults = faults
        self._pause = pause
        self._files: list[Incoming] = []
        self._route = ""
        self._plan = NOTHING
        self._name = ""
        if route:
            self._meet(route)
            self._end_early()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.discard()

    def new_content(self, name: str) -> Content:
        """Return where a document goes that begins now, and meet the faults of its body."""
        self._meet("upload")
        self._called(name)
        self._end_early()
        self._pause(self._plan.seconds("stop-reading"))
        if self._plan.has("drop-in-body") or self._plan.has("reset-in-body"):
            raise HangUp(reset=self._plan.has("reset-in-body"))
        file = self._documents.new_file()
        self._files.append(file)
        return Content(file, sha512=True)

    def plan_of(self, route: str, name: str) -> Plan:
        """Return all faults, once it is known what the request is; name: the file's or user's."""
        if route:
            self._meet(route)
            self._called(name)
        return self._plan

    def _meet(self, route: str) -> None:
        if not self._route:
            self._route = route
            self._plan = self._faults.of_route(route)

    def _called(self, name: str) -> None:
        if name and not self._name:
            self._name = name
            self._plan = self._plan.joined(self._faults.of_name(name))

    def _end_early(self) -> None:
        early = self._plan.early()
        if early is not None:
            raise Early(early)
