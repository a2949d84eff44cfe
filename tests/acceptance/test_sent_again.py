"""A scan that is sent again: after an uncertain delivery, a lost reply, or as a second document."""

from __future__ import annotations

import re
import time
from typing import Final

import pytest

from tests.acceptance import plays
from tests.acceptance.interfaces import every_api
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.promises import (
    ANSWER_WITHIN,
    OTHER_NAME,
    STORED,
    UNCERTAIN,
    Gateway,
    pdf,
    row,
    unique,
    until,
)
from tests.acceptance.scanner import end_properly

OWN_NAME: Final = re.compile(r".+-\d{8}-\d{6}-[0-9a-f]{4}(-\d+)?\.pdf")


class TestUncertainDeliveries:
    """OpenSPP has every byte and gave no verdict: a re-send is stored under a name of its own.

    By the scanner interface of OpenSPP 15; with Odoo's own API see test_sent_again_odoo.py.
    """

    @pytest.mark.parametrize(
        ("fault", "first", "both"),
        [
            row("closed before it stored", "drop-before-once", 0, 1),
            row("closed after it stored", "drop-after-once", 1, 2),
            row("reset after it stored", "reset-after-once", 1, 2),
            row("the answer is cut", "cut-answer-once", 1, 2),
            row("garbage", "garbage-once", 0, 1),
            row("HTML 502", "http=502-once", 0, 1),
        ],
    )
    def test_sent_again(self, gateway: Gateway, fault: str, first: int, both: int) -> None:
        name, document = unique(f"s@{fault}.pdf"), pdf()
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.copies(document) == first
        assert gateway.send(name, document).startswith(OTHER_NAME)
        names = gateway.names(document)
        assert len(names) == both
        assert names[:first] == [name][:first]
        assert OWN_NAME.fullmatch(names[-1])
        assert gateway.journal_tells(
            name, names[-1], "Look in OpenSPP whether there are two copies"
        )

    def test_sent_again_while_openspp_may_still_be_at_work(
        self, doubled: tuple[Gateway, OpenSPPDouble]
    ) -> None:
        """The second sending waits for the verdict on the first; a third one comes when there is
        none any more."""
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf()
        script = plays.stores_and_dies(gateway.openspp.port, after=30)
        double.scripts[name.removesuffix(".pdf")] = script
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.names(document) == [name]
        double.scripts.clear()
        double.cut_all()
        assert gateway.send(name, document).startswith(OTHER_NAME)
        assert gateway.copies(document) == 2

    @every_api
    def test_a_late_verdict_settles_it(self, gateway: Gateway) -> None:
        """Stored after answer_within: sent again it is known, and not stored a second time."""
        name, document = unique("scan@slow=4-once.pdf"), pdf()
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.copies(document) == 0
        assert until(lambda: gateway.copies(document))
        time.sleep(0.3)
        assert gateway.send(name, document) == STORED
        assert gateway.names(document) == [name]

    def test_a_late_refusal_settles_it_too(self, doubled: tuple[Gateway, OpenSPPDouble]) -> None:
        """Refused after answer_within: the name asked for is as free as it was."""
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf()
        refusal = plays.raises("ValidationError", "No.")
        double.scripts[name.removesuffix(".pdf")] = plays.late(refusal, ANSWER_WITHIN + 1)
        assert gateway.send(name, document) == UNCERTAIN
        double.scripts.clear()
        time.sleep(1.5)
        assert gateway.send(name, document) == STORED
        assert gateway.names(document) == [name]

    def test_openspp_dies_twice_and_the_name_is_used_by_another_document(
        self, gateway: Gateway
    ) -> None:
        """`Same name` in answer to the scan sent again is no sign that it had been stored."""
        name, before, document = unique("scan@drop-before-twice.pdf"), pdf(), pdf()
        assert gateway.send(name, before) == UNCERTAIN
        assert gateway.send(name, before) == UNCERTAIN
        assert gateway.copies(before) == 0
        assert gateway.send(name, before).startswith(OTHER_NAME)
        assert gateway.send(name, document).startswith("226 ")
        assert gateway.copies(document) == 1
        assert gateway.copies(before) == 1

    @pytest.mark.parametrize(
        ("dies", "first"),
        [
            row("having stored nothing", "before", 0),
            row("having stored it", "after", 1),
        ],
    )
    def test_openspp_dies_over_the_name_that_is_ours_alone(
        self, doubled: tuple[Gateway, OpenSPPDouble], dies: str, first: int
    ) -> None:
        """The asked-for name is taken, and OpenSPP dies over the second attempt. Sent again under
        that name of ours, `same name` is the proof that it arrived."""
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf()
        assert gateway.send(name, pdf()) == STORED
        behind = gateway.openspp.port
        death = plays.dies_after_the_body if dies == "before" else plays.stores_and_dies(behind)
        double.scripts[name.removesuffix(".pdf")] = plays.InOrder(behind, None, death)
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.copies(document) == first
        assert gateway.send(name, document).startswith(OTHER_NAME)
        names = gateway.names(document)
        assert len(names) == 1
        assert OWN_NAME.fullmatch(names[0])

    @pytest.mark.parametrize(
        "dies", [row("having stored nothing", "before"), row("having stored it", "after")]
    )
    def test_openspp_dies_over_a_name_that_is_taken(
        self, doubled: tuple[Gateway, OpenSPPDouble], dies: str
    ) -> None:
        """A name that stood there before, and OpenSPP dying between body and answer."""
        gateway, double = doubled
        name, before, document = unique("scan.pdf"), pdf(), pdf()
        assert gateway.send(name, before) == STORED
        behind = gateway.openspp.port
        death = (
            plays.dies_after_the_body
            if dies == "before"
            else plays.stores_and_dies(behind)  # refused for its name, but nobody hears it
        )
        double.scripts[name.removesuffix(".pdf")] = plays.InOrder(behind, death)
        assert gateway.send(name, document) == UNCERTAIN
        assert gateway.copies(document) == 0
        assert gateway.send(name, document).startswith(OTHER_NAME)
        assert gateway.copies(document) == 1
        assert gateway.copies(before) == 1


@every_api
class TestTheSameScanTwice:
    def test_both_replies_read_are_two_documents(self, gateway: Gateway) -> None:
        name, document = unique("scan.pdf"), pdf()
        with gateway.session() as scanner:
            assert gateway.store(scanner, name, document) == STORED
            assert gateway.store(scanner, name, document).startswith(OTHER_NAME)
            scanner.quit()
        assert gateway.send(name, document).startswith(OTHER_NAME)
        assert gateway.copies(document) == 3

    @pytest.mark.parametrize("end", ["reset", "closed", "closed with the reply unread"])
    def test_sent_again_because_the_first_reply_was_lost(self, gateway: Gateway, end: str) -> None:
        """One document; and a third time, the second reply having been read, another."""
        name, document = unique("scan@late=0.6-once.pdf"), pdf()
        scanner = gateway.session()
        data = scanner.begin(name)
        data.sendall(document)
        end_properly(data)
        if end == "closed with the reply unread":
            assert until(lambda: gateway.journal_tells(name, "is in OpenSPP"))
            scanner.close()  # the kernel resets, for what it received was not read
        else:
            time.sleep(0.2)
            scanner.reset() if end == "reset" else scanner.close()
            assert gateway.journal_tells(name, "is in OpenSPP")
        assert gateway.copies(document) == 1
        assert gateway.send(name, document) == STORED
        assert gateway.copies(document) == 1
        assert gateway.send(name, document).startswith(OTHER_NAME)
        assert gateway.copies(document) == 2

    def test_sent_again_while_the_first_is_under_way(self, gateway: Gateway) -> None:
        name, document = unique("scan@slow=1.pdf"), pdf()
        with gateway.session() as first, gateway.session() as second:
            data = first.begin(name)
            data.sendall(document)
            end_properly(data)
            time.sleep(0.2)
            first.reset()
            assert gateway.store(second, name, document) == STORED
        assert gateway.copies(document) == 1
