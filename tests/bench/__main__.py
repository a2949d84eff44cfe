"""The command line: `make bench`, or `python3 -m tests.bench`.

Every peer does a work in turn, all of them several times over, so that what else the machine does
falls on all alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.acceptance.running import TREE, EmbeddedOpenSPP, make_certificate
from tests.bench.checking import Lost
from tests.bench.farm import FARMS
from tests.bench.goals import goals
from tests.bench.measuring import Failed, measure
from tests.bench.peers import PEERS, USERS, CannotStart, Ground, Peer, password_of
from tests.bench.results import Row, Run
from tests.bench.table import table, verdicts
from tests.bench.works import LIMITS, SLOW_LOGIN, SLOW_UPLOAD, WORKS, Work, soak

BUILD: Final = TREE / "build" / "bench"
_TMPFS: Final = Path("/dev/shm")
_OURS: Final = "ours"
_PEERS: Final = {**PEERS, **FARMS}


def bench(
    works: Sequence[Work], chosen: Sequence[str], peers: Mapping[str, Peer], runs: int
) -> list[Row]:
    """Do all works with the chosen peers; what cannot be measured is a row that says why."""
    _allow_descriptors()
    rows: list[Row] = []
    for work in works:
        names = [peer for peer in work.peers if peer in chosen]
        if names:
            with _ground(work) as ground:
                rows += _in_turns(work, names, peers, runs, ground)
    return rows


def _in_turns(
    work: Work, names: Sequence[str], peers: Mapping[str, Peer], runs: int, ground: Ground
) -> list[Row]:
    done: dict[str, list[Run]] = {name: [] for name in names}
    problems: dict[str, str] = {}
    for number in range(runs):
        for name in names:
            if name in problems:
                continue
            _say(f"{work.title}: {name}, run {number + 1} of {runs}")
            try:
                tag = f"{work.name}-{name}-{number}"
                done[name].append(measure(work, name, peers, ground, tag))
            except Lost as error:
                problems[name] = f"LOST: {error}"
            except (Failed, CannotStart, TimeoutError) as error:
                problems[name] = str(error)
    return [Row(work, name, tuple(done[name]), problems.get(name, "")) for name in names]


@contextlib.contextmanager
def _ground(work: Work) -> Iterator[Ground]:
    """A folder in a tmpfs and an OpenSPP of its own for a work."""
    options = [
        "--api",
        work.api,
        "--keep-alive",
        "--max-size",
        "1024",
        "--forbidden-extensions",
        "exe",
    ]
    options += [f"--user={user}:{password_of(user, work.api)}" for user in USERS]
    if work.slow:
        options += ["--slow-login", str(SLOW_LOGIN), "--slow-upload", str(SLOW_UPLOAD)]
    folder = Path(tempfile.mkdtemp(prefix="openspp-ftpd-bench-", dir=_TMPFS))
    try:
        folder.chmod(0o711)  # peers serve as nobody
        certificate = make_certificate(folder)
        with EmbeddedOpenSPP(folder, *options) as openspp:
            yield Ground(folder, BUILD, openspp, certificate)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _allow_descriptors() -> None:
    """Thousands of sessions: as many as the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def failed(rows: Sequence[Row]) -> bool:
    """Whether one of ours could not do its work, or anybody lost a scan."""
    return any(
        row.problem.startswith("LOST") or (row.problem and row.peer.startswith(_OURS))
        for row in rows
    )


def as_object(rows: Sequence[Row], runs: int, seconds: float) -> dict[str, Any]:
    """All of it for --json."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": seconds,
        "runs": runs,
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "rows": [row.as_object() for row in rows],
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals(rows)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 1 when a scan was lost or one of ours did not do its work."""
    told = _parser().parse_args(arguments)
    try:
        works = _works(told.work, told.scans)
        chosen = _peers(told.peer)
    except ValueError as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    began = time.monotonic()
    rows = bench(works, chosen, _PEERS, told.runs)
    seconds = time.monotonic() - began
    print(table(rows))
    print()
    print(verdicts(goals(rows)))
    _say(f"{told.runs} runs, {seconds:.0f} s")
    if told.json:
        told.json.write_text(json.dumps(as_object(rows, told.runs, seconds), indent=1) + "\n")
    return 1 if failed(rows) else 0


def _parser() -> argparse.ArgumentParser:
    listed = [f"{work.name}: {work.title}" for work in WORKS.values()]
    listed += [""] + [f"{peer.name}: {peer.title}" for peer in _PEERS.values()]
    listed += [f"{name}: {title}" for name, title in LIMITS.items()]
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.bench",
        description="Measure openspp-ftpd beside its peers.",
        epilog="\n".join(["works and peers:", *listed]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--work", default="", help="names with commas; all but farm and the soaks otherwise"
    )
    parser.add_argument("--peer", default="", help="names with commas; all otherwise")
    parser.add_argument("--runs", type=_count, default=3, help="default %(default)s")
    parser.add_argument("--scans", type=_count, default=20_000, help="of a soak, %(default)s")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser


def _works(names: str, scans: int) -> list[Work]:
    """Raises ValueError."""
    soaks = {work.name: work for work in (soak(scans), soak(scans, tls=True))}
    known = {**WORKS, **soaks}
    if not names:
        return [work for work in known.values() if work.wanted]
    return [known[name] for name in _chosen(names, "WORK", list(known))]


def _peers(names: str) -> list[str]:
    """Raises ValueError."""
    known = [*_PEERS, *LIMITS]
    return _chosen(names, "PEER", known) if names else known


def _chosen(names: str, option: str, known: Sequence[str]) -> list[str]:
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            raise ValueError(f"{option}={name} is not known; there are {', '.join(known)}")
    return chosen


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("a number from 1 on is wanted")
    return count


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
