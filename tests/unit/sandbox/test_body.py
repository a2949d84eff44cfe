"""A body that is read in pieces gives what json.loads and base64.b64decode give for it whole."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.content import Content

FILE = base64.b64encode(bytes(range(256)) * 3).decode()
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in FILE)
LINES = FILE.replace("/", "\\/").replace("A", "A\\r\\n")


def made(template: str) -> str:
    """Return a body with a document in it."""
    filled = template.replace("$FILE", FILE)
    return filled.replace("$ESCAPED", ESCAPED).replace("$LINES", LINES)


BODIES = [
    '{"params": {"file": "$FILE", "filename": "a", "username": "b"}}',
    '{"params": {"filename": "a", "file": "$FILE"}, "id": [{"params": {"file": "x"}}]}',
    '{"id": "params", "x": {"file": "no"}, "params" :\n{ "a": "file", "file" : "$FILE" } }',
    '{"params": {"context": {"file": "no", "b": ["file", {}]}, "file": "$FILE"}}',
    '{"par\\u0061ms": {"f\\u0069le": "$FILE"}}',
    '{"params": {"file": "$ESCAPED"}}',
    '{"params": {"file": "$LINES"}}',
    '{"params": {"file": "eA==", "file": "$FILE"}}',
    '{"params": {"file": "$FILE"}, "params": {"filename": "a"}}',
    '{"params": {"filename": "a"}, "params": {"file": "$FILE"}}',
    '{"params": {"file": 5, "filename": "a\\\\", "x": "\\""}}',
    '{"params": [["file", "$FILE"]], "file": "$FILE"}',
    '[{"params": {"file": "$FILE"}}]',
    '{"params": {"file": ""}, "x": [1, 2.5, null, true, "é\\ud83d\\udd11🔑\\\\"]}',
    '{"params": {"file": "éA🔑Q\\ud83d\\udd11=\\u00e9=\\\\"}}',
    '{"params": {"file": {"file": "no"}}}',
    "{}",
    '"params"',
    "null",
]
INVALID = [
    "",
    "{",
    '{"params": {"file": "$FILE',
    '{"params": {"file": "$FILE"',
    '{"params": {"file": "$FILE}}',
    '{"params": {"file": "$FILE"}}}',
    '{"params": {"file": "$FILE" "x"}}',
    '{"params": {"file": "AA\nAA"}}',
    '{"params": {"file": "AA\\xAA"}}',
    '{"params": {"file": "AA\\u00g0AAAAAAAAAAAAAAAAAAA"}}',
    '{"params": {"file": "AA\\ud83d\\u"}}',
    '{"params": {"file": "AA\\"}}',
    '{"params": {"file": "\u00e9\x01é"}}',
    "{'params': {}}",
    '\ufeff{"params": {}}',
    '{"params": {,"file": "x"}}',
]
NOT_UTF8 = [
    b'{"params": {"username": "\xe9"}}',
    b'{"params": {"file": "AA\xe9"}}',
    b'{"params": {"file": "\xc3"}}',
    b'{"params": {"file": "\xed\xa0\x80"}}',
    b'{"params": {"file": "\\x", "a": "\xff"}}',
    b'{"params": {"file": "\\x", "a": "\xc3',
    b"{\xff",
]


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, size: int) -> Any:
    """Read a body in pieces, with the document's SHA-256 or fault in its place; -1: at once."""
    if size < 0:
        return plain(body.read(iter([data]), len(data), lambda _: Content(), small=len(data)))
    return plain(body.read(in_pieces(data, size), None, lambda _: Content()))


def plain(value: Any) -> Any:
    params = value.get("params") if isinstance(value, dict) else None
    if isinstance(params, dict) and isinstance(params.get("file"), Content):
        params["file"] = told(params["file"])
    return value


def told(content: Content) -> tuple[object, ...]:
    return content.sha256, content.size, content.fault, bool(content.length)


def expected(text: str) -> Any:
    """Return what the standard library makes of a whole body."""
    value = json.loads(text)
    params = value.get("params") if isinstance(value, dict) else None
    if isinstance(params, dict) and isinstance(params.get("file"), str):
        data = base64.b64decode(params["file"].encode())
        params["file"] = (hashlib.sha256(data).hexdigest(), len(data), None, bool(params["file"]))
    return value


SIZES = [-1, 1, 2, 3, 5, 7, 64, 100_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("template", BODIES, ids=range(len(BODIES)))
def test_value_is_that_of_the_standard_library(template: str, size: int) -> None:
    text = made(template)
    assert read(text.encode(), size) == expected(text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("template", INVALID, ids=range(len(INVALID)))
def test_mistake_is_found_and_told_whole(template: str, size: int) -> None:
    text = made(template)
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(body.InvalidJSON) as caught:
        read(text.encode(), size)
    assert caught.value.body == text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("data", NOT_UTF8, ids=range(len(NOT_UTF8)))
def test_what_is_no_utf8_is_told_first(data: bytes, size: int) -> None:
    with pytest.raises(body.NotUTF8):
        read(data, size)


@pytest.mark.parametrize("size", SIZES)
def test_lone_surrogate_in_a_document_is_a_fault(size: int) -> None:
    for text in ("AA\\ud83dAA", "\\udd11", "AA\\ud83d", "\\ud83d\\\\", "\\ud83d\\ud83d\\udd11"):
        value = read(b'{"params": {"file": "%b"}}' % text.encode(), size)
        assert value["params"]["file"][2][0] == "builtins.UnicodeEncodeError"


def test_deep_nesting_and_much_beside_the_file_are_refused() -> None:
    for size in (-1, 1000):
        with pytest.raises(body.TooMuch):
            read(b"[" * 100_000, size)
    much = b'{"x": "%b"}' % (b"x" * body.MOST_BESIDE_THE_FILE)
    with pytest.raises(body.TooMuch):
        read(much, 1_000_000)


def test_filename_that_came_before_is_told() -> None:
    told: list[str] = []

    def new_content(filename: str) -> Content:
        told.append(filename)
        return Content()

    for before in ('"filename": "a\\"b.pdf", ', '"filename" :"c", "x": 1, ', ""):
        text = f'{{"params": {{{before}"file": "eA=="}}}}'
        body.read(in_pieces(text.encode(), 3), None, new_content)
    assert told == ['a"b.pdf', "c", ""]


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="a stray = counts otherwise there than in OpenSPP"
)
@given(
    st.text(alphabet='AQz09+/=-_ \n"\\é🔑', max_size=40),
    st.integers(1, 12),
    st.booleans(),
)
def test_any_text_is_decoded_as_b64decode_does(text: str, size: int, ascii_only: bool) -> None:
    data = json.dumps({"params": {"file": text}}, ensure_ascii=ascii_only).encode()
    digest, length, fault, _ = read(data, size)["params"]["file"]
    assert (digest, length, fault) == read(data, -1)["params"]["file"][:3]
    try:
        decoded = base64.b64decode(text.encode())
    except binascii.Error as error:
        assert fault == ("binascii.Error", (str(error),))
    else:
        assert (digest, length, fault) == (hashlib.sha256(decoded).hexdigest(), len(decoded), None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet='file"\\{}[],:', max_size=6),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["params", "file", "filename", "a"]), inner, max_size=4),
        max_leaves=12,
    ),
    st.integers(1, 9),
)
def test_any_value_is_read_the_same_in_both_ways(value: object, size: int) -> None:
    data = json.dumps(value).encode()
    assert read(data, size) == read(data, -1)
