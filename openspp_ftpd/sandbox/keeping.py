"""Where a document's bytes stay: in a folder under its number, or for a while in memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path
from typing import IO, Final, Protocol

_INCOMING: Final = "incoming-"

MOST_IN_MEMORY: Final = 64 * 1024 * 1024
"""Bytes of documents that stay in memory; for one more the oldest go."""

LARGEST_IN_MEMORY: Final = 16 * 1024 * 1024
"""Bytes of a document that stays in memory; of a larger one only size and sums are known."""

_MOST_DOCUMENTS: Final = 200


class Incoming(Protocol):
    """A document that comes in. It is kept or discarded, once."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes. Raises OSError, as when a disk is full."""

    def flush(self) -> None:
        """Give everything to the operating system. Raises OSError."""

    def keep(self, number: int) -> None:
        """Keep the document under its number. Raises OSError."""

    def forget(self, number: int) -> None:
        """Take back what keep() did."""

    def discard(self) -> None:
        """Throw away what was not kept; of what was kept it only ends the writing."""


class Keeper(Protocol):
    """Keeps documents."""

    def new(self) -> Incoming:
        """Return where a document goes that comes in now. Raises OSError."""

    def open(self, number: int) -> IO[bytes] | None:
        """Return a kept document to read from, None when it is not kept."""


class Folder:
    """Keeps every document in a folder. A document's name is never a path: only its number is."""

    def __init__(self, path: Path) -> None:
        """Make the folder where it is missing. Raises OSError."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in path.glob(f"{_INCOMING}*"):
            left_over.unlink()
        self.path = path

    def new(self) -> Incoming:
        """Return a file for a document that comes in. Raises OSError."""
        return _InFolder(self)

    def open(self, number: int) -> IO[bytes] | None:
        """Return a document to read from, None when somebody has removed it."""
        try:
            return self.name_of(number).open("rb")
        except FileNotFoundError:
            return None

    def name_of(self, number: int) -> Path:
        """Return the path of a document's file."""
        return self.path / f"{number:06}"


class _InFolder:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        descriptor, name = tempfile.mkstemp(prefix=_INCOMING, dir=folder.path)
        self._path = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self.write = self._file.write
        self.flush = self._file.flush

    def keep(self, number: int) -> None:
        self._path.rename(self._folder.name_of(number))

    def forget(self, number: int) -> None:
        self._folder.name_of(number).unlink()

    def discard(self) -> None:
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class Memory:
    """Keeps the newest documents in memory, within bounds, so that they can be looked at."""

    def __init__(self, most: int = MOST_IN_MEMORY, largest: int = LARGEST_IN_MEMORY) -> None:
        """most, largest: bytes of all and of one."""
        self._most = most
        self._largest = largest
        self._sizes: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        self._used = 0
        self._lock = threading.Lock()

    def new(self) -> Incoming:
        """Return where a document goes that comes in."""
        return _InMemory(self)

    def open(self, number: int) -> IO[bytes] | None:
        """Return a document to read from, None when it was too large or has gone."""
        with self._lock:
            descriptor = self._kept.get(number)
            if descriptor is None:
                return None
            # A name of its own: the place to read from is then its own too.
            return Path(f"/proc/self/fd/{descriptor}").open("rb")

    def reserve(self, size: int, already: int) -> bool:
        """Make room for more bytes of a document that has some already; False: it is too large."""
        with self._lock:
            if already + size > min(self._largest, self._most):
                return False
            while self._kept and self._used + size > self._most:
                self._drop(next(iter(self._kept)))
            if self._used + size > self._most:
                return False
            self._used += size
            return True

    def release(self, size: int) -> None:
        """Give the room of a document back that was not kept."""
        with self._lock:
            self._used -= size

    def add(self, number: int, descriptor: int, size: int) -> None:
        """Keep a document whose room is reserved."""
        with self._lock:
            self._kept[number], self._sizes[number] = descriptor, size
            while len(self._kept) > _MOST_DOCUMENTS:
                self._drop(next(iter(self._kept)))

    def remove(self, number: int) -> None:
        """Keep a document no more."""
        with self._lock:
            if number in self._kept:
                self._drop(number)

    def _drop(self, number: int) -> None:
        os.close(self._kept.pop(number))
        self._used -= self._sizes.pop(number)


class _InMemory:
    """In a file without a name, that lies in memory: it costs the process itself none."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._descriptor = os.memfd_create("document", os.MFD_CLOEXEC)
        self._size = 0

    def write(self, data: bytes) -> None:
        if self._descriptor < 0:
            return
        if not self._memory.reserve(len(data), self._size):
            self.discard()
            return
        self._size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def flush(self) -> None:
        pass

    def keep(self, number: int) -> None:
        if self._descriptor >= 0:
            self._memory.add(number, self._descriptor, self._size)
            self._descriptor = -1

    def forget(self, number: int) -> None:
        self._memory.remove(number)

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._memory.release(self._size)
            self._descriptor = -1
