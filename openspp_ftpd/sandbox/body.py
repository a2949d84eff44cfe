"""A JSON request body, read so that a document in it is never in memory as a whole.

The string that is a document is handed over in pieces; in its place a mark is left, and the rest,
a few hundred bytes, is read by json.loads, which alone decides what is valid.
"""

from __future__ import annotations

import codecs
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from openspp_ftpd.sandbox.content import Content

SMALL: Final = 256 * 1024
"""Bytes up to which a body with a known length is read at once."""

MOST_BESIDE_THE_FILE: Final = 16 * 1024 * 1024
"""Bytes of a body without its file; the recorded OpenSPP has no such bound."""

# No possessive quantifiers here: those of Python 3.11.2 match what they should not.
_OUTSIDE: Final = re.compile(rb'[{}\[\]:,"]')
_WITHIN: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
# Whole characters of a JSON string: an escape, and both halves of a surrogate pair, stay as one.
_WHOLE: Final = re.compile(
    rb'(?:[^"\\]+|\\[^u]'
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u])"
    rb"|\\u(?![dD][89abAB])[0-9a-fA-F]{4})*"
)
_LONGEST_HALF: Final = 12
_DEEPEST: Final = 12

_STRING: Final = rb'\s*:\s*("(?:[^"\\]|\\.)*")'


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a body the documents are, and the member that holds a document's name.

    is_document: told the keys on the way to a string, None for each array's; it looks at the first
    twelve levels only.
    """

    is_document: Callable[[Sequence[str | None]], bool]
    name: str


PARAMS_FILE: Final = Place(lambda keys: list(keys) == ["params", "file"], "filename")
"""Where the scanner interface has the document (WIRE.md section 2)."""

CONTENT: Final = Place(lambda keys: bool(keys) and keys[-1] == "content", "name")
"""Where Odoo's own API has it, whatever the call (WIRE17.md section 4)."""


class NotUTF8(Exception):
    """The body is not UTF-8; the recorded OpenSPP answers 500."""


class TooMuch(Exception):
    """The body is nested too deeply, or too large without its file."""


class InvalidJSON(Exception):
    """The body is no JSON; body: its text, of a large one the beginning; said: why it is none."""

    def __init__(self, body: str, said: str = "") -> None:
        super().__init__("invalid JSON")
        self.body = body
        self.said = said


def read(
    pieces: Iterator[bytes],
    length: int | None,
    new_content: Callable[[str], Content],
    small: int = SMALL,
    place: Place = PARAMS_FILE,
) -> object:
    """Return a body's JSON value, with a Content in the place of each document.

    pieces: the body; length: its bytes, None if not known; new_content: called with the document's
    name, as far as it came before, when one begins; small: bytes up to which the body is read at
    once; place: where documents are. Raises NotUTF8, InvalidJSON, TooMuch, and whatever pieces and
    new_content raise.
    """
    if length is not None and length <= small:
        data = b"".join(pieces)
        return with_contents(_parsed(data, data), new_content, place)
    reader = _Reader(new_content, place)
    try:
        for piece in pieces:
            reader.feed(piece)
    except (NotUTF8, TooMuch):
        for _ in pieces:
            continue
        raise
    return reader.finish()


def with_contents(value: object, new_content: Callable[[str], Content], place: Place) -> object:
    """Return a value that is in memory with a Content in the place of each document."""

    def replaced(text: str, keys: Sequence[str | None], parent: object) -> object:
        if not place.is_document(keys):
            return text
        name = parent.get(place.name) if isinstance(parent, dict) else None
        content = new_content(name if isinstance(name, str) else "")
        content.feed_text(text)
        content.finish()
        return content

    return _walked(value, replaced, [], None)


def _walked(
    value: object,
    replaced: Callable[[str, Sequence[str | None], object], object],
    keys: list[str | None],
    parent: object,
) -> object:
    """Return the value with every string in its upper levels replaced."""
    if isinstance(value, str):
        return replaced(value, keys, parent)
    if len(keys) >= _DEEPEST:
        return value
    if isinstance(value, dict):
        for key, member in value.items():
            value[key] = _walked(member, replaced, [*keys, key], value)
    elif isinstance(value, list):
        value[:] = [_walked(member, replaced, [*keys, None], value) for member in value]
    return value


def _parsed(data: bytes, shown: bytes) -> object:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NotUTF8 from None
    try:
        return json.loads(text)
    except RecursionError:
        raise TooMuch from None
    except ValueError as error:
        raise InvalidJSON(shown.decode(errors="replace"), str(error)) from None


class _Reader:
    """Finds the documents in a body that comes in pieces."""

    def __init__(self, new_content: Callable[[str], Content], place: Place) -> None:
        self._new_content = new_content
        self._place = place
        self._name = re.compile(rb'"%b"' % re.escape(place.name.encode()) + _STRING)
        self._rest = bytearray()
        self._shown = bytearray()
        self._feed_state: Callable[[bytes, int], int] = self._feed_outside
        self._depth = 0
        self._keys = [""] * _DEEPEST
        self._is_object = [False] * _DEEPEST
        self._value_next = [False] * _DEEPEST
        self._string_start = 0
        self._after_backslash = False
        self._content: Content | None = None
        self._contents: dict[str, Content] = {}
        self._half = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> None:
        """Take a piece of the body. Raises NotUTF8, TooMuch, and what new_content raises."""
        if len(self._shown) < SMALL:
            self._shown += data[: SMALL - len(self._shown)]
        data, self._half = self._half + data, b""
        position = 0
        while position < len(data):
            position = self._feed_state(data, position)
        if len(self._rest) > MOST_BESIDE_THE_FILE:
            raise TooMuch

    def finish(self) -> object:
        """Return the body's value. Raises NotUTF8, InvalidJSON and TooMuch."""
        if self._feed_state in (self._feed_file, self._feed_invalid):
            try:
                bytes(self._rest).decode()
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                raise NotUTF8 from None
            raise InvalidJSON(self._shown.decode(errors="replace"))
        value = _parsed(bytes(self._rest), bytes(self._shown))
        if not self._contents:
            return value
        return _walked(value, lambda text, *_: self._contents.get(text, text), [], None)

    # Outside of strings: which object are we in, and is the next string a key or a value?

    def _feed_outside(self, data: bytes, position: int) -> int:
        found = _OUTSIDE.search(data, position)
        if found is None:
            self._rest += data[position:]
            return len(data)
        self._rest += data[position : found.end()]
        match found[0]:
            case b"{" | b"[":
                if self._depth < _DEEPEST:
                    self._is_object[self._depth] = found[0] == b"{"
                    self._value_next[self._depth] = False
                    self._keys[self._depth] = ""
                self._depth += 1
            case b"}" | b"]":
                self._depth = max(0, self._depth - 1)
            case b":" | b"," if 1 <= self._depth <= _DEEPEST:
                self._value_next[self._depth - 1] = found[0] == b":"
            case b'"' if self._is_document():
                self._start_file()
            case b'"':
                self._string_start = len(self._rest) - 1
                self._feed_state = self._feed_string
        return found.end()

    def _is_document(self) -> bool:
        """Whether the string that begins here is a value, at a place for documents."""
        if not 1 <= self._depth <= _DEEPEST:
            return False
        if self._is_object[self._depth - 1] and not self._value_next[self._depth - 1]:
            return False
        levels = range(self._depth)
        return self._place.is_document(
            [self._keys[level] if self._is_object[level] else None for level in levels]
        )

    def _feed_string(self, data: bytes, position: int) -> int:
        end = self._end_of_string(data, position)
        self._rest += data[position:end]
        if end == len(data):
            return end
        self._rest += b'"'
        self._feed_state = self._feed_outside
        level = self._depth - 1
        if 0 <= level < _DEEPEST and self._is_object[level] and not self._value_next[level]:
            try:
                self._keys[level] = str(json.loads(self._rest[self._string_start :]))
            except ValueError:
                self._keys[level] = ""
        return end + 1

    def _end_of_string(self, data: bytes, position: int) -> int:
        """Return where the string's closing quote is, or the end of the piece."""
        if self._after_backslash:
            self._after_backslash = False
            position += 1
        found = _WITHIN.match(data, position)
        end = found.end() if found else position
        if end < len(data) and data[end] == ord("\\"):
            # The last byte of the piece: what it escapes comes in the next one.
            self._after_backslash = True
            return len(data)
        return end

    # Within the file: its pieces go to the content, a mark to the rest.

    def _start_file(self) -> None:
        name: object = ""
        for found in self._name.finditer(self._rest):
            try:
                name = json.loads(found[1])
            except ValueError:
                name = ""
        self._content = self._new_content(str(name))
        mark = secrets.token_hex(16)
        self._contents[mark] = self._content
        self._rest += mark.encode()
        self._feed_state = self._feed_file

    def _feed_file(self, data: bytes, position: int) -> int:
        assert self._content is not None
        quote = data.find(b'"', position)
        end = text_end = len(data) if quote < 0 else quote
        if data.find(b"\\", position, end) < 0:
            padding = data.find(b"=", position, end)
            letters_end = end if padding < 0 else padding
            letters = memoryview(data)[position:letters_end]
            if self._decoder.getstate()[0] or not self._content.feed_letters(letters):
                self._feed_text(data[position:end], ended=end < len(data))
            elif letters_end < end:
                self._feed_text(data[letters_end:end], ended=end < len(data))
        else:
            end = text_end = self._end_of_string(data, position)
            self._after_backslash = False
            if end == len(data):
                found = _WHOLE.match(data, position)
                whole = found.end() if found else position
                # What is longer than any escape is none; json.loads is to say so.
                if len(data) - whole <= _LONGEST_HALF:
                    text_end = whole
                    self._half = data[whole:]
            self._feed_text(data[position:text_end], ended=end < len(data))
        if end == len(data) or self._feed_state == self._feed_invalid:
            return end
        self._content.finish()
        self._rest += b'"'
        self._feed_state = self._feed_outside
        return end + 1

    def _feed_text(self, piece: bytes, *, ended: bool) -> None:
        assert self._content is not None
        try:
            text = self._decoder.decode(piece, final=ended)
        except UnicodeDecodeError:
            raise NotUTF8 from None
        try:
            self._content.feed_characters(json.loads(f'"{text}"'))
        except ValueError:
            self._feed_state = self._feed_invalid

    def _feed_invalid(self, data: bytes, position: int) -> int:
        """Take what comes after a mistake: only whether it is UTF-8 still matters."""
        try:
            self._decoder.decode(data[position:])
        except UnicodeDecodeError:
            raise NotUTF8 from None
        return len(data)
