"""Whether what was acknowledged is where it should be: the check behind every figure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tests.acceptance.running import EmbeddedOpenSPP
from tests.bench.jobs import Sent
from tests.bench.programs import Patience


class Lost(Exception):
    """A scan was acknowledged and is not there as it was sent."""


def check_record(openspp: EmbeddedOpenSPP, sent: Iterable[Sent]) -> float:
    """That the record has each, once, with its size and SHA-256. Raises Lost.

    Returns when the last of them was stored, in seconds since 1970.
    """
    found: dict[tuple[str, str], list[tuple[int, str, float]]] = {}
    for one in openspp.record():
        stored = datetime.fromisoformat(one["time"]).timestamp()
        entry = (one["size"], one["sha256"], stored)
        found.setdefault((one["user"], one["filename"]), []).append(entry)
    last = 0.0
    for each in sent:
        copies = found.get((each.user, each.name), [])
        if [copy[:2] for copy in copies] != [(each.size, each.sha256)]:
            raise Lost(f"{each.name} of {each.size} bytes was acknowledged; OpenSPP has {copies}")
        last = max(last, copies[0][2])
    return last


def check_files(folder: Path, sent: Iterable[Sent]) -> None:
    """That the folder has each with its size and SHA-256. Raises Lost."""
    for each in sent:
        path = folder / each.name
        if not path.is_file() or path.stat().st_size != each.size:
            raise Lost(f"{each.name} was acknowledged and is not stored whole")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != each.sha256:
                raise Lost(f"{each.name} was acknowledged and is stored with other bytes")


def recorded(record: Path) -> int:
    """How many scans OpenSPP has."""
    return record.read_bytes().count(b"\n") if record.exists() else 0


def check_count(record: Path, before: int, sent: int) -> None:
    """That nothing arrived but what was acknowledged: no scan that was cut. Raises Lost."""
    arrived = recorded(record) - before
    if arrived != sent:
        raise Lost(f"{sent} scans were acknowledged, {arrived} arrived in OpenSPP")


def wait_until_recorded(record: Path, count: int, seconds: float) -> None:
    """For a peer that delivers later. Raises TimeoutError."""
    patience = Patience(seconds, "acknowledged scans do not arrive in OpenSPP")
    while recorded(record) < count:
        patience.pause(0.05)
