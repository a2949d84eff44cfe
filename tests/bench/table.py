"""The table that is printed, and the ratios below it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from tests.bench.goals import Goal
from tests.bench.results import FULL, OTHERS, Row

_HEAD: Final = (
    "work",
    "peer",
    "median",
    "lowest - highest",
    "unit",
    "CPU ms/scan",
    "ms/MB",
    "memory MB",
    "+MB",
    "load",
    "OpenSPP",
    "machine",
    "others",
    "limited by",
)
_LEFT: Final = (0, 1, 4, 13)
LEGEND: Final = f"""\
CPU is that of the peer's whole process tree; memory its peak (PSS, 1 MB = 1024 kB; without the
tmpfs), +MB what grew above rest, shared program text apart. load: the busiest load generator,
OpenSPP: the embedded one, in % of a core; machine: all cores, and of that what others than the
bench took. Who has no more to give (from {FULL:.0%} on), or took more than {OTHERS:.0%}, is named:
it is their limit then."""


def table(rows: Sequence[Row]) -> str:
    """A line for each work and peer."""
    lines = [_HEAD, *(_cells(row) for row in rows if not row.problem)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    text = [
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "-" * max(map(len, text)))
    text += [LEGEND, *_problems(rows), *_latencies(rows), *_balanced(rows)]
    return "\n".join(text)


def _cells(row: Row) -> tuple[str, ...]:
    low, high = row.spread
    measured = any(run.machine for run in row.runs)
    scans = any(run.scans for run in row.runs)
    peak = row.median(lambda run: run.peak)

    def share(value: float) -> str:
        return f"{value:.0%}" if measured else ""

    return (
        row.work.title,
        row.peer,
        _number(row.value),
        f"{_number(low)} - {_number(high)}" if len(row.runs) > 1 else "",
        row.work.unit,
        _number(row.cpu_per_scan) if scans and row.work.total > 1 else "",
        _number(row.cpu_per_megabyte) if scans else "",
        f"{peak / 2**20:.1f}" if peak else "",
        f"{row.added / 2**20:.1f}" if peak and row.added else "",
        share(row.median(lambda run: run.load)),
        share(row.median(lambda run: run.openspp)),
        share(row.median(lambda run: run.machine)),
        share(row.median(lambda run: run.others)),
        ", ".join(row.limited_by),
    )


def _problems(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.problem:
            yield f"NOT MEASURED: {row.work.title}, {row.peer}: {row.problem}"


def _latencies(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.has("greeting_p99"):
            yield (
                f"{row.work.title}, {row.peer}: {row.value:.2f} s, ideal "
                f"{row.figure('ideal'):.2f} s; new scanners meanwhile: greeting "
                f"{1e3 * row.figure('greeting_p50'):.1f} ms (p99 "
                f"{1e3 * row.figure('greeting_p99'):.1f}), NOOP "
                f"{1e3 * row.figure('noop_p50'):.1f} ms (p99 {1e3 * row.figure('noop_p99'):.1f})"
            )


def _balanced(rows: Sequence[Row]) -> Iterator[str]:
    """What everybody took of the cores that they share: these are what more nodes run out of."""
    cores = os.cpu_count() or 1
    for row in rows:
        if not row.has("cpu_balancer"):
            continue
        parts = {
            "gateway": row.cpu_per_scan,
            "HAProxy": row.median(lambda run: 1e3 * run.figures["cpu_balancer"] / run.scans),
            "OpenSPP": row.median(lambda run: 1e3 * run.figures["cpu_openspp"] / run.scans),
            "load": row.median(lambda run: 1e3 * run.figures["cpu_load"] / run.scans),
        }
        told = ", ".join(f"{name} {_number(part)}" for name, part in parts.items())
        full = 1e3 * cores / sum(parts.values())
        yield (
            f"{row.work.title}, {row.peer}: CPU ms/scan: {told}; {cores} cores for all of them are "
            f"full at {_number(full)} scans/s ({row.value / full:.0%} of it reached); the busiest "
            f"node took {row.figure('busiest_node'):.0%} of a core"
        )


def verdicts(found: Sequence[Goal]) -> str:
    """A line for each goal that was measured."""
    lines = []
    for goal in found:
        if goal.value is None:
            continue
        sign = "at least" if goal.at_least else "at most"
        unit = f" {goal.unit}" if goal.unit else ""
        line = f"{'met   ' if goal.met else 'MISSED'}  {goal.name}: {_number(goal.value)}{unit}"
        line += f" ({sign} {goal.limit:g}{unit})"
        if goal.limited_by and not goal.met:
            line += f", limited by {', '.join(goal.limited_by)}"
        lines.append(line + (f"; {goal.note}" if goal.note else ""))
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    size = abs(value)
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
