"""A scan on its way: complete and unchanged, in memory that ends with it, seen by nobody else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.spool import Spool, SpooledScan, SpoolFull, SpoolUnusable, TooLarge

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def shared_memory() -> Iterator[str]:
    """A folder in a tmpfs that every user may write to."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="openspp-ftpd-test-") as directory:
        yield directory


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of one mebibyte, mode 1777, as the service has one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def free(directory: Path | str) -> int:
    """Bytes free in the tmpfs."""
    found = os.statvfs(directory)
    return found.f_bfree * found.f_bsize


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def spooled(spool: Spool, content: bytes) -> SpooledScan:
    file = spool.open()
    file.write(content)
    return file.finish()


class TestTheBytesAreKept:
    @given(st.lists(st.binary(max_size=9000), max_size=12), st.integers(1, 5000))
    def test_written_in_any_pieces_read_in_any_pieces(
        self, shared_memory: str, written: list[bytes], length: int
    ) -> None:
        file = Spool(shared_memory, MIB).open()
        for piece in written:
            file.write(piece)
        whole = b"".join(written)
        assert file.size == len(whole)
        scan = file.finish()
        try:
            assert (scan.size, scan.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
            for _ in "twice":
                pieces = list(scan.pieces(length))
                assert b"".join(pieces) == whole
                assert all(len(piece) == length for piece in pieces[:-1])
        finally:
            scan.discard()

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_read_at_any_place_ends_with_the_scan(
        self, shared_memory: str, offset: int, length: int
    ) -> None:
        content = bytes(range(200))
        scan = spooled(Spool(shared_memory, MIB), content)
        assert scan.read_at(offset, length) == content[offset : offset + length]
        scan.discard()

    def test_a_negative_place_is_an_error(self, shared_memory: str) -> None:
        scan = spooled(Spool(shared_memory, MIB), b"scan")
        for offset, length in ((-1, 1), (0, -1)):
            with pytest.raises(ValueError, match="negative"):
                scan.read_at(offset, length)

    def test_any_kind_of_buffer(self, shared_memory: str) -> None:
        file = Spool(shared_memory, MIB).open()
        file.write(memoryview(b"abcdef")[1:3])
        file.write(bytearray(b"gh"))
        file.write(memoryview(b"\x01\x00\x02\x00").cast("H"))
        scan = file.finish()
        assert scan.read_at(0, 100) == b"bcgh\x01\x00\x02\x00"

    def test_short_writes_are_completed(
        self, shared_memory: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
        scan = spooled(Spool(shared_memory, MIB), b"0123456789")
        assert scan.read_at(0, 100) == b"0123456789"


class TestTheLargestSize:
    def test_is_allowed_and_one_byte_more_is_not(self, shared_memory: str) -> None:
        spool = Spool(shared_memory, 1000)
        file = spool.open()
        file.write(bytes(999))
        file.write(b"x")
        assert file.size == 1000
        with pytest.raises(TooLarge):
            file.write(b"x")

    def test_nothing_beyond_it_is_ever_kept(self, shared_memory: str) -> None:
        file = Spool(shared_memory, 1000).open()
        with pytest.raises(TooLarge):
            file.write(bytes(MIB))
        with pytest.raises(ValueError, match="discarded"):
            file.write(b"x")
        with pytest.raises(ValueError, match="discarded"):
            file.finish()


class TestAnAnnouncedSize:
    def test_is_reserved_at_once_and_given_back(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), MIB)
        before = free(small_tmpfs)
        file = spool.open(expected=512 * 1024)
        assert before - free(small_tmpfs) == 512 * 1024
        file.write(b"x" * 5000)
        scan = file.finish()
        assert before - free(small_tmpfs) == 8192
        assert (scan.size, scan.read_at(0, MIB)) == (5000, b"x" * 5000)
        scan.discard()
        assert free(small_tmpfs) == before

    def test_without_room_for_it_is_refused_before_the_transfer(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), 25 * MIB)
        before, descriptors = free(small_tmpfs), open_descriptors()
        with pytest.raises(SpoolFull):
            spool.open(expected=2 * MIB)
        assert (free(small_tmpfs), open_descriptors()) == (before, descriptors)

    @pytest.mark.parametrize("lie", [1, 10**18, -5])
    def test_that_is_not_true_does_no_harm(self, shared_memory: str, lie: int) -> None:
        file = Spool(shared_memory, 10_000).open(expected=lie)
        file.write(b"0123456789" * 100)
        scan = file.finish()
        assert scan.read_at(0, 20_000) == b"0123456789" * 100


class TestAFullSpool:
    def test_says_so_and_is_free_again_at_once(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), 25 * MIB)
        before, descriptors = free(small_tmpfs), open_descriptors()
        file = spool.open()
        with pytest.raises(SpoolFull):
            for _ in range(40):
                file.write(bytes(64 * 1024))
        assert (free(small_tmpfs), open_descriptors()) == (before, descriptors)
        file.discard()
        scan = spooled(spool, b"the next one")
        assert scan.read_at(0, 100) == b"the next one"

    def test_says_so_on_the_write_of_a_scan_smaller_than_any_buffer(
        self, small_tmpfs: Path
    ) -> None:
        spool = Spool(str(small_tmpfs), 25 * MIB)
        filling = spool.open(expected=free(small_tmpfs))
        file = spool.open()
        with pytest.raises(SpoolFull):
            file.write(bytes(5000))
        filling.discard()
        assert spooled(spool, bytes(5000)).size == 5000

    def test_full_between_two_halves_of_one_write(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), 25 * MIB)
        filling = spool.open(expected=free(small_tmpfs) - 4096)
        file = spool.open()
        with pytest.raises(SpoolFull):
            file.write(bytes(5000))
        filling.discard()

    def test_without_inodes_is_full_too(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), MIB)
        remount = ["mount", "-o", "remount,nr_inodes=4", str(small_tmpfs)]
        subprocess.run(remount, check=True)
        kept = []
        with pytest.raises(SpoolFull):
            for _ in range(4):
                kept.append(spool.open())
        assert kept


class TestNothingStays:
    def test_no_name_at_any_time_and_no_content_after_discard(self, small_tmpfs: Path) -> None:
        spool = Spool(str(small_tmpfs), MIB)
        before, descriptors = free(small_tmpfs), open_descriptors()
        file = spool.open()
        file.write(bytes(100_000))
        scan = file.finish()
        assert [p for p in small_tmpfs.rglob("*") if not p.is_dir()] == []
        scan.discard()
        scan.discard()
        file.discard()
        assert (free(small_tmpfs), open_descriptors()) == (before, descriptors)

    def test_a_scan_given_up_half_way(self, small_tmpfs: Path) -> None:
        before, descriptors = free(small_tmpfs), open_descriptors()
        spool = Spool(str(small_tmpfs), MIB)
        file = spool.open()
        file.write(bytes(100_000))
        file.discard()
        file.discard()
        assert (free(small_tmpfs), open_descriptors()) == (before, descriptors)

    def test_one_that_everybody_forgot(self, shared_memory: str) -> None:
        descriptors = open_descriptors()
        spooled(Spool(shared_memory, MIB), b"forgotten")
        Spool(shared_memory, MIB).open()
        assert open_descriptors() == descriptors

    def test_memory_is_free_while_a_reader_still_reads(self, small_tmpfs: Path) -> None:
        before = free(small_tmpfs)
        scan = spooled(Spool(str(small_tmpfs), MIB), bytes(500_000))
        pieces = scan.pieces(1000)
        next(pieces)
        scan.discard()
        assert free(small_tmpfs) == before
        with pytest.raises(ValueError, match="discarded"):
            next(pieces)

    def test_memory_is_free_while_a_thread_is_within_a_read(
        self, small_tmpfs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, descriptors = free(small_tmpfs), open_descriptors()
        scan = spooled(Spool(str(small_tmpfs), MIB), bytes(500_000))

        def discarded_meanwhile(fd: int, length: int, offset: int) -> bytes:
            scan.discard()
            assert free(small_tmpfs) == before
            return b""

        with monkeypatch.context() as patched:
            patched.setattr(os, "pread", discarded_meanwhile)
            with pytest.raises(ValueError, match="discarded"):
                scan.read_at(0, 100)
        assert (free(small_tmpfs), open_descriptors()) == (before, descriptors)

    def test_no_content_in_a_repr(self, shared_memory: str) -> None:
        scan = spooled(Spool(shared_memory, MIB), b"secret")
        assert "secret" not in repr(scan)
        assert scan.sha256 in repr(scan)


class TestADiscardedScanIsNeverReadAsAnother:
    def test_not_when_its_descriptor_has_become_another_file(self, shared_memory: str) -> None:
        spool = Spool(shared_memory, MIB)
        old = spooled(spool, b"old")
        old.discard()
        new = spooled(spool, b"new")
        with pytest.raises(ValueError, match="discarded"):
            old.read_at(0, 3)
        assert new.read_at(0, 3) == b"new"

    def test_not_by_readers_in_other_threads(self, shared_memory: str) -> None:
        """Readers and discard race; each read gives its own scan's bytes or an error."""
        spool = Spool(shared_memory, MIB)
        descriptors = open_descriptors()
        wrong: list[bytes] = []
        reads = 0

        def read(scan: SpooledScan, expected: bytes) -> None:
            nonlocal reads
            try:
                while True:
                    for piece in scan.pieces(16 * 1024):
                        reads += 1
                        if piece != expected:
                            wrong.append(piece[:20])
            except ValueError:
                return

        for turn in range(60):
            piece = bytes([turn + 1]) * 16 * 1024
            scan = spooled(spool, piece * 8)
            readers = [threading.Thread(target=read, args=(scan, piece)) for _ in range(3)]
            for reader in readers:
                reader.start()
            scan.read_at(0, 10)
            scan.discard()
            for reader in readers:
                reader.join(10)
                assert not reader.is_alive()
        assert wrong == []
        assert reads > 0
        assert open_descriptors() == descriptors

    def test_not_when_discarded_within_the_read(
        self, shared_memory: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scan = spooled(Spool(shared_memory, MIB), b"x" * 100)
        descriptors = open_descriptors()
        pread = os.pread

        def discarded_meanwhile(fd: int, length: int, offset: int) -> bytes:
            scan.discard()
            pread(fd, length, offset)  # the descriptor is still this scan's
            return bytes(length)

        monkeypatch.setattr(os, "pread", discarded_meanwhile)
        with pytest.raises(ValueError, match="discarded"):
            scan.read_at(0, 100)
        monkeypatch.undo()
        assert open_descriptors() == descriptors - 1


class TestThePrivateFolder:
    def folder(self, directory: Path) -> Path:
        return directory / f"openspp-ftpd-{os.geteuid()}"

    def test_is_private_also_in_a_directory_open_to_all(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o1777)
        Spool(str(tmp_path), MIB)
        assert self.folder(tmp_path).stat().st_mode & 0o7777 == 0o700

    def test_of_an_earlier_start_serves_again(self, tmp_path: Path) -> None:
        Spool(str(tmp_path), MIB)
        assert spooled(Spool(str(tmp_path), MIB), b"scan").read_at(0, 9) == b"scan"

    def test_that_others_may_enter_is_refused(self, tmp_path: Path) -> None:
        self.folder(tmp_path).mkdir()
        self.folder(tmp_path).chmod(0o755)
        with pytest.raises(SpoolUnusable, match="remove it"):
            Spool(str(tmp_path), MIB)

    def test_of_another_user_is_refused(self, tmp_path: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("giving a folder away takes root")
        self.folder(tmp_path).mkdir(mode=0o700)
        os.chown(self.folder(tmp_path), 65534, 65534)
        with pytest.raises(SpoolUnusable, match="another user"):
            Spool(str(tmp_path), MIB)

    def test_is_no_link_to_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        self.folder(tmp_path).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(SpoolUnusable):
            Spool(str(tmp_path), MIB)

    def test_that_vanished_is_made_again(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path), MIB)
        self.folder(tmp_path).rmdir()
        assert spooled(spool, b"scan").size == 4

    @pytest.mark.parametrize("directory", ["missing", "a-file"])
    def test_in_no_usable_directory_is_an_error_that_says_where(
        self, tmp_path: Path, directory: str
    ) -> None:
        (tmp_path / "a-file").touch()
        with pytest.raises(SpoolUnusable, match=f"{directory}.*tmpfs"):
            Spool(str(tmp_path / directory), MIB)

    def test_without_room_even_for_a_trial_is_an_error(self, small_tmpfs: Path) -> None:
        Spool(str(small_tmpfs), MIB)
        subprocess.run(["mount", "-o", "remount,nr_inodes=2", str(small_tmpfs)], check=True)
        with pytest.raises(SpoolUnusable, match="No space"):
            Spool(str(small_tmpfs), MIB)

    def test_on_a_file_system_without_nameless_files_is_an_error(self) -> None:
        with pytest.raises(SpoolUnusable, match="/proc"):
            Spool("/proc", MIB)
