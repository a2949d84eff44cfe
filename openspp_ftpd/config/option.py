"""What is to be said of one option of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SIZE: Final = "64K, 25M, 1G or a number of bytes"
DURATION: Final = "45s, 10min, 1h or a number of seconds"


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `default` is its text, as it would be written; `form` says how to write a value;
    `original` is the environment variable that set it in the project this one follows."""

    section: str
    name: str
    parse: Callable[[str], object]
    default: str
    meaning: str
    form: str
    original: str = ""
    is_list: bool = False  # and so may have several lines
