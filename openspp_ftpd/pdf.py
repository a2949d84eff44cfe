"""The file that numbered objects make: as much of PDF as a drawn page needs. Pure.

ISO 32000-1 is the source of everything written here.
"""

from __future__ import annotations

import zlib


class Document:
    """Numbered objects, and the file they make (ISO 32000-1 section 7.5)."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        """The number of an object whose value is put later."""
        self._objects.append(b"")
        return len(self._objects)

    def put(self, number: int, value: bytes) -> None:
        """Give a reserved object its value."""
        self._objects[number - 1] = value

    def add(self, value: bytes) -> int:
        """A new object; its number."""
        number = self.reserve()
        self.put(number, value)
        return number

    def add_stream(self, entries: str, data: bytes) -> int:
        """A new stream, packed, with more entries of its dictionary; its number."""
        # Paper's grain never repeats, so looking for repetitions would only cost time.
        squeeze = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
        packed = squeeze.compress(data) + squeeze.flush()
        head = f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n"
        return self.add(head.encode() + packed + b"\nendstream")

    def finish(self, root: int, info: int) -> bytes:
        """The file, whose catalogue and description are the objects `root` and `info`."""
        file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        places = []
        for number, value in enumerate(self._objects, 1):
            places.append(len(file))
            file += b"%d 0 obj\n%b\nendobj\n" % (number, value)
        table = len(file)
        file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        file += b"".join(b"%010d 00000 n \n" % place for place in places)
        file += b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n" % (
            len(places) + 1,
            root,
            info,
        )
        file += b"startxref\n%d\n%%%%EOF\n" % table
        return bytes(file)


def text_string(words: str) -> str:
    """Words as a literal string of a content stream; what is not plain ASCII becomes `?`."""
    plain = words.encode("ascii", "replace").decode("ascii")
    return "(" + plain.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") + ")"
