"""The write-only view that a scanner sees: what its session sent, and the folders it names.

Folders are accepted and remembered, not made; a sent file shows its name, size and time until the
session ends. The content is in OpenSPP and nowhere else.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pyftpdlib.filesystems import AbstractedFS

from openspp_ftpd import names

MAX_ENTRIES: Final = 1000
"""Files and folders a session's view remembers; a device that names more loses the oldest."""

LONGEST_PATH: Final = 1024
"""Characters of a folder's path that is remembered; devices have up to 256."""

_OWNER: Final = "openspp"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that this session sent."""

    size: int
    modified: float
    stored_as: str  # OpenSPP's name for it; "" where the administrator wants none of its kind


class View(AbstractedFS):
    """One session's folders and sent files, under virtual absolute paths.

    pyftpdlib's own class formats the listings; what it would ask the operating system is answered
    from the view.
    """

    def __init__(self, session: Any) -> None:
        super().__init__("/", session)
        self._files: dict[str, SentFile] = {}
        self._folders: dict[str, float] = {"/": time.time()}
        self._unfinished: dict[str, None] = {}

    def resolve(self, path: str) -> str:
        """A path as the device wrote it, as a virtual absolute one."""
        return names.resolve(self.cwd, path)

    def enter(self, path: str) -> None:
        """CWD: every folder exists."""
        self.make(path)
        self.cwd = path

    def make(self, path: str) -> None:
        """MKD: remember the folder and its parents."""
        if len(path) > LONGEST_PATH:
            return
        while path not in self._folders:
            _remember(self._folders, path, time.time())
            path = posixpath.dirname(path)

    def remove_folder(self, path: str) -> None:
        """RMD: forget it."""
        if path != "/":
            self._folders.pop(path, None)

    def add(self, path: str, sent: SentFile) -> None:
        """A file was stored in OpenSPP, or not kept by the administrator's order."""
        self._unfinished.pop(path, None)
        _remember(self._files, path, sent)

    def add_unfinished(self, path: str) -> None:
        """A file was cut on its way; a device may try to resume it."""
        _remember(self._unfinished, path, None)

    def was_sent(self, path: str) -> bool:
        """True for a name that was stored or cut: APPE to it would send a tail."""
        return path in self._files or path in self._unfinished

    def get(self, path: str) -> SentFile | None:
        """The file sent under this path, if any."""
        return self._files.get(path)

    def forget(self, path: str) -> None:
        """DELE: the view forgets it, OpenSPP keeps it."""
        self._files.pop(path, None)

    def rename(self, source: str, target: str) -> None:
        """RNTO: the view shows the new name, OpenSPP keeps its own."""
        _remember(self._files, target, self._files.pop(source))

    def touch(self, path: str, modified: float) -> None:
        """MFMT: the view shows the new time."""
        self._files[path] = replace(self._files[path], modified=modified)

    def matching(self, path: str) -> tuple[str, list[str]]:
        """The folder and the names in it that a listing of `path` shows; never an error."""
        if self.isdir(path):
            return path, self.listdir(path)
        folder, pattern = posixpath.split(path)
        return folder, [
            name
            for name in self.listdir(folder)
            if name == pattern or fnmatch.fnmatchcase(name, pattern)
        ]

    # What pyftpdlib's listings ask.

    def isdir(self, path: str) -> bool:
        return path in self._folders

    def isfile(self, path: str) -> bool:
        return path in self._files

    def listdir(self, path: str) -> list[str]:
        entries = (*self._folders, *self._files)
        return sorted(
            {posixpath.basename(p) for p in entries if p != "/" and posixpath.dirname(p) == path}
        )

    def lstat(self, path: str) -> os.stat_result:
        sent = self._files.get(path)
        if sent:
            mode, size, modified = stat.S_IFREG | 0o644, sent.size, sent.modified
        elif path in self._folders:
            mode, size, modified = stat.S_IFDIR | 0o755, 0, self._folders[path]
        else:
            raise FileNotFoundError(path)
        # The inode number is what MLSD calls `unique`.
        inode = hash(path) & 0xFFFFFFFF
        return os.stat_result((mode, inode, 0, 1, 0, 0, size, modified, modified, modified))

    stat = lstat

    def get_user_by_uid(self, uid: int) -> str:
        return _OWNER

    def get_group_by_gid(self, gid: int) -> str:
        return _OWNER

    def list_lines(self, path: str) -> Iterator[bytes]:
        """LIST's lines (like `ls -l`) for a path or pattern."""
        lines: Iterator[bytes] = self.format_list(*self.matching(path))
        return lines

    def fact_lines(self, path: str, facts: list[str]) -> Iterator[bytes]:
        """MLSD's lines (RFC 3659 section 7)."""
        lines: Iterator[bytes] = self.format_mlsx(*self.matching(path), "elmw", facts)
        return lines


def _remember(table: dict[str, Any], key: str, value: Any) -> None:
    """Put an entry last, and drop the oldest of a table that is full (never the root folder)."""
    table.pop(key, None)
    table[key] = value
    if len(table) > MAX_ENTRIES:
        del table[next(entry for entry in table if entry != "/")]
