"""Whose turn it is: nobody takes more than half, and no name runs twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.delivery.turns import Turns


def started(turns: Turns[str]) -> list[str]:
    """Start all that may start now."""
    found = []
    while (ticket := turns.next()) is not None:
        found.append(ticket)
    return found


def queue(turns: Turns[str], user: str, count: int) -> list[str]:
    tickets = [f"{user}{number}" for number in range(count)]
    for ticket in tickets:
        turns.wait(ticket, user, ticket)
    return tickets


class TestNoUserHoldsMoreThanHalf:
    def test_twenty_scans_of_one_user_leave_room_for_another(self) -> None:
        turns: Turns[str] = Turns(Slots(8))
        alice = queue(turns, "alice", 20)
        assert started(turns) == alice[:4]
        bob = queue(turns, "bob", 1)
        assert started(turns) == bob

    def test_a_finished_scan_lets_the_next_start(self) -> None:
        turns: Turns[str] = Turns(Slots(8))
        alice = queue(turns, "alice", 6)
        started(turns)
        turns.end(alice[2])
        assert started(turns) == [alice[4]]

    def test_with_one_slot_everybody_gets_it_in_turn(self) -> None:
        turns: Turns[str] = Turns(Slots(1))
        queue(turns, "alice", 2)
        queue(turns, "bob", 1)
        order = []
        for _ in range(3):
            (ticket,) = started(turns)
            order.append(ticket)
            turns.end(ticket)
        assert order == ["alice0", "alice1", "bob0"]

    def test_who_has_the_fewest_running_goes_first(self) -> None:
        turns: Turns[str] = Turns(Slots(4))
        alice = queue(turns, "alice", 9)
        bob = queue(turns, "bob", 9)
        assert started(turns) == [alice[0], bob[0], alice[1], bob[1]]
        queue(turns, "carol", 1)
        turns.end(alice[0])
        assert started(turns) == ["carol0"], "she came last, but has nothing running"


class TestOneNameRunsOnce:
    def test_the_later_of_two_waits_for_the_earlier(self) -> None:
        turns: Turns[str] = Turns(Slots(8))
        turns.wait("first", "alice", "scan.pdf")
        turns.wait("second", "alice", "scan.pdf")
        assert started(turns) == ["first"]
        turns.end("first")
        assert started(turns) == ["second"]

    def test_other_names_and_other_users_pass_it(self) -> None:
        turns: Turns[str] = Turns(Slots(8))
        turns.wait("first", "alice", "scan.pdf")
        turns.wait("second", "alice", "scan.pdf")
        turns.wait("other name", "alice", "other.pdf")
        turns.wait("other user", "bob", "scan.pdf")
        assert set(started(turns)) == {"first", "other name", "other user"}

    def test_a_freed_name_lets_the_next_start_beside_it(self) -> None:
        turns: Turns[str] = Turns(Slots(8))
        turns.wait("first", "alice", "scan.pdf")
        turns.wait("second", "alice", "scan.pdf")
        started(turns)
        turns.free_name("first")
        assert started(turns) == ["second"]
        turns.wait("third", "alice", "scan.pdf")
        assert started(turns) == [], "the second holds the name now"


class TestWhoIsWaitedFor:
    def test_everybody_when_all_slots_are_taken(self) -> None:
        turns: Turns[str] = Turns(Slots(2))
        for user in ("alice", "bob", "carol"):
            queue(turns, user, 1)
        started(turns)
        assert turns.waited_for("alice0")
        assert turns.waited_for("bob0")

    def test_only_the_same_user_where_his_half_is_the_hindrance(self) -> None:
        turns: Turns[str] = Turns(Slots(4))
        queue(turns, "alice", 3)
        queue(turns, "bob", 1)
        started(turns)
        assert turns.waited_for("alice0")
        assert not turns.waited_for("bob0")

    def test_nobody_where_nobody_waits(self) -> None:
        turns: Turns[str] = Turns(Slots(1))
        queue(turns, "alice", 1)
        started(turns)
        assert not turns.waited_for("alice0")

    def test_nobody_while_more_run_than_may(self) -> None:
        slots = Slots(2)
        turns: Turns[str] = Turns(slots)
        for user in ("alice", "bob", "carol"):
            queue(turns, user, 1)
        started(turns)
        slots.whole = 1
        assert not turns.waited_for("alice0")
        turns.end("alice0")
        assert turns.waited_for("bob0")

    def test_not_one_that_has_ended(self) -> None:
        turns: Turns[str] = Turns(Slots(1))
        queue(turns, "alice", 2)
        started(turns)
        turns.end("alice0")
        turns.end("alice0")
        assert not turns.waited_for("alice0")
        assert started(turns) == ["alice1"]


moves = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from("abc"), st.sampled_from("xyz")),
        st.tuples(st.just("end"), st.integers(0, 30), st.none()),
        st.tuples(st.just("free"), st.integers(0, 30), st.none()),
    ),
    max_size=60,
)


@given(slots=st.integers(1, 6), moves=moves)
def test_the_rules_hold_whatever_happens_and_nobody_waits_for_nothing(
    slots: int, moves: list[tuple[str, str | int, str | None]]
) -> None:
    turns: Turns[int] = Turns(Slots(slots))
    waiting: dict[int, tuple[str, str]] = {}
    running: dict[int, tuple[str, str | None]] = {}
    ticket = 0
    for move, what, name in moves:
        if move == "wait" and isinstance(what, str) and name is not None:
            ticket += 1
            turns.wait(ticket, what, name)
            waiting[ticket] = (what, name)
        elif move == "end" and isinstance(what, int):
            turns.end(what)
            waiting.pop(what, None)
            running.pop(what, None)
        elif move == "free" and isinstance(what, int):
            turns.free_name(what)
            if what in running:
                running[what] = (running[what][0], None)
        while (started := turns.next()) is not None:
            running[started] = waiting.pop(started)
        users = Counter(user for user, _ in running.values())
        names = Counter(claim for claim in running.values() if claim[1] is not None)
        half = max(1, slots // 2)
        assert len(running) <= slots
        assert all(count <= half for count in users.values())
        assert all(count == 1 for count in names.values())
        if len(running) < slots:
            for claim in waiting.values():
                assert users[claim[0]] == half or names[claim], "it could have started"
