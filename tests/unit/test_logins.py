"""Remembered logins: for a minute, for the very password, and only while OpenSPP is well."""

from __future__ import annotations

import pytest

from openspp_ftpd.delivery.logins import REMEMBER_FOR, RememberedLogins
from openspp_ftpd.errors import Failure, Problem

NOW = 1000.0


@pytest.fixture
def logins() -> RememberedLogins:
    logins = RememberedLogins(b"key")
    logins.remember("alice", "secret", NOW)
    return logins


class TestASuccessIsRemembered:
    def test_for_a_minute(self, logins: RememberedLogins) -> None:
        assert logins.known("alice", "secret", NOW)
        assert logins.known("alice", "secret", NOW + REMEMBER_FOR - 0.1)
        assert not logins.known("alice", "secret", NOW + REMEMBER_FOR)

    def test_being_used_does_not_prolong_it(self, logins: RememberedLogins) -> None:
        for second in range(120):
            known = logins.known("alice", "secret", NOW + second)
            assert known == (second < REMEMBER_FOR)

    def test_for_the_last_good_password_only(self, logins: RememberedLogins) -> None:
        logins.remember("alice", "new", NOW + 1)
        assert logins.known("alice", "new", NOW + 2)
        assert not logins.known("alice", "secret", NOW + 2)

    def test_for_a_bounded_number_of_users(self) -> None:
        logins = RememberedLogins(b"key", most=3)
        for user in "abcd":
            logins.remember(user, "secret", NOW)
        assert [logins.known(user, "secret", NOW) for user in "abcd"] == [False, True, True, True]


class TestNothingElseMatches:
    @pytest.mark.parametrize(
        ("user", "password"),
        [
            ("alice", "Secret"),
            ("alice", ""),
            ("alice", "secret "),
            ("Alice", "secret"),
            ("alic", "esecret"),
            ("alices", "ecret"),
            ("bob", "secret"),
        ],
    )
    def test_another_user_or_password(
        self, logins: RememberedLogins, user: str, password: str
    ) -> None:
        assert not logins.known(user, password, NOW)

    def test_where_user_and_password_meet_is_part_of_the_seal(self) -> None:
        logins = RememberedLogins(b"key")
        assert logins.seal("ab", "c") != logins.seal("a", "bc")

    def test_a_seal_of_another_process_is_another(self) -> None:
        assert RememberedLogins(b"1").seal("a", "b") != RememberedLogins(b"2").seal("a", "b")

    def test_names_that_are_no_text_can_be_asked(self, logins: RememberedLogins) -> None:
        assert not logins.known("\udcff", "\ud800", NOW)


class TestABadAnswerForgets:
    @pytest.mark.parametrize("problem", [Problem.WRONG_PASSWORD, Problem.NOT_A_SCANNER_USER])
    def test_the_user_who_was_turned_away(self, logins: RememberedLogins, problem: Problem) -> None:
        logins.remember("bob", "secret", NOW)
        logins.heed("alice", Failure(problem))
        assert not logins.known("alice", "secret", NOW)
        assert logins.known("bob", "secret", NOW)

    @pytest.mark.parametrize(
        "problem",
        [
            Problem.UNREACHABLE,
            Problem.OUT_OF_ORDER,
            Problem.TOO_SLOW,
            Problem.UNCERTAIN,
            Problem.CERTIFICATE,
            Problem.REDIRECTED,
            Problem.NOT_OPENSPP,
            Problem.INTERNAL,
        ],
    )
    def test_everybody_when_openspp_is_not_well(
        self, logins: RememberedLogins, problem: Problem
    ) -> None:
        logins.heed("bob", Failure(problem))
        assert not logins.known("alice", "secret", NOW)

    @pytest.mark.parametrize("problem", [Problem.NAME_TAKEN, Problem.REFUSED, Problem.TOO_LARGE])
    def test_nobody_when_it_refuses_a_scan(
        self, logins: RememberedLogins, problem: Problem
    ) -> None:
        logins.heed("alice", Failure(problem))
        assert logins.known("alice", "secret", NOW)


def test_no_password_is_kept(logins: RememberedLogins) -> None:
    kept = repr(vars(logins)) + repr([repr(each) for each in vars(logins).values()])
    assert "alice" in kept
    assert "secret" not in kept
