"""Snapshots of several workers become one whose counts never go down."""

from __future__ import annotations

from openspp_ftpd.status.gathering import Gathering
from openspp_ftpd.status.snapshot import Facts, OpenSPP, Snapshot


def worker(started: float, stored: int, taken: float = 100.0, sessions: int = 1) -> Snapshot:
    facts = Facts("1.2.3", sessions_plain=sessions, spool_used=7)
    return Snapshot(taken, started, facts, scans={"stored": stored})


def own(taken: float = 100.0) -> Snapshot:
    facts = Facts("1.2.3", listening="Listening on :8002.")
    return Snapshot(taken, 1.0, facts, OpenSPP("https://openspp"), sessions_refused=5)


def test_all_that_answer_are_added_to_what_the_supervisor_counted() -> None:
    merged = Gathering().merged([worker(2.0, 10), worker(3.0, 20)], own())
    assert merged.scans == {"stored": 30}
    assert merged.sessions_refused == 5
    assert (merged.facts.sessions_plain, merged.facts.spool_used) == (2, 7)
    assert (merged.started, merged.taken) == (1.0, 100.0)
    assert merged.facts.listening == "Listening on :8002."
    assert merged.openspp.url == "https://openspp"


def test_before_the_first_answer_there_is_the_supervisor_s() -> None:
    assert Gathering().merged([], own()).sessions_refused == 5


def test_one_that_is_late_keeps_its_counts_and_is_not_counted_twice() -> None:
    gathering = Gathering()
    gathering.merged([worker(2.0, 10), worker(3.0, 20)], own())
    late = gathering.merged([worker(2.0, 11)], own())
    assert late.scans == {"stored": 31}
    assert late.facts.sessions_plain == 1
    assert gathering.merged([worker(2.0, 11), worker(3.0, 22)], own()).scans == {"stored": 33}


def test_one_that_was_replaced_keeps_its_counts() -> None:
    gathering = Gathering()
    gathering.merged([worker(2.0, 10), worker(3.0, 20)], own())
    merged = gathering.merged([worker(2.0, 10), worker(50.0, 1)], own())
    assert merged.scans == {"stored": 31}
    assert merged.facts.sessions_plain == 2


def test_a_thousand_that_ended_are_remembered_as_one() -> None:
    gathering = Gathering()
    for number in range(1000):
        taken = 1000.0 * number
        merged = gathering.merged([worker(taken, 1, taken)], own(taken))
    assert merged.scans == {"stored": 1000}
    assert len(gathering._last) <= 2


def test_only_the_supervisor_says_whether_the_daemon_stops() -> None:
    stopping = Snapshot(1.0, 2.0, Facts(state="stopping"))
    assert Gathering().merged([stopping], own()).facts.state == "serving"
