"""Delivery: every scanner gets its answer in time, and what hangs keeps nobody out."""

from __future__ import annotations

import threading

import pytest

from openspp_ftpd.delivery import uploads
from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import NotStored, Outcome
from tests.unit.delivering import PROMPTLY, Scanners, deliver, scanning, send, workers
from tests.unit.fake_openspp import (
    REFUSED,
    UNREACHABLE,
    FakeOpenSPP,
    Request,
    answers,
    is_discarded,
    scan,
    stores,
    waits_before_the_end,
    waits_for_its_answer,
)


@pytest.fixture
def openspp() -> FakeOpenSPP:
    return FakeOpenSPP()


class TestTheDeadline:
    def test_before_its_turn_nothing_was_sent(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_before_the_end(threading.Event()))
        with scanning(openspp, answer_within=0.3, parallel_requests=1) as scanners:
            first = send(scanners, scan(name="1.pdf"))
            second = send(scanners, scan(name="2.pdf"))
            scanners.run(lambda: first.outcomes and second.outcomes)
            scanners.run_for(0.2)
        assert second.failure.problem is Problem.TOO_SLOW
        assert "no turn" in second.failure.detail
        assert openspp.requests == [("alice", "1.pdf")]
        assert is_discarded(second.scan)

    def test_before_the_last_byte_nothing_is_stored(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_before_the_end(gate), stores)
        with scanning(openspp, answer_within=0.3) as scanners:
            sending = deliver(scanners)
            assert sending.failure.problem is Problem.TOO_SLOW
            assert 0.3 <= sending.seconds < PROMPTLY
            gate.set()
            scanners.run_for(0.1)
            assert openspp.documents == []
            assert deliver(scanners).delivered.name == "scan.pdf", "no doubt remains"

    def test_what_failed_before_is_told_rather_than_that_time_is_over(
        self, openspp: FakeOpenSPP
    ) -> None:
        openspp.will(answers(UNREACHABLE), waits_before_the_end(threading.Event()))
        with scanning(openspp, answer_within=0.6) as scanners:
            sending = deliver(scanners)
        assert sending.failure.problem is Problem.UNREACHABLE
        assert "2 attempts" in sending.failure.detail

    def test_after_the_last_byte_nobody_knows(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, answer_within=0.3) as scanners:
            sending = deliver(scanners)
            assert sending.failure.problem is Problem.UNCERTAIN
            assert 0.3 <= sending.seconds < PROMPTLY
            assert scanners.delivery.uploads_pending() == 0
            gate.set()
            scanners.run(lambda: openspp.documents)
            scanners.run_for(0.05)
        assert len(sending.outcomes) == 1

    def test_no_attempt_begins_after_it(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate, UNREACHABLE), stores)
        with scanning(openspp, answer_within=0.3) as scanners:
            deliver(scanners)
            gate.set()
            scanners.run_for(0.6)
        assert len(openspp.requests) == 1
        assert openspp.documents == []

    def test_no_attempt_begins_that_would_hardly_end_before_it(self, openspp: FakeOpenSPP) -> None:
        """Cut off behind its last byte it would make a certain failure an uncertain one."""

        def refuses_after_a_while(request: Request) -> Outcome:
            request.send()
            request.pause(seconds=0.5)
            return UNREACHABLE

        openspp.will(refuses_after_a_while, waits_for_its_answer(threading.Event()))
        with scanning(openspp, answer_within=1.5) as scanners:
            sending = deliver(scanners)
        assert sending.failure.problem is Problem.UNREACHABLE
        assert len(openspp.requests) == 1


class TestALateVerdictSettlesTheLedger:
    def late(self, scanners: Scanners, gate: threading.Event) -> None:
        assert deliver(scanners).failure.problem is Problem.UNCERTAIN
        gate.set()
        scanners.run_for(0.05)

    def test_stored_the_re_send_is_answered_and_stores_nothing(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, answer_within=0.2) as scanners:
            self.late(scanners, gate)
            again = deliver(scanners)
        assert again.delivered.again
        assert again.delivered.name == "scan.pdf"
        assert openspp.names() == ["scan.pdf"]
        assert len(openspp.requests) == 1

    def test_not_stored_the_re_send_gets_its_own_name(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate, REFUSED), stores)
        with scanning(openspp, answer_within=0.2) as scanners:
            self.late(scanners, gate)
            again = deliver(scanners)
        assert again.delivered.name == "scan.pdf"
        assert not again.delivered.second_copy

    def test_taken_the_doubt_is_over(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        with scanning(openspp, answer_within=0.2) as scanners:
            deliver(scanners, scan("other")).delivered.receipt.arrived()
            openspp.will(waits_for_its_answer(gate), stores)
            self.late(scanners, gate)
            again = deliver(scanners)
        assert not again.delivered.second_copy
        assert len(openspp.documents) == 2

    def test_a_re_send_during_it_joins(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, answer_within=0.3) as scanners:
            deliver(scanners)
            again = send(scanners)
            scanners.run_for(0.1)
            gate.set()
            scanners.run(lambda: again.outcomes)
        assert again.delivered.again
        assert len(openspp.requests) == 1

    def test_it_is_waited_for_only_so_long(
        self, openspp: FakeOpenSPP, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "LISTEN_ON_FOR", 0.2)
        openspp.will(waits_for_its_answer(threading.Event()), stores)
        with scanning(openspp, answer_within=3.0) as scanners:
            deliver(scanners)
            again = send(scanners)
            scanners.run(lambda: again.outcomes)
        assert 0.1 < again.seconds < 2.5, "joined until the first was hung up, then on its own"
        assert again.delivered.name != "scan.pdf"
        assert again.delivered.second_copy


class TestAHungRequestKeepsNobodyOut:
    def test_it_keeps_its_slot_for_a_while_and_then_gives_way(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()), name="hangs.pdf")
        with scanning(openspp, answer_within=2.0, parallel_requests=1) as scanners:
            deliver(scanners, scan(name="hangs.pdf"))
            following = deliver(scanners, scan(name="next.pdf"))
        assert following.delivered.name == "next.pdf"
        assert 0.4 < following.seconds < 1.8, "a quarter of answer_within"
        assert openspp.most_at_once == 1

    def test_it_is_listened_to_while_nobody_needs_its_slot(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate), name="hangs.pdf")
        with scanning(openspp, answer_within=0.2, parallel_requests=2) as scanners:
            deliver(scanners, scan(name="hangs.pdf"))
            scanners.run_for(0.2)
            deliver(scanners, scan(name="next.pdf", user="bob"))
            gate.set()
            scanners.run_for(0.05)
            assert deliver(scanners, scan(name="hangs.pdf")).delivered.again

    def test_eight_that_hang_keep_nobody_out(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        openspp.will(stores, name="next.pdf")
        with scanning(openspp, answer_within=0.8) as scanners:
            hung = [send(scanners, scan(name=f"{n}.pdf", user=f"user{n}")) for n in range(8)]
            scanners.run(lambda: all(each.outcomes for each in hung))
            for user in ("alice", "user1"):
                following = deliver(scanners, scan(name="next.pdf", user=user))
                assert following.delivered.name == "next.pdf"
        assert openspp.most_at_once <= 8

    def test_threads_that_cannot_be_stopped_are_bounded(self, openspp: FakeOpenSPP) -> None:
        stuck = threading.Event()

        def hangs_in_a_look_up(request: Request) -> NotStored:
            stuck.wait(10)
            return UNREACHABLE

        openspp.will(hangs_in_a_look_up)
        with scanning(openspp, answer_within=0.1, parallel_requests=1) as scanners:
            for number in range(12):
                assert deliver(scanners, scan(name=f"{number}.pdf")).failure
                assert workers() <= 4
            stuck.set()
            openspp.will(stores)
            scanners.run(lambda: not workers())
            scanners.run_for(0.05)
            assert deliver(scanners).delivered
