"""Delivery, spool, HTTP and the embedded OpenSPP together: what is told is what is recorded."""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from openspp_ftpd.delivery import Delivered, Outcome, Scan
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import Credentials
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.users import RECORDED, User
from openspp_ftpd.settings import OpenSPPSettings
from openspp_ftpd.spool import Spool
from tests.unit.delivering import PROMPTLY, Scanners, deliver, scanning, send
from tests.unit.sandbox.harness import OpenSPP, openspp

MIB = 1024 * 1024
USERS = (*RECORDED, *(User(f"user{number}", f"scan-user{number}") for number in range(6)))

MakeScan = Callable[..., Scan]


@pytest.fixture
def scan() -> Iterator[MakeScan]:
    """Makes scans whose content is in a tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="openspp-ftpd-test-") as directory:
        spool = Spool(directory, 64 * MIB)

        def make(name: str, data: bytes = b"a scan", user: str = "alice") -> Scan:
            file = spool.open()
            file.write(data)
            credentials = Credentials(user, f"scan-{user}")
            return Scan(credentials, name, file.finish(), datetime.now())

        yield make


def settings(server: OpenSPP, answer_within: float = 10.0) -> OpenSPPSettings:
    return OpenSPPSettings(f"http://127.0.0.1:{server.port}", answer_within=answer_within)


def copies(server: OpenSPP, data: bytes) -> list[str]:
    """The names under which exactly these bytes are recorded."""
    sha256 = hashlib.sha256(data).hexdigest()
    return [each.filename for each in server.documents.all() if each.sha256 == sha256]


def test_the_bytes_arrive(scan: MakeScan) -> None:
    data = random.Random(1).randbytes(5 * MIB + 1)
    with openspp() as server, scanning(settings(server)) as scanners:
        told: list[Failure | None] = []
        scanners.delivery.login(Credentials("alice", "scan-alice"), told.append)
        scanners.run(lambda: told)
        assert told == [None]
        assert deliver(scanners, scan("big.pdf", data)).delivered.name == "big.pdf"
        assert copies(server, data) == ["big.pdf"]
        other = deliver(scanners, scan("big.pdf", b"other")).delivered
        assert other.name.startswith("big-20")
        assert copies(server, b"other") == [other.name]


@pytest.mark.parametrize("fault", ["http=503-twice", "drop-in-body-once", "not-found-once"])
def test_what_is_certain_is_tried_again(scan: MakeScan, fault: str) -> None:
    name = f"scan@{fault}.pdf"
    data = bytes(3 * MIB)  # so large that the fault comes before the last byte
    with openspp() as server, scanning(settings(server)) as scanners:
        delivered = deliver(scanners, scan(name, data)).delivered
        assert delivered.name == name
        assert delivered.attempts in (2, 3)
        assert copies(server, data) == [name]


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        ("drop-after", True),
        ("reset-after", True),
        ("cut-answer", True),
        ("drop-before", False),
        ("reset-before", False),
        ("http=502", False),
        ("http=504", False),
        ("garbage", False),
    ],
)
def test_what_has_no_verdict_is_settled_by_sending_again(
    scan: MakeScan, fault: str, stored: bool
) -> None:
    with openspp() as server, scanning(settings(server)) as scanners:
        for _ in range(2):
            problem = deliver(scanners, scan(f"scan@{fault}-twice.pdf")).failure.problem
            assert problem is Problem.UNCERTAIN
        third = deliver(scanners, scan(f"scan@{fault}-twice.pdf")).delivered
        assert third.second_copy
        assert third.proven == stored
        assert third.name in copies(server, b"a scan")
        assert len(copies(server, b"a scan")) == (2 if stored else 1)


def test_a_late_verdict_answers_the_re_send(scan: MakeScan) -> None:
    with openspp() as server, scanning(settings(server, 0.5)) as scanners:
        first = deliver(scanners, scan("scan@late=0.8-once.pdf"))
        assert first.failure.problem is Problem.UNCERTAIN
        again = deliver(scanners, scan("scan@late=0.8-once.pdf"))
        assert again.delivered.again
        assert copies(server, b"a scan") == ["scan@late=0.8-once.pdf"]


def test_too_slow_before_the_last_byte_stores_nothing(scan: MakeScan) -> None:
    data = bytes(24 * MIB)  # more than any socket's buffers
    with openspp() as server, scanning(settings(server, 0.5)) as scanners:
        slow = deliver(scanners, scan("scan@stop-reading=4-once.pdf", data))
        assert slow.failure.problem is Problem.TOO_SLOW
        assert slow.seconds < 3.9
        assert deliver(scanners, scan("next.pdf")).delivered
        scanners.run_for(4)
        assert copies(server, data) == []


def test_openspp_is_down(scan: MakeScan) -> None:
    with openspp() as server:
        down = settings(server, 1.0)
    with scanning(down) as scanners:
        sending = deliver(scanners, scan("scan.pdf"))
        assert sending.failure.problem is Problem.UNREACHABLE
        assert sending.seconds < PROMPTLY


def test_one_slow_user_holds_up_nobody(scan: MakeScan) -> None:
    with openspp(users=USERS) as server, scanning(settings(server)) as scanners:
        slow = [send(scanners, scan(f"{n}@slow=3.pdf", b"%d" % n)) for n in range(8)]
        quick = deliver(scanners, scan("quick.pdf", user="frank"))
        assert quick.seconds < 3
        scanners.run(lambda: all(each.outcomes for each in slow))
        assert all(each.delivered for each in slow)


def test_a_storm(scan: MakeScan) -> None:
    """A third of all uploads fails or is dropped, stored or not; every 226 is in the record."""
    chance = random.Random(5)
    told: list[tuple[str, bytes, Outcome]] = []
    with (
        openspp(users=USERS, faults=Faults(0.15, 0.3, 5)) as server,
        scanning(settings(server, 3.0)) as scanners,
    ):
        for number in range(40):
            storm(scanners, scan, told, f"user{number % 6}", b"scan %d" % chance.randrange(10**9))
        scanners.run(lambda: not scanners.delivery.uploads_pending(), within=30)
        scanners.run_for(0.05)
        delivered = [each for each in told if isinstance(each[2], Delivered)]
        assert len(delivered) == 40
        recorded = {(each.user, each.filename, each.sha256) for each in server.documents.all()}
        for user, data, outcome in delivered:
            assert isinstance(outcome, Delivered)
            assert (user, outcome.name, hashlib.sha256(data).hexdigest()) in recorded
        names = Counter((each.user, each.filename) for each in server.documents.all())
        assert max(names.values()) == 1
        doubts = sum(
            isinstance(outcome, Failure) and outcome.problem is Problem.UNCERTAIN
            for _, _, outcome in told
        )
        assert doubts, "the storm was none"
        assert 40 <= len(server.documents.all()) <= 40 + doubts


def storm(
    scanners: Scanners,
    scan: MakeScan,
    told: list[tuple[str, bytes, Outcome]],
    user: str,
    data: bytes,
) -> None:
    """One scan, sent until it is delivered."""
    end = time.monotonic() + 20

    def heard(outcome: Outcome) -> None:
        told.append((user, data, outcome))
        if isinstance(outcome, Delivered):
            outcome.receipt.arrived()
        elif time.monotonic() < end:
            send_it()

    def send_it() -> None:
        scanners.delivery.upload(scan("scan.pdf", data, user), heard)

    send_it()
