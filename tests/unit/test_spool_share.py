"""One owner's scans take a share of the upload directory, and leave the rest to others."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd.spool import ShareUsedUp, Spool, SpoolFile, SpoolFull

MIB = 1024 * 1024


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Ten mebibytes, with scans of one at most."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m,mode=1777", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        yield Spool(str(tmp_path), MIB)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(spool: Spool, owner: str, percent: int) -> list[SpoolFile]:
    """Files of a mebibyte, as many as the owner may have."""
    files = []
    with pytest.raises(ShareUsedUp):
        for _ in range(12):
            file = spool.open(0, owner, percent)
            file.write(bytes(MIB))
            files.append(file)
    return files


class TestAShare:
    @pytest.mark.parametrize(("percent", "files"), [(20, 2), (50, 5), (1, 1)])
    def test_is_what_one_owner_has_and_one_scan_always_fits(
        self, spool: Spool, percent: int, files: int
    ) -> None:
        assert len(fill(spool, "one", percent)) == files

    def test_leaves_the_rest_to_others(self, spool: Spool) -> None:
        kept = fill(spool, "one", 50)
        others = fill(spool, "other", 30)
        assert [len(kept), len(others)] == [5, 3]

    def test_is_not_for_those_without_an_owner(self, spool: Spool) -> None:
        kept = [spool.open() for _ in range(9)]
        for file in kept:
            file.write(bytes(MIB))

    def test_of_all_is_bounded_by_the_directory(self, spool: Spool) -> None:
        kept = []
        with pytest.raises(SpoolFull):
            for number in range(12):
                kept.append(spool.open(0, f"owner {number % 2}", 100))
                kept[-1].write(bytes(MIB))

    def test_counts_what_was_announced(self, spool: Spool) -> None:
        first = spool.open(MIB, "one", 20)
        second = spool.open(MIB, "one", 20)
        with pytest.raises(ShareUsedUp):
            spool.open(1000, "one", 20)
        with pytest.raises(ShareUsedUp):
            spool.open(0, "one", 20).write(b"x")
        first.write(bytes(MIB))  # there is room for what was announced
        second.write(bytes(MIB))

    def test_counts_every_piece(self, spool: Spool) -> None:
        files = [spool.open(0, "one", 20) for _ in range(4)]
        with pytest.raises(ShareUsedUp):
            for _ in range(64):
                for file in files:
                    file.write(bytes(MIB // 64))
        assert sum(file.size for file in files) <= 2 * MIB

    def test_has_room_again_after_discard(self, spool: Spool) -> None:
        kept = fill(spool, "one", 20)
        kept.pop().discard()
        spool.open(0, "one", 20).write(bytes(MIB))

    def test_has_room_again_after_finish_and_discard(self, spool: Spool) -> None:
        kept = fill(spool, "one", 20)
        scan = kept.pop().finish()
        with pytest.raises(ShareUsedUp):
            spool.open(0, "one", 20).write(bytes(MIB))
        scan.discard()
        spool.open(0, "one", 20).write(bytes(MIB))

    def test_gets_back_what_was_announced_and_did_not_come(self, spool: Spool) -> None:
        scans = []
        for _ in range(6):
            file = spool.open(MIB, "one", 20)
            file.write(b"small")
            scans.append(file.finish())
        assert {scan.size for scan in scans} == {5}

    def test_has_room_again_when_a_scan_was_forgotten(self, spool: Spool) -> None:
        fill(spool, "one", 20)
        gc.collect()
        assert len(fill(spool, "one", 20)) == 2

    def test_refused_scan_holds_nothing(self, spool: Spool) -> None:
        kept = fill(spool, "one", 20)
        refused = spool.open(0, "one", 20)
        with pytest.raises(ShareUsedUp):
            refused.write(b"x")
        with pytest.raises(ValueError, match="discarded"):
            refused.write(b"x")
        kept.pop().discard()
        spool.open(0, "one", 20).write(bytes(MIB))

    def test_costs_no_memory_for_owners_who_have_left(self, spool: Spool) -> None:
        for number in range(500):
            spool.open(0, f"owner {number}", 20).discard()
        assert len(spool._owned) <= 2
