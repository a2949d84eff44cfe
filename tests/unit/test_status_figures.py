"""What happens is counted by its result, and never with a password or more of a name than shown."""

from __future__ import annotations

import itertools
import logging
import threading
from typing import Literal

import pytest

from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.events import Journal, Who
from openspp_ftpd.settings import LogSettings
from openspp_ftpd.status.figures import Figures
from openspp_ftpd.status.snapshot import KEPT, Facts, Snapshot, from_json

WHO = Who("a1b2c3d4", "192.0.2.7", "clerk")
DONE = Reply(226, "Transfer complete. OpenSPP has it.")
AWAY = Failure(Problem.UNREACHABLE, detail="http://openspp: Connection refused")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """Figures, and the journal that tells them."""

    def __init__(self, names: Literal["full", "short", "none"] = "full") -> None:
        self.clock = Clock()
        self.figures = Figures(self.clock)
        logger = logging.getLogger("openspp_ftpd.test")
        self.journal = Journal(LogSettings(names=names), logger, self.figures)

    def store(self, file: str = "a.pdf", size: int = 5, seconds: float = 0.3) -> None:
        reply = Reply(226, f"Transfer complete. Stored as {file}")
        self.journal.stored(WHO, file, file, size, "ff" * 32, seconds, reply)

    def fail(self, problem: Problem, size: int = 5) -> None:
        failure = Failure(problem)
        self.journal.not_stored(WHO, "a.pdf", size, failure, failure.upload_reply(), 1.0)

    def now(self) -> Snapshot:
        return self.figures.snapshot(Facts())


class TestScans:
    @pytest.mark.parametrize(
        ("problem", "result"),
        [
            (Problem.UNREACHABLE, "failed"),
            (Problem.UNCERTAIN, "failed"),
            (Problem.SPOOL_FULL, "failed"),
            (Problem.NO_DATA_CONNECTION, "failed"),
            (Problem.STOPPING, "failed"),
            (Problem.INTERNAL, "failed"),
            (Problem.REFUSED, "refused"),
            (Problem.NO_DIRECTORY, "refused"),
            (Problem.TOO_LARGE, "refused"),
            (Problem.EMPTY, "refused"),
            (Problem.CUT, "cut"),
            (Problem.STALLED, "cut"),
            (Problem.ABORTED, "cut"),
            (Problem.TLS_FAILED, "cut"),
        ],
        ids=lambda each: each.name if isinstance(each, Problem) else each,
    )
    def test_what_was_not_stored_is_counted_once_by_its_kind(
        self, problem: Problem, result: str
    ) -> None:
        counted = Counted()
        counted.fail(problem, size=7)
        now = counted.now()
        others = {"stored", "refused", "failed", "cut", "not_kept"} - {result}
        assert now.scans == {result: 1, **dict.fromkeys(others, 0)}
        assert now.scan_bytes == {result: 7, **dict.fromkeys(others, 0)}
        assert {name for name, count in now.problems.items() if count} == {problem.name.lower()}
        (entry,) = now.last_failures
        assert (entry.result, entry.reply[:3]) == (result, str(problem.upload_code))
        assert now.last_scans == ()

    def test_what_openspp_has_is_counted_with_its_bytes_and_time(self) -> None:
        counted = Counted()
        counted.store(size=10, seconds=0.3)
        counted.store(size=20, seconds=500.0)
        now = counted.now()
        assert (now.scans["stored"], now.scan_bytes["stored"]) == (2, 30)
        assert now.seconds_to_store.counts == (0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
        assert now.seconds_to_store.sum == pytest.approx(500.3)

    def test_what_is_not_kept_by_order_is_neither_stored_nor_a_failure(self) -> None:
        counted = Counted()
        counted.journal.not_kept(WHO, "a.xml", "side file", Reply(250, "Not kept."), 12)
        now = counted.now()
        assert (now.scans["not_kept"], now.scan_bytes["not_kept"], now.scans["stored"]) == (
            1,
            12,
            0,
        )
        assert [entry.result for entry in now.last_scans] == ["not_kept"]
        assert now.last_failures == ()

    def test_only_the_last_are_kept_the_newest_at_the_end(self) -> None:
        counted = Counted()
        for number in range(KEPT + 7):
            counted.store(f"{number}.pdf")
            counted.fail(Problem.CUT, size=number)
        now = counted.now()
        assert [entry.file for entry in now.last_scans] == [f"{n}.pdf" for n in range(7, KEPT + 7)]
        assert [entry.size for entry in now.last_failures] == list(range(7, KEPT + 7))

    def test_an_entry_is_one_line_of_bounded_length(self) -> None:
        counted = Counted()
        who = Who("s", "192.0.2.7", "u\x1b[2J" * 2000)
        failure = Failure(Problem.REFUSED, said="no\nway")
        counted.journal.not_stored(who, "f\n" * 2000, 1, failure, Reply(553, "n\n" * 2000), 1.0)
        (entry,) = counted.now().last_failures
        for text in (entry.user, entry.file, entry.reply):
            assert len(text) <= 255
            assert text.isprintable()


class TestNames:
    @pytest.mark.parametrize("names", ["short", "none"])
    def test_file_names_are_hidden_where_the_administrator_wants(
        self, names: Literal["short", "none"]
    ) -> None:
        counted = Counted(names)
        counted.store("Fatima-Hassan-1984.pdf")
        counted.journal.not_stored(
            WHO, "Fatima-Hassan-1984.pdf", 1, Failure(Problem.CUT), None, 1.0
        )
        counted.journal.not_kept(WHO, "Fatima-Hassan-1984.xml", "", Reply(250, "Not kept."))
        assert "Hassan" not in counted.now().to_json()

    def test_they_are_shown_in_full_where_they_may(self) -> None:
        counted = Counted("full")
        counted.store("Fatima-Hassan-1984.pdf")
        assert "Fatima-Hassan-1984.pdf" in counted.now().to_json()


class TestLogins:
    @pytest.mark.parametrize(
        ("problem", "result"),
        [
            (Problem.WRONG_PASSWORD, "wrong_password"),
            (Problem.NOT_A_SCANNER_USER, "not_a_scanner_user"),
            (Problem.UNREACHABLE, "unavailable"),
            (Problem.STOPPING, "unavailable"),
        ],
    )
    def test_one_that_fails_is_counted_and_shown(self, problem: Problem, result: str) -> None:
        counted = Counted()
        failure = Failure(problem)
        counted.journal.login_failed(WHO, failure, failure.login_reply())
        now = counted.now()
        assert {name for name, count in now.logins.items() if count} == {result}
        (entry,) = now.last_failures
        assert (entry.user, entry.client, entry.file) == ("clerk", "192.0.2.7", "")
        assert entry.result == result

    def test_good_ones_are_counted_and_not_shown(self) -> None:
        counted = Counted()
        counted.journal.logged_in(WHO, 0.1, encrypted=True)
        now = counted.now()
        assert (now.logins["accepted"], now.last_failures, now.last_scans) == (1, (), ())

    def test_sessions_that_are_turned_away_are_counted(self) -> None:
        counted = Counted()
        counted.journal.session_refused("192.0.2.7", Reply(421, "Too many."))
        assert counted.now().sessions_refused == 1


class TestOpenSPP:
    def test_before_the_first_request_nothing_is_known(self) -> None:
        assert Counted().now().openspp.answers is None

    def test_since_when_it_answers_does_not_move_with_each_answer(self) -> None:
        counted = Counted()
        for counted.clock.now in (10.0, 20.0, 30.0):
            counted.figures.openspp_answered("login", 0.2)
        now = counted.now().openspp
        assert (now.answers, now.answers_since, now.answered_at) == (True, 10.0, 30.0)
        assert now.requests == {"login": {"answered": 3}}
        assert now.seconds["login"].sum == pytest.approx(0.6)

    def test_since_when_it_does_not_is_the_first_failure_after_an_answer(self) -> None:
        counted = Counted()
        counted.clock.now = 10.0
        counted.figures.openspp_answered("login", 0.2)
        for counted.clock.now in (20.0, 30.0):
            counted.figures.openspp_failed("upload", AWAY)
        now = counted.now().openspp
        assert (now.answers, now.trouble_since, now.trouble_at) == (False, 20.0, 30.0)
        assert now.trouble == AWAY.detail
        assert now.requests["upload"] == {"unreachable": 2}
        counted.clock.now = 40.0
        counted.figures.openspp_answered("probe", 0.2)
        assert counted.now().openspp.answers is True
        assert counted.now().openspp.answers_since == 40.0
        counted.clock.now = 50.0
        counted.figures.openspp_failed("probe", AWAY)
        assert counted.now().openspp.trouble_since == 50.0

    def test_a_scanner_s_failure_shows_it_too_where_no_request_came_back(self) -> None:
        counted = Counted()
        counted.fail(Problem.TOO_SLOW)
        assert counted.now().openspp.answers is False
        assert counted.now().openspp.requests == {}

    @pytest.mark.parametrize("problem", [Problem.CUT, Problem.REFUSED, Problem.SPOOL_FULL])
    def test_what_is_not_its_fault_says_nothing_of_it(self, problem: Problem) -> None:
        counted = Counted()
        counted.fail(problem)
        assert counted.now().openspp.answers is None

    def test_what_was_given_up_is_counted_and_says_nothing_of_it(self) -> None:
        counted = Counted()
        counted.figures.openspp_given_up("login")
        assert counted.now().openspp.answers is None
        assert counted.now().openspp.requests == {"login": {"given_up": 1}}

    def test_another_address_has_another_state(self) -> None:
        counted = Counted()
        counted.figures.openspp_is("https://one")
        counted.figures.openspp_failed("login", AWAY)
        counted.figures.openspp_is("https://one")
        assert counted.now().openspp.answers is False
        counted.figures.openspp_is("https://two")
        assert counted.now().openspp.answers is None
        assert counted.now().openspp.url == "https://two"

    def test_keys_that_expire_are_known_until_they_do_not_or_openspp_is_another(self) -> None:
        counted = Counted()
        counted.figures.openspp_is("https://one")
        counted.figures.key_expires("alice", "Soon.")
        counted.figures.key_expires("frank", "")
        assert counted.now().openspp.expiring_keys == {"alice": "Soon."}
        counted.figures.key_expires("alice", "")
        assert counted.now().openspp.expiring_keys == {}
        counted.figures.key_expires("alice", "Soon.")
        counted.figures.openspp_is("https://two")
        assert counted.now().openspp.expiring_keys == {}

    def test_of_many_such_keys_the_last_are_known(self) -> None:
        counted = Counted()
        for number in range(300):
            counted.figures.key_expires(f"user{number}", "Soon.")
        known = counted.now().openspp.expiring_keys
        assert len(known) == 200
        assert "user299" in known


def test_no_count_is_lost_where_many_threads_count() -> None:
    figures = Figures()
    steps = itertools.repeat(None, 4000)

    def count() -> None:
        for _ in steps:
            figures.openspp_answered("login", 0.1)
            figures.session_refused()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = figures.snapshot(Facts())
    assert now.openspp.requests == {"login": {"answered": 4000}}
    assert sum(now.openspp.seconds["login"].counts) == now.sessions_refused == 4000


def test_a_snapshot_does_not_change_afterwards() -> None:
    counted = Counted()
    counted.figures.openspp_answered("login", 0.1)
    before = counted.now()
    text = before.to_json()
    counted.store()
    counted.fail(Problem.CUT)
    counted.figures.openspp_answered("login", 0.1)
    assert before.to_json() == text
    assert from_json(text) == before
