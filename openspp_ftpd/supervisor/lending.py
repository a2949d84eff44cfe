"""Who may have how many of the requests to OpenSPP that all workers share. Pure.

Each worker starts with its fair share and says nothing while that is enough. One that needs more
says how many it could use. It is lent what is free; the others are told to give back at once what
they do not need, and those that have more than their part what they do, as it comes free. What a
worker was lent counts as in use until it has given it back or its process is gone, so that there
are never more requests at once than `parallel_requests`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.supervisor.messages import Lending, Needs
from openspp_ftpd.supervisor.shares import share


@dataclass(slots=True)
class _Account:
    """A worker's, as the supervisor knows it."""

    held: int = 0  # lent and not given back
    needed: int = 0  # as it last said; it says nothing while it holds enough
    turn: int = 0  # when it was last lent something that it needed
    told: Lending | None = None  # None: it has to be told anew

    @property
    def lacks(self) -> int:
        return max(0, self.needed - self.held)


class Lender:
    """The supervisor's side: what every worker has.

    Args:
        whole: [openspp] parallel_requests.
        workers: how many there shall be.
    """

    def __init__(self, whole: int, workers: int) -> None:
        self.whole = whole
        """May be changed; `orders` says then what follows from it."""
        self._workers = workers
        self._accounts: dict[int, _Account] = {}
        self._turns = 0

    def heard(self, worker: int, needs: Needs) -> None:
        """A worker says what it needs, the first time too, and gives back."""
        account = self._accounts.setdefault(worker, _Account())
        account.needed = needs.requests
        account.held -= needs.given_back
        if needs.given_back:
            account.told = None  # to give has used up what it was told to spare

    def gone(self, worker: int) -> None:
        """A worker's process is gone, and what it had is free again.

        If it was killed, OpenSPP may still work on its last requests; nobody can know how long.
        """
        self._accounts.pop(worker, None)

    def orders(self) -> dict[int, Lending]:
        """What workers have to be told now; it counts as told."""
        lent = self._lend()
        keep = self._to_keep()
        lacking = sum(account.lacks for account in self._accounts.values())
        orders = {}
        for worker, account in self._accounts.items():
            spare = min(lacking - account.lacks, account.held)
            told = Lending(0, keep.get(worker), spare)
            if lent[worker] or account.told != told:
                orders[worker] = told._replace(lent=lent[worker])
                account.told = told
        return orders

    def _lend(self) -> Counter[int]:
        """Lend what is free, first to those who have least of those who need it."""
        accounts = self._accounts
        lent: Counter[int] = Counter()
        for _ in range(self.whole - sum(account.held for account in accounts.values())):
            lacking = [worker for worker, account in accounts.items() if account.lacks]
            if lacking:
                worker = min(lacking, key=lambda each: (accounts[each].held, accounts[each].turn))
                self._turns += 1
                accounts[worker].turn = self._turns
            else:  # nobody needs it: to whom it belongs
                below = [each for each in accounts if accounts[each].held < self._share(each)]
                if not below:
                    break
                worker = below[0]
            accounts[worker].held += 1
            lent[worker] += 1
        return lent

    def _share(self, worker: int) -> int:
        return share(self.whole, self._workers, worker)

    def _to_keep(self) -> dict[int, int]:
        """How many those may keep that have to give back even what they need.

        They have the most, and others who have less lack some. Where there are fewer requests than
        workers, one that has none gets the one of whoever has had it longest.
        """
        accounts = self._accounts
        after = {worker: account.held for worker, account in accounts.items()}
        for _ in range(sum(after.values()) - self.whole):  # parallel_requests was lowered
            after[max(after, key=lambda each: after[each])] -= 1
        while lacking := [
            each
            for each, account in accounts.items()
            if account.held <= after[each] < account.needed
        ]:
            taker = min(lacking, key=lambda each: (after[each], accounts[each].turn))
            least = 1 if after[taker] == 0 else after[taker] + 2
            givers = [each for each in after if accounts[each].held and after[each] >= least]
            if not givers:
                break
            giver = max(givers, key=lambda each: (after[each], -accounts[each].turn))
            after[giver] -= 1
            after[taker] += 1
        return {each: after[each] for each in after if after[each] < accounts[each].held}


class Borrower:
    """A worker's side: keeps `slots` at what it was lent, and says what it needs.

    Args:
        slots: the worker's; it has none before it is lent some.
        tell: tells the supervisor.
    """

    def __init__(self, slots: Slots, tell: Callable[[Needs], None]) -> None:
        self._slots = slots
        self._tell = tell
        self._held = 0
        self._keep: int | None = None
        self._spare = 0
        self._told = 0
        slots.settled = self._settle

    def begin(self) -> None:
        """Ask for the first ones."""
        self._tell(Needs(0, 0))

    def heed(self, order: Lending) -> None:
        """The supervisor says what is lent and what others want."""
        self._held += order.lent
        if order.lent:
            # What is wanted back already is first used for one request, or it would only wander.
            self._keep, self._spare = None, 0
            self._set()
            self._slots.advance()
        self._keep, self._spare = order.keep, order.spare
        self._set()
        self._slots.advance()

    def _set(self) -> None:
        keep = self._held if self._keep is None else min(self._keep, self._held)
        self._slots.lent = keep
        self._slots.unwanted = min(keep, self._held - self._spare)

    def _settle(self) -> None:
        """Give back what is to be given back, and say what is lacking; next to nothing where
        nobody wants anything."""
        slots = self._slots
        needed = slots.needed()
        kept = max(slots.taken, slots.lent)
        spared = min(self._spare, max(0, kept - max(needed, slots.taken)))
        given = self._held - kept + spared
        held = self._held - given
        if given or max(0, needed - held) != max(0, self._told - held):
            self._held, self._told = held, needed
            self._spare -= spared
            self._set()
            self._tell(Needs(needed, given))
