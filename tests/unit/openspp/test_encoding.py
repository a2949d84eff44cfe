"""Base64 as OpenSSL makes it is base64, and no piece can be mistaken for another."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.openspp.encoding import in_base64


class TestInBase64:
    @given(st.lists(st.binary(max_size=200)))
    def test_each_piece_is_what_the_standard_library_makes_of_it(self, pieces: list[bytes]) -> None:
        encoded = [bytes(piece) for piece in in_base64(pieces, 200)]
        assert encoded == [base64.b64encode(piece) for piece in pieces]

    def test_all_bytes_at_all_places(self) -> None:
        every = bytes(range(256)) * 768
        (encoded,) = map(bytes, in_base64([every], len(every)))
        assert encoded == base64.b64encode(every)

    def test_a_piece_that_was_kept_is_refused_instead_of_read_as_the_next(self) -> None:
        kept = list(in_base64([b"first", b"other"], 5))
        with pytest.raises(ValueError, match="released"):
            bytes(kept[0])

    def test_a_longer_piece_than_was_said_is_refused(self) -> None:
        with pytest.raises(ValueError, match="7 bytes are more than 6"):
            list(in_base64([b"1234567"], 6))

    def test_a_later_reader_finds_no_earlier_piece_behind_its_own(self) -> None:
        pieces = [b"a" * 30, b"b"]
        assert [bytes(piece) for piece in in_base64(pieces, 30)][1] == b"Yg=="
