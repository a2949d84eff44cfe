"""What a check finds: one thing that is well, that should be looked at, or that is wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad it is."""

    FINE = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list: what was looked at, what is so, and, unless it is fine, what to do."""

    about: str
    text: str
    level: Level = Level.FINE
    mend: str = ""


def fine(about: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(about, text)


def warning(about: str, text: str, mend: str) -> Finding:
    """Scans go through, or may; it should be looked at."""
    return Finding(about, text, Level.WARNING, mend)


def failed(about: str, text: str, mend: str) -> Finding:
    """Scans do not go through."""
    return Finding(about, text, Level.FAILED, mend)
