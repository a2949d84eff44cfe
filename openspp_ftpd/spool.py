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
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})

_HASHED_AT_ONCE: Final = 256 * 1024


class SpoolFull(Exception):
    """The upload directory has no room for (the rest of) this scan at the moment."""


class ShareUsedUp(Exception):
    """The scans of one owner have their whole share of the upload directory."""


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
        self._owned: dict[str, weakref.WeakSet[_Nameless]] = {}
        self._folder = Path(directory) / f"openspp-ftpd-{os.geteuid()}"
        try:
            os.close(self._nameless())
        except OSError as error:
            raise SpoolUnusable(f"{self._folder}: {error.strerror}") from error

    def open(self, expected: int = 0, owner: str = "", percent: int = 100) -> SpoolFile:
        """A new file for one scan, with room reserved for `expected` bytes (of ALLO; 0: unknown).

        The number is only a hint and may be wrong: never more than `max_size` is reserved, and what
        is not used is given back when the scan is complete. All scans of one `owner` together take
        at most `percent` of the directory, though one of `max_size` always fits; without an owner
        nothing is counted. Raises SpoolFull or ShareUsedUp; SpoolUnusable if the directory was
        changed under the daemon; OSError if the process is out of descriptors.
        """
        try:
            descriptor = self._nameless()
        except OSError as error:
            raise _as_full(error) from error
        share = self._share(descriptor, owner, percent) if owner else None
        content = _Nameless(descriptor, share)
        reserve = min(expected, self.max_size)
        if reserve > 0:
            try:
                content.reserve(reserve)
            except (OSError, ShareUsedUp) as error:
                content.discard()
                raise _as_full(error) from error
        if share is not None:
            share.files.add(content)
        return SpoolFile(content, self.max_size)

    def _share(self, descriptor: int, owner: str, percent: int) -> _Share:
        for other in [other for other, files in self._owned.items() if not files]:
            del self._owned[other]
        room = os.fstatvfs(descriptor)
        size = room.f_blocks * room.f_frsize * percent // 100
        return _Share(self._owned.setdefault(owner, weakref.WeakSet()), max(size, self.max_size))

    def room(self) -> tuple[int, int]:
        """Bytes of the directory's file system that are used, and all it has."""
        try:
            found = os.statvfs(self._folder.parent)
        except OSError:  # it was unmounted under the daemon; the next scan says so
            return 0, 0
        return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_blocks * found.f_frsize

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

        Raises TooLarge at the first byte beyond the allowed size, SpoolFull when there is no more
        room and ShareUsedUp when there is none for its owner; in all these cases the scan is
        discarded at once. ValueError after finish or discard.
        """
        with memoryview(data) as view:
            if self.size + view.nbytes > self._max_size:
                self.discard()
                raise TooLarge(f"more than {self._max_size} bytes")
            try:
                self._content.append(view, self.size)
            except (OSError, ShareUsedUp) as error:
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
        self._sha512 = ""
        self._content = content

    @property
    def sha512(self) -> str:
        """Of the content, in hexadecimal digits. Read when it is first asked for, and kept.

        Takes as long as hashing does, so not for the loop. Raises ValueError when discarded before.
        """
        if not self._sha512:
            digest = hashlib.sha512()
            for piece in self.pieces(_HASHED_AT_ONCE):
                digest.update(piece)
            self._sha512 = digest.hexdigest()
        return self._sha512

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

    def __init__(self, descriptor: int, share: _Share | None = None) -> None:
        self.held = 0  # bytes of its owner's share
        self._descriptor = descriptor
        self._share = share
        self._lock = threading.Lock()
        self._readers = 0
        self._discarded = descriptor < 0

    @classmethod
    def none(cls) -> _Nameless:
        """A file that is discarded already."""
        return cls(-1)

    def reserve(self, length: int) -> None:
        """Make room for `length` bytes. Raises OSError and ShareUsedUp."""
        self._hold(length)
        os.posix_fallocate(self._descriptor, 0, length)

    def append(self, view: memoryview, size: int) -> None:
        """Write all of `view` behind the `size` bytes that are there.

        Raises OSError and ShareUsedUp; ValueError when discarded.
        """
        self._must_be_there()
        self._hold(size + view.nbytes)
        with view.cast("B") as rest:
            done = 0
            while done < len(rest):
                done += os.write(self._descriptor, rest[done:])

    def end_at(self, size: int) -> None:
        """Give back what was reserved beyond `size`."""
        self._must_be_there()
        self.held = min(self.held, size)
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
            self.held = 0
            os.ftruncate(self._descriptor, 0)
            if not self._readers:
                os.close(self._descriptor)

    def _hold(self, size: int) -> None:
        if self._share is not None and size > self.held:
            self._share.must_have_room(self, size)
            self.held = size

    def _must_be_there(self) -> None:
        if self._discarded:
            raise ValueError("the scan is discarded")

    def __del__(self) -> None:
        self.discard()


class _Share:
    """The room for all scans of one owner. What they hold is summed up anew each time, so that a
    scan that is gone, however it went, holds nothing. Used by the thread that opens and writes."""

    def __init__(self, files: weakref.WeakSet[_Nameless], size: int) -> None:
        self.files = files
        self._size = size

    def must_have_room(self, file: _Nameless, size: int) -> None:
        """Raises ShareUsedUp where `file` cannot hold `size` bytes beside the others."""
        others = sum(other.held for other in self.files if other is not file)
        if others + size > self._size:
            raise ShareUsedUp("the owner's share of the upload directory is used up")


def _as_full(error: OSError | ShareUsedUp) -> Exception:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return SpoolFull(error.strerror)
    return error
