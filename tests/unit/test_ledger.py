"""The ledger: a re-send is settled if its first reply was lost, and never on a mere likeness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from openspp_ftpd.ledger import KEEP_FOR, OWN_NAMES, Key, Ledger

NOW = 1000.0
RECEIVED = datetime(2026, 11, 22, 10, 0, 0)
LATER = datetime(2026, 11, 22, 10, 5, 0)
SCAN = Key("alice", "scan.pdf", 1234, "ab12" + "0" * 60)
OTHERS = [
    replace(SCAN, user="bob"),
    replace(SCAN, name="scan2.pdf"),
    replace(SCAN, size=1235),
    replace(SCAN, sha256="ab12" + "1" * 60),
]
OWN = "scan-20261122-100000-ab12.pdf"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


class TestAStoredScan:
    def test_is_found_until_its_reply_arrives(self, ledger: Ledger) -> None:
        assert ledger.stored_as(SCAN, NOW) is None
        ledger.is_stored(SCAN, "scan.pdf", "reply", NOW)
        assert ledger.stored_as(SCAN, NOW) == "scan.pdf"
        ledger.arrived(SCAN, "reply")
        assert ledger.stored_as(SCAN, NOW) is None

    @pytest.mark.parametrize("other", OTHERS)
    def test_is_not_found_for_another(self, ledger: Ledger, other: Key) -> None:
        ledger.is_stored(SCAN, "scan.pdf", "reply", NOW)
        assert ledger.stored_as(other, NOW) is None

    def test_is_forgotten_after_ten_minutes(self, ledger: Ledger) -> None:
        ledger.is_stored(SCAN, "scan.pdf", "reply", NOW)
        assert ledger.stored_as(SCAN, NOW + KEEP_FOR - 1) == "scan.pdf"
        assert ledger.stored_as(SCAN, NOW + KEEP_FOR) is None

    def test_belongs_to_the_reply_that_answered_from_it(self, ledger: Ledger) -> None:
        ledger.is_stored(SCAN, "scan.pdf", "first", NOW)
        ledger.belongs_to(SCAN, "second")
        ledger.arrived(SCAN, "first")
        assert ledger.stored_as(SCAN, NOW) == "scan.pdf", "the second may be lost too"
        ledger.arrived(SCAN, "second")
        assert ledger.stored_as(SCAN, NOW) is None

    def test_a_late_arrival_does_not_take_a_newer_entry(self, ledger: Ledger) -> None:
        ledger.is_stored(SCAN, "scan.pdf", "first", NOW)
        ledger.arrived(SCAN, "first")
        ledger.is_stored(SCAN, OWN, "second", NOW + 1)
        ledger.arrived(SCAN, "first")
        assert ledger.stored_as(SCAN, NOW + 1) == OWN

    def test_the_oldest_goes_when_there_are_too_many(self) -> None:
        ledger = Ledger(most=3)
        for number in range(4):
            ledger.is_stored(replace(SCAN, size=number), "scan.pdf", "reply", NOW)
        found = [ledger.stored_as(replace(SCAN, size=number), NOW) for number in range(4)]
        assert found == [None, "scan.pdf", "scan.pdf", "scan.pdf"]


class TestTheNamesToTry:
    def test_first_the_requested_then_ours(self, ledger: Ledger) -> None:
        plan = ledger.plan(SCAN, RECEIVED, NOW)
        assert plan.names[:2] == ("scan.pdf", OWN)
        assert len(plan.names) == 1 + OWN_NAMES == len(set(plan.names))
        assert plan.requested
        assert not plan.proofs

    def test_only_the_requested_where_duplicates_are_refused(self, ledger: Ledger) -> None:
        assert ledger.plan(SCAN, RECEIVED, NOW, duplicates=False).names == ("scan.pdf",)

    def test_the_same_bytes_in_one_second_get_other_names(self, ledger: Ledger) -> None:
        first = ledger.plan(SCAN, RECEIVED, NOW)
        second = ledger.plan(SCAN, RECEIVED, NOW)
        assert not set(first.names[1:]) & set(second.names[1:])
        bobs = ledger.plan(replace(SCAN, user="bob"), RECEIVED, NOW)
        assert bobs.names[1] == OWN, "another user's directory is another"

    def test_a_name_given_back_is_free(self, ledger: Ledger) -> None:
        first = ledger.plan(SCAN, RECEIVED, NOW)
        ledger.give_back(SCAN.user, first.names[1:])
        assert ledger.plan(SCAN, RECEIVED, NOW).names == first.names

    def test_names_in_use_are_forgotten_with_time(self, ledger: Ledger) -> None:
        ledger.plan(SCAN, RECEIVED, NOW)
        assert OWN not in ledger.plan(SCAN, RECEIVED, NOW + 1).names
        assert OWN in ledger.plan(SCAN, RECEIVED, NOW + KEEP_FOR + 2).names


class TestADoubtfulScan:
    def test_is_sent_again_under_a_name_of_ours(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        assert ledger.doubts(SCAN, NOW) == ("scan.pdf",)
        plan = ledger.plan(SCAN, LATER, NOW)
        assert plan.names[0] == "scan-20261122-100500-ab12.pdf"
        assert not plan.requested
        assert not plan.proofs, "the requested name proves nothing"

    def test_also_where_duplicates_are_refused(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        plan = ledger.plan(SCAN, LATER, NOW, duplicates=False)
        assert plan.names[0] == "scan-20261122-100500-ab12.pdf"

    def test_a_name_of_ours_is_tried_again_and_proves(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        plan = ledger.plan(SCAN, LATER, NOW)
        assert plan.names[0] == OWN
        assert plan.proofs == {OWN}
        assert ledger.doubts(SCAN, NOW) == ("scan.pdf", OWN)

    def test_a_name_of_ours_is_tried_first_where_the_requested_was_taken(
        self, ledger: Ledger
    ) -> None:
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        assert ledger.plan(SCAN, LATER, NOW).names[0] == OWN

    @pytest.mark.parametrize("other", OTHERS)
    def test_proves_nothing_for_another(self, ledger: Ledger, other: Key) -> None:
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        assert ledger.doubts(other, NOW) == ()
        assert not ledger.plan(other, RECEIVED, NOW).proofs

    def test_keeps_others_of_this_user_from_its_name(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        plan = ledger.plan(replace(SCAN, size=1), LATER, NOW)
        assert plan.names[0].startswith("scan-20261122-100500-")
        assert not plan.requested
        assert ledger.plan(replace(SCAN, user="bob"), LATER, NOW).requested
        assert ledger.plan(replace(SCAN, name="other.pdf"), LATER, NOW).requested

    def test_is_settled_by_being_stored(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        ledger.is_stored(SCAN, "scan.pdf", "reply", NOW)
        assert ledger.doubts(SCAN, NOW) == ()
        assert ledger.plan(replace(SCAN, size=1), LATER, NOW).requested

    def test_is_settled_by_not_being_stored(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        ledger.is_not_stored(SCAN, "scan.pdf")
        assert ledger.doubts(SCAN, NOW) == ()
        assert ledger.plan(SCAN, LATER, NOW).requested

    def test_one_settled_attempt_leaves_the_others(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, "scan.pdf", False, NOW)
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        ledger.is_not_stored(SCAN, OWN)
        assert ledger.doubts(SCAN, NOW) == ("scan.pdf",)
        assert not ledger.plan(SCAN, LATER, NOW).proofs

    def test_is_forgotten_after_ten_minutes(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        assert ledger.doubts(SCAN, NOW + KEEP_FOR - 1) == (OWN,)
        assert ledger.doubts(SCAN, NOW + KEEP_FOR) == ()

    def test_a_further_attempt_keeps_it_in_mind(self, ledger: Ledger) -> None:
        ledger.is_doubtful(SCAN, OWN, True, NOW)
        ledger.is_doubtful(replace(SCAN, size=1), OWN, True, NOW + 1)
        ledger.is_doubtful(SCAN, OWN, True, NOW + 500)
        assert ledger.doubts(SCAN, NOW + KEEP_FOR + 100) == (OWN,)
        assert ledger.doubts(replace(SCAN, size=1), NOW + KEEP_FOR + 100) == ()
