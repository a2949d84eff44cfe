"""What is whole: a doubtful end needs a content that vouches for itself."""

from __future__ import annotations

import itertools

import pytest

from openspp_ftpd.content import End
from openspp_ftpd.whole import Doubt, Judgement, judge

DOUBTS = [set(c) for n in range(4) for c in itertools.combinations(Doubt, n)]


@pytest.mark.parametrize("doubts", DOUBTS[1:])
@pytest.mark.parametrize("end", [End.CUT, End.UNKNOWN])
@pytest.mark.parametrize("check", ["doubtful", "always"])
def test_a_doubtful_file_without_an_end_of_its_own_is_discarded(
    doubts: set[Doubt], end: End, check: str
) -> None:
    for settled in (False, True):
        assert judge(doubts, end, check, "log", settled) is Judgement.DISCARD  # type: ignore[arg-type]


@pytest.mark.parametrize("doubts", DOUBTS)
def test_a_file_with_its_own_end_is_delivered_whatever_the_doubts(doubts: set[Doubt]) -> None:
    for settled in (False, True):
        assert judge(doubts, End.WHOLE, "doubtful", "ignore", settled) is Judgement.DELIVER


@pytest.mark.parametrize("end", list(End))
@pytest.mark.parametrize("check", ["doubtful", "always", "never"])
def test_close_notify_require_refuses_whatever_the_content(end: End, check: str) -> None:
    doubts = {Doubt.NO_CLOSE_NOTIFY}
    assert judge(doubts, end, check, "require", True) is Judgement.DISCARD  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [End.CUT, End.UNKNOWN])
def test_a_file_that_nothing_vouches_for_waits_for_the_second_connection(end: End) -> None:
    assert judge(set(), end, "doubtful", "log", settled=False) is Judgement.WAIT
    assert judge(set(), end, "doubtful", "log", settled=True) is Judgement.DELIVER


def test_check_content_always_discards_a_cut_file_even_without_doubt() -> None:
    assert judge(set(), End.CUT, "always", "log", settled=True) is Judgement.DISCARD
    assert judge(set(), End.UNKNOWN, "always", "log", settled=True) is Judgement.DELIVER


def test_check_content_never_takes_every_end_for_one() -> None:
    for doubts in DOUBTS:
        assert judge(doubts, End.CUT, "never", "ignore", settled=True) is Judgement.DELIVER
