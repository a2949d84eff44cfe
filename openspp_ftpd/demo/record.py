"""What the embedded OpenSPP wrote down of each document it stored, and lines that others append."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Arrival:
    """A document that OpenSPP has; size in bytes; altered: it did not keep the bytes given."""

    user: str
    name: str
    size: int
    sha256: str
    altered: bool

    def __str__(self) -> str:
        altered = ", altered" if self.altered else ""
        return f"{self.name} of {self.user}, {self.size:,} bytes{altered}"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """From a line of the record, which is a JSON object."""
        entry = json.loads(line)
        return cls(
            user=str(entry["user"]),
            name=str(entry["filename"]),
            size=int(entry["size"]),
            sha256=str(entry["sha256"]),
            altered=bool(entry.get("altered", False)),
        )


class GrowingFile:
    """A text file that another process appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0

    def new_lines(self) -> list[str]:
        """The whole lines that came since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_to)
                grown = file.read()
        except FileNotFoundError:
            return []
        whole = grown[: grown.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode("utf-8", "replace").splitlines()


def arrivals(record: GrowingFile) -> list[Arrival]:
    """The documents that arrived since the last call."""
    return [Arrival.from_line(line) for line in record.new_lines()]
