"""Deliveries share the requests to OpenSPP: the one before a reload with the one after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from openspp_ftpd.delivery.slots import Slots
from tests.unit.delivering import SLOWEST, Scanners, Sending, end_of_workers, send
from tests.unit.fake_openspp import FakeOpenSPP, scan, stores, waits_for_its_answer


@pytest.fixture
def openspp() -> FakeOpenSPP:
    return FakeOpenSPP()


class Two:
    """The delivery from before a reload, and the one that new sessions have."""

    def __init__(self, openspp: FakeOpenSPP, slots: Slots, answer_within: float = 20.0) -> None:
        self.old, self.new = (
            Scanners(openspp, slots, answer_within=answer_within, parallel_requests=slots.whole)
            for _ in range(2)
        )

    def turn(self) -> None:
        """The loop turns once, for both."""
        for each in (self.old, self.new):
            each.loop.once(each.delivery)

    def run(self, until: Callable[[], object]) -> None:
        """Turn until it is so."""
        end = time.monotonic() + SLOWEST
        while not until():
            assert time.monotonic() < end, "it did not happen in time"
            self.turn()


@contextmanager
def two(openspp: FakeOpenSPP, slots: Slots, answer_within: float = 20.0) -> Iterator[Two]:
    both = Two(openspp, slots, answer_within)
    try:
        yield both
    finally:
        both.old.delivery.close()
        both.new.delivery.close()
    assert slots.taken == 0
    assert openspp.wrongs == []
    end_of_workers()


def send_many(scanners: Scanners, count: int, user: str) -> list[Sending]:
    """Scans, each of a user of its own."""
    return [send(scanners, scan(name=f"{n}.pdf", user=f"{user}{n}")) for n in range(count)]


class TestAReload:
    def test_there_are_never_more_at_once_and_both_go_on(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with two(openspp, Slots(3)) as both:
            sendings = send_many(both.old, 5, "old") + send_many(both.new, 5, "new")
            both.run(lambda: len(openspp.requests) == 3)
            for _ in range(20):
                both.turn()
            gate.set()
            both.run(lambda: all(each.outcomes for each in sendings))
        assert openspp.most_at_once == 3
        assert len(openspp.documents) == 10

    def test_neither_waits_for_all_of_the_other(self, openspp: FakeOpenSPP) -> None:
        openspp.will(stores)
        with two(openspp, Slots(1)) as both:
            old, new = send_many(both.old, 20, "old"), send_many(both.new, 20, "new")
            both.run(lambda: all(each.outcomes for each in old + new))
        early = [user[:3] for user, _ in openspp.requests[:20]]
        assert early.count("new") >= 5

    def test_what_ends_with_the_old_one_is_free_for_the_new(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        openspp.will(stores, name="next.pdf")
        with two(openspp, Slots(1)) as both:
            send(both.old, scan(name="hangs.pdf"))
            following = send(both.new, scan(name="next.pdf"))
            both.run(lambda: openspp.requests)
            assert not following.outcomes
            both.old.delivery.close()
            both.new.run(lambda: following.outcomes)
        assert following.delivered

    def test_a_request_that_hangs_gives_way_to_one_of_the_other(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        openspp.will(stores, name="next.pdf")
        with two(openspp, Slots(1), answer_within=2.0) as both:
            hung = send(both.old, scan(name="hangs.pdf"))
            both.run(lambda: hung.outcomes)
            following = send(both.new, scan(name="next.pdf", user="bob"))
            both.run(lambda: following.outcomes)
        assert following.delivered

    def test_more_of_them_are_used_at_once(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        slots = Slots(2)
        with two(openspp, slots) as both:
            send_many(both.old, 8, "old")
            both.run(lambda: len(openspp.requests) == 2)
            slots.whole = 6
            slots.advance()
            both.run(lambda: len(openspp.requests) == 6)


class TestAnotherProcess:
    """A request that hangs gives way to what another worker wants, and to nothing else."""

    @pytest.mark.parametrize(("unwanted", "left"), [(4, 4), (3, 3), (1, 1)])
    def test_as_many_give_way_as_are_wanted(
        self, unwanted: int, left: int, openspp: FakeOpenSPP
    ) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        slots = Slots(8, processes=2)
        slots.lent = slots.unwanted = 4
        with two(openspp, slots, answer_within=0.8) as both:
            hung = send_many(both.old, 4, "old")
            both.run(lambda: all(each.outcomes for each in hung))
            slots.unwanted = unwanted
            slots.advance()
            assert slots.taken == 4, "they are listened to for a quarter of answer_within"
            end = time.monotonic() + 1.0
            both.run(lambda: time.monotonic() > end)
            assert slots.taken == left
