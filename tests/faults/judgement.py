"""What must hold after a scenario: the record of OpenSPP and the journal against the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.devices import Books
from tests.faults.scenarios import Scenario


@dataclass
class Told:
    """What came of one scenario."""

    scenario: str
    workers: int
    strikes: int
    sent: int
    acknowledged: int
    stored: int
    twice: int
    reason: str


def judged(
    scenario: Scenario,
    workers: int,
    strikes: int,
    books: Books,
    record: Sequence[dict[str, Any]],
    log: str,
) -> Told:
    """Nothing acknowledged is lost, nothing cut is stored, and nothing twice without its reason.

    Args:
        record: every document that OpenSPP has.
        log: the daemon's, of all that the devices did.

    Raises:
        AssertionError: with the names of the scans of which this does not hold.
    """
    stored = Counter(document["sha256"] for document in record)
    altered = [document["filename"] for document in record if document.get("altered")]
    assert not altered, f"stored, and not byte for byte: {altered}"
    lost = [name for digest, name in books.acknowledged.items() if digest not in stored]
    assert not lost, f"acknowledged and lost: {lost}"
    cut = [document["filename"] for document in record if document["sha256"] not in books.sent]
    assert not cut, f"stored, and no whole scan: {cut}"
    twice = {digest: count for digest, count in stored.items() if count > 1}
    for digest, count in twice.items():
        name = books.sent[digest]
        assert scenario.twice, f"{name} is stored {count} times"
        assert books.sendings[digest] > 1, f"{name} was sent once and is stored twice"
        if "killed" not in scenario.twice:
            told = _is_told(log, name, count, digest in books.acknowledged)
            assert told, f"the journal does not say that {name} is there twice"
    return Told(
        scenario.name,
        workers,
        strikes,
        len(books.sent),
        len(books.acknowledged),
        len(stored),
        len(twice),
        scenario.twice,
    )


def _is_told(log: str, name: str, copies: int, acknowledged: bool) -> bool:
    """Whether the journal says that there may be so many copies.

    It does with the 226. A scan without one was never confirmed, and each sending says that it may
    be stored.
    """
    if f" {name} was sent before and OpenSPP did not confirm it" in log:
        return True
    of_this = [line for line in log.splitlines() if f" {name} (" in line]
    return not acknowledged and sum("may be stored" in line for line in of_this) >= copies
