"""Who may connect: an attacker is stopped, an office behind one address is not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.errors import DISPLAY_WIDTH, Reply
from openspp_ftpd.limits import Limits, neighbourhood
from openspp_ftpd.settings import LimitSettings

OFFICE = "192.0.2.7"
OTHER = "198.51.100.1"


def limits(
    sessions: int = 256,
    sessions_per_address: int = 0,
    failed_logins: int = 10,
    ban_time: float = 600.0,
    trusted: Iterable[str] = (),
) -> Limits:
    return Limits(
        LimitSettings(
            sessions=sessions,
            sessions_per_address=sessions_per_address,
            failed_logins=failed_logins,
            ban_time=ban_time,
            trusted_networks=tuple(ip_network(network) for network in trusted),
        )
    )


def refused(counts: Limits, address: str, now: float = 0.0) -> bool:
    """Whether a session that is closed at once would be refused."""
    if counts.open_session(address, now) is not None:
        return True
    counts.close_session(address)
    return False


def guess(counts: Limits, address: str, users: Iterable[str], now: float = 0.0) -> None:
    for user in users:
        counts.login_failed(address, user, now)


NAMES = [f"user{number}" for number in range(10)]


class TestSessionsInAll:
    def test_the_last_that_fits_and_the_first_that_does_not(self) -> None:
        counts = limits(sessions=2)
        assert counts.open_session(OFFICE, 0.0) is None
        assert counts.open_session(OTHER, 0.0) is None
        assert counts.open_session("203.0.113.5", 0.0) == Reply(
            421, "Too many scanners connected at once. Try again in a minute."
        )
        assert counts.sessions == 2

    def test_a_closed_session_makes_room(self) -> None:
        counts = limits(sessions=1)
        assert counts.open_session(OFFICE, 0.0) is None
        assert counts.open_session(OTHER, 0.0) is not None
        counts.close_session(OFFICE)
        assert counts.open_session(OTHER, 0.0) is None

    def test_a_session_that_was_never_counted_in_is_not_counted_out(self) -> None:
        counts = limits()
        with pytest.raises(KeyError, match=OFFICE):
            counts.close_session(OFFICE)
        counts.open_session(OFFICE, 0.0)
        counts.close_session(OFFICE)
        with pytest.raises(KeyError):
            counts.close_session(OFFICE)
        assert counts.sessions == 0

    @given(st.lists(st.tuples(st.sampled_from([OFFICE, OTHER, "::1", "nonsense"]), st.booleans())))
    def test_the_count_is_that_of_the_sessions(self, steps: list[tuple[str, bool]]) -> None:
        counts = limits(sessions=5, sessions_per_address=3)
        open_sessions: list[str] = []
        for address, opens in steps:
            if opens:
                fits = len(open_sessions) < 5 and open_sessions.count(address) < 3
                assert (counts.open_session(address, 0.0) is None) == fits
                open_sessions += [address] * fits
            elif address in open_sessions:
                counts.close_session(address)
                open_sessions.remove(address)
            assert counts.sessions == len(open_sessions)


class TestSessionsOfOneAddress:
    def test_are_limited_apart_from_those_of_others(self) -> None:
        counts = limits(sessions_per_address=2)
        assert [counts.open_session(OFFICE, 0.0) for _ in range(2)] == [None, None]
        assert counts.open_session(OFFICE, 0.0) == Reply(
            421, "Too many connections from this address. Try again in a minute."
        )
        assert counts.open_session(OTHER, 0.0) is None
        counts.close_session(OFFICE)
        assert counts.open_session(OFFICE, 0.0) is None

    def test_zero_is_unlimited(self) -> None:
        counts = limits(sessions_per_address=0)
        assert [counts.open_session(OFFICE, 0.0) for _ in range(256)] == [None] * 256

    def test_the_same_address_through_an_ipv6_socket_is_the_same(self) -> None:
        counts = limits(sessions_per_address=1)
        assert counts.open_session(OFFICE, 0.0) is None
        assert counts.open_session(f"::ffff:{OFFICE}", 0.0) is not None

    def test_neighbours_in_an_ipv6_network_count_apart(self) -> None:
        counts = limits(sessions_per_address=1)
        assert counts.open_session("2001:db8::1", 0.0) is None
        assert counts.open_session("2001:db8::2", 0.0) is None


class TestAnAttackerIsBanned:
    def test_by_failures_under_several_names(self) -> None:
        counts = limits(failed_logins=10)
        guess(counts, OFFICE, NAMES[:9])
        assert not refused(counts, OFFICE)
        guess(counts, OFFICE, NAMES[9:])
        assert counts.open_session(OFFICE, 0.0) == Reply(
            421, "Too many failed logins from here. Try again in 10 minutes."
        )
        assert counts.sessions == 0

    def test_for_the_ban_time_and_no_longer(self) -> None:
        counts = limits(ban_time=600.0)
        guess(counts, OFFICE, NAMES, now=100.0)
        assert refused(counts, OFFICE, now=699.9)
        assert not refused(counts, OFFICE, now=700.0)

    def test_and_again_only_for_as_many_new_failures(self) -> None:
        counts = limits(ban_time=600.0)
        guess(counts, OFFICE, NAMES, now=0.0)
        guess(counts, OFFICE, NAMES[:9], now=700.0)
        assert not refused(counts, OFFICE, now=700.0)
        guess(counts, OFFICE, NAMES[9:], now=700.0)
        assert refused(counts, OFFICE, now=700.0)

    def test_with_most_guesses_at_one_of_the_names(self) -> None:
        counts = limits(failed_logins=10)
        for user in ["a", "b"]:
            guess(counts, OFFICE, [user])
            guess(counts, OFFICE, ["admin"] * 20)
        assert refused(counts, OFFICE)

    def test_and_nobody_else_is(self) -> None:
        counts = limits()
        guess(counts, OFFICE, NAMES)
        assert not refused(counts, OTHER)

    def test_who_changes_addresses_within_an_ipv6_network(self) -> None:
        counts = limits()
        for number, user in enumerate(NAMES):
            counts.login_failed(f"2001:db8::{number:x}", user, 0.0)
        assert refused(counts, "2001:db8::ffff")
        assert not refused(counts, "2001:db8:0:1::1")

    def test_the_wait_in_the_reply_is_what_remains(self) -> None:
        counts = limits(ban_time=600.0)
        guess(counts, OFFICE, NAMES, now=0.0)
        assert "in 2 minutes." in str(counts.open_session(OFFICE, 481.0))
        assert "in a minute." in str(counts.open_session(OFFICE, 599.0))


class TestAnOfficeIsNotBanned:
    def test_by_one_device_with_a_wrong_password(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["scanner"] * 1000)
        assert not refused(counts, OFFICE)

    def test_by_two_devices_with_wrong_passwords(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["front desk", "archive"] * 1000)
        assert not refused(counts, OFFICE)

    def test_by_one_name_in_several_spellings(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["Scan", "scan", "SCAN", "sCAN"] * 10)
        assert not refused(counts, OFFICE)

    def test_while_somebody_there_logs_in_well(self) -> None:
        counts = limits()
        for _ in range(100):
            guess(counts, OFFICE, NAMES[:9])
            assert not refused(counts, OFFICE)
            counts.login_succeeded(OFFICE, "clerk", 0.0)

    def test_by_failures_spread_over_more_than_the_ban_time(self) -> None:
        counts = limits(ban_time=600.0)
        for number in range(100):
            counts.login_failed(OFFICE, NAMES[number % 10], now=number * 70.0)
            assert not refused(counts, OFFICE, now=number * 70.0)

    def test_any_longer_once_somebody_logs_in_through_an_open_session(self) -> None:
        counts = limits()
        guess(counts, OFFICE, NAMES)
        counts.login_succeeded(OFFICE, "clerk", 1.0)
        assert not refused(counts, OFFICE, now=1.0)


class TestTrustedNetworks:
    @pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "fe80::1%eth0"])
    def test_know_no_ban_and_no_count_per_address(self, address: str) -> None:
        counts = limits(sessions_per_address=1, trusted=["192.0.2.0/24", "fe80::/10"])
        guess(counts, address, NAMES * 10)
        assert [counts.open_session(address, 0.0) for _ in range(3)] == [None] * 3

    def test_know_the_limit_of_all_sessions(self) -> None:
        counts = limits(sessions=1, trusted=["192.0.2.0/24"])
        assert counts.open_session(OFFICE, 0.0) is None
        assert counts.open_session(OFFICE, 0.0) is not None

    def test_do_not_stretch_to_others(self) -> None:
        counts = limits(trusted=["192.0.2.0/24"])
        guess(counts, OTHER, NAMES)
        assert refused(counts, OTHER)

    def test_named_later_end_a_ban(self) -> None:
        counts = limits()
        guess(counts, OFFICE, NAMES)
        counts.settings = LimitSettings(trusted_networks=(ip_network("192.0.2.0/24"),))
        assert not refused(counts, OFFICE)


class TestAUserIsOnlySlowed:
    def test_more_with_each_failure_and_to_half_a_minute_at_most(self) -> None:
        counts = limits()
        waits = [counts.login_failed(OFFICE, "clerk", 0.0) for _ in range(2000)]
        assert waits[:6] == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0]
        assert set(waits[6:]) == {30.0}

    def test_at_the_one_address_only(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["clerk"] * 10)
        assert counts.login_failed(OTHER, "clerk", 0.0) == 3.0
        assert counts.login_failed(OFFICE, "chief", 0.0) == 3.0

    def test_no_more_after_a_good_login_of_his_own(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["clerk"] * 10)
        counts.login_succeeded(OFFICE, "clerk", 0.0)
        assert counts.login_failed(OFFICE, "clerk", 0.0) == 3.0

    def test_still_after_a_good_login_of_another(self) -> None:
        counts = limits()
        guess(counts, OFFICE, ["clerk"] * 10)
        counts.login_succeeded(OFFICE, "attacker's own account", 0.0)
        assert counts.login_failed(OFFICE, "clerk", 0.0) == 30.0

    def test_no_more_when_the_failures_are_long_ago(self) -> None:
        counts = limits(ban_time=600.0)
        guess(counts, OFFICE, ["clerk"] * 10, now=0.0)
        assert counts.login_failed(OFFICE, "clerk", 600.0) == 3.0


class TestAGuesser:
    """Who tries one password after another waits before OpenSPP is asked, for he need not stay for
    the answer."""

    def test_waits_from_the_third_password_on(self) -> None:
        counts = limits()
        for guess, wait in ((1, 0.0), (2, 0.0), (3, 12.0), (4, 24.0), (5, 30.0), (6, 30.0)):
            counts.login_failed(OFFICE, "clerk", 100.0, guess)
            assert counts.login_wait(OFFICE, "clerk", 100.0) == wait
        assert counts.login_wait(OFFICE, "CLERK", 120.0) == 10.0
        assert counts.login_wait(OFFICE, "clerk", 130.0) == 0.0

    def test_is_not_who_repeats_one_password(self) -> None:
        counts = limits()
        for _ in range(50):
            counts.login_failed(OFFICE, "clerk", 0.0, guess=7)
        assert counts.login_wait(OFFICE, "clerk", 0.0) == 0.0

    def test_slows_himself_alone(self) -> None:
        counts = limits()
        for number in range(9):
            counts.login_failed(OFFICE, "clerk", 0.0, number)
        assert counts.login_wait(OFFICE, "clerk", 0.0) > 0.0
        assert counts.login_wait(OTHER, "clerk", 0.0) == 0.0
        assert counts.login_wait(OFFICE, "chief", 0.0) == 0.0

    def test_is_one_for_a_whole_ipv6_network(self) -> None:
        counts = limits()
        for number in range(3):
            counts.login_failed(f"2001:db8::{number}", "clerk", 0.0, number)
        assert counts.login_wait("2001:db8::ffff", "clerk", 0.0) == 12.0

    def test_is_forgiven_after_a_good_login(self) -> None:
        counts = limits()
        for number in range(5):
            counts.login_failed(OFFICE, "clerk", 0.0, number)
        counts.login_succeeded(OFFICE, "clerk", 1.0)
        assert counts.login_wait(OFFICE, "clerk", 1.0) == 0.0

    def test_costs_no_more_memory_for_more_guesses(self) -> None:
        counts = limits()
        for number in range(5000):
            counts.login_failed(OFFICE, "clerk", 0.0, number)
        (slowed,) = counts._slowed.values()
        assert len(slowed.guesses) == 3


class TestNeighbourhood:
    @pytest.mark.parametrize(
        ("address", "one"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
            ("nonsense", "nonsense"),
        ],
    )
    def test_an_address_or_a_network_of_ipv6(self, address: str, one: str) -> None:
        assert neighbourhood(address) == one
        assert neighbourhood(address, [ip_network("10.0.0.0/8")]) == one

    def test_trusted_ones_have_none(self) -> None:
        assert neighbourhood("::ffff:10.1.2.3", [ip_network("10.0.0.0/8")]) == ""


class TestMemoryIsBounded:
    def test_against_one_who_cycles_through_addresses_and_long_names(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("openspp_ftpd.limits.MOST_ENTRIES", 500)
        counts = limits()
        tracemalloc.start()
        used = []
        for network in range(4):
            for number in range(1000):
                address = f"10.{network}.{number // 250}.{number % 250}"
                counts.login_failed(address, f"{number}" * 2000, 0.0)
            used.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert used[0] < 1_000_000
        assert used[3] - used[1] < 50_000

    def test_against_one_who_cycles_through_names_between_good_logins(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("openspp_ftpd.limits.MOST_ENTRIES", 500)
        counts = limits()
        for number in range(2000):
            counts.login_failed(OFFICE, f"name{number}", 0.0)
            counts.login_succeeded(OFFICE, "own", 0.0)
        assert len(counts._slowed) == 500

    def test_and_nothing_is_remembered_beyond_the_ban_time(self) -> None:
        counts = limits(ban_time=600.0)
        for number in range(100):
            guess(counts, f"192.0.2.{number}", NAMES[: number % 11], now=float(number))
        counts.login_succeeded(OTHER, "clerk", 700.0)
        assert not counts._suspected
        assert not counts._slowed
        assert not counts._banned


class TestTexts:
    @pytest.mark.parametrize("ban_time", [30.0, 600.0, 86_400.0 * 30])
    def test_fit_a_scanners_display(self, ban_time: float) -> None:
        counts = limits(sessions=1, sessions_per_address=1, ban_time=ban_time)
        counts.open_session(OFFICE, 0.0)
        guess(counts, OTHER, NAMES)
        for address in (OFFICE, OTHER, "203.0.113.5"):
            reply = counts.open_session(address, 0.0)
            assert reply is not None
            assert reply.code == 421
            assert len(reply.text) <= DISPLAY_WIDTH
            assert reply.text.isascii()
