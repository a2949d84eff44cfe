"""Does a scan have its own end? What a file tells about being whole, and its extension.

Here belongs what is known about file formats. Only ends are looked at: a transfer that is cut loses
the end of a file and nothing else. Work is bounded whatever a file says: at most 4 MiB are read.

What cannot be told: a PDF with incremental updates that is cut exactly behind an earlier `%%EOF` is
a whole older PDF, and a JPEG with further pictures behind its end is a whole JPEG without them.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add
from typing import Final


class End(enum.Enum):
    """Whether a scan has the end that its own format asks for."""

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"
    """Not a kind that has one, or so unusual that it cannot be judged."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a scan is by its content: kind ("PDF"; "" if unknown), extension (".pdf"; ""), end."""

    kind: str
    extension: str
    end: End


def examine(read_at: Callable[[int, int], bytes], size: int) -> Examined:
    """Examine a scan of `size` bytes; `read_at(offset, length)` gives its content.

    Raises only what `read_at` raises.
    """
    scan = _Scan(read_at, size)
    head = scan.up_to(0, _HEAD)
    for magic, kind, extension, judge in _KINDS:
        if magic.match(head):
            end = _judged(judge, scan)
            return Examined(kind, _zip_extension(scan) if kind == "ZIP" else extension, end)
    return Examined("", "", End.UNKNOWN)


_HEAD: Final = 1024 + 5  # `%PDF-` may begin anywhere in the first 1024 bytes
_MOST_READ: Final = 4 * 1024 * 1024
_MOST_READS: Final = 20_000
_MOST_IFDS: Final = 5_000
_MOST_STRIPS: Final = 65_536
_MOST_SEGMENTS: Final = 4_096
_MOST_ZIP_ENDS: Final = 16
_LONGEST_PADDING: Final = 4_096
_PADDING: Final = b"\0\t\n\f\r "
"""What devices fill the last block of a file with."""


class _Beyond(Exception):
    """The format names a place behind the end of the file."""


class _Unclear(Exception):
    """The file is so unusual, or looking at it so much work, that its end cannot be judged."""


class _Scan:
    """The content with its bounds: what lies beyond the end, and what is too much work."""

    def __init__(self, read_at: Callable[[int, int], bytes], size: int) -> None:
        self.size = size
        self._read_at = read_at
        self._bytes_left = _MOST_READ
        self._reads_left = _MOST_READS

    def up_to(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`."""
        length = max(0, min(length, self.size - offset))
        self._bytes_left -= length
        self._reads_left -= 1
        if self._bytes_left < 0 or self._reads_left < 0:
            raise _Unclear
        return self._read_at(offset, length) if length else b""

    def exactly(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, or _Beyond."""
        self.must_hold(offset + length)
        found = self.up_to(offset, length)
        if len(found) < length:
            raise _Beyond
        return found

    def must_hold(self, end: int) -> None:
        """Raise _Beyond unless the file is at least `end` bytes long."""
        if end > self.size:
            raise _Beyond

    def tail(self, length: int) -> bytes:
        """The last `length` bytes (at least) before the padding at the end."""
        length += _LONGEST_PADDING
        return self.up_to(max(0, self.size - length), length).rstrip(_PADDING)


def _judged(judge: Callable[[_Scan], bool], scan: _Scan) -> End:
    try:
        return End.WHOLE if judge(scan) else End.CUT
    except _Beyond:
        return End.CUT
    except _Unclear:
        return End.UNKNOWN


# PDF: ISO 32000-1 section 7.5; Annex F for linearized files.

_PDF_TAIL: Final = re.compile(rb"startxref[\s\0]+(\d{1,15})[\s\0]+%%EOF\Z")
_PDF_XREF: Final = re.compile(rb"[\s\0]*(?:xref|\d+[\s\0]+\d+[\s\0]+obj)\b")
_PDF_LENGTH: Final = re.compile(rb"/L[\s\0]+(\d{1,15})")


def _pdf_is_whole(scan: _Scan) -> bool:
    head = scan.up_to(0, _HEAD + 1024)
    start = head.index(b"%PDF-")
    first_object = head[start:].partition(b"endobj")[0]
    if b"/Linearized" in first_object and (length := _PDF_LENGTH.search(first_object)):
        # Such a file has a first %%EOF near its beginning, but tells its whole length.
        scan.must_hold(start + int(length[1]))
    tail = scan.tail(2048)
    if not tail.endswith(b"%%EOF"):
        if b"%%EOF" in tail:
            raise _Unclear
        return False
    end = _PDF_TAIL.search(tail)
    if not end:
        raise _Unclear
    # Where no table is, this may be the %%EOF of a PDF inside the PDF.
    for base in {0, start}:
        if _PDF_XREF.match(scan.up_to(base + int(end[1]), 64)):
            return True
    raise _Unclear


# TIFF: TIFF 6.0 section 2; BigTIFF differs in the widths of numbers.

_TIFF_SIZES: Final = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), 1)) | {
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of one value by the number of its type."""
_TIFF_NUMBERS: Final = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_TIFF_DATA: Final = ((273, 279), (324, 325), (513, 514))
"""Tags of the places and lengths of strips, of tiles, and of an old-style JPEG."""
_TIFF_JPEG: Final = 513
_TIFF_FURTHER_IFDS: Final = (330, 34665, 34853, 40965)
_TIFF_WANTED: Final = {tag for pair in _TIFF_DATA for tag in pair} | set(_TIFF_FURTHER_IFDS)


def _tiff_is_whole(scan: _Scan) -> bool:
    order = "<" if scan.exactly(0, 2) == b"II" else ">"
    big = scan.exactly(2, 2) in (b"+\0", b"\0+")
    pointer = struct.Struct(order + ("Q" if big else "I"))
    count = struct.Struct(order + ("Q" if big else "H"))
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    (first,) = pointer.unpack(scan.exactly(8 if big else 4, pointer.size))
    pending = [first]
    seen: set[int] = set()
    data = False
    while pending:
        place = pending.pop()
        if place in seen or not place:
            continue
        seen.add(place)
        if len(seen) > _MOST_IFDS:
            raise _Unclear
        (entries,) = count.unpack(scan.exactly(place, count.size))
        place += count.size
        table = scan.exactly(place, entries * entry.size + pointer.size)
        numbers: dict[int, Sequence[int]] = {}
        for tag, kind, length, value in entry.iter_unpack(table[: -pointer.size]):
            width = length * _TIFF_SIZES.get(kind, 0)
            elsewhere = width > pointer.size
            (at,) = pointer.unpack(value)
            if elsewhere:
                scan.must_hold(at + width)
            if tag in _TIFF_WANTED and kind in _TIFF_NUMBERS:
                if length > _MOST_STRIPS:
                    raise _Unclear
                raw = scan.exactly(at, width) if elsewhere else value[:width]
                numbers[tag] = struct.unpack(f"{order}{length}{_TIFF_NUMBERS[kind]}", raw)
        data |= _tiff_data_is_there(scan, numbers)
        for tag in _TIFF_FURTHER_IFDS:
            pending += numbers.get(tag, ())
        pending += pointer.unpack(table[-pointer.size :])
    if not data:
        raise _Unclear
    return True


def _tiff_data_is_there(scan: _Scan, numbers: dict[int, Sequence[int]]) -> bool:
    """Whether this IFD has image data; _Beyond if not all of it lies within the file."""
    found = False
    for places, lengths in _TIFF_DATA:
        if not numbers.get(places):
            continue
        if len(numbers[places]) != len(numbers.get(lengths, ())):
            if places == _TIFF_JPEG:
                continue  # it often lies in the strips
            raise _Unclear
        scan.must_hold(max(map(add, numbers[places], numbers[lengths])))
        found = True
    return found


# JPEG: ITU-T T.81 annex B.


def _jpeg_is_whole(scan: _Scan) -> bool:
    position = 2
    for _ in range(_MOST_SEGMENTS):
        mark, marker, high, low = scan.exactly(position, 4)
        if mark != 0xFF:
            raise _Unclear
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # these have no length
            position += 2
        elif marker in (0xD8, 0xD9) or high * 256 + low < 2:
            raise _Unclear
        else:
            position += 2 + high * 256 + low
            scan.must_hold(position)
            if marker == 0xDA:
                break
    else:
        raise _Unclear
    # Of what follows, only a real end of image is FF D9: a FF within the image is followed by 00.
    tail = scan.tail(2)
    scan.must_hold(position + 2)
    return tail.endswith(b"\xff\xd9")


# PNG: ISO/IEC 15948 section 11.2.5: the last chunk is always the same twelve bytes.

_PNG_END: Final = b"\0\0\0\0IEND\xae\x42\x60\x82"


def _png_is_whole(scan: _Scan) -> bool:
    return scan.tail(len(_PNG_END)).endswith(_PNG_END)


# ZIP: PKWARE APPNOTE.TXT section 4.3.


def _zip_is_whole(scan: _Scan) -> bool:
    return _zip_directory(scan) is not None


def _zip_directory(scan: _Scan) -> tuple[int, int] | None:
    """Place and length of the central directory, if the file ends with the record that tells it."""
    length = min(scan.size, 22 + 0xFFFF + _LONGEST_PADDING)
    start = scan.size - length
    tail = scan.up_to(start, length)
    at = len(tail)
    for _ in range(_MOST_ZIP_ENDS):
        at = tail.rfind(b"PK\5\6", 0, at)
        if at < 0:
            break
        if at + 22 > length:
            continue
        entries, size, place, comment = struct.unpack_from("<HIIH", tail, at + 10)
        end = start + at
        if entries == 0xFFFF or 0xFFFFFFFF in (size, place):
            size, place, end = _zip64_directory(scan, end) or (size, place, end)
        if place + size != end or scan.up_to(place, 4) != b"PK\1\2":
            continue
        behind = tail[at + 22 :]
        if comment <= len(behind) and not behind[comment:].strip(_PADDING):
            return place, size
    return None


def _zip64_directory(scan: _Scan, end: int) -> tuple[int, int, int] | None:
    """Length and place of the central directory, and where it must end."""
    locator = scan.up_to(end - 20, 20) if end >= 20 else b""
    if locator[:4] != b"PK\6\7":
        return None
    (at,) = struct.unpack_from("<Q", locator, 8)
    record = scan.up_to(at, 56)
    if len(record) < 56 or record[:4] != b"PK\6\6":
        return None
    size, place = struct.unpack_from("<QQ", record, 40)
    return size, place, at


_ZIP_MEMBERS: Final = (
    (re.compile(rb"(?i)[^\0]*\.fdseq"), ".xps"),
    (re.compile(rb"(?i)/?word/"), ".docx"),
    (re.compile(rb"(?i)/?xl/"), ".xlsx"),
    (re.compile(rb"(?i)/?ppt/"), ".pptx"),
)
_ZIP_MIMETYPES: Final = {
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
    b"application/vnd.oasis.opendocument.graphics": ".odg",
    b"application/epub+zip": ".epub",
}


def _zip_extension(scan: _Scan) -> str:
    """What a ZIP file is by its members; ".zip" if nothing special or not whole."""
    directory = _zip_directory(scan)
    names = _zip_names(scan.up_to(directory[0], min(directory[1], 0xFFFF))) if directory else []
    first = scan.up_to(0, 200)
    if names[:1] == [b"mimetype"] and len(first) > 38:
        size, _, name, extra = struct.unpack_from("<IIHH", first, 18)
        content = first[30 + name + extra :][:size]
        return _ZIP_MIMETYPES.get(content.strip(), ".zip")
    for member, extension in _ZIP_MEMBERS:
        if any(member.match(name) for name in names):
            return extension
    return ".zip"


def _zip_names(directory: bytes) -> list[bytes]:
    names = []
    at = 0
    while directory[at : at + 4] == b"PK\1\2" and at + 46 <= len(directory):
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        names.append(directory[at + 46 : at + 46 + name])
        at += 46 + name + extra + comment
    return names


_KINDS: Final = (
    (
        re.compile(rb"II\*\0|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0"),
        "TIFF",
        ".tif",
        _tiff_is_whole,
    ),
    (re.compile(rb"\xff\xd8\xff"), "JPEG", ".jpg", _jpeg_is_whole),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG", ".png", _png_is_whole),
    (re.compile(rb"PK\x03\x04"), "ZIP", ".zip", _zip_is_whole),
    (re.compile(rb"(?s).{0,1024}?%PDF-"), "PDF", ".pdf", _pdf_is_whole),
)
