"""A scan sent again: one document if the first reply was lost, two if it was read."""

from __future__ import annotations

import threading

import pytest

from openspp_ftpd.delivery import Scan
from openspp_ftpd.errors import Problem
from tests.unit.delivering import deliver, scanning, send
from tests.unit.fake_openspp import (
    NO_VERDICT,
    REFUSED,
    FakeOpenSPP,
    answers,
    dies_after_storing,
    is_discarded,
    scan,
    stores,
    waits_for_its_answer,
)


@pytest.fixture
def openspp() -> FakeOpenSPP:
    return FakeOpenSPP()


class TestANameThatIsTaken:
    def test_is_evaded_and_told(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            deliver(scanners, scan("one")).delivered.receipt.arrived()
            second = deliver(scanners, scan("two"))
        assert second.delivered.name.startswith("scan-20")
        assert second.delivered.name.endswith(".pdf")
        assert openspp.names() == ["scan.pdf", second.delivered.name]

    def test_is_refused_where_the_administrator_wants_so(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp, on_duplicate="refuse") as scanners:
            deliver(scanners, scan("one"))
            second = deliver(scanners, scan("two"))
        assert second.failure.problem is Problem.NAME_TAKEN
        assert openspp.names() == ["scan.pdf"]

    def test_a_name_of_ours_that_is_taken_proves_nothing_by_itself(
        self, openspp: FakeOpenSPP
    ) -> None:
        what = scan("two")
        with scanning(openspp) as scanners:
            deliver(scanners, scan("one")).delivered.receipt.arrived()
            sendings = []
            for _ in range(3):
                sending = deliver(scanners, scan("two", received=what.received))
                sending.delivered.receipt.arrived()
                sendings.append(sending)
        names = [sending.delivered.name for sending in sendings]
        assert len(set(names)) == 3, "three documents"
        assert openspp.names() == ["scan.pdf", *names]


class TestAReSend:
    def test_both_replies_read_two_documents(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            deliver(scanners).delivered.receipt.arrived()
            second = deliver(scanners)
        assert not second.delivered.again
        assert len(openspp.documents) == 2

    def test_the_first_reply_lost_one_document(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            deliver(scanners)
            second = deliver(scanners)
            assert second.delivered.again
            assert second.delivered.name == "scan.pdf"
            third = deliver(scanners)
            assert third.delivered.again, "the second reply was lost too"
            third.delivered.receipt.arrived()
            fourth = deliver(scanners)
        assert not fourth.delivered.again
        assert len(openspp.documents) == 2

    @pytest.mark.parametrize(
        "other",
        [scan("other"), scan(name="other.pdf"), scan(user="bob"), scan("bytes2")],
    )
    def test_another_scan_is_never_answered_from_the_ledger(
        self, openspp: FakeOpenSPP, other: Scan
    ) -> None:
        with scanning(openspp) as scanners:
            deliver(scanners)
            assert not deliver(scanners, other).delivered.again
        assert len(openspp.documents) == 2

    def test_during_the_delivery_it_joins(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp) as scanners:
            first, second = send(scanners), send(scanners)
            scanners.run_for(0.05)
            gate.set()
            scanners.run(lambda: first.outcomes and second.outcomes)
            assert second.delivered.again
            assert is_discarded(second.scan)
            first.delivered.receipt.arrived()
            assert deliver(scanners).delivered.again, "the second reply may be lost"
        assert len(openspp.documents) == 1

    def test_what_it_joined_failed_it_goes_on_alone(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate, REFUSED), stores)
        with scanning(openspp) as scanners:
            first, second, third = send(scanners), send(scanners), send(scanners)
            scanners.run_for(0.05)
            gate.set()
            scanners.run(lambda: first.outcomes and second.outcomes and third.outcomes)
        assert first.failure.problem is Problem.REFUSED
        assert second.delivered.name == "scan.pdf"
        assert not second.delivered.again
        assert third.delivered.again
        assert len(openspp.documents) == 1

    def test_its_time_ends_while_joined(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, answer_within=0.3) as scanners:
            deliver(scanners)
            second = deliver(scanners)
            assert second.failure.problem is Problem.UNCERTAIN
            gate.set()
            scanners.run_for(0.05)
            assert deliver(scanners).delivered.again
        assert len(openspp.documents) == 1


class TestAReSendOfADoubtfulScan:
    def test_is_stored_under_a_name_of_ours(self, openspp: FakeOpenSPP) -> None:
        openspp.will(dies_after_storing, stores)
        with scanning(openspp) as scanners:
            assert deliver(scanners).failure.problem is Problem.UNCERTAIN
            second = deliver(scanners)
        assert second.delivered.name.startswith("scan-20")
        assert second.delivered.second_copy
        assert not second.delivered.proven
        assert openspp.names() == ["scan.pdf", second.delivered.name]

    @pytest.mark.parametrize("on_duplicate", ["rename", "refuse"])
    def test_same_name_is_proof_only_under_a_name_of_ours(
        self, openspp: FakeOpenSPP, on_duplicate: str
    ) -> None:
        openspp.will(dies_after_storing, dies_after_storing, stores)
        with scanning(openspp, on_duplicate=on_duplicate) as scanners:
            deliver(scanners)
            deliver(scanners)
            third = deliver(scanners)
        assert third.delivered.proven
        assert third.delivered.name == openspp.names()[1]
        assert third.delivered.second_copy, "the first attempt has stored one as well"
        assert len(openspp.documents) == 2

    def test_the_requested_name_taken_by_another_scan_is_no_proof(
        self, openspp: FakeOpenSPP
    ) -> None:
        with scanning(openspp) as scanners:
            deliver(scanners, scan("one")).delivered.receipt.arrived()
            openspp.will(answers(NO_VERDICT), stores)
            assert deliver(scanners, scan("two")).failure.problem is Problem.UNCERTAIN
            assert deliver(scanners, scan("two")).delivered
        assert [document.data for document in openspp.documents] == [b"one", b"two"]

    def test_the_same_bytes_of_the_same_second_are_no_proof(self, openspp: FakeOpenSPP) -> None:
        """The first was stored under a name of ours; the second, of the same second, was lost."""
        received = scan().received
        with scanning(openspp) as scanners:
            deliver(scanners, scan("one")).delivered.receipt.arrived()
            deliver(scanners, scan("two", received=received)).delivered.receipt.arrived()
            openspp.will(stores, answers(NO_VERDICT), stores)
            assert deliver(scanners, scan("two", received=received)).failure
            again = deliver(scanners, scan("two"))
        assert not again.delivered.proven
        assert [document.data for document in openspp.documents] == [b"one", b"two", b"two"]

    def test_a_certain_failure_leaves_the_earlier_doubt(self, openspp: FakeOpenSPP) -> None:
        """A refused re-send under a name of ours does not settle what went before."""
        openspp.will(answers(NO_VERDICT), dies_after_storing, answers(REFUSED), stores)
        with scanning(openspp) as scanners:
            deliver(scanners)
            deliver(scanners)
            assert deliver(scanners).failure.problem is Problem.REFUSED
            assert deliver(scanners).delivered.proven
        assert len(openspp.documents) == 1

    def test_a_joiner_goes_on_under_a_name_of_ours(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate, NO_VERDICT), stores)
        with scanning(openspp) as scanners:
            first, second = send(scanners), send(scanners)
            scanners.run_for(0.05)
            gate.set()
            scanners.run(lambda: first.outcomes and second.outcomes)
        assert first.failure.problem is Problem.UNCERTAIN
        assert second.delivered.name.startswith("scan-20")
        assert second.delivered.second_copy
