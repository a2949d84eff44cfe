"""Base64 by OpenSSL: a quarter of the time that binascii takes, and other threads run meanwhile.

Encoding is the largest piece of work of an upload beside its hash, and binascii keeps the
interpreter to itself, so that the event loop would wait for it.
"""

from __future__ import annotations

import _hashlib
import ctypes
from collections.abc import Iterable, Iterator
from typing import Final

# The very libcrypto that Python itself uses, whatever its version: found through its own module.
_encode_block: Final = ctypes.CDLL(_hashlib.__file__).EVP_EncodeBlock
_encode_block.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_encode_block.restype = ctypes.c_int


def in_base64(pieces: Iterable[bytes], most: int) -> Iterator[memoryview]:
    """Each piece in base64, padded, without line ends (EVP_EncodeBlock(3)).

    most: bytes of the longest piece. All are written to the same memory: each holds until the next
    is asked for, and cannot be read any more then. Raises ValueError for a longer piece.
    """
    letters = bytearray((most + 2) // 3 * 4 + 1)  # it ends in NUL
    address = ctypes.addressof(ctypes.c_char.from_buffer(letters))
    for piece in pieces:
        if len(piece) > most:
            raise ValueError(f"{len(piece)} bytes are more than {most}")
        length = _encode_block(address, piece, len(piece))
        with memoryview(letters)[:length] as encoded:
            yield encoded
