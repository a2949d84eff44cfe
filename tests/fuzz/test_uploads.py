"""Uploads to the whole daemon, many at a time, each to an OpenSPP that answers in its own way.

226 is said exactly where OpenSPP has the bytes: whatever it answers, however the data connection
ends, and to nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import strategies as st

from tests.acceptance import documents
from tests.fuzz import lines
from tests.fuzz.campaign import Campaign
from tests.fuzz.device import PATIENCE, Device
from tests.fuzz.dialogue import Violation
from tests.fuzz.ground import ANSWER_WITHIN, TLS, Fuzzed, openspp

AT_ONCE: Final = 14
"""Fewer than the daemon asks OpenSPP at once, so that none waits for another."""

CERTAINLY_STORED: Final = ("", "@slow=0.2", "@late=0.3", "@trickle-body=0.2", "@http=503-twice")
"""What OpenSPP may do with a whole scan that is answered 226 in any case."""


QUICK: Final = ANSWER_WITHIN / 2
"""Seconds in which an answer came so soon that OpenSPP's time was not over."""


ABOR: Final = b"ABOR\r\n"
"""Is waited for; behind Telnet's signals it comes together with the end of the data."""


@dataclass(frozen=True)
class Sent:
    """One upload. `fault`: what OpenSPP does wrong. `how`: the data connection's end."""

    fault: str = ""
    verb: bytes = b"STOR"
    mode: bytes = b"PASV\r\n"
    tls: str = ""
    kind: str = "pdf"
    size: int = 5_000
    part: float = 1.0
    how: str = "fin"
    then: bytes = b""
    after: bytes = b".pdf"

    @property
    def is_certain(self) -> bool:
        """It must be answered 226."""
        whole = (self.part, self.how, self.then, self.kind) == (1.0, "fin", b"", "pdf")
        return whole and self.fault in CERTAINLY_STORED and self.after == b".pdf"


SENT: Final = st.builds(
    Sent,
    fault=st.sampled_from([*([""] * 30), *lines.FAULTS]),
    verb=lines.VERBS,
    mode=st.sampled_from([b"PASV\r\n", b"EPSV\r\n"]),
    tls=st.sampled_from(["", "", *TLS]),
    kind=st.sampled_from(["pdf", "noise"]),
    size=st.sampled_from([700, 5_000, 70_000]),
    part=st.sampled_from([0.0, 0.4, 0.9, 1.0, 1.0, 1.0]),
    how=st.sampled_from(["fin", "fin", "fin", "bare", "reset", "both"]),
    then=st.sampled_from(
        [b"", b"", b"", ABOR, b"\xff\xf4\xff\xf2ABOR\r\n", b"NOOP\r\nPWD\r\n", b"LIST\r\n"]
    ),
    after=st.sampled_from([b".pdf", b".pdf", b".pdf", b".xst", b".bin"]),
)

EACH: Final = (
    *(Sent(fault) for fault in ("", *lines.FAULTS)),
    *(Sent(kind=kind, how="reset", part=p) for kind in ("noise", "pdf") for p in (0.4, 1.0)),
    *(Sent(tls="explicit", kind="noise", how=how) for how in ("fin", "bare", "reset")),
    *(
        Sent(after=b".xst"),
        Sent(then=ABOR, part=0.4),
        Sent(then=ABOR, mode=b"EPSV\r\n"),
        Sent(part=0.0),
        Sent(verb=b"STOU"),
    ),
)
"""Every answer of OpenSPP once, and every end."""


def send(daemon: Fuzzed, uploads: Sequence[Sent]) -> None:
    """All of them at once, each from an address of its own, and what came of it."""
    books = daemon.books
    devices: list[tuple[Device, Sent, int]] = []
    certain: set[int] = set()
    try:
        for number, upload in enumerate(uploads):
            source = daemon.source()
            device = Device(books, daemon.ports, source, upload.tls == "implicit")
            token = books.number()
            devices.append((device, upload, token))
            if _begin(device, upload, token, f"fuzz-{number % 3}") and upload.is_certain:
                certain.add(token)
        for device, upload, _ in devices:
            device.send_data(upload.part)
        for device, upload, _ in devices:
            device.say(upload.then)
            if upload.then == ABOR:
                device.hear(1.0)
            device.end_data(upload.how)
        _answered([device for device, _, _ in devices])
    finally:
        for device, _, _ in devices:
            device.close()
    books.read()
    daemon.log.check()
    for device, upload, token in devices:
        told = books.uploads[token]
        if token in certain and not told.reply.startswith("226 ") and told.seconds < QUICK:
            raise Violation(f"{upload} was answered {told.reply!r}: {device.dialogue}")


def _begin(device: Device, upload: Sent, token: int, user: str) -> bool:
    """Up to the 150; whether there is a data connection."""
    if upload.tls == "explicit":
        device.say(b"AUTH TLS\r\n")
        device.settle()
        device.say(b"PBSZ 0\r\nPROT P\r\n")
    device.say(f"USER {user}\r\nPASS scan-{user}\r\n".encode() + upload.mode)
    device.settle()
    make = documents.pdf if upload.kind == "pdf" else documents.noise
    connected = device.connect(make(upload.size, token))
    device.upload(upload.verb, b"u%du%s%s" % (token, upload.fault.encode(), upload.after))
    return connected


def _answered(devices: Sequence[Device]) -> None:
    """Hear all of them until every command has its answer."""
    deadline = time.monotonic() + PATIENCE
    waiting = list(devices)
    while waiting and time.monotonic() < deadline:
        for device in waiting:
            device.hear(0.01)
        waiting = [device for device in waiting if device.dialogue.owed and not device.gone]
    for device in devices:
        device.settle()
        device.leave("quit")
        device.settle()


@pytest.mark.share(6, 1)
def test_uploads(campaign: Campaign, daemon: Fuzzed) -> None:
    openspp(daemon.ground, {})
    for first in range(0, len(EACH), AT_ONCE):
        send(daemon, EACH[first : first + AT_ONCE])

    def check(uploads: list[Sent]) -> None:
        send(daemon, uploads)

    some = st.lists(SENT, min_size=4, max_size=AT_ONCE)
    campaign.fuzz(check, examples=40, shrink=False, uploads=some)
    daemon.returned()
    daemon.books.settle()
