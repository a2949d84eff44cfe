"""What has arrived: the documents, the folder that keeps them, the record of what was stored."""

from __future__ import annotations

import bisect
import contextlib
import errno
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.keeping import Folder, Incoming, Keeper, Memory

INDEX: Final = "index.jsonl"


@dataclass(frozen=True, slots=True)
class Origin:
    """What is noted beside a document that came by Odoo's own API.

    api: "odoo17" or "odoo19"; database: where it is; file_id: its record there; directory,
    directory_id: the path and record of its directory; checksum: the SHA-512 of what was received,
    received: the bytes of that, None and -1 where no content was sent at all.
    """

    api: str
    database: str
    file_id: int
    directory: str
    directory_id: int
    checksum: str
    received: int


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document; size in bytes; altered: OpenSPP did not keep the bytes it was given."""

    number: int
    time: str
    user: str
    filename: str
    size: int
    sha256: str
    altered: bool = False
    origin: Origin | None = None

    def as_line(self) -> bytes:
        """Return the document as one JSON line."""
        return json.dumps(self.as_object()).encode() + b"\n"

    def as_object(self) -> dict[str, object]:
        """Return the document for JSON, without what there is no need to say."""
        members = asdict(self)
        origin = members.pop("origin")
        if not self.altered:
            del members["altered"]
        return members | (origin or {})


def _from_object(members: dict[str, Any]) -> Document:
    """Return the document of as_object(). Raises KeyError and TypeError for anything else."""
    if "api" not in members:
        return Document(**members)
    origin = Origin(**{field.name: members.pop(field.name) for field in fields(Origin)})
    return Document(**members, origin=origin)


class Documents:
    """All documents of the embedded OpenSPP, safe to use from several threads."""

    def __init__(self, folder: Path | None, record: Path | None) -> None:
        """folder: keeps the documents under their numbers; record: gets a line for each.

        Without a folder the newest stay in memory. Raises OSError when one of them cannot be made
        or opened.
        """
        self._keeper: Keeper = Memory() if folder is None else Folder(folder)
        self._lock = threading.Lock()
        self._documents: list[Document] = []
        self._names: set[tuple[str, str]] = set()
        self._appended: list[int] = []
        if folder is not None:
            self._read(folder)
            self._appended.append(_open_to_append(folder / INDEX))
        if record is not None:
            self._appended.append(_open_to_append(record))
        self._next = max((document.number for document in self._documents), default=0) + 1

    def _read(self, folder: Path) -> None:
        index = folder / INDEX
        for line in index.read_text().splitlines() if index.exists() else ():
            # A line that a power cut tore is no document: it was never answered.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self._documents.append(_from_object(json.loads(line)))
        self._names.update((one.user, one.filename) for one in self._documents if not one.origin)

    def is_taken(self, user: str, filename: str) -> bool:
        """Return whether the user's directory holds a file of this name that is not archived."""
        with self._lock:
            return (user, filename) in self._names

    def archive(self, user: str, filename: str) -> bool:
        """Archive a file, so that its name is free again. Returns whether there was one."""
        with self._lock:
            found = (user, filename) in self._names
            self._names.discard((user, filename))
            return found

    def new_file(self) -> Incoming:
        """Return where a document goes that comes in. Raises OSError."""
        return self._keeper.new()

    def add(
        self,
        user: str,
        filename: str,
        content: Content,
        *,
        altered: bool,
        origin: Origin | None = None,
    ) -> Document:
        """Store a document. When this returns, it is in the record.

        Raises OSError when a disk is full; the document is then not stored.
        """
        content.flush()
        with self._lock:
            time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            size, sha256 = content.size, content.sha256
            document = Document(self._next, time, user, filename, size, sha256, altered, origin)
            self._next += 1
            if content.file is not None:
                content.file.keep(document.number)
            try:
                _append(self._appended, document.as_line())
            except OSError:
                if content.file is not None:
                    content.file.forget(document.number)
                raise
            self._documents.append(document)
            if origin is None:
                self._names.add((user, filename))
        return document

    def get(self, number: int) -> Document | None:
        """Return a document by its number."""
        with self._lock:
            index = bisect.bisect_left(self._documents, number, key=lambda one: one.number)
            found = self._documents[index : index + 1]
            return found[0] if found and found[0].number == number else None

    def open(self, number: int) -> IO[bytes] | None:
        """Return a document's bytes to read from, None where they are not kept."""
        return self._keeper.open(number)

    def close(self) -> None:
        """Close the record; nothing is stored any more."""
        while self._appended:
            os.close(self._appended.pop())

    def latest(self, count: int) -> Sequence[Document]:
        """Return the last documents, the newest first."""
        with self._lock:
            return self._documents[: -count - 1 : -1]

    def all(self) -> Sequence[Document]:
        """Return every document, the oldest first."""
        with self._lock:
            return tuple(self._documents)


def _append(descriptors: Sequence[int], line: bytes) -> None:
    """Append a line to all of these files or to none; raises OSError when a disk is full.

    It goes out in one write, so that a stop at any moment leaves it whole or not there.
    """
    sizes = [os.fstat(descriptor).st_size for descriptor in descriptors]
    try:
        for descriptor in descriptors:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        for descriptor, size in zip(descriptors, sizes, strict=True):
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
        raise


def _open_to_append(path: Path) -> int:
    torn = path.is_file() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if torn:
        os.write(descriptor, b"\n")
    return descriptor
