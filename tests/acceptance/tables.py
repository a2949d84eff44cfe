"""Tables of uploads that fail: their rows, and how they are played before each OpenSPP.

Most of a row is waiting for a deadline. So the rows that were chosen are played ahead, in order
and one at a time before each OpenSPP, but before all of them at once; a test asks for its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pytest

from tests.acceptance.interfaces import EVERY, by_api
from tests.acceptance.promises import SMALL, Gateway

PATIENCE = 600.0
"""Seconds that a test waits for its row, and all that are before it."""

Told = tuple[str, int]
"""The final reply, and how many copies of the document OpenSPP then has."""


@dataclass(frozen=True)
class Row:
    """One way to fail. `fault` is what the table's player makes of it; what differs between the
    interfaces is a mapping (`by_api`); `only`: those that can fail so."""

    name: str
    fault: Any
    reply: str | Mapping[str, str]
    openspp_has: int | Mapping[str, int] = 0
    size: int = SMALL
    only: Sequence[str] = EVERY

    def told(self, api: str) -> Told:
        """What must come of it."""
        return by_api(self.reply, api), by_api(self.openspp_has, api)


def rows(*table: Row) -> list[Any]:
    """Each row with each interface, for pytest.mark.parametrize(("api", "row"), ...)."""
    return [
        pytest.param(api, row, id=f"{api}-{row.name}")
        for api in EVERY
        for row in table
        if api in row.only
    ]


class Checked(Protocol):
    """A gateway, or what holds one."""

    def check(self) -> None:
        """What must hold after every row."""


Stand = TypeVar("Stand", bound=Checked)


class Ahead(Generic[Stand]):
    """The rows of a class of tests, whose method `play` plays one."""

    def __init__(self, request: pytest.FixtureRequest, stand_for: Callable[[str], Stand]) -> None:
        """request: of a fixture for a class; stand_for: where the rows of an interface play."""
        self._results: dict[tuple[str, str], Future[Told]] = {}
        self._over = threading.Event()
        self._play: Callable[[Stand, Row], Told] = request.cls.play
        chosen: dict[str, list[Row]] = {}
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.parent is request.node:
                parameters: dict[str, Any] = item.callspec.params
                api, row = parameters["api"], parameters["row"]
                chosen.setdefault(api, []).append(row)
                self._results[api, row.name] = Future()
        self._threads = [
            threading.Thread(target=self._play_all, args=(api, stand_for(api), table))
            for api, table in chosen.items()
        ]
        for thread in self._threads:
            thread.start()

    def _play_all(self, api: str, stand: Stand, table: Sequence[Row]) -> None:
        for row in table:
            if self._over.is_set():
                return
            result = self._results[api, row.name]
            try:
                told = self._play(stand, row)
                stand.check()
            except BaseException as error:
                result.set_exception(error)
            else:
                result.set_result(told)

    def told(self, api: str, row: Row) -> Told:
        """What came of it; raises what playing it raised."""
        return self._results[api, row.name].result(PATIENCE)

    def close(self) -> None:
        """Play no more rows."""
        self._over.set()
        for thread in self._threads:
            thread.join()


class InTurn:
    """The same where a row is played when its test asks for it."""

    def __init__(self, play: Callable[[Any, Row], Told], stand: Gateway) -> None:
        self._play = play
        self._stand = stand

    def told(self, api: str, row: Row) -> Told:
        """What came of it."""
        assert api == self._stand.api
        return self._play(self._stand, row)


def sent(gateway: Gateway, name: str, document: bytes) -> Told:
    """A whole upload in a session of its own."""
    reply = gateway.send(name, document)
    return reply, gateway.copies(document)
