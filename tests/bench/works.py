"""The works that are measured, and which peers do them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tests.acceptance.interfaces import SCANNER
from tests.bench.jobs import Manner

CURL: Final = "curl"
CORE: Final = "core"
LIMITS: Final = {
    CURL: "the same body, made beforehand, posted by curl to the same OpenSPP",
    CORE: "base64 and SHA-256 of the same bytes on one core",
}

SLOW_LOGIN: Final = 0.2
SLOW_UPLOAD: Final = 0.5
"""What a slow OpenSPP takes, in seconds."""

_OURS: Final = ("ours-1", "ours-2")
_FARMS: Final = ("ours-haproxy-1", "ours-haproxy-2", "ours-haproxy-3")
_STORING: Final = ("vsftpd", "pyftpdlib")
_SERVERS: Final = (*_OURS, "pure-ftpd", *_STORING)

Kind = Literal["uploads", "farm", "idle", "rest", "crowd", "soak"]


@dataclass(frozen=True)
class Work:
    """One row of the table for each peer.

    Attributes:
        name: as WORK= has it.
        unit: of the figure that stands first.
        peers: who does it.
        clients, scans: so many scanners, so many scans of each.
        size: bytes of a scan.
        idle: sessions that do nothing.
        interval: seconds between two looks at the memory; looking costs CPU time.
        api: of the OpenSPP that scans go to, as the embedded one names it.
    """

    name: str
    title: str
    unit: Literal["MB/s", "scans/s", "s", "MB", "kB"]
    peers: tuple[str, ...]
    kind: Kind = "uploads"
    manner: Manner = "each"
    clients: int = 1
    scans: int = 1
    size: int = 200_000
    tls: bool = False
    slow: bool = False
    parallel_requests: int = 8
    idle: int = 0
    interval: float = 0.25
    wanted: bool = True  # without WORK= too
    api: str = SCANNER

    @property
    def total(self) -> int:
        """Scans of all clients."""
        return self.clients * self.scans

    @property
    def ideal(self) -> float:
        """Seconds that nobody can be quicker than where OpenSPP is slow: each client waits for its
        login (once, for it is remembered) and its uploads, OpenSPP takes `parallel_requests` at
        once."""
        own = self.scans * SLOW_UPLOAD
        all_together = self.total * SLOW_UPLOAD / self.parallel_requests
        return SLOW_LOGIN + max(own, all_together)


def _scan(name: str, title: str, tls: bool) -> Work:
    peers = (*_SERVERS, CURL, CORE)
    return Work(name, title, "MB/s", peers, size=256_000_000, tls=tls, interval=0.05)


def _many(name: str, title: str, tls: bool) -> Work:
    return Work(name, title, "scans/s", (*_SERVERS, CURL), clients=32, scans=20, tls=tls)


def _odoo(version: str) -> Work:
    """The same as `many`, by Odoo's own API."""
    title = f"32 x 20 scans of 200 kB, api = odoo, {version}"
    return Work(f"many-{version}", title, "scans/s", ("ours-1",), clients=32, scans=20, api=version)


def _slow(name: str, title: str, scans: int, parallel_requests: int) -> Work:
    return Work(
        name,
        title,
        "s",
        _OURS,
        clients=32,
        scans=scans,
        slow=True,
        parallel_requests=parallel_requests,
    )


def soak(scans: int, tls: bool = False) -> Work:
    """So many scans, and a tenth as many that fail."""
    clients = min(16, scans)
    name, how = ("soak-tls", ", TLS") if tls else ("soak", "")
    title = f"soak{how}: {scans} scans, {scans // 10} that fail"
    return Work(
        *(name, title, "scans/s", _OURS, "soak"),
        clients=clients,
        scans=-(-scans // clients),
        size=20_000,
        tls=tls,
        interval=2.0,
        wanted=False,
    )


WORKS: Final = {
    work.name: work
    for work in (
        Work("rest", "at rest: memory", "MB", _OURS, "rest"),
        _scan("scan", "one scan of 256 MB", False),
        _scan("scan-tls", "one scan of 256 MB, TLS", True),
        Work(
            *("session", "100 scans of 1 MB, one session", "scans/s", (*_SERVERS, CURL)),
            manner="one",
            scans=100,
            size=1_000_000,
        ),
        _many("many", "32 x 20 scans of 200 kB", False),
        _many("many-tls", "32 x 20 scans of 200 kB, TLS", True),
        _odoo("odoo17"),
        _odoo("odoo19"),
        _slow("slow-32", "32 x 20, OpenSPP slow, 32 at once", 20, 32),
        _slow("slow-8", "32 x 8, OpenSPP slow, 8 at once", 8, 8),
        Work(
            *("together", "8 x 64 MB at once, TLS: memory", "MB", _SERVERS),
            manner="together",
            clients=8,
            size=64_000_000,
            tls=True,
            interval=0.05,
        ),
        Work("idle", "an idle session: memory", "kB", _SERVERS, "idle", idle=500),
        Work(
            "idle-tls", "an idle session, TLS: memory", "kB", _SERVERS, "idle", tls=True, idle=500
        ),
        Work(
            *("crowd", "200 uploading at once, 2000 idle", "s", _OURS, "crowd", "together"),
            clients=200,
            idle=2000,
            interval=0.5,
        ),
        Work(
            *("farm", "32 x 20 scans of 200 kB, HAProxy", "scans/s", ("ours-1", *_FARMS), "farm"),
            clients=32,
            scans=20,
            wanted=False,
        ),
        soak(20_000),
        soak(20_000, tls=True),
    )
}
"""By name, in the order in which they are done."""
