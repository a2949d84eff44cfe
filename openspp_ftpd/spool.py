"""An upload on its way through: kept in tmpfs, hashed while it is written, read back, discarded.

Here belongs all contact with the upload directory. A file has no name at any time (O_TMPFILE), so
nothing is left of it when the daemon is killed, and no other process can open it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})


class SpoolFull(Exception):
    """The upload directory has no room for (the rest of) this scan at the moment."""


class TooLarge(Exception):
    """The scan has more bytes than are allowed."""


class SpoolUnusable(Exception):
    """The upload directory cannot hold scans safely; the text says why and what to do."""


class Spool:
    """The upload directory."""

    def __init__(self, directory: str, max_size: int) -> None:
        """Make (or take over) a private folder in `directory` and try it out.

        Scans may have at most `max_size` bytes. Raises SpoolUnusable.
        """
        self.max_size = max_size
        self._folder = Path(directory) / f"openspp-ftpd-{os.geteuid()}"
        try:
            os.close(self._nameless())
        except OSError as error:
            raise SpoolUnusable(f"{self._folder}: {error.strerror}") from error

    def open(self, expected: int = 0) -> SpoolFile:
        """A new file for one scan, with room reserved for `expected` bytes (of ALLO; 0: unknown).

        The number is only a hint and may be wrong: never more than `max_size` is reserved, and what
        is not used is given back when the scan is complete. Raises SpoolFull; SpoolUnusable if the
        directory was changed under the daemon; OSError if the process is out of descriptors.
        """
        try:
            content = _Nameless(self._nameless())
        except OSError as error:
            raise _as_full(error) from error
        reserve = min(expected, self.max_size)
        if reserve > 0:
            try:
                content.reserve(reserve)
            except OSError as error:
                content.discard()
                raise _as_full(error) from error
        return SpoolFile(content, self.max_size)

    def _nameless(self) -> int:
        """The descriptor of a new file without a name, in the private folder."""
        try:
            folder = self._private_folder()
            try:
                flags = os.O_TMPFILE | os.O_EXCL | os.O_RDWR  # O_EXCL: it can never be given a name
                return os.open(".", flags, 0o600, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, *_NO_ROOM):
                raise
            raise SpoolUnusable(
                f"{self._folder}: cannot keep scans here ({error.strerror}); "
                "name a tmpfs that the daemon may write to"
            ) from error

    def _private_folder(self) -> int:
        """A descriptor of the folder, made where it is missing and checked in any case."""
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(mode=0o700)
        # Checked through the descriptor, so that nobody can exchange the folder in between.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(folder)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
            os.close(folder)
            raise SpoolUnusable(
                f"{self._folder}: belongs to another user or is open to others; remove it"
            )
        return folder


class SpoolFile:
    """A scan being received; used by one thread."""

    def __init__(self, content: _Nameless, max_size: int) -> None:
        self.size = 0
        self._content = content
        self._max_size = max_size
        self._hash = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of `data`.

        Raises TooLarge at the first byte beyond the allowed size and SpoolFull when there is no
        more room; in both cases the scan is discarded at once. ValueError after finish or discard.
        """
        with memoryview(data) as view:
            if self.size + view.nbytes > self._max_size:
                self.discard()
                raise TooLarge(f"more than {self._max_size} bytes")
            try:
                self._content.append(view)
            except OSError as error:
                self.discard()
                raise _as_full(error) from error
            self._hash.update(view)
            self.size += view.nbytes

    def finish(self) -> SpooledScan:
        """The complete scan; this object is then of no more use."""
        content, self._content = self._content, _Nameless.none()
        content.end_at(self.size)
        return SpooledScan(content, self.size, self._hash.hexdigest())

    def discard(self) -> None:
        """Free its memory. Harmless a second time, and after finish."""
        self._content.discard()


class SpooledScan:
    """A complete scan: `size` in bytes, `sha256` in hexadecimal digits, and its content.

    Content may be read from several threads while another one discards it.
    """

    def __init__(self, content: _Nameless, size: int, sha256: str) -> None:
        self.size: Final = size
        self.sha256: Final = sha256
        self._content = content

    def __repr__(self) -> str:
        return f"SpooledScan(size={self.size}, sha256={self.sha256!r})"

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer only at the end. Raises ValueError when discarded."""
        if offset < 0 or length < 0:
            raise ValueError("offset and length cannot be negative")
        return self._content.read(offset, max(0, min(length, self.size - offset)))

    def pieces(self, length: int) -> Iterator[bytes]:
        """The content from its beginning in pieces of `length` bytes. Raises ValueError when
        discarded."""
        for offset in range(0, self.size, length):
            yield self.read_at(offset, length)

    def discard(self) -> None:
        """Free its memory at once, even while it is being read. Harmless a second time."""
        self._content.discard()


class _Nameless:
    """An open file without a name, and its only descriptor.

    The number of a closed descriptor is soon that of another file. So a discarded file is emptied
    at once, and closed when the last reader has left.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._readers = 0
        self._discarded = descriptor < 0

    @classmethod
    def none(cls) -> _Nameless:
        """A file that is discarded already."""
        return cls(-1)

    def reserve(self, length: int) -> None:
        os.posix_fallocate(self._descriptor, 0, length)

    def append(self, view: memoryview) -> None:
        """Write all of `view` at the current end. Raises OSError; ValueError when discarded."""
        self._must_be_there()
        with view.cast("B") as rest:
            done = 0
            while done < len(rest):
                done += os.write(self._descriptor, rest[done:])

    def end_at(self, size: int) -> None:
        """Give back what was reserved beyond `size`."""
        self._must_be_there()
        os.ftruncate(self._descriptor, size)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._must_be_there()
            self._readers += 1
        try:
            found = b""
            while len(found) < length:
                piece = os.pread(self._descriptor, length - len(found), offset + len(found))
                if not piece:
                    break
                found = found + piece if found else piece
        finally:
            with self._lock:
                self._readers -= 1
                if self._discarded and not self._readers:
                    os.close(self._descriptor)
        # A read that met the emptying may have found zeros.
        self._must_be_there()
        return found

    def discard(self) -> None:
        with self._lock:
            if self._discarded:
                return
            self._discarded = True
            os.ftruncate(self._descriptor, 0)
            if not self._readers:
                os.close(self._descriptor)

    def _must_be_there(self) -> None:
        if self._discarded:
            raise ValueError("the scan is discarded")

    def __del__(self) -> None:
        self.discard()


def _as_full(error: OSError) -> Exception:
    return SpoolFull(error.strerror) if error.errno in _NO_ROOM else error
