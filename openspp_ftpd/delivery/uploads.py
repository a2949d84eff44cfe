"""Uploads to OpenSPP: whose turn it is, until when, and what is known of a scan without a verdict.

Here belongs what the loop decides about an upload; `attempts` is what its worker thread does. The
loop owns the deadline, because the time-outs of an HTTP library do not bound a whole answer.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from openspp_ftpd.delivery.attempts import Doubts, Progress, StoredAs, Verdict, store
from openspp_ftpd.delivery.logins import RememberedLogins
from openspp_ftpd.delivery.mailbox import Mailbox, Timer, Timers
from openspp_ftpd.delivery.outcomes import Delivered, Outcome, Receipt, Scan
from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.delivery.turns import Turns
from openspp_ftpd.delivery.workers import Workers
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.ledger import Key, Ledger, NamePlan
from openspp_ftpd.openspp import Api, Exchange, NotStored, Unsettled
from openspp_ftpd.settings import OpenSPPSettings

LISTEN_ON_FOR: Final = 120.0
"""Seconds that a verdict is waited for after the scanner's time is over."""

LATEST_START: Final = 0.95
"""Part of `answer_within` after which an upload is not begun: its end would only be in doubt."""

THREADS_PER_SLOT: Final = 4
"""Bounds the threads that outlive their upload, hanging where nothing can be shut (DNS)."""


class State(enum.Enum):
    """Where an upload is."""

    WAITING = "for its turn"
    JOINED = "to an upload of the same scan, whose verdict serves both"
    RUNNING = "in a worker thread"
    LISTENING = "its time is over after the last byte was sent; its thread waits for the verdict"
    ENDED = "nothing will be sent or heard any more"


class Upload:
    """One scan on its way. To others it is a Pending."""

    def __init__(
        self, scan: Scan, then: Callable[[Outcome], None], abandon: Callable[[Upload], bool]
    ) -> None:
        self.scan = scan
        self.key = scan.key
        self.then = then
        self.begun = time.monotonic()
        self.state = State.WAITING
        self.timers: list[Timer] = []  # still due
        self.lead: Upload | None = None  # the upload it has joined
        self.joiners: list[Upload] = []
        self.exchange = Exchange()
        self.progress = Progress()
        self.plan = NamePlan((), frozenset(), requested=True)
        self.doubts = Doubts()
        self.verdict: Verdict | None = None  # set by the worker thread as its last deed
        self.gives_way = False
        self.outcome: Outcome | None = None  # decided; told by way of the mailbox
        self._abandon = abandon

    def abandon(self) -> bool:
        """See delivery.Pending."""
        return self._abandon(self)

    def seconds(self) -> float:
        """Since the scan was handed over."""
        return time.monotonic() - self.begun

    def trying_own_name(self) -> bool:
        """Whether the current attempt is made under a name that is ours alone."""
        return not (self.plan.requested and self.progress.name == self.plan.names[0])


class Uploads:
    """All uploads of a process. Every method belongs to the loop's thread."""

    def __init__(
        self,
        api: Api,
        settings: OpenSPPSettings,
        timers: Timers,
        mailbox: Mailbox,
        logins: RememberedLogins,
        ledger: Ledger,
        workers: Workers,
        slots: Slots,
    ) -> None:
        self._api = api
        self._settings = settings
        self._timers = timers
        self._mailbox = mailbox
        self._logins = logins
        self._ledger = ledger
        self._workers = workers
        self._slots = slots
        self._turns: Turns[Upload] = Turns(slots)
        self.startable = self._turns.startable  # see slots.Queue
        self._leads: dict[Key, Upload] = {}  # waiting, running and listening; others join them
        self._listening: dict[Upload, None] = {}  # the longest listening first
        self._untold: set[Upload] = set()
        self._threads = 0
        self._closed = False
        slots.join(self)

    def pending(self) -> int:
        """Uploads whose scanner still waits for its answer."""
        return len(self._untold)

    def begin(self, scan: Scan, then: Callable[[Outcome], None]) -> Upload:
        """Deliver `scan` and own its content; `then` is called later, on the loop."""
        upload = Upload(scan, then, self.abandon)
        self._untold.add(upload)
        if self._closed:
            self._end(upload)
            stopping = Failure(Problem.STOPPING)
            self._timers.call_later(0, partial(self._tell, upload, stopping))
            return upload
        self._due(upload, self._settings.answer_within, self._out_of_time)
        self._admit(upload)
        return upload

    def abandon(self, upload: Upload) -> bool:
        """See delivery.Pending."""
        if upload.state is State.RUNNING and upload.verdict is None:
            certain = upload.exchange.abandon()
        elif upload.outcome is not None:
            failure = upload.outcome
            certain = isinstance(failure, Failure) and failure.problem is not Problem.UNCERTAIN
        else:  # it has not been sent, was abandoned before, or its verdict is in the mailbox
            certain = upload.verdict is None or isinstance(upload.verdict, NotStored)
        if certain:
            self._untold.discard(upload)
            if upload.state is not State.ENDED and upload.verdict is None:
                self._withdraw(upload)
        return certain

    def close(self) -> None:
        """Cut what is not sent, wait for nothing, and decide what has still to be told."""
        self._closed = True
        for upload in list(self._leads.values()):
            certain = upload.exchange.abandon()
            upload.exchange.hang_up()
            for each in (upload, *upload.joiners):
                self._end(each)
                if each.outcome is None:
                    self._decide(each, Failure(Problem.STOPPING if certain else Problem.UNCERTAIN))
        self._slots.leave(self)

    # --- from arrival to a thread

    def _admit(self, upload: Upload) -> None:
        """Join an upload of the same scan, answer from the ledger, or queue up."""
        lead = self._leads.get(upload.key)
        if lead is not None:
            upload.state = State.JOINED
            upload.lead = lead
            lead.joiners.append(upload)
            return
        name = self._ledger.stored_as(upload.key, time.monotonic())
        if name is not None:
            self._answer_again(upload, name)
            return
        upload.state = State.WAITING
        self._leads[upload.key] = upload
        self._turns.wait(upload, upload.key.user, upload.key.name)
        self._slots.advance()

    def _readmit(self, joiners: list[Upload]) -> None:
        """What they joined stored nothing, or nobody knows: deliver them in their own time."""
        for joiner in joiners:
            joiner.lead = None
            self._admit(joiner)

    def start_those_who_may(self) -> None:
        """See slots.Queue."""
        if self._closed:
            return
        latest = LATEST_START * self._settings.answer_within
        most_threads = THREADS_PER_SLOT * self._settings.parallel_requests
        while self._threads < most_threads and (upload := self._turns.next()) is not None:
            if upload.seconds() < latest:
                self._start(upload)
            else:
                self._out_of_time(upload)

    def give_way(self) -> bool:
        """See slots.Queue.

        A listening thread keeps its slot, for OpenSPP may still be working on its scan; but after a
        quarter of `answer_within` it gives way to an upload that could not start otherwise, since a
        few requests that hang must not keep every scan from OpenSPP. The one that has listened
        longest goes first.
        """
        for listener in self._listening:
            if listener.gives_way and (
                self._turns.waited_for(listener) or self._slots.wanted_elsewhere(self)
            ):
                self._hang_up(listener)
                return True
        return False

    def _start(self, upload: Upload) -> None:
        now = time.monotonic()
        duplicates = self._settings.on_duplicate == "rename"
        upload.state = State.RUNNING
        since = self._ledger.in_doubt_since(upload.key)
        upload.doubts = Doubts(self._ledger.doubts(upload.key, now), since or now)
        upload.plan = self._ledger.plan(upload.key, upload.scan.received, now, duplicates)
        upload.progress.name = upload.plan.names[0]
        if not upload.plan.requested:
            self._turns.free_name(upload)
        self._threads += 1
        self._workers.run(partial(self._work, upload), partial(self._broken, upload))

    def _work(self, upload: Upload) -> None:
        """In the worker thread."""
        scan = upload.scan
        user = scan.credentials.user
        upload.verdict = store(
            self._api,
            scan.credentials,
            scan.content,
            upload.plan,
            upload.exchange,
            upload.progress,
            hear=lambda failure: self._mailbox.post(partial(self._logins.heed, user, failure)),
            until=upload.begun + self._settings.answer_within,
            doubts=upload.doubts,
        )
        self._mailbox.post(partial(self._finished, upload, upload.verdict))

    def _broken(self, upload: Upload, failure: Failure) -> None:
        """There is no thread for it."""
        upload.verdict = NotStored(failure)
        self._mailbox.post(partial(self._finished, upload, upload.verdict))

    # --- from a verdict to the scanner

    def _finished(self, upload: Upload, verdict: Verdict) -> None:
        """The thread of `upload` has ended."""
        self._threads -= 1
        used = upload.plan.names.index(upload.progress.name) + 1
        self._ledger.give_back(upload.key.user, upload.plan.names[used:])
        if upload.state is not State.ENDED:
            listened = upload.state is State.LISTENING
            joiners = self._end(upload)
            outcome = self._settle(upload, verdict, listened)
            if not listened:
                self._decide(upload, outcome)
            if isinstance(outcome, Delivered):
                for joiner in joiners:
                    self._answer_again(joiner, outcome.name)
            else:
                self._readmit(joiners)
        self._slots.advance()

    def _settle(self, upload: Upload, verdict: Verdict, listened: bool) -> Outcome:
        """Enter the verdict in the ledger."""
        now = time.monotonic()
        key = upload.key
        if isinstance(verdict, StoredAs):
            receipt = Receipt(self._ledger, key)
            self._ledger.is_stored(key, verdict.name, receipt, now)
            return Delivered(
                verdict.name,
                receipt,
                proven=verdict.proven,
                second_copy=not verdict.alone
                and any(name != verdict.name for name in upload.doubts.names),
                attempts=upload.progress.attempts,
                seconds=upload.seconds(),
            )
        self._logins.heed(key.user, verdict.failure)
        if isinstance(verdict, Unsettled):
            return self._doubt(upload, verdict.failure.detail)
        # Only this upload's own doubt is settled: an earlier one under the same name stays open.
        if listened and upload.progress.name not in upload.doubts.names:
            self._ledger.is_not_stored(key, upload.progress.name)
        return upload.progress.account(verdict.failure, upload.seconds())

    def _doubt(self, upload: Upload, detail: str) -> Failure:
        """OpenSPP has every byte and gave no verdict."""
        name = upload.progress.name
        self._ledger.is_doubtful(upload.key, name, upload.trying_own_name(), time.monotonic())
        failure = Failure(Problem.UNCERTAIN, detail=detail)
        return upload.progress.account(failure, upload.seconds())

    def _answer_again(self, upload: Upload, name: str) -> None:
        """OpenSPP has this scan under `name` already."""
        self._end(upload)
        receipt = Receipt(self._ledger, upload.key)
        self._ledger.belongs_to(upload.key, receipt)
        self._decide(upload, Delivered(name, receipt, again=True, seconds=upload.seconds()))

    def _decide(self, upload: Upload, outcome: Outcome) -> None:
        upload.outcome = outcome
        self._mailbox.post(partial(self._tell, upload, outcome))

    def _tell(self, upload: Upload, outcome: Outcome) -> None:
        if upload in self._untold:
            self._untold.remove(upload)
            upload.then(outcome)

    # --- time

    def _due(self, upload: Upload, seconds: float, then: Callable[[Upload], None]) -> None:
        def fire() -> None:
            upload.timers.remove(timer)
            then(upload)

        timer = self._timers.call_later(seconds, fire)
        upload.timers.append(timer)

    def _out_of_time(self, upload: Upload) -> None:
        """The scanner has waited for `answer_within`."""
        within = f"{self._settings.answer_within:g} s (answer_within)"
        if upload.state is State.WAITING:
            detail = (
                f"no turn within {within}: OpenSPP is busy with other scans (parallel_requests)"
            )
            failure = Failure(Problem.TOO_SLOW, detail=detail)
        elif upload.state is State.JOINED:
            detail = f"no verdict within {within} on the same scan, sent before"
            failure = Failure(Problem.UNCERTAIN, detail=detail)
        elif upload.state is not State.RUNNING or upload.verdict is not None:
            return  # decided already
        elif upload.exchange.abandon():
            slow = Failure(Problem.TOO_SLOW, detail=f"not all sent and answered within {within}")
            failure = upload.progress.account(upload.progress.failure or slow, upload.seconds())
            self._logins.heed(upload.key.user, failure)
        else:
            self._listen(upload, upload.progress.doubt or f"all sent, no verdict within {within}")
            return
        self._withdraw(upload)
        self._decide(upload, failure)

    def _listen(self, upload: Upload, detail: str) -> None:
        """Tell the scanner that nothing is certain, and wait for a late verdict."""
        upload.state = State.LISTENING
        upload.scan.content.discard()  # every byte is sent, and no attempt follows
        self._listening[upload] = None
        failure = self._doubt(upload, detail)
        self._logins.heed(upload.key.user, failure)
        self._decide(upload, failure)
        self._due(upload, self._settings.answer_within / 4, self._give_way)
        self._due(upload, LISTEN_ON_FOR, self._hang_up)
        self._turns.free_name(upload)  # the ledger sees to it that nothing takes this name now
        self._slots.advance()

    def _give_way(self, upload: Upload) -> None:
        upload.gives_way = True
        self._slots.advance()

    def _hang_up(self, upload: Upload) -> None:
        """Listen no more. The thread comes back with the verdict that there is none."""
        self._listening.pop(upload, None)
        self._turns.end(upload)
        upload.exchange.hang_up()

    # --- ends

    def _withdraw(self, upload: Upload) -> None:
        """Nothing of it was stored, nor will be."""
        if upload.lead is not None:
            upload.lead.joiners.remove(upload)
            upload.lead = None
        self._readmit(self._end(upload))
        self._slots.advance()

    def _end(self, upload: Upload) -> list[Upload]:
        """Forget it, and return those who had joined it."""
        upload.state = State.ENDED
        while upload.timers:
            upload.timers.pop().cancel()
        self._turns.end(upload)
        self._listening.pop(upload, None)
        if self._leads.get(upload.key) is upload:
            del self._leads[upload.key]
        upload.scan.content.discard()
        joiners, upload.joiners = upload.joiners, []
        return joiners
