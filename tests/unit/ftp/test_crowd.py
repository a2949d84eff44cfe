"""Who has not logged in leaves room for scanners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.ftp.crowd import SEVERAL, one_too_many
from openspp_ftpd.settings import LimitSettings

ATTACKER = "192.0.2.66"
SETTINGS = LimitSettings(sessions=20)


@dataclass(frozen=True)
class Session:
    remote_ip: str
    began: float
    authenticated: bool = False


def crowd(address: str, count: int, authenticated: bool = False) -> list[Session]:
    return [Session(address, float(number), authenticated) for number in range(count)]


def offices(count: int) -> list[Session]:
    """One session each."""
    return [Session(f"198.51.100.{number}", -1.0) for number in range(count)]


class TestWhoLeaves:
    def test_nobody_while_half_of_the_places_are_left(self) -> None:
        assert one_too_many(crowd(ATTACKER, 10), SETTINGS) is None

    def test_the_oldest_of_the_address_that_has_most(self) -> None:
        sessions = [*offices(5), *crowd(ATTACKER, 6)]
        assert one_too_many(sessions, SETTINGS) == Session(ATTACKER, 0.0)

    def test_never_one_who_has_logged_in(self) -> None:
        sessions = crowd("203.0.113.5", 20, authenticated=True)
        assert one_too_many(sessions, SETTINGS) is None
        assert one_too_many([*sessions, *crowd(ATTACKER, 11)], SETTINGS) == Session(ATTACKER, 0.0)

    def test_nobody_of_a_few_at_one_address(self) -> None:
        """Many scanners that are switched on at the same time."""
        assert one_too_many(offices(20), SETTINGS) is None
        assert one_too_many([*offices(12), *crowd(ATTACKER, SEVERAL - 1)], SETTINGS) is None
        assert one_too_many([*offices(12), *crowd(ATTACKER, SEVERAL)], SETTINGS) is not None

    def test_an_ipv6_network_is_one_address(self) -> None:
        sessions = [Session(f"2001:db8::{number:x}", float(number)) for number in range(1, 12)]
        assert one_too_many(sessions, SETTINGS) == sessions[0]

    def test_a_trusted_network_is_let_be(self) -> None:
        trusting = LimitSettings(sessions=20, trusted_networks=(ip_network(f"{ATTACKER}/32"),))
        sessions = crowd(ATTACKER, 20)
        assert one_too_many(sessions, trusting) is None
        other = crowd("203.0.113.5", 4)
        assert one_too_many([*sessions, *other], trusting) == other[0]

    @given(st.lists(st.tuples(st.sampled_from([ATTACKER, "a", "b"]), st.booleans())))
    def test_strangers_never_get_more_than_half_once_they_are_a_crowd(
        self, arrivals: Sequence[tuple[str, bool]]
    ) -> None:
        staying: list[Session] = []
        for number, (address, authenticated) in enumerate(arrivals):
            staying.append(Session(address, float(number), authenticated))
            leaving = one_too_many(staying, SETTINGS)
            if leaving is not None:
                assert not leaving.authenticated
                staying.remove(leaving)
            assert sum(not each.authenticated for each in staying) <= 10
