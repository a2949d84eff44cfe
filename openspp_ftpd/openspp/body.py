"""The JSON body that carries a scan, made while it is sent: never more than a piece in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from openspp_ftpd.openspp.encoding import in_base64
from openspp_ftpd.openspp.exchange import Exchange

if TYPE_CHECKING:
    from openspp_ftpd.openspp import Content

RAW_PIECE: Final = 240 * 1024
"""Bytes of a scan encoded at a time: a multiple of 3, so that base64 needs no padding between, and
enough for an ordinary page."""

_END: Final = b'"}}'


class ContentChanged(Exception):
    """The scan could not be read as it was received; the request was cut before its end."""


class UploadBody:
    """`head`, the scan in base64, and the closing brackets. Each iteration sends it anew.

    The brackets are a piece of their own: until they are written an abandoned request is certain to
    store nothing, however much of the scan waits in the system's buffers.
    """

    def __init__(
        self, head: bytes, content: Content, exchange: Exchange, tail: bytes = _END
    ) -> None:
        """head: the JSON up to and with the opening quote of the file's value; tail: the rest."""
        self._head = head
        self._content = content
        self._exchange = exchange
        self._tail = tail

    def __len__(self) -> int:
        return len(self._head) + (self._content.size + 2) // 3 * 4 + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """The pieces. Raises Abandoned, ContentChanged."""
        yield self._head
        yield from self._encoded()
        self._exchange.last_piece()
        yield self._tail
        # The sender asks for more only after the system took every byte of the piece before.
        self._exchange.sent()

    def _encoded(self) -> Iterator[memoryview]:
        longest = min(RAW_PIECE, self._content.size)
        try:
            yield from in_base64(self._whole(), longest)
        except (OSError, ValueError) as error:
            raise ContentChanged(type(error).__name__) from error

    def _whole(self) -> Iterator[bytes]:
        """The content as it was received. Raises ContentChanged, and what reading it raises."""
        done = 0
        for piece in self._content.pieces(RAW_PIECE):
            if done % 3:  # padding in the middle: OpenSPP would store something else and say OK
                raise ContentChanged("a piece of odd length")
            done += len(piece)
            yield piece
        if done != self._content.size:
            raise ContentChanged(f"{done} bytes instead of {self._content.size}")
