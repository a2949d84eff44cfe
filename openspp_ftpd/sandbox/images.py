"""How large an image is: the pixels a JPEG, PNG or BMP claims in its first bytes (pure)."""

from __future__ import annotations

import struct
from typing import Final

HEAD: Final = 256 * 1024
"""Bytes from the start of a document in which its pixel size is looked for."""

LONGEST_SIDE: Final = 1920
"""Odoo shrinks a JPEG, PNG or BMP that is wider or higher than this (WIRE.md section 11)."""

EXCESSIVE: Final = 45_000_000
"""Odoo refuses an image of more pixels than this (WIRE.md section 11: about 45 million)."""

_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_TARGA_TYPES: Final = frozenset({1, 2, 3, 9, 10, 11, 32, 33})
_TARGA_DEPTHS: Final = frozenset({8, 15, 16, 24, 32})


def pixel_size(head: bytes) -> tuple[int, int] | None:
    """Return (width, height) of the JPEG, PNG or BMP that starts with these bytes, else None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) >= 24:
        width, height = struct.unpack_from(">II", head, 16)
        return width, height
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg(head)
    if head.startswith(b"BM") and len(head) >= 26:
        return _bmp(head)
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(head):
        if head[position] != 0xFF:
            return None
        marker = head[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, position + 5)
            return width, height
        else:
            position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return None


def _bmp(head: bytes) -> tuple[int, int] | None:
    if int.from_bytes(head[14:18], "little") < 40:
        width, height = struct.unpack_from("<HH", head, 18)
        return width, height
    width, height = struct.unpack_from("<ii", head, 18)
    return abs(width), abs(height)


def is_shrunk(size: tuple[int, int] | None) -> bool:
    """Return whether Odoo would shrink an image of this size in pixels."""
    return size is not None and max(size) > LONGEST_SIDE


def is_excessive(size: tuple[int, int] | None) -> bool:
    """Return whether Odoo would refuse an image of this size in pixels."""
    return size is not None and size[0] * size[1] > EXCESSIVE


def is_targa(head: bytes) -> bool:
    """Return whether this looks like a Targa image, a type for which Odoo knows no extension."""
    return (
        len(head) >= 18
        and head[1] <= 1
        and head[2] in _TARGA_TYPES
        and head[16] in _TARGA_DEPTHS
        and head[12:16] != b"\0\0\0\0"
    )
