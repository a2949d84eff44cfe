"""Documents to send: small real files of the kinds that scanners make, told apart by a seed."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that look like nothing."""
    return random.Random(seed).randbytes(size)


def pdf(size: int, seed: int = 0) -> bytes:
    """A PDF of one page with a stream of noise, `size` bytes in all (700 at least)."""
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]"
    head += b"/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
    objects = [head.index(b"%d 0 obj" % number) for number in (1, 2, 3)] + [len(head)]
    table = b"xref\n0 5\n0000000000 65535 f \n"
    table += b"".join(b"%010d 00000 n \n" % offset for offset in objects)
    table += b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%010d\n%%%%EOF\n"
    before, after = b"4 0 obj<</Length %010d>>stream\n", b"\nendstream endobj\n"
    room = size - len(head + before % 0 + after + table % 0)
    body = noise(room, seed).replace(b"%%EOF", b"%%eof")
    content = head + before % room + body + after
    return content + table % len(content)


def png(width: int, height: int, seed: int = 0) -> bytes:
    """A grey PNG of noise."""
    rows = b"".join(b"\0" + noise(width, seed * 1_000_003 + row) for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows, 1))
        + _chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int, seed: int = 0) -> bytes:
    """A grey JPEG (ITU-T T.81) whose blocks of 8x8 have a random grey each."""
    quantization = b"\0" + b"\x08" * 64
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    # One Huffman code of 4 bits for each size of a difference, and one of 1 bit: end of block.
    sizes = b"\0" + bytes([0, 0, 0, 8]) + bytes(12) + bytes(range(8))
    end_of_block = b"\x10" + bytes([1]) + bytes(15) + b"\0"
    chance = random.Random(seed)
    bits: list[str] = []
    level = 0
    for _ in range(-(-width // 8) * -(-height // 8)):
        difference = chance.randint(-127, 127) - level
        difference = max(-127, min(127, difference))
        level += difference
        size = abs(difference).bit_length()
        amplitude = difference if difference >= 0 else difference + (1 << size) - 1
        bits.append(f"{size:04b}{f'{amplitude:0{size}b}' if size else ''}0")
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    scan = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xDB, quantization),
            _segment(0xC0, frame),
            _segment(0xC4, sizes),
            _segment(0xC4, end_of_block),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            scan,
            b"\xff\xd9",
        )
    )


def tiff(width: int, height: int, seed: int = 0) -> bytes:
    """A grey TIFF of noise in one strip, its directory behind it."""
    strip = noise(width * height, seed)
    fields = {
        256: width,
        257: height,
        258: 8,  # bits of a sample
        259: 1,  # not compressed
        262: 1,  # 0 is black
        273: 8,  # where the strip begins
        278: height,
        279: len(strip),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    directory = struct.pack("<H", len(fields)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def sha256(content: bytes) -> str:
    """As the record has it."""
    return hashlib.sha256(content).hexdigest()
