"""What is sent: one file of each size, whose first bytes every scan replaces by its own name."""

from __future__ import annotations

import binascii
import json
import random
from pathlib import Path
from typing import Final

STAMP: Final = 64
"""Bytes at a scan's begin that make it one of its own."""

_PIECE: Final = 3 * 1024 * 256


def stamp_of(name: str) -> bytes:
    """How a scan of this name begins."""
    return f"%PDF-1.4 {name}\n".encode().ljust(STAMP)[:STAMP]


def content(folder: Path, size: int) -> Path:
    """A file of `size` bytes of noise, made the first time."""
    path = folder / f"content-{size}"
    if not path.exists():
        chance = random.Random(size)
        with path.open("wb") as file:
            for start in range(0, size, _PIECE):
                file.write(chance.randbytes(min(_PIECE, size - start)))
    return path


def body(source: Path, into: Path, user: str, password: str, name: str) -> None:
    """The JSON body that carries a scan, as a file."""
    parameters = {"username": user, "password": password, "filename": name, "file": ""}
    request = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters}
    head = json.dumps(request).removesuffix('"}}').encode()
    with source.open("rb") as scan, into.open("wb") as file:
        file.write(head)
        piece = stamp_of(name) + scan.read(_PIECE)[STAMP:]
        while piece:
            file.write(binascii.b2a_base64(piece, newline=False))
            piece = scan.read(_PIECE)
        file.write(b'"}}')
