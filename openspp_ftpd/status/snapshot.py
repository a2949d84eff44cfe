"""The state of the daemon at one moment: what `openspp-ftpd status` and the metrics are made of.

Here belong its shape, its JSON and how those of several processes become one. Times are seconds
since 1970, durations seconds, sizes bytes. It holds no password and no content, and file names only
as `[log] names` shows them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal, TypeVar

KEPT: Final = 20
"""How many of the last scans, and of the last failures, are shown."""

BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0)
"""Upper bounds of a histogram's buckets; above the last there is one more."""

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long: a count for each of BOUNDS, and one for what is above."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    sum: float = 0.0

    def with_one(self, seconds: float) -> Histogram:
        """One more."""
        bucket = bisect_left(BOUNDS, seconds)
        counts = (*self.counts[:bucket], self.counts[bucket] + 1, *self.counts[bucket + 1 :])
        return Histogram(counts, self.sum + seconds)

    def with_all(self, other: Histogram) -> Histogram:
        """Both together."""
        pairs = zip(self.counts, other.counts, strict=True)
        return Histogram(tuple(one + two for one, two in pairs), self.sum + other.sum)


@dataclass(frozen=True, slots=True)
class Entry:
    """One scan, or a login that failed (without a file)."""

    at: float
    user: str
    client: str
    file: str
    size: int
    result: str
    reply: str  # what the scanner was told; "" where nobody was left to tell
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenSPP:
    """What real traffic, and a question without a password where there was none, last showed."""

    url: str = ""
    answered_at: float | None = None  # the last answer that was in order
    answers_since: float | None = None  # the first one after the last trouble
    trouble_at: float | None = None
    trouble_since: float | None = None  # the first trouble after the last answer
    trouble: str = ""  # what was wrong the last time
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by kind and result
    seconds: Mapping[str, Histogram] = field(default_factory=dict)  # by kind, of those answered
    expiring_keys: Mapping[str, str] = field(default_factory=dict)  # by user: what to be told

    @property
    def answers(self) -> bool | None:
        """Whether it answered the last time; None: it was not asked yet."""
        if self.answered_at is None or self.trouble_at is None:
            return None if self.answered_at == self.trouble_at else self.trouble_at is None
        return self.answered_at >= self.trouble_at


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the case at the moment, as opposed to what was counted."""

    version: str = ""
    state: Literal["serving", "stopping"] = "serving"
    listening: str = ""  # where, as the journal says it at the start
    sessions_plain: int = 0
    sessions_tls: int = 0
    uploads_pending: int = 0  # received, and OpenSPP has not answered yet
    spool_used: int = 0
    spool_size: int = 0
    certificate_expires: float | None = None  # None: TLS is off


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything."""

    taken: float
    started: float
    facts: Facts = field(default_factory=Facts)
    openspp: OpenSPP = field(default_factory=OpenSPP)
    logins: Mapping[str, int] = field(default_factory=dict)  # by result
    scans: Mapping[str, int] = field(default_factory=dict)
    scan_bytes: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)  # of scans that were not stored
    sessions_refused: int = 0
    seconds_to_store: Histogram = field(default_factory=Histogram)
    last_scans: tuple[Entry, ...] = ()  # oldest first
    last_failures: tuple[Entry, ...] = ()

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


def from_json(text: str) -> Snapshot:
    """What `to_json` wrote. Raises ValueError for anything else."""
    return _decoded(Snapshot, json.loads(text))


def merge(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Those of several processes of one daemon as one; at least one is needed.

    Counts are added up. The processes share their listeners, certificate and spool.
    """
    if len(snapshots) == 1:
        return snapshots[0]
    first = snapshots[0]
    facts = [snapshot.facts for snapshot in snapshots]
    expiries = [each.certificate_expires for each in facts if each.certificate_expires is not None]
    return Snapshot(
        taken=max(snapshot.taken for snapshot in snapshots),
        started=min(snapshot.started for snapshot in snapshots),
        facts=dataclasses.replace(
            first.facts,
            state="stopping" if any(each.state == "stopping" for each in facts) else "serving",
            sessions_plain=sum(each.sessions_plain for each in facts),
            sessions_tls=sum(each.sessions_tls for each in facts),
            uploads_pending=sum(each.uploads_pending for each in facts),
            spool_used=max(each.spool_used for each in facts),
            spool_size=max(each.spool_size for each in facts),
            certificate_expires=min(expiries, default=None),
        ),
        openspp=_merged_openspp([snapshot.openspp for snapshot in snapshots]),
        logins=_sum([snapshot.logins for snapshot in snapshots]),
        scans=_sum([snapshot.scans for snapshot in snapshots]),
        scan_bytes=_sum([snapshot.scan_bytes for snapshot in snapshots]),
        problems=_sum([snapshot.problems for snapshot in snapshots]),
        sessions_refused=sum(snapshot.sessions_refused for snapshot in snapshots),
        seconds_to_store=_together([snapshot.seconds_to_store for snapshot in snapshots]),
        last_scans=_newest([snapshot.last_scans for snapshot in snapshots]),
        last_failures=_newest([snapshot.last_failures for snapshot in snapshots]),
    )


def _merged_openspp(parts: Sequence[OpenSPP]) -> OpenSPP:
    answered = [part.answered_at for part in parts if part.answered_at is not None]
    troubled = [part for part in parts if part.trouble_at is not None]
    last_answer = max(answered, default=None)
    last_trouble = max(troubled, key=lambda part: part.trouble_at or 0.0, default=OpenSPP())
    # Since when: the earliest beginning that the other state has not interrupted.
    answers = [each for part in parts if (each := part.answers_since) is not None]
    troubles = [each for part in parts if (each := part.trouble_since) is not None]
    return OpenSPP(
        url=parts[0].url,
        answered_at=last_answer,
        answers_since=_earliest_after(answers, last_trouble.trouble_at, last_answer),
        trouble_at=last_trouble.trouble_at,
        trouble_since=_earliest_after(troubles, last_answer, last_trouble.trouble_at),
        trouble=last_trouble.trouble,
        requests={
            kind: _sum([part.requests.get(kind, {}) for part in parts])
            for kind in sorted({kind for part in parts for kind in part.requests})
        },
        seconds={
            kind: _together([part.seconds[kind] for part in parts if kind in part.seconds])
            for kind in sorted({kind for part in parts for kind in part.seconds})
        },
        expiring_keys={user: said for part in parts for user, said in part.expiring_keys.items()},
    )


def _earliest_after(
    times: Sequence[float], after: float | None, otherwise: float | None
) -> float | None:
    return min((each for each in times if after is None or each > after), default=otherwise)


def _sum(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _together(histograms: Sequence[Histogram]) -> Histogram:
    return functools.reduce(Histogram.with_all, histograms)


def _newest(lists: Sequence[tuple[Entry, ...]]) -> tuple[Entry, ...]:
    return tuple(sorted((one for each in lists for one in each), key=attrgetter("at"))[-KEPT:])


def _decoded(kind: type[Kind], value: Any) -> Kind:
    """`value` of JSON as a `kind` of this module. Raises ValueError."""
    return typing.cast(Kind, _decode(kind, value))


def _decode(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        if hints.keys() == value.keys():
            return kind(**{name: _decode(hints[name], value[name]) for name in hints})
    elif origin is types.UnionType:
        return None if value is None else _decode(arguments[0], value)
    elif origin is tuple and isinstance(value, list):
        return tuple(_decode(arguments[0], each) for each in value)
    elif origin is Mapping and isinstance(value, dict):
        return {name: _decode(arguments[1], each) for name, each in value.items()}
    elif (origin is Literal and value in arguments) or type(value) is kind:
        return value
    elif kind is float and type(value) is int:
        return float(value)
    raise ValueError(f"not the state of this version of the daemon: {kind} was expected")
