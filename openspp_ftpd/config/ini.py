"""The text of an INI file as entries that know their lines; what an option means is not known here.

configparser decides what an INI file is. It stops at the first mistake and forgets line numbers, so
this module reads the text again without each mistake and notes the line of every name on the way.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MOST_MISTAKES: Final = 50
"""After so many the file is something else, and reading it again and again would take long."""

_MARK: Final = "\0"  # joins a name and its line number; no text holds it


@dataclass(frozen=True, slots=True)
class Entry:
    """`name = value` in `line` (from 1) of `[section]`; a value may have more lines."""

    section: str
    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Ini:
    """What a text holds: the line of each section, the entries, and (line, what is wrong)."""

    sections: dict[str, int]
    entries: tuple[Entry, ...]
    mistakes: tuple[tuple[int, str], ...]


class _Reader(configparser.RawConfigParser):
    """A parser that knows the line it is in: configparser takes one line, uses it, takes the next.

    Every option gets its line number into its name, so that two of one name stay two.
    """

    def __init__(self) -> None:
        # "=" alone, for a ":" belongs to addresses; without a default section, whose options would
        # silently be everybody's.
        super().__init__(delimiters=("=",), default_section="", interpolation=None)
        self.line = 0
        self.headers: dict[str, int] = {}

    def read_lines(self, lines: Sequence[str]) -> None:
        """Parse `lines`; raises configparser.Error at a mistake."""
        self.read_file(self._numbered(lines))

    def optionxform(self, optionstr: str) -> str:
        return f"{optionstr.lower()}{_MARK}{self.line}"

    def _numbered(self, lines: Sequence[str]) -> Iterator[str]:
        for self.line, line in enumerate(lines, start=1):
            yield line
            for section in self.sections()[len(self.headers) :]:
                self.headers[section] = self.line


def parse(text: str) -> Ini:
    """Read `text`. Nothing is raised: whatever is wrong is in the result, all of it at once."""
    lines = text.split("\n")
    mistakes: list[tuple[int, str]] = []
    while True:
        reader = _Reader()
        try:
            reader.read_lines(lines)
            break
        except configparser.MissingSectionHeaderError as error:
            mistakes.append((error.lineno, "stands before the first [section]; put it below one"))
            lines[error.lineno - 1] = ""
        except configparser.DuplicateSectionError as error:
            line = error.lineno or 1
            first = reader.headers[error.section]
            said = f"section [{error.section}] began in line {first} already; put both together"
            mistakes.append((line, said))
            # Under a name of its own its options are still read, and belong to the first one.
            lines[line - 1] = f"[{error.section}{_MARK}{line}]"
        except configparser.ParsingError as error:
            for line, _ in error.errors:
                mistakes.append((line, _malformed(lines[line - 1])))
                lines[line - 1] = ""
        if len(mistakes) >= MOST_MISTAKES:
            mistakes.append((mistakes[-1][0], "too many mistakes; is this the right file?"))
            return Ini({}, (), tuple(mistakes[:MOST_MISTAKES] + mistakes[-1:]))

    entries: dict[tuple[str, str], Entry] = {}
    for marked_section in reader.sections():
        section = marked_section.split(_MARK)[0]
        for marked_name, value in reader.items(marked_section):
            name, number = marked_name.rsplit(_MARK, 1)
            entry = Entry(section, name, value, int(number))
            before = entries.setdefault((section, name), entry)
            if before is not entry:
                said = f"{name} is set in line {before.line} already; keep one of the two"
                mistakes.append((entry.line, said))
    headers = {name: line for name, line in reader.headers.items() if _MARK not in name}
    return Ini(headers, tuple(entries.values()), tuple(sorted(mistakes)))


def _malformed(line: str) -> str:
    """What is wrong with a line that is nothing known. Its text is not shown."""
    if line.lstrip().startswith("["):
        return "a section is written [section], alone in its line"
    if line.lstrip().startswith("="):
        return "there is no name before the '='; write: option = value"
    return "this is no option; write: option = value (a comment begins with #)"
