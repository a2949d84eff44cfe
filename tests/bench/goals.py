"""What must be shown, computed from the rows of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.results import Row
from tests.bench.works import CORE, CURL

Rows = Mapping[tuple[str, str], Row]
"""By work and peer."""

_SOAK_GROWTH = 2.0
"""MB that count as nothing: malloc's high-water mark moves that much after 2000 scans as after
10 000, and stays."""


@dataclass(frozen=True)
class Goal:
    """A figure, what it must be, and what else is to be known; value None: not measured."""

    name: str
    value: float | None
    limit: float
    unit: str = ""
    at_least: bool = False
    note: str = ""
    limited_by: tuple[str, ...] = ()

    @property
    def met(self) -> bool | None:
        """None: not measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def goals(rows: Sequence[Row]) -> list[Goal]:
    """All of them, in the order of the works; those whose works were not done have no value."""
    by = {(row.work.name, row.peer): row for row in rows if row.runs and not row.problem}
    return [
        *_scan(by),
        *_many(by),
        *_slow(by),
        *_memory(by),
        *_crowd(by),
    ]


def _value(by: Rows, needed: Sequence[tuple[str, str]], of: Callable[[], float]) -> float | None:
    return of() if all(key in by for key in needed) else None


def _scan(by: Rows) -> Iterator[Goal]:
    for work, store, how in (("scan", "vsftpd", "plain"), ("scan-tls", "pyftpdlib", "TLS")):
        parts = [(work, peer) for peer in (store, CORE, CURL)]
        ours = (work, "ours-1")

        def ratio(parts: list[tuple[str, str]] = parts, ours: tuple[str, str] = ours) -> float:
            return _seconds(by[ours]) / sum(_seconds(by[part]) for part in parts)

        note = " + ".join(
            f"{peer} {_seconds(by[work, peer]):.2f} s" for _, peer in parts if (work, peer) in by
        )
        if ours in by:
            note = f"ours {_seconds(by[ours]):.2f} s; {note}"
        name = f"256 MB, {how}: STOR to 226 / ({store} + one core + curl)"
        value, limited_by = _value(by, [*parts, ours], ratio), _limited(by, ours)
        yield Goal(name, value, 1.3, note=note, limited_by=limited_by)


def _many(by: Rows) -> Iterator[Goal]:
    for work, how, times, cpu in (("many", "plain", 5.0, 4.0), ("many-tls", "TLS", 3.5, 6.0)):
        ours, two, pure = (work, "ours-1"), (work, "ours-2"), (work, "pure-ftpd")
        yield Goal(
            f"32 x 20, {how}: scans/s, ours / pure-ftpd",
            _quotient(by, ours, pure),
            times,
            at_least=True,
            note=_shares(by, ours),
            limited_by=_limited(by, ours),
        )
        yield Goal(
            f"32 x 20, {how}: CPU of the daemon per scan",
            by[ours].cpu_per_scan if ours in by else None,
            cpu,
            "ms",
            limited_by=_limited(by, ours),
        )
        yield Goal(
            f"32 x 20, {how}: scans/s, two workers / one",
            _quotient(by, two, ours),
            1.5,
            at_least=True,
            note=_shares(by, two),
            limited_by=_limited(by, two),
        )


def _slow(by: Rows) -> Iterator[Goal]:
    for work, requests in (("slow-32", 32), ("slow-8", 8)):
        row = by.get((work, "ours-1"))
        yield Goal(
            f"OpenSPP slow, parallel_requests = {requests}: seconds / ideal",
            row.value / row.figure("ideal") if row else None,
            1.15,
            note=f"{row.value:.2f} s, ideal {row.figure('ideal'):.2f} s" if row else "",
            limited_by=row.limited_by if row else (),
        )
        for figure, what in (("greeting_p99", "greeting"), ("noop_p99", "NOOP")):
            yield Goal(
                f"the same: a new scanner's {what}, 99th percentile",
                1e3 * row.figure(figure) if row else None,
                20.0,
                "ms",
                limited_by=row.limited_by if row else (),
            )


def _memory(by: Rows) -> Iterator[Goal]:
    row = by.get(("rest", "ours-1"))
    note = f"{row.figure('resident') / 2**20:.1f} MB resident" if row else ""
    yield Goal("memory at rest, one worker", row.value if row else None, 40.0, "MB", note=note)
    for work, what in (
        ("scan", "256 MB, plain"),
        ("scan-tls", "256 MB, TLS"),
        ("together", "8 x 64 MB at once, TLS"),
    ):
        row = by.get((work, "ours-1"))
        added = row.added / 2**20 if row else None
        yield Goal(f"memory added by {what}", added, 24.0, "MB")
    for work, how, limit in (("idle", "plain", 8.0), ("idle-tls", "TLS", 60.0)):
        row = by.get((work, "ours-1"))
        yield Goal(f"an idle session, {how}", row.value if row else None, limit, "kB")
    for work, what in (("soak", "the soak"), ("soak-tls", "the soak, TLS")):
        yield from _grown(by.get((work, "ours-1")), what)


def _grown(row: Row | None, by_what: str) -> Iterator[Goal]:
    for figure, limit, unit, scale in (
        ("memory", _SOAK_GROWTH, "MB", 2**20),
        ("descriptors", 0.0, "", 1),
        ("threads", 0.0, "", 1),
    ):
        grown = None
        if row:
            grown = (row.figure(f"{figure}_after") - row.figure(f"{figure}_before")) / scale
        yield Goal(f"{figure} grown by {by_what}", grown, limit, unit)


def _crowd(by: Rows) -> Iterator[Goal]:
    row = by.get(("crowd", "ours-1"))
    for figure, what, limit in (
        ("uploading", "uploading at once", 200.0),
        ("idle", "idle", 2000.0),
    ):
        value = row.figure(figure) if row else None
        yield Goal(f"sessions served, {what}", value, limit, at_least=True)
    row = by.get(("rest", "ours-1"))
    yield Goal(
        "READY of serve",
        row.figure("ready") if row else None,
        0.6,
        "s",
        note=f"{row.figure('ready_cpu'):.2f} s of CPU" if row else "",
        limited_by=row.limited_by if row else (),
    )


def _seconds(row: Row) -> float:
    return row.median(lambda run: run.seconds)


def _quotient(by: Rows, one: tuple[str, str], other: tuple[str, str]) -> float | None:
    return _value(by, [one, other], lambda: by[one].value / by[other].value)


def _limited(by: Rows, key: tuple[str, str]) -> tuple[str, ...]:
    return by[key].limited_by if key in by else ()


def _shares(by: Rows, key: tuple[str, str]) -> str:
    """Of the generator, OpenSPP and machine: with them full a better figure cannot be seen."""
    row = by.get(key)
    if row is None:
        return ""
    return (
        f"load {row.median(lambda run: run.load):.0%}, "
        f"OpenSPP {row.median(lambda run: run.openspp):.0%} of a core, "
        f"machine {row.median(lambda run: run.machine):.0%} busy"
    )
