"""A document as it comes in: base64 text in pieces becomes bytes, their size and their sums.

The rules are those of Python's base64.b64decode, which Odoo uses (WIRE.md section 2): characters
outside the alphabet are skipped, and what follows the padding is not read.
"""

from __future__ import annotations

import binascii
import hashlib
import string
from typing import Final

from openspp_ftpd.sandbox import images
from openspp_ftpd.sandbox.keeping import Incoming

_LETTERS: Final = (string.ascii_letters + string.digits + "+/").encode()
_NO_LETTERS: Final = bytes(set(range(256)) - set(_LETTERS))
_NO_LETTERS_NOR_PADDING: Final = bytes(set(_NO_LETTERS) - set(b"="))

_ALTERATION: Final = b"\nMade smaller by the embedded OpenSPP\n"
_PIECE: Final = 256 * 1024
_LONE_SURROGATE: Final = ("utf-8", "(the file)", 0, 1, "surrogates not allowed")


class Content:
    """The bytes of one document, hashed and counted as they come, and written to a file if given.

    file: where the bytes go; length: characters of the base64 text so far; size: bytes so far;
    head: the first of them; fault: after finish(), what b64decode would have raised, as (exception
    name, arguments).
    """

    def __init__(self, file: Incoming | None = None, *, sha512: bool = False) -> None:
        """file: where the bytes go; None: they are only hashed; sha512: that sum is wanted too."""
        self.file = file
        self.length = 0
        self.size = 0
        self.fault: tuple[str, tuple[object, ...]] | None = None
        self._hash = hashlib.sha256()
        self._sha512 = hashlib.sha512() if sha512 else None
        self._head = bytearray()
        self._quad = b""
        self._paddings = 0
        self._ended = False

    @property
    def head(self) -> bytes:
        """The first bytes, enough to find an image's size in."""
        return bytes(self._head)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def sha512(self) -> str:
        """The SHA-512 of the bytes so far, in hexadecimal; "" when it was not wanted."""
        return self._sha512.hexdigest() if self._sha512 is not None else ""

    def feed_text(self, text: str) -> None:
        """Take a whole base64 text, as a JSON string held it."""
        for start in range(0, len(text), _PIECE):
            self.feed_characters(text[start : start + _PIECE])

    def feed_characters(self, text: str) -> None:
        """Take a piece of base64 text that does not end within a surrogate pair."""
        try:
            self.feed(text.encode())
        except UnicodeEncodeError:
            self.length += len(text)
            self.fault = ("builtins.UnicodeEncodeError", _LONE_SURROGATE)

    def feed_letters(self, text: memoryview) -> bool:
        """Take a piece that is base64 letters only, the quick way; False: it is not, none taken."""
        if self._ended:
            return False
        missing = -len(self._quad) % 4
        first, middle = bytes(text[:missing]), text[missing:]
        whole = len(middle) & ~3
        rest = bytes(middle[whole:])
        if (first + rest).translate(None, _LETTERS) or len(first) < missing:
            return False
        try:
            decoded = binascii.a2b_base64(middle[:whole])
        except binascii.Error:
            return False
        if len(decoded) != whole // 4 * 3:
            return False
        if missing:
            self._take(binascii.a2b_base64(self._quad + first))
        self._take(decoded)
        self._quad = rest
        self._paddings = 0
        self.length += len(text)
        return True

    def feed(self, text: bytes) -> None:
        """Take a piece of base64 text, whatever is in it."""
        self.length += len(text)
        text = text.translate(None, _NO_LETTERS_NOR_PADDING)
        start = 0
        while not self._ended:
            padding = text.find(b"=", start)
            self._feed_quads(text[start:] if padding < 0 else text[start:padding])
            if padding < 0:
                return
            self._feed_padding()
            start = padding + 1

    def _feed_quads(self, letters: bytes) -> None:
        if not letters:
            return
        self._paddings = 0
        letters = self._quad + letters
        whole = len(letters) & ~3
        self._take(binascii.a2b_base64(letters[:whole]))
        self._quad = letters[whole:]

    def _feed_padding(self) -> None:
        if len(self._quad) < 2:
            return
        self._paddings += 1
        if len(self._quad) + self._paddings >= 4:
            self._take(binascii.a2b_base64(self._quad + b"=" * (4 - len(self._quad))))
            self._quad = b""
            self._ended = True

    def finish(self) -> None:
        """The text has ended. Sets `fault` where b64decode would have raised."""
        if self.fault is not None or not self._quad:
            return
        if len(self._quad) == 1:
            letters = self.size // 3 * 4 + 1
            message = (
                f"Invalid base64-encoded string: number of data characters ({letters}) "
                "cannot be 1 more than a multiple of 4"
            )
        else:
            message = "Incorrect padding"
        self.fault = ("binascii.Error", (message,))

    def alter(self) -> None:
        """Change the bytes as Odoo would by shrinking an image: another size, another SHA-256.

        Nothing here can draw a smaller picture, so a line of text is added instead.
        """
        self._take(_ALTERATION)

    def discard(self) -> None:
        """The request is over: what was not kept goes."""
        if self.file is not None:
            self.file.discard()

    def flush(self) -> None:
        """Give everything to the operating system. Raises OSError, as when a disk is full."""
        if self.file is not None:
            self.file.flush()

    def _take(self, data: bytes) -> None:
        if len(self._head) < images.HEAD:
            self._head += data[: images.HEAD - len(self._head)]
        self.size += len(data)
        self._hash.update(data)
        if self._sha512 is not None:
            self._sha512.update(data)
        if self.file is not None:
            self.file.write(data)
