"""The delivery of a scan to an OpenSPP that can be asked what it has: said late, stored once."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from openspp_ftpd.delivery.attempts import Progress, StoredAs, Verdict, store
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.ledger import NamePlan
from openspp_ftpd.openspp import Abandoned, Exchange, NotStored, Outcome, Unsettled
from tests.unit.delivering import Scanners, Sending, deliver, scanning, send
from tests.unit.fake_openspp import (
    NO_VERDICT,
    Document,
    FakeOpenSPP,
    Request,
    Script,
    answers,
    dies_after_storing,
    scan,
    stores,
)

from .scripted import ALICE


def stores_late(seconds: float) -> Script:
    """The connection breaks after the last byte; the document is there `seconds` later."""

    def script(request: Request) -> Outcome:
        request.send()
        threading.Timer(seconds, request.work).start()
        return NO_VERDICT

    return script


def can_be_asked(settles_after: float = 0.5) -> FakeOpenSPP:
    openspp = FakeOpenSPP()
    openspp.settles_after = settles_after
    return openspp


def wait_for(scanners: Scanners, sending: Sending) -> None:
    scanners.run(lambda: sending.outcomes)


class TestDelivery:
    """The delivery asks before anything is said or sent again."""

    def test_stored_without_a_verdict_is_a_226_at_once(self) -> None:
        openspp = can_be_asked()
        openspp.will(dies_after_storing)
        with scanning(openspp) as scanners:
            sending = deliver(scanners)
            assert sending.delivered.name == "scan.pdf"
            assert sending.delivered.proven
        assert len(openspp.documents) == 1

    def test_stored_late_too(self) -> None:
        openspp = can_be_asked(30.0)
        openspp.will(stores_late(1.0))
        with scanning(openspp) as scanners:
            assert deliver(scanners).delivered.proven
        assert openspp.names() == ["scan.pdf"]
        assert len(openspp.asked) >= 2

    def test_not_stored_for_good_it_is_sent_again(self) -> None:
        openspp = can_be_asked(1.0)
        openspp.will(answers(NO_VERDICT), stores)
        with scanning(openspp, answer_within=20.0) as scanners:
            sending = deliver(scanners)
            assert sending.delivered.attempts == 2
            assert not sending.delivered.second_copy
        assert openspp.names() == ["scan.pdf"]
        assert sending.seconds >= 1.0, "not before it is certain"

    def test_where_openspp_is_done_with_it_one_look_is_enough(self) -> None:
        openspp = can_be_asked(30.0)
        over = Unsettled(Failure(Problem.UNCERTAIN, detail="HTTP 500"), over=True)
        openspp.will(answers(over), stores)
        with scanning(openspp) as scanners:
            assert deliver(scanners).delivered.attempts == 2
        assert openspp.asked == ["scan.pdf"]

    def test_other_bytes_are_not_stored_over_and_over(self) -> None:
        openspp = can_be_asked(30.0)
        other = Unsettled(Failure(Problem.UNCERTAIN), over=True, may_retry=False)
        openspp.will(answers(other))
        with scanning(openspp) as scanners:
            assert deliver(scanners).failure.problem is Problem.OUT_OF_ORDER
        assert len(openspp.requests) == 1

    def test_the_deadline_holds_and_the_looking_goes_on(self) -> None:
        openspp = can_be_asked(30.0)
        openspp.will(stores_late(2.5))
        what = scan()
        with scanning(openspp, answer_within=1.0) as scanners:
            first = send(scanners, what)
            wait_for(scanners, first)
            assert first.failure.problem is Problem.UNCERTAIN
            assert "so far" in first.failure.detail
            again = send(scanners, scan())
            wait_for(scanners, again)
            while isinstance(again.outcomes[0], Failure):  # as a scanner does
                again = send(scanners, scan())
                wait_for(scanners, again)
            assert again.delivered.again
            assert again.delivered.name == "scan.pdf"
        assert openspp.names() == ["scan.pdf"]
        assert len(openspp.requests) == 1

    def test_after_the_looking_ended_with_a_no_the_scan_is_sent_under_its_own_name(self) -> None:
        openspp = can_be_asked(2.0)
        openspp.will(answers(NO_VERDICT), stores)
        with scanning(openspp, answer_within=1.0) as scanners:
            first = send(scanners)
            wait_for(scanners, first)
            assert first.failure.problem is Problem.UNCERTAIN
            again = first
            while isinstance(again.outcomes[0], Failure):
                again = send(scanners)
                wait_for(scanners, again)
            assert again.delivered.name == "scan.pdf"
            assert not again.delivered.second_copy
        assert openspp.names() == ["scan.pdf"]

    def test_an_abandoned_one_is_looked_for_all_the_same(self) -> None:
        openspp = can_be_asked(30.0)
        openspp.will(stores_late(1.0))
        with scanning(openspp, answer_within=20.0) as scanners:
            sending = send(scanners)
            scanners.run(lambda: openspp.asked)
            assert not sending.pending.abandon(), "it may be stored"
            wait_for(scanners, sending)
            assert sending.delivered.proven

    def test_nothing_is_asked_after_the_end(self) -> None:
        openspp = can_be_asked(30.0)
        openspp.will(answers(NO_VERDICT))
        with scanning(openspp, answer_within=20.0) as scanners:
            sending = send(scanners)
            scanners.run(lambda: openspp.asked)
        assert sending.failure.problem is Problem.UNCERTAIN
        asked = len(openspp.asked)
        with scanning(can_be_asked()) as others:
            others.run_for(1.0)
        assert len(openspp.asked) == asked

    def test_the_same_bytes_with_both_replies_read_are_two_documents(self) -> None:
        openspp = can_be_asked()
        with scanning(openspp) as scanners:
            deliver(scanners).delivered.receipt.arrived()
            second = deliver(scanners)
            assert not second.delivered.again
            assert not second.delivered.proven
        assert len(openspp.documents) == 2

    def test_a_doubt_that_nobody_settled_is_settled_before_the_next_attempt(self) -> None:
        """The one that listened was hung up on; then the scan comes again."""
        openspp = can_be_asked(2.0)
        openspp.answers_questions = False
        openspp.will(dies_after_storing)
        with scanning(openspp, answer_within=0.5, parallel_requests=1) as scanners:
            first = send(scanners)
            wait_for(scanners, first)
            assert first.failure.problem is Problem.UNCERTAIN
            other = send(scanners, scan("another", "other.pdf", "bob"))  # takes its place
            wait_for(scanners, other)
            openspp.answers_questions = True
            again = deliver(scanners)
            assert again.delivered.proven
            assert not again.delivered.second_copy
        assert openspp.names().count("scan.pdf") == 1
        assert len([name for name in openspp.names() if name.startswith("scan")]) == 1

    def test_a_doubt_that_came_to_nothing_leaves_no_second_copy(self) -> None:
        openspp = can_be_asked(0.5)
        openspp.answers_questions = False
        openspp.will(answers(NO_VERDICT), stores)
        with scanning(openspp, answer_within=1.0, parallel_requests=1) as scanners:
            first = send(scanners)
            wait_for(scanners, first)
            deliver(scanners, scan("another", "other.pdf", "bob"))  # takes its place
            openspp.answers_questions = True
            again = send(scanners)
            wait_for(scanners, again)
            while isinstance(again.outcomes[0], Failure):
                again = send(scanners)
                wait_for(scanners, again)
            assert not again.delivered.second_copy
        assert len([name for name in openspp.names() if name.startswith("scan")]) == 1


class TestAnAttempt:
    """What the worker thread does, without a loop."""

    def test_a_name_of_ours_that_is_taken_proves_nothing_here(self) -> None:
        """An upload under way may hold it; only the checksum proves."""
        openspp = can_be_asked()
        openspp.documents.append(Document("alice", "own.pdf", b"another"))
        plan = NamePlan(("own.pdf", "own-2.pdf"), frozenset(["own.pdf"]), requested=False)
        verdict = self.attempt(openspp, plan)
        assert isinstance(verdict, StoredAs)
        assert (verdict.name, verdict.proven) == ("own-2.pdf", False)

    def test_after_a_no_the_next_attempt_can_be_given_up_with_certainty(self) -> None:
        openspp = can_be_asked(0.0)
        exchange = Exchange()
        abandoned: list[bool] = []

        def given_up(request: Request) -> Outcome:
            abandoned.append(exchange.abandon())
            return NotStored(Failure(Problem.TOO_SLOW))

        openspp.will(answers(NO_VERDICT), given_up)
        self.attempt(openspp, NamePlan(("a.pdf",), frozenset(), requested=True), exchange)
        assert abandoned == [True]

    def attempt(
        self, openspp: FakeOpenSPP, plan: NamePlan, exchange: Exchange | None = None
    ) -> Verdict:
        return store(
            openspp,
            ALICE,
            scan().content,
            plan,
            exchange or Exchange(),
            Progress(),
            hear=lambda failure: None,
            until=time.monotonic() + 20,
        )


class TestTheExchange:
    """A question goes on when the scanner's time is over, and ends when we hang up."""

    def test_it_is_not_cut_by_the_deadline(self) -> None:
        exchange = Exchange()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            exchange.conclude(nothing_stored=False)
            exchange.settle()
            exchange.connected(ours)
            assert not exchange.abandon()
            assert exchange.wait(0)
            exchange.check()
            theirs.setblocking(False)
            with pytest.raises(BlockingIOError):
                theirs.recv(1)
            exchange.hang_up()
            assert theirs.recv(1) == b""
            assert not exchange.wait(0)
            with pytest.raises(Abandoned):
                exchange.check()
            exchange.disconnected()
