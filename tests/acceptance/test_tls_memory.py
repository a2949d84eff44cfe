"""A session under TLS costs its memory as long as it lasts, and not a moment longer.

OpenSSL holds some 20 kB for each connection, and a scan has two. Whatever keeps a finished session
keeps that too: a timer did, until `handshake_within` was over.
"""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.attacks import memory
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, running

SESSIONS = 250
GROWTH = 6 * 2**20
"""Bytes; a timer that kept them made it 9 MB."""


def scans(ground: Ground, first: int, count: int) -> None:
    for number in range(first, first + count):
        with ground.logged_in(tls="explicit") as scanner:
            assert scanner.store(f"{number}.pdf", pdf(3000, number)).code == 226
            scanner.quit()


class TestFinishedSessions:
    def test_leave_no_memory_behind(self, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
        with running(tmp_path, certificate) as ground:
            scans(ground, 0, 50)
            before = memory(ground)
            scans(ground, 50, SESSIONS)
            assert memory(ground) - before < GROWTH
