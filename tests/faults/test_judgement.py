"""The judgement itself: it finds what must not be."""

from __future__ import annotations

import pytest

from tests.faults.devices import Books
from tests.faults.judgement import Told, judged
from tests.faults.scenarios import Scenario

OPEN = Scenario("OpenSPP is stopped", lambda _: None, "OpenSPP left its answer open")
NEVER = Scenario("the daemon is restarted", lambda _: None)
NOT_CONFIRMED = (
    "clerk-1 at 127.0.0.11: 1-1.pdf (2000 bytes) was not stored: OpenSPP did not confirm the scan. "
    "Please send it again. The scan was wholly sent and may be stored.\n"
)
SECOND_COPY = (
    "clerk-1 at 127.0.0.11: 1-1.pdf was sent before and OpenSPP did not confirm it; it is now "
    "stored as 1-1-x.pdf. Look in OpenSPP whether there are two copies.\n"
)


@pytest.fixture
def books() -> Books:
    """Of two scans, the first was sent twice and acknowledged."""
    books = Books(sent={"a": "1-1.pdf", "b": "2-1.pdf"}, acknowledged={"a": "1-1.pdf"})
    books.sendings.update({"a": 2, "b": 1})
    return books


def judge(books: Books, stored: str, log: str = "", scenario: Scenario = OPEN) -> Told:
    """`stored` has a letter for each document of the record."""
    record = [{"filename": f"{letter}.pdf", "sha256": letter} for letter in stored]
    return judged(scenario, 1, 1, books, record, log)


def test_one_that_is_acknowledged_and_stored_is_good(books: Books) -> None:
    told = judge(books, "a", scenario=NEVER)
    assert (told.sent, told.acknowledged, told.stored, told.twice) == (2, 1, 1, 0)


def test_one_that_was_never_acknowledged_may_be_stored(books: Books) -> None:
    assert judge(books, "ab", scenario=NEVER).stored == 2


def test_one_that_is_acknowledged_and_lost(books: Books) -> None:
    with pytest.raises(AssertionError, match=r"acknowledged and lost: \['1-1\.pdf'\]"):
        judge(books, "b")


def test_one_that_nobody_sent_whole(books: Books) -> None:
    with pytest.raises(AssertionError, match=r"stored, and no whole scan: \['c\.pdf'\]"):
        judge(books, "ac")


def test_one_whose_bytes_were_altered(books: Books) -> None:
    record = [{"filename": "a.pdf", "sha256": "a", "altered": True}]
    with pytest.raises(AssertionError, match="not byte for byte"):
        judged(OPEN, 1, 1, books, record, "")


class TestStoredTwice:
    def test_with_the_journal_s_word_it_is_good(self, books: Books) -> None:
        assert judge(books, "aa", SECOND_COPY).twice == 1

    def test_where_there_is_no_reason(self, books: Books) -> None:
        with pytest.raises(AssertionError, match=r"1-1\.pdf is stored 2 times"):
            judge(books, "aa", SECOND_COPY, NEVER)

    def test_without_the_journal_s_word(self, books: Books) -> None:
        with pytest.raises(AssertionError, match=r"the journal does not say that 1-1\.pdf"):
            judge(books, "aa", NOT_CONFIRMED * 2)

    def test_with_its_word_about_another_scan(self, books: Books) -> None:
        with pytest.raises(AssertionError, match=r"the journal does not say that 1-1\.pdf"):
            judge(books, "aa", SECOND_COPY.replace("1-1.pdf", "11-1.pdf"))

    def test_by_one_sending(self, books: Books) -> None:
        with pytest.raises(AssertionError, match=r"2-1\.pdf was sent once and is stored twice"):
            judge(books, "abb", SECOND_COPY)

    def test_no_sending_was_ever_confirmed(self, books: Books) -> None:
        """Then no 226 could tell of the second copy, but each sending tells of its own."""
        books.acknowledged.clear()
        assert judge(books, "aa", NOT_CONFIRMED * 2).twice == 1
        with pytest.raises(AssertionError, match=r"the journal does not say that 1-1\.pdf"):
            judge(books, "aa", NOT_CONFIRMED)
