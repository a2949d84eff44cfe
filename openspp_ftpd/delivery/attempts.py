"""What a worker thread does: asks OpenSPP, again where that is certain to be harmless.

Here belongs what happens between the start of one login or upload and its verdict; it blocks, so
it never runs on the loop. Retried is only what certainly stored nothing and may work soon after.
An attempt without a verdict is never followed by another, for the first may still be running;
except where OpenSPP can be asked what it has, and after as long as an upload may take it has not.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.ledger import NamePlan
from openspp_ftpd.openspp import (
    Api,
    Content,
    Credentials,
    Denied,
    Exchange,
    NotStored,
    Outcome,
    Stored,
    Unsettled,
)

LOGIN_RETRIES_WITHIN: Final = 3.0
"""Seconds in which a login is tried again: the check before a scan must fail quickly."""

_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 4.0

Hear = Callable[[Failure], None]
"""Told of every failure that is followed by another attempt, from the worker thread."""


@dataclass(frozen=True, slots=True)
class StoredAs:
    """OpenSPP has the scan under `name`.

    `proven`: an earlier attempt of these bytes stored it. `alone`: none left another copy.
    """

    name: str
    proven: bool = False
    alone: bool = False


Verdict = StoredAs | NotStored | Unsettled


@dataclass(frozen=True, slots=True)
class Doubts:
    """Names under which earlier attempts may have stored the scan; the last one ended at `since`
    (monotonic seconds)."""

    names: tuple[str, ...] = ()
    since: float = 0.0


class Progress:
    """How far a worker thread is; written by it, read by the loop."""

    def __init__(self) -> None:
        self.attempts = 0
        self.name = ""  # under which the current attempt stores
        self.failure: Failure | None = None  # of the last attempt that was followed by another
        self.doubt = ""  # why the current attempt has no verdict, where OpenSPP is asked after it

    def account(self, failure: Failure, seconds: float) -> Failure:
        """`failure` with the number of attempts and the time they took in its detail."""
        attempts = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        detail = f"{failure.detail or failure.problem.text} ({attempts}, {seconds:.1f} s)"
        return replace(failure, detail=detail)


def authenticate(
    api: Api, credentials: Credentials, exchange: Exchange, progress: Progress, hear: Hear
) -> Failure | None:
    """Ask OpenSPP whether the user may send scans (None), for a few seconds if it is not well.

    Never raises.
    """
    until = time.monotonic() + LOGIN_RETRIES_WITHIN
    waits = _waits()
    try:
        while True:
            progress.attempts += 1
            began = time.monotonic()
            denied = api.authenticate(credentials, exchange)
            if denied is None:
                return None
            if not denied.may_retry or not _again(
                denied, progress, hear, exchange, waits, began, until
            ):
                return denied.failure
    except BaseException as error:
        return _defect(error)


def store(
    api: Api,
    credentials: Credentials,
    content: Content,
    plan: NamePlan,
    exchange: Exchange,
    progress: Progress,
    hear: Hear,
    until: float,
    doubts: Doubts = Doubts(),
) -> Verdict:
    """Store `content` under the first name of `plan` that OpenSPP takes; `until` is monotonic.

    Never raises: what a defect raises becomes a failure whose certainty `exchange` knows.
    """
    names = iter(plan.names)
    waits = _waits()
    progress.name = next(names)
    can_be_asked = api.settles_after is not None
    try:
        if doubts.names and can_be_asked:
            earlier = _settle_earlier(api, credentials, content, doubts, exchange, until)
            if earlier is not None:
                return earlier
        while True:
            progress.attempts += 1
            began = time.monotonic()
            outcome = api.store(credentials, progress.name, content, exchange)
            if isinstance(outcome, Unsettled) and can_be_asked:
                progress.doubt = f"{outcome.failure.detail}; OpenSPP does not have it so far"
                outcome = _settle(api, credentials, progress.name, content, exchange, outcome)
            if isinstance(outcome, Stored):
                return StoredAs(progress.name, proven=outcome.earlier, alone=can_be_asked)
            if isinstance(outcome, Unsettled):
                return outcome
            if outcome.failure.problem is Problem.NAME_TAKEN:
                if progress.name in plan.proofs and not can_be_asked:
                    return StoredAs(progress.name, proven=True)
                name = next(names, None)
                if name is None or not exchange.wait(0):
                    return outcome
                progress.name = name
            elif not outcome.may_retry or not _again(
                outcome, progress, hear, exchange, waits, began, until
            ):
                return outcome
    except BaseException as error:
        failure = _defect(error)
        return NotStored(failure) if exchange.abandon() else Unsettled(failure)


def _settle(
    api: Api,
    credentials: Credentials,
    name: str,
    content: Content,
    exchange: Exchange,
    doubt: Unsettled,
) -> Outcome:
    """Ask what became of an attempt until it is known; `doubt` itself where that cannot be."""
    exchange.settle()
    waits = _waits()
    patience = 0.0 if doubt.over else (api.settles_after or 0.0)
    certain_from = time.monotonic() + patience
    while True:
        asked = time.monotonic()
        outcome = api.settle(credentials, name, content, exchange)
        if isinstance(outcome, Stored):
            return outcome
        if isinstance(outcome, NotStored) and asked >= certain_from:
            exchange.settled()
            detail = f"{doubt.failure.detail}, but was looked for and is not"
            failure = replace(outcome.failure, detail=detail)
            return NotStored(failure, may_retry=doubt.may_retry)
        if not exchange.wait(next(waits)):
            return doubt


def _settle_earlier(
    api: Api,
    credentials: Credentials,
    content: Content,
    doubts: Doubts,
    exchange: Exchange,
    until: float,
) -> Verdict | None:
    """Find out what became of earlier attempts before there is another. None: nothing, for good."""
    waits = _waits()
    certain_from = doubts.since + (api.settles_after or 0.0)
    while True:
        asked = time.monotonic()
        all_known = asked >= certain_from
        for name in doubts.names:
            outcome = api.settle(credentials, name, content, exchange)
            if isinstance(outcome, Stored):
                return StoredAs(name, proven=True, alone=True)
            all_known = all_known and isinstance(outcome, NotStored)
        if all_known:
            return None
        wait = next(waits)
        if time.monotonic() + wait >= until or not exchange.wait(wait):
            detail = (
                "OpenSPP may still be storing an earlier sending of this scan; it is sent again"
                " once it is certain that it does not"
            )
            return NotStored(Failure(Problem.UNCERTAIN, detail=detail))


def _again(
    denied: Denied | NotStored,
    progress: Progress,
    hear: Hear,
    exchange: Exchange,
    waits: Iterator[float],
    began: float,
    until: float,
) -> bool:
    """Wait for the next attempt; False: there is to be none.

    One that takes twice as long as the last, which `began` then, is to find time: cut off by the
    deadline it would make a certain failure an uncertain one.
    """
    wait, now = next(waits), time.monotonic()
    if now + wait + 2 * (now - began) >= until:
        return False
    progress.failure = denied.failure
    hear(denied.failure)
    return exchange.wait(wait)


def _waits() -> Iterator[float]:
    """Seconds to wait before each further attempt."""
    wait = _FIRST_WAIT
    while True:
        yield wait
        wait = min(2 * wait, _LONGEST_WAIT)


def _defect(error: BaseException) -> Failure:
    """A defect of ours. The exception's text stays out, for it may quote a password."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    detail = f"defect in the scan gateway: {type(error).__name__} at {where}; please report it"
    return Failure(Problem.INTERNAL, detail=detail)
