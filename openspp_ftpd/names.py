"""File names: from what a scanner sends to what OpenSPP accepts and an administrator reads.

Here belongs everything that is decided from a name alone. OpenSPP stores any name except one with
a slash, NUL or lone surrogate, `.`, `..`, and more than 255 bytes of UTF-8 (WIRE.md section 2).
Arabic, Kurdish (with its zero-width non-joiner) and emoji (with their joiner) therefore arrive as
they were.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final, Literal

LONGEST: Final = 255
"""Bytes of UTF-8 that OpenSPP accepts in a name (WIRE.md section 2)."""

STAND_IN: Final = "scan"
"""The name of a scan that came without a usable one."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SLASHES: Final = re.compile(r"[/\\]+")
# What stands after the last dot and is kept when a name is cut; longer than that it is a sentence.
_CUT_BEFORE: Final = re.compile(r"(?s)(?P<stem>.+)(?P<extension>\.[^.\s]{1,16})\Z")
# A date such as 22.11.2026 ends in no extension, so one without a letter does not count.
_EXTENSION: Final = re.compile(r"(?s).+\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,10}\Z")
_FILE_TYPES: Final = re.compile(
    r"(?i)(pdf|tiff?|jpe?g?|png|bmp|gif|zip|o?xps|docx|xlsx|pptx|odt|txt|rtf|xml)"
)
_ZERO_WIDTH_NON_JOINER: Final = "\u200c"
_ZERO_WIDTH_JOINER: Final = "\u200d"
_LONGEST_GRAPHEME: Final = 30


def decode(raw: bytes, code_page: str) -> str:
    """The text of a command's argument: UTF-8 (RFC 2640), else the scanner's `code_page`.

    A byte that the code page lacks becomes U+FFFD. This comes before any look at slashes: the
    second byte of a Shift_JIS or GBK character may be a backslash.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(code_page, "replace")
    except (LookupError, ValueError):  # config checks the name; some codecs ignore "replace"
        return raw.decode("latin-1")


def resolve(cwd: str, path: str) -> str:
    """The absolute path that `path` means in directory `cwd`, for the session's view.

    Takes any spelling devices use: backslashes, repeated and trailing slashes, double quotes
    around. `..` ends at the root. Nothing is looked up anywhere, so every directory can be entered.
    Control characters go and lone surrogates become U+FFFD, so a reply can show every path.
    """
    path = _without_quotes(path)
    start = "" if path[:1] in ("/", "\\") else cwd
    parts: list[str] = []
    for part in _SLASHES.split(f"{start}/{path}"):
        part = _printable(part)
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def clean(path: str) -> str:
    """The name that OpenSPP gets: the last part of `path`, without what OpenSPP refuses.

    Control characters go, lone surrogates become U+FFFD, and a name beyond 255 bytes is cut before
    its extension. What is no name (nothing, only spaces, `.`, `..`) becomes `scan`. A clean name
    stays itself.
    """
    parts = [part for part in map(_printable, _SLASHES.split(path)) if part]
    name = parts[-1] if parts else ""
    if name in (".", ".."):
        return STAND_IN
    name = _fitting(name)
    return name if name.strip() else STAND_IN


def final(name: str, patterns: Sequence[str]) -> str:
    """The name that a temporary `name` stands for; itself where it is not temporary.

    Each pattern holds one `*`, which is the final name: `.in.*`, `*.part`. Capitals do not matter.
    Patterns are taken off until none fits. What would leave no name (`.part`) or nothing but a file
    type (`tmp.pdf`) is not temporary.
    """
    while True:
        for pattern in patterns:
            inner = _inside(name, pattern)
            if inner:
                name = inner
                break
        else:
            return name


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns (`*.xst`, `job?.dat`) fits the whole name, in any capitals."""
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def with_extension(name: str, extension: str) -> str:
    """`name` with `extension` (".pdf"; "" for none) where it has none of its own."""
    if not extension or _EXTENSION.match(name) or name.lower().endswith(extension.lower()):
        return name
    stem = name.rstrip(".") or name
    return _cut(stem, LONGEST - len(extension.encode())) + extension


def ours_alone(name: str, received: datetime, sha256: str, attempt: int = 0) -> str:
    """`NAME-YYYYMMDD-HHMMSS-xxxx.ext`: a name that no other scan has, so OpenSPP can hold it only
    if this scan arrived before.

    xxxx begins the scan's SHA-256 (hexadecimal). `attempt` from 1 on gives further names.
    """
    stem, extension = _split(name)
    mark = f"-{received:%Y%m%d-%H%M%S}-{sha256[:4]}"
    if attempt:
        mark += f"-{attempt + 1}"
    end = mark + extension
    return _cut(stem, LONGEST - len(end.encode())) + end


def shown(name: str, mode: Literal["full", "short", "none"]) -> str:
    """`name` for the journal: whole, its beginning and file type only, or not at all.

    What would move or break a line of text (U+202E, U+2028) is shown by its number.
    """
    if mode == "none":
        return "(not logged)"
    if mode == "short":
        stem, extension = _split(name)
        known = extension[1:] if _FILE_TYPES.fullmatch(extension[1:]) else ""
        name = f"{stem[: min(3, len(stem) // 2)]}...{known}"
    if name.isprintable():
        return name
    return "".join(c if _harmless(c) else _numbered(c) for c in name)


def _without_quotes(path: str) -> str:
    return path[1:-1] if len(path) >= 2 and path[0] == path[-1] == '"' else path


def _printable(part: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", _CONTROL.sub("", part))


def _inside(name: str, pattern: str) -> str:
    """What the `*` of `pattern` stands for in `name`; "" where it does not fit."""
    before, star, after = pattern.partition("*")
    end = len(name) - len(after)
    if not star or not (before or after) or end <= len(before):
        return ""
    if name[: len(before)].lower() != before.lower() or name[end:].lower() != after.lower():
        return ""
    inner = name[len(before) : end]
    if inner in (".", "..") or not inner.strip() or _FILE_TYPES.fullmatch(inner):
        return ""
    return inner


def _split(name: str) -> tuple[str, str]:
    """Stem and extension (with its dot) as they are kept apart when something is put between."""
    found = _CUT_BEFORE.match(name)
    return (found["stem"], found["extension"]) if found else (name, "")


def _fitting(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, extension = _split(name)
    return _cut(stem, LONGEST - len(extension.encode())) + extension


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes of `text`, not within a character nor within what is drawn as one."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    longest = len(encoded[:limit].decode("utf-8", "ignore"))
    shortest = max(longest - _LONGEST_GRAPHEME, 0)
    for end in range(longest, shortest, -1):
        if not _continues(text[end]) and text[end - 1] != _ZERO_WIDTH_JOINER:
            return text[:end]
    return text[:longest]


def _continues(character: str) -> bool:
    return (
        character == _ZERO_WIDTH_JOINER
        or unicodedata.category(character).startswith("M")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones of emoji
    )


def _harmless(character: str) -> bool:
    return character.isprintable() or character in (_ZERO_WIDTH_NON_JOINER, _ZERO_WIDTH_JOINER)


def _numbered(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
