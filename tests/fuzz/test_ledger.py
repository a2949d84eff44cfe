"""The ledger against a model of its promises: what it knows of a scan, and the names it gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openspp_ftpd.ledger import KEEP_FOR, OWN_NAMES, Key, Ledger
from tests.fuzz.campaign import Campaign

KEYS: Final = tuple(
    Key(user, name, 1000, digest * 32)
    for user in ("alice", "bob")
    for name in ("scan.pdf", "other.pdf")
    for digest in ("ab", "cd")
)
_KEY: Final = st.sampled_from(KEYS)
_OWNER: Final = st.integers(0, 3)
_BEGAN: Final = datetime(2026, 11, 22, 10, 0, 0)


class LedgerMachine(RuleBasedStateMachine):
    """The model: what is stored (name, owner, since) and in doubt (names tried, since)."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = 1000.0
        self.stored: dict[Key, tuple[str, int, float]] = {}
        self.doubtful: dict[Key, tuple[list[str], float]] = {}
        self.own: dict[tuple[str, str], float] = {}  # (user, name) that were given

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        oldest = self.now - KEEP_FOR
        self.stored = {key: entry for key, entry in self.stored.items() if entry[2] > oldest}
        self.doubtful = {key: entry for key, entry in self.doubtful.items() if entry[1] > oldest}
        self.own = {name: since for name, since in self.own.items() if since > oldest}

    @rule(seconds=st.sampled_from([0.0, 1.0, 100.0, 300.0, KEEP_FOR - 1, KEEP_FOR, 5000.0]))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(key=_KEY, duplicates=st.booleans())
    def plan(self, key: Key, duplicates: bool) -> None:
        received = _BEGAN + timedelta(seconds=int(self.now) // 100)
        plan = self.ledger.plan(key, received, self.now, duplicates)
        appears = any(
            other.user == key.user and key.name in tried
            for other, (tried, _) in self.doubtful.items()
        )
        assert plan.requested == (key not in self.doubtful and not appears)
        if plan.requested:
            assert plan.names[0] == key.name
            assert not plan.proofs
            assert len(plan.names) == 1 + duplicates * OWN_NAMES
        else:
            assert key.name not in plan.names
        fresh = plan.names[-OWN_NAMES:] if len(plan.names) >= OWN_NAMES else ()
        for name in fresh:
            assert (key.user, name) not in self.own, "a name that another delivery has"
            self.own[(key.user, name)] = self.now
        # "Same name" may prove the arrival of these bytes only where they were sent under it.
        tried = self.doubtful.get(key, ([], 0.0))[0]
        assert plan.proofs <= {name for name in tried if name != key.name}
        assert len(set(plan.names)) == len(plan.names)

    @rule(key=_KEY, owner=_OWNER)
    def is_stored(self, key: Key, owner: int) -> None:
        self.ledger.is_stored(key, key.name, owner, self.now)
        self.doubtful.pop(key, None)
        self.stored[key] = (key.name, owner, self.now)

    @rule(key=_KEY, owner=_OWNER)
    def belongs_to(self, key: Key, owner: int) -> None:
        self.ledger.stored_as(key, self.now)
        self.ledger.belongs_to(key, owner)
        if key in self.stored:
            name, _, since = self.stored[key]
            self.stored[key] = (name, owner, since)

    @rule(key=_KEY, owner=_OWNER)
    def arrived(self, key: Key, owner: int) -> None:
        self.ledger.arrived(key, owner)
        if key in self.stored and self.stored[key][1] == owner:
            del self.stored[key]

    @rule(key=_KEY, own=st.booleans(), which=st.integers(0, 9))
    def is_doubtful(self, key: Key, own: bool, which: int) -> None:
        given = [name for user, name in self.own if user == key.user]
        name = given[which % len(given)] if own and given else key.name
        self.ledger.doubts(key, self.now)
        self.ledger.is_doubtful(key, name, name != key.name, self.now)
        tried = [each for each in self.doubtful.get(key, ([], 0.0))[0] if each != name]
        self.doubtful[key] = ([*tried, name], self.now)

    @rule(key=_KEY, which=st.integers(0, 9))
    def is_not_stored(self, key: Key, which: int) -> None:
        tried, since = self.doubtful.get(key, ([key.name], 0.0))
        name = tried[which % len(tried)]
        self.ledger.is_not_stored(key, name)
        rest = [each for each in tried if each != name]
        if key in self.doubtful and rest:
            self.doubtful[key] = (rest, since)
        else:
            self.doubtful.pop(key, None)

    @invariant()
    def knows_what_the_model_knows(self) -> None:
        for key in KEYS:
            wanted = self.stored.get(key)
            assert self.ledger.stored_as(key, self.now) == (wanted[0] if wanted else None)
            assert list(self.ledger.doubts(key, self.now)) == self.doubtful.get(key, ([], 0))[0]


class SmallLedger(RuleBasedStateMachine):
    """Never more entries than it may have, however many scans come."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(most=3)
        self.now = 0.0
        self.last = 0

    @rule(count=st.integers(1, 9), doubtful=st.booleans())
    def scans(self, count: int, doubtful: bool) -> None:
        for _ in range(count):
            self.last += 1
            self.now += 1
            key = Key("alice", f"{self.last}.pdf", 1, "ab" * 32)
            plan = self.ledger.plan(key, _BEGAN, self.now)
            if doubtful:
                self.ledger.is_doubtful(key, plan.names[0], False, self.now)
            else:
                self.ledger.is_stored(key, plan.names[0], self.last, self.now)

    @invariant()
    def is_small(self) -> None:
        keys = [Key("alice", f"{number}.pdf", 1, "ab" * 32) for number in range(self.last + 1)]
        assert sum(self.ledger.stored_as(key, self.now) is not None for key in keys) <= 3
        assert sum(bool(self.ledger.doubts(key, self.now)) for key in keys) <= 3


@pytest.mark.share(0.6, 1)
@pytest.mark.parametrize("machine", [LedgerMachine, SmallLedger])
def test_the_ledger(campaign: Campaign, machine: Callable[[], RuleBasedStateMachine]) -> None:
    campaign.play(machine, examples=60)
