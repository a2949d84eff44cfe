"""The limits against a model: sessions are counted exactly, bans and waits are as promised."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openspp_ftpd.limits import FIRST_WAIT, LONGEST_WAIT, SEVERAL_NAMES, Limits
from openspp_ftpd.settings import LimitSettings
from tests.fuzz.campaign import Campaign

ADDRESSES: Final = ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "10.0.0.1", "2001:db8::1")
"""The first two are one client; 10.0.0.0/8 is trusted."""
USERS: Final = ("alice", "ALICE", "bob", "carol", "dave")
_ADDRESS: Final = st.sampled_from(ADDRESSES)
_USER: Final = st.sampled_from(USERS)
MOST: Final = 6
MOST_PER_ADDRESS: Final = 3
FAILURES: Final = 5
BAN: Final = 60.0


def client(address: str) -> str:
    return address.removeprefix("::ffff:")


class LimitsMachine(RuleBasedStateMachine):
    """The model: open sessions; failures as (time, user) by client; when a client was banned."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(
            LimitSettings(
                sessions=MOST,
                sessions_per_address=MOST_PER_ADDRESS,
                failed_logins=FAILURES,
                ban_time=BAN,
                trusted_networks=(ip_network("10.0.0.0/8"),),
            )
        )
        self.now = 0.0
        self.open: Counter[str] = Counter()
        self.failures: dict[str, list[tuple[float, str]]] = {}
        self.banned: dict[str, float] = {}
        self.slowed: dict[tuple[str, str], tuple[int, float]] = {}

    @rule(seconds=st.sampled_from([0.0, 0.5, 10.0, 29.0, 59.0, BAN, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(address=_ADDRESS)
    def connect(self, address: str) -> None:
        who, trusted = client(address), address.startswith("10.")
        banned = self.now < self.banned.get(who, -BAN) + BAN
        refused = self.open.total() >= MOST
        if not trusted:
            refused = refused or banned or self.open[who] >= MOST_PER_ADDRESS
        reply = self.limits.open_session(address, self.now)
        assert (reply is not None) == refused
        if reply is None:
            self.open[who] += 1
        else:
            assert reply.code == 421

    @rule(address=_ADDRESS)
    def leave(self, address: str) -> None:
        who = client(address)
        if self.open[who]:
            self.limits.close_session(address)
            self.open[who] -= 1
        else:
            with pytest.raises(KeyError):
                self.limits.close_session(address)

    @rule(address=_ADDRESS, user=_USER)
    def fail(self, address: str, user: str) -> None:
        who, name = client(address), user.casefold()
        wait = self.limits.login_failed(address, user, self.now)
        assert FIRST_WAIT <= wait <= LONGEST_WAIT
        count, last = self.slowed.get((who, name), (0, self.now))
        if last <= self.now - BAN:
            count = 0
        assert wait == min(FIRST_WAIT * 2.0**count, LONGEST_WAIT)
        self.slowed[(who, name)] = (count + 1, self.now)
        if who.startswith("10."):
            return
        recent = [one for one in self.failures.get(who, []) if one[0] > self.now - BAN]
        self.failures[who] = [*recent, (self.now, name)]
        names = {one[1] for one in self.failures[who]}
        if len(names) >= SEVERAL_NAMES and len(self.failures[who]) >= FAILURES:
            self.banned[who] = self.now
            self.failures[who] = []

    @rule(address=_ADDRESS, user=_USER)
    def succeed(self, address: str, user: str) -> None:
        who = client(address)
        self.limits.login_succeeded(address, user, self.now)
        self.failures.pop(who, None)
        self.banned.pop(who, None)
        self.slowed.pop((who, user.casefold()), None)

    @invariant()
    def counts_exactly(self) -> None:
        assert self.limits.sessions == self.open.total() <= MOST


@pytest.mark.share(0.6, 1)
def test_the_limits(campaign: Campaign) -> None:
    campaign.play(LimitsMachine, examples=60)
