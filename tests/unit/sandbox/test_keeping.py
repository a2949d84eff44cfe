"""In memory the newest documents stay, and never more than the bounds allow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openspp_ftpd.sandbox.keeping import Folder, Memory


def kept(memory: Memory, number: int) -> bytes | None:
    file = memory.open(number)
    if file is None:
        return None
    with file:
        return file.read()


def keep(memory: Memory, number: int, content: bytes) -> None:
    incoming = memory.new()
    for start in range(0, len(content), 10):
        incoming.write(content[start : start + 10])
    incoming.keep(number)
    incoming.discard()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_newest_stay_and_the_oldest_go() -> None:
    memory = Memory(most=100, largest=60)
    for number in range(1, 5):
        keep(memory, number, b"%d" % number * 40)
    assert [kept(memory, number) for number in (1, 2)] == [None, None]
    assert [kept(memory, number) for number in (3, 4)] == [b"3" * 40, b"4" * 40]


def test_too_large_one_is_not_kept_and_frees_its_room() -> None:
    memory = Memory(most=100, largest=60)
    keep(memory, 1, b"x" * 61)
    assert kept(memory, 1) is None
    keep(memory, 2, b"y" * 60)
    assert kept(memory, 2) == b"y" * 60


def test_many_that_come_in_at_once_are_within_the_bound() -> None:
    memory = Memory(most=100, largest=60)
    incoming = [memory.new() for _ in range(4)]
    for one in incoming:
        one.write(b"x" * 30)
    for number, one in enumerate(incoming, 1):
        one.keep(number)
    assert [kept(memory, number) is not None for number in range(1, 5)] == [True] * 3 + [False]


def test_no_more_than_two_hundred_stay() -> None:
    memory = Memory()
    before = descriptors()
    for number in range(1, 251):
        keep(memory, number, b"x")
    assert descriptors() - before == 200
    assert kept(memory, 50) is None
    assert kept(memory, 51) == b"x"
    for number in range(1, 251):
        memory.remove(number)
    assert descriptors() == before


def test_discarded_and_forgotten_ones_leave_nothing() -> None:
    memory = Memory(most=100, largest=100)
    before = descriptors()
    for _ in range(3):
        incoming = memory.new()
        incoming.write(b"x" * 90)
        incoming.discard()
        incoming.discard()
        incoming = memory.new()
        incoming.write(b"x" * 90)
        incoming.keep(1)
        incoming.forget(1)
        incoming.discard()
    assert descriptors() == before


def test_each_reader_has_its_own_place() -> None:
    memory = Memory()
    keep(memory, 1, b"0123456789")
    one, other = memory.open(1), memory.open(1)
    assert one is not None and other is not None
    with one, other:
        assert (one.read(3), other.read(2), one.read()) == (b"012", b"01", b"3456789")


def test_folder_keeps_by_number_and_removes_what_a_kill_left(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    left_over, incoming = folder.new(), folder.new()
    incoming.write(b"x")
    incoming.flush()
    incoming.keep(7)
    incoming.discard()
    assert (tmp_path / "000007").read_bytes() == b"x"
    assert folder.open(8) is None
    Folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["000007"]
    left_over.discard()


def test_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    incoming = Memory().new()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        incoming.write(b"x")
    monkeypatch.undo()
    incoming.discard()
