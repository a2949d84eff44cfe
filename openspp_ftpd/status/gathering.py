"""The snapshots of several workers over time become one, in which no count ever goes down.

A worker that ended takes its sessions with it, but what it counted was so: its last snapshot stays.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from openspp_ftpd.status.snapshot import Facts, Snapshot, merge

_FORGET_AFTER: Final = 300.0
"""Seconds after which a worker that gave no answer is taken for ended, for good."""


class Gathering:
    """The workers of one daemon."""

    def __init__(self) -> None:
        # By the moment of the start, which tells a worker from the one that took its place.
        self._last: dict[float, Snapshot] = {}
        self._ended: Snapshot | None = None

    def merged(self, answers: Sequence[Snapshot], own: Snapshot) -> Snapshot:
        """What `answers` of those that are there say, with `own`: the supervisor's, whose facts on
        the daemon as a whole hold.
        """
        there = {snapshot.started: snapshot for snapshot in answers}
        self._last.update(there)
        for started, snapshot in list(self._last.items()):
            if started not in there and own.taken - snapshot.taken > _FORGET_AFTER:
                del self._last[started]
                self._ended = merge([each for each in (self._ended, snapshot) if each is not None])
        absent = [each for started, each in self._last.items() if started not in there]
        if self._ended is not None:
            absent.append(self._ended)
        counted = [_only_counts(snapshot) for snapshot in absent]
        both = merge([own, *there.values(), *counted])
        return replace(
            both,
            taken=own.taken,
            started=own.started,
            facts=replace(both.facts, state=own.facts.state),
            openspp=replace(both.openspp, url=own.openspp.url),
        )


def _only_counts(snapshot: Snapshot) -> Snapshot:
    """Without what was the case: of a worker that is gone nothing is."""
    openspp = replace(snapshot.openspp, expiring_keys={})
    return replace(snapshot, facts=Facts(), openspp=openspp)
