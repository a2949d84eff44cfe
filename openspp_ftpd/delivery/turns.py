"""Whose turn it is: which of the waiting requests to OpenSPP may start.

Pure: no clock, no threads. Two rules hold at every moment. No user holds more than half of all
slots, so that one user's pile of scans holds nobody else up. And no two requests of one user that
carry the same name run side by side, for OpenSPP would store both (WIRE.md section 7): the later
waits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

from openspp_ftpd.delivery.slots import Slots

Ticket = TypeVar("Ticket")


@dataclass(frozen=True, slots=True)
class _Claim:
    user: str
    name: str | None  # None: the request has a name that nothing else has


class Turns(Generic[Ticket]):
    """As many requests at once as there are slots, half of all (at least one) for any one user.

    Tickets stand for requests; they are only compared and hashed.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting: dict[Ticket, _Claim] = {}  # in order of arrival
        self._running: dict[Ticket, _Claim] = {}

    def wait(self, ticket: Ticket, user: str, name: str) -> None:
        """`ticket` queues up."""
        self._waiting[ticket] = _Claim(user, name)

    def next(self) -> Ticket | None:
        """Start the request whose turn it is and return it; None where none may start.

        Of those that may, the user with the fewest running goes first, then who came first.
        """
        if self._slots.taken >= self._slots.most:
            return None
        users = self._users()
        free = [ticket for ticket in self._waiting if self._may_start(ticket, users)]
        if not free:
            return None
        ticket = min(free, key=lambda each: users[self._waiting[each].user])
        self._running[ticket] = self._waiting.pop(ticket)
        self._slots.taken += 1
        return ticket

    def free_name(self, ticket: Ticket) -> None:
        """`ticket` runs on, but no other request needs to wait for its name any more."""
        if claim := self._running.get(ticket):
            self._running[ticket] = _Claim(claim.user, None)

    def end(self, ticket: Ticket) -> None:
        """`ticket` neither waits nor runs any more; its slot is free. Harmless when repeated."""
        self._waiting.pop(ticket, None)
        if self._running.pop(ticket, None):
            self._slots.taken -= 1

    def waited_for(self, ticket: Ticket) -> bool:
        """Whether a waiting request could start if the running `ticket` ended."""
        claim = self._running.get(ticket)
        if claim is None or self._slots.taken > self._slots.most:
            return False
        users = self._users()
        users[claim.user] -= 1
        return any(self._may_start(each, users, without=ticket) for each in self._waiting)

    def startable(self, slots: int) -> int:
        """How many of the waiting requests could start if so many more slots were free."""
        if slots <= 0 or not self._waiting:
            return 0
        users, taken, per_user = self._users(), set(self._running.values()), self._per_user
        startable = 0
        for claim in self._waiting.values():
            if users[claim.user] < per_user and claim not in taken:
                users[claim.user] += 1
                taken.add(claim)
                startable += 1
                if startable == slots:
                    break
        return startable

    @property
    def _per_user(self) -> int:
        return max(1, self._slots.whole // 2)

    def _users(self) -> Counter[str]:
        return Counter(claim.user for claim in self._running.values())

    def _may_start(
        self, ticket: Ticket, users: Counter[str], without: Ticket | None = None
    ) -> bool:
        claim = self._waiting[ticket]
        if users[claim.user] >= self._per_user:
            return False
        return not any(claim == other for each, other in self._running.items() if each != without)
