"""How a command shows what it does: steps, lists, a progress bar; plain off a terminal."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

_WIDEST: Final = 80
_BOLD: Final = "1"
_DIM: Final = "2"
_RED: Final = "31"
_GREEN: Final = "32"
_YELLOW: Final = "33"

_PLAIN_BAR_STEPS: Final = 4
"""Lines that a bar leaves where it cannot be drawn over: one for each quarter."""


class Screen:
    """Writes to a text stream; colours and signs only where it can show them."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        """environment: NO_COLOR (no-color.org) and TERM are looked at."""
        self._stream = stream
        self._terminal = stream.isatty()
        self._colours = (
            self._terminal
            and not environment.get("NO_COLOR")
            and environment.get("TERM", "dumb") != "dumb"
        )
        self._width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)
        self._signs = {
            "done": "✓",
            "failed": "✗",
            "attention": "!",
            "mend": "→",
            "full": "█",
            "empty": "░",
            "ellipsis": "…",
        }
        try:
            "".join(self._signs.values()).encode(stream.encoding or "ascii")
        except UnicodeEncodeError:
            self._signs = {
                "done": "*",
                "failed": "!",
                "attention": "?",
                "mend": "->",
                "full": "#",
                "empty": "-",
                "ellipsis": "...",
            }
        self._bar_steps_shown = 0
        self._unfinished = False

    def title(self, words: str) -> None:
        """The first line."""
        self._print(self._styled(words, _BOLD))

    def step(self, number: int, words: str) -> None:
        """A step begins."""
        self._print()
        self._print(f" {self._styled(str(number), _BOLD)}  {self._styled(words, _BOLD)}")

    def heading(self, words: str) -> None:
        """A part begins that is no step."""
        self._print()
        self._print(f" {self._styled(words, _BOLD)}")

    def looking(self, at: str) -> None:
        """Something is being looked at; the next line takes this one's place."""
        if self._terminal:
            shown = f"    {self._signs['ellipsis']} {at}"
            self._stream.write(f"{self._styled(shown, _DIM)}\r")
            self._stream.flush()
            self._unfinished = True

    def done(self, words: str) -> None:
        """Something succeeded."""
        self._signed("done", _GREEN, words)

    def attention(self, words: str, mend: str) -> None:
        """Something should be looked at, and how it is mended."""
        self._signed("attention", _YELLOW, words)
        self._mend(mend)

    def failed(self, words: str, mend: str = "") -> None:
        """Something went wrong; every line of `words` is shown, and how it is mended."""
        first, *others = words.splitlines() or [""]
        self._signed("failed", _RED, first, style=_RED)
        for other in others:
            self._print(f"      {_printable(other)}")
        self._mend(mend)

    def warning(self, words: str) -> None:
        """Something to look at."""
        for line in self._wrapped(words, indent=6):
            self._print(self._styled(line, _YELLOW))

    def note(self, words: str) -> None:
        """An explanation, wrapped to the width."""
        for line in self._wrapped(words, indent=1):
            self._print(line)

    def detail(self, label: str, words: str) -> None:
        """One line of facts under a step."""
        self._print(f"      {self._styled(f'{label:<8}', _DIM)}  {self._cut(words, 16)}")

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Labels and values, the values wrapped beside their labels."""
        indent = 6 + max(len(label) for label, _ in rows)
        for label, value in rows:
            wrapped = self._wrapped(value, indent)
            self._print(f"   {label:<{indent - 3}}{self._styled(wrapped[0].strip(), _BOLD)}")
            for line in wrapped[1:]:
                self._print(self._styled(line, _BOLD))

    def begin_bar(self) -> None:
        """A transfer begins."""
        self._bar_steps_shown = 0

    def bar(self, sent: int, total: int) -> None:
        """How much of `total` bytes was sent: drawn in place on a terminal, else a few lines."""
        figures = f"{100 * sent // total:3d} %  {megabytes(sent)} of {megabytes(total)}"
        if self._terminal:
            cells = self._width - 10 - len(figures)
            full = cells * sent // total
            drawn = self._styled(self._signs["full"] * full, _GREEN)
            drawn += self._styled(self._signs["empty"] * (cells - full), _DIM)
            self._stream.write(f"\r      {drawn}  {figures}" + ("\n" if sent == total else ""))
            self._stream.flush()
            return
        reached = _PLAIN_BAR_STEPS * sent // total
        if reached > self._bar_steps_shown:
            self._bar_steps_shown = reached
            self._print(f"      {figures}")

    def break_line(self) -> None:
        """Leave an unfinished bar or the terminal's ^C behind."""
        if self._terminal:
            self._print()

    def _wrapped(self, words: str, indent: int) -> list[str]:
        space = " " * indent
        return textwrap.wrap(
            _printable(words),
            self._width - 1,
            initial_indent=space,
            subsequent_indent=space,
            break_on_hyphens=False,
        ) or [space]

    def _cut(self, words: str, used: int) -> str:
        words = _printable(words)
        room = self._width - used
        if len(words) <= room or not self._terminal:
            return words
        ellipsis = self._signs["ellipsis"]
        return words[: room - len(ellipsis)] + ellipsis

    def _signed(self, sign: str, colour: str, words: str, style: str = "") -> None:
        """A line of a list, wrapped beside its sign on a terminal alone: others may search it."""
        lines = [_printable(words)]
        if self._terminal:
            lines = [line.strip() for line in self._wrapped(words, 6)]
        self._print(
            f"    {self._styled(self._signs[sign], colour)} {self._styled(lines[0], style)}"
        )
        for line in lines[1:]:
            self._print(f"      {self._styled(line, style)}")

    def _mend(self, mend: str) -> None:
        if mend:
            arrow = self._signs["mend"]
            first, *others = self._wrapped(mend, 7 + len(arrow)) if self._terminal else [mend]
            self._print(f"      {arrow} {_printable(first.strip())}")
            for line in others:
                self._print(line)

    def _styled(self, words: str, style: str) -> str:
        return f"\x1b[{style}m{words}\x1b[0m" if self._colours and words and style else words

    def _print(self, line: str = "") -> None:
        # What a scanner named its file may hold what this terminal cannot show.
        encoding = self._stream.encoding or "ascii"
        shown = line.encode(encoding, "replace").decode(encoding)
        if self._unfinished:
            self._stream.write("\r" + " " * (self._width - 1) + "\r")
            self._unfinished = False
        print(shown, file=self._stream, flush=True)


def _printable(words: str) -> str:
    """A scanner chooses its file's name: it must not be able to steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in words)


def screen_of(stream: TextIO) -> Screen:
    """The screen on `stream`, as this process's environment wants it."""
    return Screen(stream, os.environ)


def megabytes(size: int) -> str:
    """A size in bytes as people read it: 5.6 MB."""
    if size < 1000:
        return f"{size} bytes"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB"
