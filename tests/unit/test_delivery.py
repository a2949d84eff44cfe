"""Delivery: what a scanner is told is what OpenSPP holds, and nobody holds up another."""

from __future__ import annotations

import threading
import time

import pytest

from openspp_ftpd.delivery import Outcome
from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import NotStored, Stored
from tests.unit.delivering import (
    PROMPTLY,
    Scanners,
    deliver,
    end_of_workers,
    scanning,
    send,
    workers,
)
from tests.unit.fake_openspp import (
    NO_VERDICT,
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


class TestAScanIsDelivered:
    def test_the_bytes_arrive_under_the_requested_name(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            sending = deliver(scanners, scan("content", "a.pdf", "bob"))
        assert [(d.user, d.name, d.data) for d in openspp.documents] == [
            ("bob", "a.pdf", b"content")
        ]
        assert sending.delivered.name == "a.pdf"
        assert sending.delivered.attempts == 1
        assert not sending.delivered.again
        assert not sending.delivered.second_copy
        assert sending.thread is threading.current_thread()
        assert scanners.delivery.uploads_pending() == 0

    def test_the_content_stays_until_the_outcome(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp) as scanners:
            sending = send(scanners)
            scanners.run_for(0.05)
            assert not is_discarded(sending.scan)
            assert scanners.delivery.uploads_pending() == 1
            gate.set()
            scanners.run(lambda: sending.outcomes)
            assert is_discarded(sending.scan)

    def test_a_refusal_is_told_with_openspps_words(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(REFUSED))
        with scanning(openspp) as scanners:
            sending = deliver(scanners)
        assert sending.failure.problem is Problem.REFUSED
        assert sending.failure.said == "The file name is invalid."
        assert len(openspp.requests) == 1

    def test_one_error_in_a_callback_keeps_no_other_from_its_outcome(
        self, openspp: FakeOpenSPP
    ) -> None:
        def broken(outcome: Outcome) -> None:
            raise KeyError("a defect")

        with scanning(openspp) as scanners:
            scanners.delivery.upload(scan(name="1.pdf"), broken)
            sending = send(scanners, scan(name="2.pdf"))
            with pytest.raises(ExceptionGroup, match="mailbox"):
                scanners.run(lambda: False)
            scanners.run(lambda: sending.outcomes)


class TestOnlyWhatIsCertainIsTriedAgain:
    def test_until_it_works(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(UNREACHABLE), answers(UNREACHABLE), stores)
        with scanning(openspp) as scanners:
            sending = deliver(scanners)
        assert sending.delivered.attempts == 3
        assert 0.75 <= sending.seconds < PROMPTLY, "waits of 0.25 s and 0.5 s"
        assert not sending.delivered.second_copy

    def test_not_without_a_verdict(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(NO_VERDICT), stores)
        with scanning(openspp) as scanners:
            sending = deliver(scanners)
            scanners.run_for(0.4)
        assert sending.failure.problem is Problem.UNCERTAIN
        assert "the connection was reset" in sending.failure.detail
        assert len(openspp.requests) == 1

    def test_the_last_failure_is_told_before_the_time_is_over(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(UNREACHABLE))
        with scanning(openspp, answer_within=1.0) as scanners:
            sending = deliver(scanners)
        assert sending.failure.problem is Problem.UNREACHABLE
        assert "refused (3 attempts, 0." in sending.failure.detail


class TestADefectIsAFailureOfKnownCertainty:
    def test_before_the_last_byte_nothing_is_stored(self, openspp: FakeOpenSPP) -> None:
        def breaks(request: Request) -> Stored:
            raise KeyError("secret")

        openspp.will(breaks)
        with scanning(openspp) as scanners:
            sending = deliver(scanners)
        assert sending.failure.problem is Problem.INTERNAL
        assert "KeyError at test_delivery.py:" in sending.failure.detail
        assert "secret" not in sending.failure.detail

    def test_after_the_last_byte_nobody_knows(self, openspp: FakeOpenSPP) -> None:
        def breaks(request: Request) -> Stored:
            request.send()
            raise KeyError("secret")

        openspp.will(breaks, stores)
        with scanning(openspp) as scanners:
            assert deliver(scanners).failure.problem is Problem.UNCERTAIN
            again = deliver(scanners)
        assert again.delivered.name != "scan.pdf"
        assert again.delivered.second_copy

    def test_no_more_threads(self, openspp: FakeOpenSPP, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with scanning(openspp) as scanners:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                sending = deliver(scanners)
            assert sending.failure.problem is Problem.INTERNAL
            assert "TasksMax" in sending.failure.detail
            assert deliver(scanners).delivered


class TestNobodyHoldsUpAnother:
    def test_twenty_slow_scans_of_one_user_leave_room(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        openspp.will(stores, name="bobs.pdf")
        with scanning(openspp) as scanners:
            slow = [send(scanners, scan(name=f"{number}.pdf")) for number in range(20)]
            scanners.run_for(0.1)
            quick = deliver(scanners, scan(name="bobs.pdf", user="bob"))
            assert quick.delivered
            assert quick.seconds < PROMPTLY
            assert not any(each.outcomes for each in slow)
            gate.set()
            scanners.run(lambda: all(each.outcomes for each in slow))
        assert openspp.most_of_one_user == 4
        assert len(openspp.documents) == 21

    def test_no_more_than_parallel_requests_at_once(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, parallel_requests=3) as scanners:
            sendings = [send(scanners, scan(user=f"user{number}")) for number in range(9)]
            scanners.run_for(0.1)
            gate.set()
            scanners.run(lambda: all(each.outcomes for each in sendings))
        assert openspp.most_at_once == 3

    def test_two_scans_of_one_name_are_stored_one_after_the_other(
        self, openspp: FakeOpenSPP
    ) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate), stores, name="scan.pdf")
        with scanning(openspp) as scanners:
            first = send(scanners, scan("one"))
            second = send(scanners, scan("two"))
            scanners.run_for(0.1)
            assert openspp.requests == [("alice", "scan.pdf")]
            gate.set()
            scanners.run(lambda: first.outcomes and second.outcomes)
        assert first.delivered.name == "scan.pdf"
        assert second.delivered.name.startswith("scan-")
        assert {d.name: d.data for d in openspp.documents} == {
            first.delivered.name: b"one",
            second.delivered.name: b"two",
        }

    def test_a_name_that_may_yet_appear_is_evaded(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate), stores, name="scan.pdf")
        with scanning(openspp, answer_within=0.3) as scanners:
            deliver(scanners, scan("one"))
            second = deliver(scanners, scan("two"))  # it does not wait for the one that hangs
            assert second.delivered.name.startswith("scan-")
            gate.set()
            scanners.run(lambda: len(openspp.documents) == 2)

    def test_who_evades_a_name_keeps_nobody_from_it(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(answers(NO_VERDICT), waits_for_its_answer(gate), stores)
        with scanning(openspp) as scanners:
            deliver(scanners, scan("one"))
            second = send(scanners, scan("two"))
            scanners.run(lambda: len(openspp.requests) == 2)
            assert deliver(scanners, scan("three")).seconds < PROMPTLY
            gate.set()
            scanners.run(lambda: second.outcomes)


class TestAbandon:
    def test_before_its_turn(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, parallel_requests=1) as scanners:
            first = send(scanners, scan(name="1.pdf"))
            second = send(scanners, scan(name="2.pdf"))
            assert second.pending.abandon()
            assert is_discarded(second.scan)
            gate.set()
            scanners.run(lambda: first.outcomes)
            scanners.run_for(0.05)
        assert second.outcomes == []
        assert openspp.names() == ["1.pdf"]

    def test_before_the_last_byte(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_before_the_end(gate), stores)
        with scanning(openspp) as scanners:
            sending = send(scanners)
            scanners.run_for(0.05)
            assert sending.pending.abandon()
            assert sending.pending.abandon(), "twice is once"
            gate.set()
            scanners.run_for(0.05)
            assert sending.outcomes == []
            assert openspp.documents == []
            assert deliver(scanners).delivered.name == "scan.pdf"

    def test_after_the_last_byte_the_verdict_comes(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp) as scanners:
            sending = send(scanners)
            scanners.run_for(0.05)
            assert not sending.pending.abandon()
            gate.set()
            scanners.run(lambda: sending.outcomes)
            assert sending.delivered.name == "scan.pdf"
            assert not sending.pending.abandon()
            assert deliver(scanners).delivered.again

    def test_after_it_failed_for_certain(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(REFUSED))
        with scanning(openspp) as scanners:
            sending = send(scanners)
            time.sleep(0.1)  # its verdict lies in the mailbox
            assert sending.pending.abandon()
            scanners.run_for(0.05)
        assert sending.outcomes == []

    def test_after_it_was_stored(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            sending = send(scanners)
            time.sleep(0.1)  # its verdict lies in the mailbox
            assert not sending.pending.abandon()
            scanners.run(lambda: sending.outcomes)
        assert sending.delivered

    def test_of_a_joined_one_leaves_the_other(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp) as scanners:
            first, second = send(scanners), send(scanners)
            scanners.run_for(0.05)
            assert second.pending.abandon()
            gate.set()
            scanners.run(lambda: first.outcomes)
            scanners.run_for(0.05)
        assert first.delivered
        assert second.outcomes == []

    def test_lets_the_joined_one_go_on(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_before_the_end(threading.Event()), stores)
        with scanning(openspp) as scanners:
            first, second = send(scanners), send(scanners)
            scanners.run_for(0.05)
            assert first.pending.abandon()
            scanners.run(lambda: second.outcomes)
        assert second.delivered.name == "scan.pdf"
        assert not second.delivered.again


class TestClose:
    def test_waits_for_nothing_and_tells_everybody(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()), name="sent.pdf")
        openspp.will(waits_before_the_end(threading.Event()), name="sending.pdf")
        scanners = Scanners(openspp, parallel_requests=4)
        sent = send(scanners, scan(name="sent.pdf"))
        sending = send(scanners, scan(name="sending.pdf"))
        waiting = send(scanners, scan(name="waiting.pdf"))
        joined = send(scanners, scan(name="sent.pdf"))
        scanners.run_for(0.1)
        begun = time.monotonic()
        scanners.delivery.close()
        scanners.delivery.close()
        assert time.monotonic() - begun < PROMPTLY
        problems = [each.failure.problem for each in (sent, sending, waiting, joined)]
        assert problems == [
            Problem.UNCERTAIN,
            Problem.STOPPING,
            Problem.STOPPING,
            Problem.UNCERTAIN,
        ]
        assert all(is_discarded(each.scan) for each in (sent, sending, waiting, joined))
        assert scanners.loop.due_timers() == 0
        assert scanners.delivery.uploads_pending() == 0
        assert openspp.documents == []

    def test_what_is_known_already_is_told(self, openspp: FakeOpenSPP) -> None:
        scanners = Scanners(openspp)
        sending = send(scanners)
        time.sleep(0.1)  # its verdict lies in the mailbox
        scanners.delivery.close()
        assert sending.delivered

    def test_a_thread_that_comes_later_writes_to_no_descriptor(self, openspp: FakeOpenSPP) -> None:
        stuck = threading.Event()

        def hangs(request: Request) -> NotStored:
            stuck.wait(5)
            return REFUSED

        openspp.will(hangs)
        scanners = Scanners(openspp)
        send(scanners)
        scanners.run_for(0.05)
        scanners.delivery.close()
        assert scanners.delivery.fileno() == -1
        assert workers() == 1
        stuck.set()
        end_of_workers()

    def test_afterwards_everything_is_answered_with_stopping(self, openspp: FakeOpenSPP) -> None:
        scanners = Scanners(openspp)
        scanners.delivery.close()
        sending = send(scanners)
        assert is_discarded(sending.scan)
        scanners.loop.make_due_calls()
        assert sending.failure.problem is Problem.STOPPING
