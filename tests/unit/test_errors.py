"""Every problem has a reply that a scanner can show and that tells whether to try again."""

from __future__ import annotations

import pytest

from openspp_ftpd.errors import DISPLAY_WIDTH, Failure, Problem, displayable


@pytest.mark.parametrize("problem", list(Problem))
def test_a_reply_fits_a_display_and_is_plain_ascii(problem: Problem) -> None:
    for reply in (Failure(problem).upload_reply(), Failure(problem).login_reply()):
        assert 1 <= len(reply.text) <= DISPLAY_WIDTH
        assert reply.text.isascii() and reply.text.isprintable()


@pytest.mark.parametrize("problem", list(Problem))
def test_no_problem_ever_says_that_a_scan_was_stored(problem: Problem) -> None:
    assert 400 <= Failure(problem).upload_reply().code <= 599
    assert 400 <= Failure(problem).login_reply().code <= 599


def test_no_two_problems_are_one() -> None:
    assert len({problem.value for problem in Problem}) == len(Problem.__members__)


def test_an_openspp_that_is_away_is_never_a_wrong_password() -> None:
    away = (Problem.UNREACHABLE, Problem.OUT_OF_ORDER, Problem.TOO_SLOW, Problem.CERTIFICATE)
    assert {Failure(problem).login_reply().code for problem in away} == {421}
    assert {Failure(problem).upload_reply().code for problem in away} == {451}


def test_what_openspp_said_is_shown_in_one_line_of_ascii() -> None:
    said = "Un fichier du même nom existe déjà.\n\nContactez votre administrateur."
    assert Failure(Problem.REFUSED, said=said).upload_reply().text == (
        "Un fichier du m?me nom existe d?j?."
    )
    assert len(displayable("x" * 500)) == DISPLAY_WIDTH
    assert displayable("226 ok\r\n226 ok") == "226 ok?"
