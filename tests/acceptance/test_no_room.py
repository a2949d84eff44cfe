"""A scan for which there is no room: in the spool, or by `max_size`; said as early as possible."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.promises import (
    OPTIONS,
    STORED,
    Gateway,
    gateway_of,
    noise,
    pdf,
    row,
    unique,
)
from tests.acceptance.running import small_tmpfs

NO_ROOM: Final = "452 No room for the scan at the moment. Try again later."
TOO_LARGE: Final = "552 The scan is larger than allowed. Scan fewer pages at once."
MIB: Final = 1024 * 1024


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
class TestAFullSpool:
    """A tmpfs of 2 MB."""

    @pytest.fixture(scope="class")
    def running(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        with (
            small_tmpfs("2M") as spool,
            gateway_of(tmp_path_factory.mktemp("full"), OPTIONS, spool=spool) as gateway,
        ):
            yield gateway

    @pytest.fixture
    def gateway(self, running: Gateway) -> Iterator[Gateway]:
        yield running
        running.check()

    @pytest.mark.parametrize("size", [row("3 MB", 3 * MIB), row("20 MB", 20 * MIB)])
    def test_within_the_scan(self, gateway: Gateway, size: int) -> None:
        document = pdf(size)
        assert gateway.send(unique("scan.pdf"), document) == NO_ROOM
        assert gateway.copies(document) == 0

    def test_full_before_a_scan_of_5_kb(self, gateway: Gateway) -> None:
        document = pdf(5000)
        with _filled(gateway.daemon.spool):
            assert gateway.send(unique("scan.pdf"), document) == NO_ROOM
        assert gateway.copies(document) == 0

    def test_noise_that_ends_where_the_room_ends(self, gateway: Gateway) -> None:
        """The last bytes of a scan may be the ones that find no room."""
        with _filled(gateway.daemon.spool, leave=64 * 1024):
            document = noise(70 * 1024)
            assert gateway.send(unique("scan.bin"), document) == NO_ROOM
            fits = noise(50 * 1024)
            assert gateway.send(unique("scan.bin"), fits) == STORED
        assert (gateway.copies(document), gateway.copies(fits)) == (0, 1)

    def test_announced_by_allo(self, gateway: Gateway) -> None:
        """Refused before any data is sent."""
        with gateway.session() as scanner:
            scanner.passive()
            assert scanner.command(f"ALLO {3 * MIB}").code == 200
            assert scanner.command("STOR scan.pdf") == (452, NO_ROOM[4:])
            scanner.quit()

    def test_no_file_can_be_made(self, gateway: Gateway) -> None:
        """Refused before any data is sent."""
        with gateway.session() as scanner, _without_inodes(gateway.daemon.spool):
            scanner.passive()
            assert scanner.command("STOR scan.pdf") == (452, NO_ROOM[4:])
            scanner.quit()

    def test_several_that_fit_singly(self, gateway: Gateway) -> None:
        """Each is stored or refused, whichever finds room; none is stored in part."""
        scans = [pdf(MIB) for _ in range(6)]
        with gateway.sessions(*["alice", "frank"] * 3) as sessions:
            replies, _ = gateway.store_together(sessions, "scan@slow=0.5.pdf", scans)
        assert set(replies) == {STORED, NO_ROOM}
        assert [gateway.copies(scan) for scan in scans] == [reply == STORED for reply in replies]


@contextlib.contextmanager
def _filled(directory: Path, leave: int = 0) -> Iterator[None]:
    filler = directory / "filler"
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                continue
        os.truncate(filler, filler.stat().st_size - leave)
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def _without_inodes(directory: Path) -> Iterator[None]:
    used = os.statvfs(directory)
    _remount(directory, f"nr_inodes={used.f_files - used.f_ffree}")
    try:
        yield
    finally:
        _remount(directory, "nr_inodes=1000")


def _remount(directory: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(directory)], check=True)


class TestAFileTooLarge:
    """`[uploads] max_size` = 1M."""

    @pytest.fixture(scope="class")
    def running(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        options = {**OPTIONS, "uploads": {"max_size": "1M"}}
        with gateway_of(tmp_path_factory.mktemp("large"), options) as gateway:
            yield gateway

    @pytest.fixture
    def gateway(self, running: Gateway) -> Iterator[Gateway]:
        yield running
        running.check()

    @pytest.mark.parametrize(
        ("size", "reply"),
        [
            row("just as large as allowed", MIB, STORED),
            row("a byte more", MIB + 1, TOO_LARGE),
            row("much more", 40 * MIB, TOO_LARGE),
        ],
    )
    def test_sent(self, gateway: Gateway, size: int, reply: str) -> None:
        document = pdf(size)
        assert gateway.send(unique("scan.pdf"), document) == reply
        assert gateway.copies(document) == (reply == STORED)

    def test_announced_by_allo(self, gateway: Gateway) -> None:
        """Refused before any data is sent."""
        with gateway.session() as scanner:
            scanner.passive()
            assert scanner.command(f"ALLO {MIB + 1}").code == 200
            assert scanner.command("STOR scan.pdf") == (552, TOO_LARGE[4:])
            scanner.quit()

    def test_announced_as_smaller_than_it_is(self, gateway: Gateway) -> None:
        document = pdf(2 * MIB)
        with gateway.session() as scanner:
            assert scanner.command("ALLO 5000").code == 200
            assert gateway.store(scanner, unique("scan.pdf"), document) == TOO_LARGE
            scanner.quit()
        assert gateway.copies(document) == 0
