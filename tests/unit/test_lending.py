"""Workers share the requests to OpenSPP: never too many at once, none idle while one is needed."""

from __future__ import annotations

import random
from collections import deque

import pytest

from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.delivery.turns import Turns
from openspp_ftpd.supervisor.lending import Borrower, Lender
from openspp_ftpd.supervisor.messages import Lending, Needs
from openspp_ftpd.supervisor.shares import share


class Worker:
    """One worker's uploads, each of a user of its own, and its two ways to the supervisor."""

    def __init__(self, whole: int, workers: int) -> None:
        self.slots = Slots(whole, workers)
        self.turns: Turns[int] = Turns(self.slots)
        self.startable = self.turns.startable
        self.running: list[int] = []
        self.to_supervisor: deque[Needs] = deque()
        self.from_supervisor: deque[Lending] = deque()
        self.told = 0
        self._uploads = 0
        self.slots.join(self)
        self.borrower = Borrower(self.slots, self._tell)
        self.borrower.begin()

    def _tell(self, needs: Needs) -> None:
        self.told += 1
        self.to_supervisor.append(needs)

    def start_those_who_may(self) -> None:
        while (upload := self.turns.next()) is not None:
            self.running.append(upload)

    def give_way(self) -> bool:
        return False

    def upload(self, count: int = 1, user: str = "") -> None:
        for _ in range(count):
            self._uploads += 1
            self.turns.wait(self._uploads, user or f"user {self._uploads}", str(self._uploads))
            self.slots.advance()

    def end_one(self, which: int = 0) -> None:
        self.turns.end(self.running.pop(which))
        self.slots.advance()

    @property
    def waiting(self) -> int:
        return self.turns.startable(1)


class Daemon:
    """A supervisor and its workers, whose messages arrive when it is told so."""

    def __init__(self, whole: int, workers: int) -> None:
        self.whole = whole
        self.lender = Lender(whole, workers)
        self.workers = {number: Worker(whole, workers) for number in range(workers)}
        self.count = workers

    @property
    def running(self) -> int:
        return sum(len(worker.running) for worker in self.workers.values())

    @property
    def usable(self) -> int:
        """How many could run at this moment."""
        each = self.workers.values()
        return sum(max(len(worker.running), worker.slots.most) for worker in each)

    def each(self) -> list[int]:
        return [len(self.workers[number].running) for number in sorted(self.workers)]

    def hear(self, number: int) -> None:
        """The oldest message of a worker arrives."""
        self.lender.heard(number, self.workers[number].to_supervisor.popleft())
        self.lend()

    def obey(self, number: int) -> None:
        """The oldest message to a worker arrives."""
        worker = self.workers[number]
        worker.borrower.heed(worker.from_supervisor.popleft())

    def lend(self) -> None:
        for number, order in self.lender.orders().items():
            self.workers[number].from_supervisor.append(order)

    def under_way(self) -> list[tuple[str, int]]:
        return [
            (way, number)
            for number, worker in self.workers.items()
            for way, messages in (("hear", worker.to_supervisor), ("obey", worker.from_supervisor))
            if messages
        ]

    def settle(self) -> None:
        """Until every message has arrived; fails where that never is."""
        for _ in range(10_000):
            ways = self.under_way()
            if not ways:
                return
            getattr(self, ways[0][0])(ways[0][1])
        raise AssertionError("they talk without end")

    def resize(self, whole: int) -> None:
        for worker in self.workers.values():
            worker.slots.whole = whole
            worker.slots.advance()
        self.whole = self.lender.whole = whole
        self.lend()

    def kill(self, number: int) -> None:
        del self.workers[number]
        self.lender.gone(number)
        self.lend()

    def replace(self, number: int) -> None:
        self.workers[number] = Worker(self.whole, self.count)

    @property
    def told(self) -> int:
        """Messages that workers have sent."""
        return sum(worker.told for worker in self.workers.values())


def settled(whole: int, workers: int) -> Daemon:
    daemon = Daemon(whole, workers)
    daemon.settle()
    return daemon


class TestWhatNobodyPaysFor:
    def test_one_process_has_all_and_says_nothing(self) -> None:
        slots = Slots(8)
        turns: Turns[int] = Turns(slots)
        for upload in range(9):
            turns.wait(upload, f"user {upload}", "page.pdf")
        assert [turns.next() for _ in range(9)] == [*range(8), None]

    @pytest.mark.parametrize(("whole", "workers"), [(8, 2), (8, 3), (2, 3), (256, 64)])
    def test_each_starts_with_its_fair_share(self, whole: int, workers: int) -> None:
        daemon = settled(whole, workers)
        fair = [share(whole, workers, number) for number in range(workers)]
        assert [daemon.workers[number].slots.most for number in range(workers)] == fair

    def test_who_stays_within_it_says_nothing(self) -> None:
        daemon = settled(8, 2)
        before = daemon.told
        for _ in range(100):
            daemon.workers[0].upload(4)
            for _ in range(4):
                daemon.workers[0].end_one()
        assert daemon.told == before

    def test_who_was_lent_what_it_needs_says_nothing_more(self) -> None:
        daemon = settled(8, 2)
        daemon.workers[0].upload(8)
        daemon.settle()
        before = daemon.told
        for _ in range(100):
            daemon.workers[0].end_one()
            daemon.workers[0].upload()
            daemon.settle()
        assert len(daemon.workers[0].running) == 8
        assert daemon.told == before


class TestLending:
    @pytest.mark.parametrize(("whole", "workers"), [(8, 2), (8, 4), (5, 3), (1, 2), (3, 8)])
    def test_one_that_is_busy_uses_all(self, whole: int, workers: int) -> None:
        for number in range(workers):
            daemon = settled(whole, workers)
            daemon.workers[number].upload(20)
            daemon.settle()
            assert len(daemon.workers[number].running) == whole

    def test_a_user_has_half_of_the_whole_and_not_of_what_the_worker_was_lent(self) -> None:
        daemon = settled(8, 4)
        daemon.workers[0].upload(20, "alice")
        daemon.settle()
        assert len(daemon.workers[0].running) == 4
        daemon.workers[0].upload(20, "bob")
        daemon.settle()
        assert len(daemon.workers[0].running) == 8

    def test_what_one_user_cannot_use_is_not_asked_for(self) -> None:
        daemon = settled(8, 2)
        before = daemon.told
        daemon.workers[0].upload(20, "alice")
        assert daemon.told == before

    @pytest.mark.parametrize(("whole", "workers"), [(8, 2), (8, 3), (5, 5), (32, 3)])
    def test_each_gets_its_share_back_in_the_time_of_one_request(
        self, whole: int, workers: int
    ) -> None:
        daemon = settled(whole, workers)
        busy, *others = daemon.workers.values()
        busy.upload(5 * whole)
        daemon.settle()
        for other in others:
            other.upload(5 * whole)
        daemon.settle()
        for _ in range(whole):  # all that run now come to their end, and no other one
            busy.end_one()
            daemon.settle()
        assert min(daemon.each()) >= whole // workers
        assert daemon.running == whole

    def test_who_needs_no_more_says_so(self) -> None:
        daemon = settled(8, 2)
        first, second = daemon.workers.values()
        second.upload(4)
        first.upload(6)
        daemon.settle()
        for _ in range(3):
            first.end_one()
        daemon.settle()
        before = daemon.told
        second.end_one()
        second.upload()
        assert daemon.told == before, "nobody waits for what it had for a moment"

    def test_no_more_is_spared_than_was_asked_for(self) -> None:
        daemon = settled(8, 2)
        idle = daemon.workers[1]
        daemon.workers[0].upload(5)
        daemon.hear(0)
        daemon.obey(1)
        assert idle.slots.most == 3
        idle.upload()
        idle.end_one()
        assert idle.slots.most == 3

    def test_only_as_much_as_is_needed_is_taken_from_one_that_is_busy(self) -> None:
        daemon = settled(8, 2)
        daemon.workers[0].upload(100)
        daemon.settle()
        daemon.workers[1].upload(1)
        for _ in range(30):
            daemon.settle()
            daemon.workers[0].end_one()
        daemon.settle()
        assert daemon.each() == [7, 1]
        daemon.workers[1].end_one()
        daemon.settle()
        assert daemon.each() == [8, 0]

    def test_fewer_requests_than_workers_go_round(self) -> None:
        daemon = settled(1, 3)
        for worker in daemon.workers.values():
            worker.upload(50)
        served = []
        for _ in range(30):
            daemon.settle()
            assert sum(daemon.each()) == 1
            (number,) = (each for each in daemon.workers if daemon.workers[each].running)
            served.append(number)
            daemon.workers[number].end_one()
        assert min(served.count(number) for number in range(3)) >= 9


class TestWorkersThatEnd:
    def test_what_a_killed_one_had_is_free(self) -> None:
        daemon = settled(8, 2)
        daemon.workers[0].upload(20)
        daemon.settle()
        daemon.workers[1].upload(20)
        daemon.settle()
        assert daemon.each() == [8, 0], "nothing of it has ended"
        daemon.kill(0)
        daemon.settle()
        assert daemon.each() == [8]

    def test_the_next_one_gets_its_share(self) -> None:
        daemon = settled(8, 2)
        daemon.kill(0)
        daemon.workers[1].upload(20)
        daemon.settle()
        daemon.replace(0)
        daemon.settle()
        daemon.workers[0].upload(20)
        for _ in range(8):
            daemon.settle()
            daemon.workers[1].end_one()
        daemon.settle()
        assert daemon.each() == [4, 4]

    def test_where_nobody_wanted_it_the_next_one_has_it_at_once(self) -> None:
        daemon = settled(8, 2)
        daemon.kill(1)
        daemon.replace(1)
        daemon.settle()
        assert daemon.workers[1].slots.most == 4


class TestReload:
    def test_more(self) -> None:
        daemon = settled(4, 2)
        daemon.workers[0].upload(20)
        daemon.settle()
        daemon.resize(10)
        daemon.settle()
        assert daemon.each() == [10, 0]

    @pytest.mark.parametrize("whole", [1, 2, 3])
    def test_less_holds_as_soon_as_what_runs_has_ended(self, whole: int) -> None:
        daemon = settled(8, 2)
        for worker in daemon.workers.values():
            worker.upload(20)
        daemon.settle()
        daemon.resize(whole)
        daemon.settle()
        for worker in daemon.workers.values():
            for _ in range(4):
                worker.end_one()
                daemon.settle()
        assert daemon.running == whole

    def test_less_is_lent_as_before(self) -> None:
        daemon = settled(16, 2)
        first, second = daemon.workers.values()
        second.upload(8)
        first.upload(9)
        daemon.settle()
        daemon.resize(12)
        daemon.settle()
        for _ in range(5):
            second.end_one()
            daemon.settle()
        assert daemon.each() == [9, 3]

    def test_less_for_those_who_rest(self) -> None:
        daemon = settled(8, 2)
        daemon.resize(2)
        daemon.settle()
        assert [worker.slots.most for worker in daemon.workers.values()] == [1, 1]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_in_whatever_order(seed: int) -> None:
    chance = random.Random(seed)
    workers = chance.choice([2, 2, 3, 5])
    daemon = Daemon(chance.choice([1, 2, 3, 8, 13]), workers)
    bound = daemon.whole
    for _ in range(300):
        number = chance.randrange(workers)
        worker = daemon.workers.get(number)
        what = chance.random()
        under_way = daemon.under_way()
        if worker is None:
            if what < 0.3:
                daemon.replace(number)
        elif what < 0.005:
            daemon.kill(number)
        elif what < 0.01:
            daemon.resize(chance.choice([1, 2, 5, 8]))
            bound = max(bound, daemon.whole)  # what runs under a higher one is finished
        elif what < 0.20:
            worker.upload(chance.choice([1, 1, 1, 4, 12]), chance.choice(["", "", "alice"]))
        elif what < 0.45 and worker.running:
            worker.end_one(chance.randrange(len(worker.running)))
        elif under_way:
            way, of = chance.choice(under_way)
            getattr(daemon, way)(of)
        assert daemon.usable <= bound
        if daemon.usable <= daemon.whole and not daemon.under_way():
            bound = daemon.whole
    for number in range(workers):
        if number not in daemon.workers:
            daemon.replace(number)
    for _ in range(3000):
        daemon.settle()
        wanted = any(worker.waiting for worker in daemon.workers.values())
        # Once all is said, no request is idle that somebody could use.
        assert not wanted or daemon.running >= daemon.whole
        busy = [worker for worker in daemon.workers.values() if worker.running]
        if not busy:
            break
        chance.choice(busy).end_one()
    assert daemon.running == 0
    assert not any(worker.waiting for worker in daemon.workers.values()), "not all were served"
    held = [worker.slots.most for worker in daemon.workers.values()]
    assert sum(held) == daemon.whole
