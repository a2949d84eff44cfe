"""Scans of every kind, made on the spot: small, but with everything that tells where they end."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from functools import cache

NOISE = random.Random(20261122).randbytes(20_000)


def pdf_objects(*objects: bytes, start: int = 0) -> tuple[bytes, list[int]]:
    """Objects numbered from 1 and their offsets, the first at `start`."""
    body, offsets = b"", []
    for number, content in enumerate(objects, 1):
        offsets.append(start + len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    return body, offsets


def pdf_xref(offsets: Iterable[int], start: int) -> bytes:
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = rows.count(b"\n") + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, rows)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % count
    return table + trailer + b"startxref\n%d\n%%%%EOF" % start


def pdf(image: bytes = NOISE) -> bytes:
    """One page with an image, as a scanner makes it."""
    body, offsets = pdf_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(image), image),
        start=9,
    )
    content = b"%PDF-1.4\n" + body
    return content + pdf_xref(offsets, len(content))


def pdf_updated() -> bytes:
    first = pdf() + b"\n"
    body, offsets = pdf_objects(b"<< /Type /Catalog /Pages 2 0 R /Lang (ar) >>", start=len(first))
    return first + body + pdf_xref(offsets, len(first) + len(body))


def pdf_with_xref_stream() -> bytes:
    body, _ = pdf_objects(b"<< /Type /Catalog >>", NOISE, start=9)
    stream = b"3 0 obj\n<< /Type /XRef /Length 4 >>\nstream\n\0\1\2\3\nendstream\nendobj\n"
    return b"%PDF-1.5\n" + body + stream + b"startxref\n%d\n%%%%EOF" % (9 + len(body))


def pdf_linearized() -> bytes:
    """The first page's table and %%EOF come before the rest (ISO 32000-1 annex F)."""
    head = b"%%PDF-1.4\n1 0 obj\n<< /Linearized 1 /L %010d /H [1 2] >>\nendobj\n"
    start = len(head % 0)
    first = b"xref\n0 0\ntrailer\n<< /Size 1 >>\nstartxref\n0\n%%EOF\n"
    rest = b"2 0 obj\n(" + NOISE.hex().encode() + b")\nendobj\n"
    end = b"xref\n0 0\ntrailer\n<< /Size 1 >>\nstartxref\n%d\n%%%%EOF" % start
    return head % (start + len(first + rest + end)) + first + rest + end


def pdf_inside_a_pdf() -> bytes:
    return pdf(image=pdf() + b"\n" + NOISE)


def tiff(
    order: str = "<",
    big: bool = False,
    pages: int = 3,
    strips: int = 5,
    data_first: bool = True,
    tiles: bool = False,
    sub_ifd: bool = False,
) -> bytes:
    """Pages with strips or tiles; the data of each before or behind its IFD."""
    pointer, number, count = ("Q", 16, "Q") if big else ("I", 4, "H")
    wide = struct.calcsize(pointer)
    mark = b"II" if order == "<" else b"MM"
    content = bytearray(mark + struct.pack(order + "H", 43 if big else 42))
    content += struct.pack(order + "HH", 8, 0) if big else b""
    link = len(content)
    content += bytes(wide)
    places_tag, lengths_tag = (324, 325) if tiles else (273, 279)

    def ifd(at: int, places: list[int], further: int = 0) -> bytes:
        """An IFD at `at` whose number arrays stand behind it."""
        lengths = [len(NOISE) // strips] * strips
        numbers = {256: [600], places_tag: places, lengths_tag: lengths}
        if further:
            numbers[330] = [further]
        size = struct.calcsize(count) + len(numbers) * (4 + 2 * wide) + wide
        entries, arrays = b"", b""
        for tag, values in sorted(numbers.items()):
            raw = struct.pack(f"{order}{len(values)}{pointer}", *values)
            if len(raw) > wide:
                raw, arrays = struct.pack(order + pointer, at + size + len(arrays)), arrays + raw
            entries += struct.pack(f"{order}HH{pointer}", tag, number, len(values)) + raw
        return struct.pack(order + count, len(numbers)) + entries + bytes(wide) + arrays

    for _ in range(pages):
        step = len(NOISE) // strips
        if data_first:
            start = len(content)
            content += NOISE
            at = len(content)
        else:
            at = len(content)
            start = at + len(ifd(at, [0] * strips, further=1 if sub_ifd else 0))
        further = start + len(NOISE) if sub_ifd else 0
        places = [start + step * strip for strip in range(strips)]
        page = ifd(at, places, further)
        content[link : link + wide] = struct.pack(order + pointer, at)
        link = at + struct.calcsize(count) + (4 if further else 3) * (4 + 2 * wide)
        content += page
        if not data_first:
            content += NOISE
        if sub_ifd:
            content += ifd(further, places)
    return bytes(content)


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(progressive: bool = False, thumbnail: bool = True) -> bytes:
    """Every segment of a real one; what stands for the image has the form of coded data."""
    coded = NOISE.replace(b"\xff", b"\xff\0") + b"\xff\xd0" + NOISE[:500].replace(b"\xff", b"")
    scan = segment(0xDA, b"\x01\x01\0\0\x3f\0") + coded
    content = b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x01\0\0\1\0\1\0\0")
    if thumbnail:
        content += segment(0xE1, b"Exif\0\0" + jpeg(thumbnail=False)[:30_000])
    content += segment(0xDB, bytes(65)) + b"\xff" + segment(0xC2 if progressive else 0xC0, bytes(9))
    content += segment(0xC4, bytes(20)) + scan
    if progressive:
        content += segment(0xC4, bytes(20)) + scan
    return content + b"\xff\xd9"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png() -> bytes:
    header = struct.pack(">IIBBBBB", 50, 50, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + NOISE[row * 150 : row * 150 + 150] for row in range(50)))
    parts = [png_chunk(b"IDAT", rows[at : at + 1000]) for at in range(0, len(rows), 1000)]
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + b"".join(parts)
        + png_chunk(b"IEND", b"")
    )


class Pipe(io.RawIOBase):
    """Where one cannot go back, zipfile writes sizes behind the data, as devices do."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += data
        return len(data)


def zipped(
    *names: str,
    stored: bytes = NOISE,
    comment: bytes = b"",
    piped: bool = False,
    zip64: bool = False,
) -> bytes:
    target = Pipe() if piped else io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=zip64) as member:
                member.write(b"" if name.endswith("/") else stored)
        archive.comment = comment
    return target.content if isinstance(target, Pipe) else target.getvalue()


def zip64() -> bytes:
    """As written for a file beyond 4 GiB: the plain end record holds only the marks for that."""
    plain = zipped("a.bin", "b.bin")
    entries, size, place = struct.unpack_from("<HII", plain, len(plain) - 12)
    at = place + size
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, place)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    most = 0xFFFFFFFF
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, most, most, 0)
    return plain[:at] + record + locator + end


def odt() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", NOISE)
    return target.getvalue()


XPS = ("[Content_Types].xml", "_rels/.rels", "FixedDocumentSequence.fdseq", "Documents/1/1.fpage")
DOCX = ("[Content_Types].xml", "_rels/.rels", "word/document.xml", "word/media/image1.jpeg")

SAMPLES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "PDF": ("PDF", ".pdf", pdf),
    "PDF behind a few bytes": ("PDF", ".pdf", lambda: b"\x1b%-12345X@PJL\r\n" + pdf()),
    "PDF with a cross-reference stream": ("PDF", ".pdf", pdf_with_xref_stream),
    "PDF, linearized": ("PDF", ".pdf", pdf_linearized),
    "PDF inside a PDF": ("PDF", ".pdf", pdf_inside_a_pdf),
    "TIFF": ("TIFF", ".tif", tiff),
    "TIFF, big-endian": ("TIFF", ".tif", lambda: tiff(order=">")),
    "TIFF, data behind each IFD": ("TIFF", ".tif", lambda: tiff(data_first=False)),
    "TIFF, one strip": ("TIFF", ".tif", lambda: tiff(strips=1, data_first=False)),
    "TIFF, tiles": ("TIFF", ".tif", lambda: tiff(tiles=True, order=">", data_first=False)),
    "TIFF, page within a page": ("TIFF", ".tif", lambda: tiff(sub_ifd=True, data_first=False)),
    "TIFF, many strips": ("TIFF", ".tif", lambda: tiff(strips=5000)),
    "BigTIFF": ("TIFF", ".tif", lambda: tiff(big=True)),
    "BigTIFF, big-endian": ("TIFF", ".tif", lambda: tiff(big=True, order=">", data_first=False)),
    "JPEG": ("JPEG", ".jpg", jpeg),
    "JPEG, progressive": ("JPEG", ".jpg", lambda: jpeg(progressive=True)),
    "PNG": ("PNG", ".png", png),
    "ZIP": ("ZIP", ".zip", lambda: zipped("a.bin", "b.bin")),
    "ZIP with a comment": ("ZIP", ".zip", lambda: zipped("a.bin", comment=b"comment " * 50)),
    "ZIP inside a ZIP": ("ZIP", ".zip", lambda: zipped("a.zip", stored=zipped("b") + NOISE)),
    "ZIP64 members": ("ZIP", ".zip", lambda: zipped("a.bin", zip64=True)),
    "ZIP64": ("ZIP", ".zip", zip64),
    "XPS": ("ZIP", ".xps", lambda: zipped(*XPS)),
    "XPS written as a stream": ("ZIP", ".xps", lambda: zipped(*XPS, piped=True)),
    "XPS in pieces": ("ZIP", ".xps", lambda: zipped("FixedDocumentSequence.fdseq/[0].piece")),
    "DOCX": ("ZIP", ".docx", lambda: zipped(*DOCX)),
    "XLSX": ("ZIP", ".xlsx", lambda: zipped("[Content_Types].xml", "xl/workbook.xml")),
    "PPTX": ("ZIP", ".pptx", lambda: zipped("[Content_Types].xml", "ppt/presentation.xml")),
    "ODT": ("ZIP", ".odt", odt),
}


@cache
def made(name: str) -> bytes:
    return SAMPLES[name][2]()
