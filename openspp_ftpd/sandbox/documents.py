"""What has arrived: the documents, the folder that keeps them, the record of what was stored."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from openspp_ftpd.sandbox.content import Content

INDEX: Final = "index.jsonl"
_INCOMING: Final = "incoming-"


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

    def as_line(self) -> bytes:
        """Return the document as one JSON line."""
        return json.dumps(self.as_object()).encode() + b"\n"

    def as_object(self) -> dict[str, object]:
        """Return the document for JSON; "altered" is there only when it is true."""
        members = asdict(self)
        if not self.altered:
            del members["altered"]
        return members


class Documents:
    """All documents of the embedded OpenSPP, safe to use from several threads."""

    def __init__(self, folder: Path | None, record: Path | None) -> None:
        """folder: keeps the documents under their numbers; record: gets a line for each.

        Raises OSError when one of them cannot be made or opened.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._documents: list[Document] = []
        self._names: set[tuple[str, str]] = set()
        self._appended: list[int] = []
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._read(folder)
            self._appended.append(_open_to_append(folder / INDEX))
        if record is not None:
            self._appended.append(_open_to_append(record))
        self._next = max((document.number for document in self._documents), default=0) + 1

    def _read(self, folder: Path) -> None:
        for left_over in folder.glob(f"{_INCOMING}*"):
            left_over.unlink()
        index = folder / INDEX
        for line in index.read_text().splitlines() if index.exists() else ():
            # A line that a power cut tore is no document: it was never answered.
            with contextlib.suppress(ValueError, TypeError):
                self._documents.append(Document(**json.loads(line)))
        self._names.update((document.user, document.filename) for document in self._documents)

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

    def new_file(self) -> IO[bytes] | None:
        """Return a file for a document that comes in, None when documents are not kept."""
        if self._folder is None:
            return None
        return tempfile.NamedTemporaryFile(prefix=_INCOMING, dir=self._folder, delete=False)

    def add(
        self, user: str, filename: str, content: Content, file: IO[bytes] | None, *, altered: bool
    ) -> Document:
        """Store a document. When this returns, it is in the record.

        Raises OSError when a disk is full; the document is then not stored.
        """
        content.flush()
        with self._lock:
            time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            document = Document(
                self._next, time, user, filename, content.size, content.sha256, altered
            )
            self._next += 1
            # A document's name is never a path: only its number is.
            kept = self._folder / f"{document.number:06}" if self._folder and file else None
            if kept is not None and file is not None:
                Path(file.name).rename(kept)
            try:
                _append(self._appended, document.as_line())
            except OSError:
                if kept is not None:
                    kept.unlink()
                raise
            self._documents.append(document)
            self._names.add((user, filename))
        return document

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


def discard(file: IO[bytes] | None) -> None:
    """Remove the file of a document that was not stored; one that was has another name by now."""
    if file is not None:
        file.close()
        with contextlib.suppress(FileNotFoundError):
            Path(file.name).unlink()


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
