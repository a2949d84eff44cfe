"""What was measured: runs, and rows of them with medians, spread, and what limited them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.bench.works import Work

FULL: Final = 0.9
"""The share from which on a core, or all of them, have no more to give."""

OTHERS: Final = 0.1
"""The share of all cores from which on programs that are not the bench's spoil a figure."""


@dataclass(frozen=True)
class Run:
    """One work, done once by one peer.

    Attributes:
        value: in the work's unit.
        seconds: from the first connection until all is stored (in OpenSPP, if the peer delivers).
        cpu: seconds of the peer's whole process tree.
        peak: bytes of its memory at most (PSS).
        added: bytes of its own memory at most, above those at rest.
        load: CPU time of the busiest load generator, as a share of one core.
        openspp: the same of the embedded OpenSPP.
        machine: how busy all cores were; others: the part of it that was not the bench's.
    """

    value: float
    seconds: float
    scans: int = 0
    size: int = 0
    cpu: float = 0.0
    peak: int = 0
    added: int = 0
    load: float = 0.0
    openspp: float = 0.0
    machine: float = 0.0
    others: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """All runs of a work by a peer; `problem` says why there are none, or why they do not count."""

    work: Work
    peer: str
    runs: tuple[Run, ...]
    problem: str = ""

    @property
    def value(self) -> float:
        return self.median(lambda run: run.value)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        values = [run.value for run in self.runs]
        return min(values), max(values)

    def median(self, of: Callable[[Run], float]) -> float:
        """Of a figure of each run."""
        return statistics.median(of(run) for run in self.runs)

    def figure(self, name: str) -> float:
        """The median of one that only some works have."""
        return self.median(lambda run: run.figures[name])

    def has(self, name: str) -> bool:
        """Whether this work has it."""
        return bool(self.runs) and all(name in run.figures for run in self.runs)

    @property
    def cpu_per_scan(self) -> float:
        """Milliseconds of the peer."""
        return self.median(lambda run: 1e3 * run.cpu / run.scans if run.scans else 0.0)

    @property
    def cpu_per_megabyte(self) -> float:
        """Milliseconds of the peer."""
        return self.median(lambda run: 1e9 * run.cpu / run.scans / run.size if run.scans else 0.0)

    @property
    def added(self) -> float:
        """Bytes of memory above those at rest."""
        return self.median(lambda run: run.added)

    @property
    def limited_by(self) -> tuple[str, ...]:
        """What beside the peer had no more to give, or took from it: the figure could be better."""
        shares = (
            ("load", self.median(lambda run: run.load), FULL),
            ("OpenSPP", self.median(lambda run: run.openspp), FULL),
            ("machine", self.median(lambda run: run.machine), FULL),
            ("others", self.median(lambda run: run.others), OTHERS),
        )
        return tuple(name for name, share, enough in shares if share >= enough)

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        told: dict[str, Any] = {
            "work": self.work.name,
            "title": self.work.title,
            "peer": self.peer,
            "unit": self.work.unit,
            "problem": self.problem,
            "runs": [asdict(run) for run in self.runs],
        }
        if self.runs:
            told |= {
                "median": self.value,
                "spread": list(self.spread),
                "cpu_ms_per_scan": self.cpu_per_scan,
                "cpu_ms_per_megabyte": self.cpu_per_megabyte,
                "limited_by": list(self.limited_by),
            }
        return told
