"""A scan that lost its end is known by its content; a whole one is never accused."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.content import End, Examined, examine
from tests.unit.scan_samples import (
    NOISE,
    SAMPLES,
    jpeg,
    made,
    pdf,
    pdf_inside_a_pdf,
    pdf_linearized,
    pdf_updated,
    segment,
    tiff,
    zip64,
)

MIB = 1024 * 1024


def examined(content: bytes) -> Examined:
    return examine(lambda offset, length: content[offset : offset + length], len(content))


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> tuple[str, str, bytes]:
    kind, extension, _ = SAMPLES[request.param]
    return kind, extension, made(request.param)


class TestAWholeScan:
    def test_is_known_with_its_kind_and_extension(self, sample: tuple[str, str, bytes]) -> None:
        kind, extension, content = sample
        assert examined(content) == Examined(kind, extension, End.WHOLE)

    @pytest.mark.parametrize("padding", [b"\0", b"\n", b"\r\n", b" " * 100, b"\0" * 512])
    def test_may_be_padded(self, sample: tuple[str, str, bytes], padding: bytes) -> None:
        assert examined(sample[2] + padding).end is End.WHOLE

    def test_may_have_markers_without_a_segment(self) -> None:
        assert examined(b"\xff\xd8\xff\x01\xff\xd0" + jpeg()[2:]).end is End.WHOLE

    def test_may_have_an_old_style_jpeg_that_tells_no_length(self) -> None:
        """Where only its place is told, it lies in the strips (TIFF 6.0 section 22)."""
        content = tiff(pages=1, strips=1)
        assert content.count(struct.pack("<HHI", 256, 4, 1)) == 1
        old = content.replace(struct.pack("<HHI", 256, 4, 1), struct.pack("<HHI", 513, 4, 1))
        assert examined(old).end is End.WHOLE

    def test_may_have_been_updated(self) -> None:
        assert examined(pdf_updated()).end is End.WHOLE

    def test_may_hold_an_exif_ifd_that_leads_nowhere(self) -> None:
        content = bytearray(tiff(order="<", data_first=False, pages=1, sub_ifd=True))
        at = content.index(struct.pack("<HHI", 330, 4, 1))
        content[at + 8 : at + 12] = bytes(4)
        assert examined(bytes(content)).end is End.WHOLE


class TestACutScan:
    def test_is_never_whole_wherever_it_is_cut(self, sample: tuple[str, str, bytes]) -> None:
        content = sample[2]
        places = {*range(1, 65), *range(1, len(content), 97), len(content) // 2}
        for missing in sorted(places):
            if missing < len(content):
                assert examined(content[:-missing]).end is not End.WHOLE, missing

    def test_is_cut_and_not_merely_unknown_when_much_is_missing(
        self, sample: tuple[str, str, bytes]
    ) -> None:
        kind, _, content = sample
        half = examined(content[: len(content) * 9 // 10])
        assert (half.kind, half.end) == (kind, End.CUT)

    def test_right_behind_the_end_of_something_within_it(self) -> None:
        inner = pdf_inside_a_pdf()
        assert examined(inner[: inner.index(b"%%EOF") + 5]).end is End.UNKNOWN
        thumbnail = jpeg()
        assert examined(thumbnail[: thumbnail.index(b"\xff\xd9") + 2]).end is End.CUT
        nested = made("ZIP inside a ZIP")
        assert examined(nested[: nested.index(b"PK\5\6") + 22]).end is End.CUT

    def test_linearized_pdf_right_behind_its_first_end(self) -> None:
        content = pdf_linearized()
        assert examined(content[: content.index(b"%%EOF") + 5]).end is End.CUT

    def test_updated_pdf_behind_its_earlier_end_is_a_whole_older_pdf(self) -> None:
        """What cannot be told from the content, as the module says."""
        content = pdf_updated()
        assert examined(content[: content.index(b"%%EOF") + 5]).end is End.WHOLE
        assert examined(content[: content.index(b"%%EOF") + 50]).end is End.UNKNOWN

    @pytest.mark.parametrize("signature", [b"PK\6\6", b"PK\6\7"])
    def test_zip64_without_one_of_its_records(self, signature: bytes) -> None:
        assert examined(zip64().replace(signature, b"PK\0\0")).end is End.CUT

    def test_tiff_whose_last_value_is_short_by_one_byte(self) -> None:
        strip = struct.pack("<HHIIHHII", 273, 4, 1, 8, 279, 4, 1, 50)
        words = struct.pack("<HHII", 305, 2, 12, 8 + 2 + 36 + 4)
        content = b"II*\0" + struct.pack("<IH", 8, 3) + strip + words + bytes(4) + b"Scanner 2.1\0"
        assert examined(content).end is End.WHOLE
        assert examined(content[:-1]).end is End.CUT

    def test_jpeg_within_the_beginning_of_its_image(self) -> None:
        content = b"\xff\xd8" + segment(0xDA, b"\x01\x01\0\0\xff\xd9")
        assert examined(content).end is End.CUT
        assert examined(content + b"\xff\xd9").end is End.WHOLE

    def test_tiff_whose_last_strip_is_short_by_one_byte(self) -> None:
        content = tiff(data_first=False)
        assert examined(content[:-1]) == Examined("TIFF", ".tif", End.CUT)


class TestWhatCannotBeJudged:
    @pytest.mark.parametrize(
        "content",
        [b"", b"%", b"PK", b"II", b"\xff\xd8", b"some text\n", b"BM" + NOISE, NOISE, bytes(5000)],
    )
    def test_another_kind_is_unknown(self, content: bytes) -> None:
        assert examined(content) == Examined("", "", End.UNKNOWN)

    def test_an_image_without_lengths_of_its_strips(self) -> None:
        content = tiff(pages=1).replace(struct.pack("<HH", 279, 4), struct.pack("<HH", 280, 4))
        assert examined(content).end is End.UNKNOWN

    def test_a_tiff_without_an_image(self) -> None:
        assert examined(b"II*\0" + bytes(100)).end is End.UNKNOWN

    @pytest.mark.parametrize("tag", [273, 324, 513])
    def test_a_tiff_with_a_list_of_no_places_at_all(self, tag: int) -> None:
        page = struct.pack("<HHHII", 1, tag, 4, 0, 0) + struct.pack("<I", 0)
        assert examined(b"II*\0" + struct.pack("<I", 8) + page).end is End.UNKNOWN

    def test_a_pdf_with_other_bytes_behind_its_end(self) -> None:
        assert examined(pdf() + b"\n\x1b%-12345X").end is End.UNKNOWN

    def test_a_pdf_whose_table_is_not_where_it_says(self) -> None:
        content = pdf()
        number = content.rindex(b"startxref\n") + 10
        assert examined(content[:number] + b"1" + content[number + 1 :]).end is End.UNKNOWN
        assert examined(pdf().replace(b"%%EOF", b"%%%EOF")).end is End.UNKNOWN

    def test_a_jpeg_that_is_none_behind_its_beginning(self) -> None:
        assert examined(b"\xff\xd8\xff\xe0\0\x04ab" + bytes(100)).end is End.UNKNOWN
        assert examined(b"\xff\xd8\xff\xe0\0\x01" + bytes(100)).end is End.UNKNOWN


class TestWorkIsBounded:
    """Whoever writes a file to keep the daemon busy gets an answer soon, and little is read."""

    @staticmethod
    def counted(size: int, read_at: Callable[[int, int], bytes]) -> tuple[Examined, int, int]:
        reads = 0
        read = 0

        def counting(offset: int, length: int) -> bytes:
            nonlocal reads, read
            assert offset >= 0
            assert length > 0
            assert offset + length <= size
            reads += 1
            read += length
            return read_at(offset, length)

        return examine(counting, size), reads, read

    @pytest.mark.parametrize("mark", [b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
    @pytest.mark.parametrize(
        "filling", [b"\1\0\0\0\0\0\0\0", b"\0\1", b"\x10\0\0\0", b"\1", b"\xff"]
    )
    def test_tiff_full_of_ifds(self, mark: bytes, filling: bytes) -> None:
        content = (mark + filling * (4 * MIB))[: 4 * MIB]
        found, reads, read = self.counted(
            4 * MIB, lambda offset, length: content[offset : offset + length]
        )
        assert found.end is not End.WHOLE
        assert read <= 4 * MIB
        assert reads <= 20_000

    def test_tiff_whose_pages_go_in_a_circle_ends(self) -> None:
        content = bytearray(tiff(pages=1, strips=1, data_first=False))
        link = 8 + 2 + 3 * 12
        content[link : link + 4] = struct.pack("<I", 8)
        assert examined(bytes(content)).end is End.WHOLE

    def test_tiff_with_more_pages_than_are_looked_at(self) -> None:
        page = struct.pack("<HHHI4s", 1, 256, 4, 1, bytes(4))
        content = b"II*\0" + struct.pack("<I", 8)
        for number in range(1, 6000):
            content += page + struct.pack("<I", 8 + number * 18)
        found, reads, _ = self.counted(len(content), lambda at, length: content[at : at + length])
        assert found.end is End.UNKNOWN
        assert reads < 11_000

    def test_tiff_with_larger_pages_than_are_looked_at(self) -> None:
        page = struct.pack("<H", 1000) + struct.pack("<HHI4s", 256, 4, 1, bytes(4)) * 1000
        content = b"II*\0" + struct.pack("<I", 8)
        for number in range(1, 400):
            content += page + struct.pack("<I", 8 + number * (len(page) + 4))
        found, _, read = self.counted(len(content), lambda at, length: content[at : at + length])
        assert found.end is End.UNKNOWN
        assert read <= 4 * MIB < len(content)

    def test_tiff_with_more_strips_than_are_looked_at(self) -> None:
        entry = struct.pack("<HHII", 273, 4, 3 * MIB, 26)
        content = b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4) + bytes(12 * MIB)
        tracemalloc.start()
        found = examined(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.end is End.UNKNOWN
        assert peak < 100_000

    def test_jpeg_of_segments_only(self) -> None:
        content = b"\xff\xd8" + segment(0xE0, b"") * MIB
        found, reads, _ = self.counted(len(content), lambda at, length: content[at : at + length])
        assert found.end is End.UNKNOWN
        assert reads < 5_000

    def test_jpeg_of_fill_bytes_only(self) -> None:
        assert examined(b"\xff\xd8" + b"\xff" * MIB).end is End.UNKNOWN

    def test_zip_of_ends_only(self) -> None:
        content = b"PK\3\4" + b"PK\5\6" * 20_000
        found, reads, read = self.counted(
            len(content), lambda at, length: content[at : at + length]
        )
        assert found.end is End.CUT
        assert reads < 100
        assert read < MIB

    @pytest.mark.parametrize("name", ["PDF", "JPEG", "PNG", "ZIP", "TIFF"])
    def test_a_large_scan_is_hardly_read(self, name: str) -> None:
        """A scan of a gigabyte, whose middle is not even there."""
        size = 1024 * MIB
        if name == "PDF":
            head = b"%PDF-1.4\n" + NOISE
            tail = b"xref\n0 0\ntrailer\n<<>>\nstartxref\n%d\n%%%%EOF"
            tail %= size - len(tail % size)
        elif name == "ZIP":
            head = b"PK\3\4" + NOISE
            tail = b"PK\1\2" + bytes(42) + struct.pack("<4sHHHH", b"PK\5\6", 0, 0, 1, 1)
            tail += struct.pack("<IIH", 46, size - 68, 0)
        elif name == "TIFF":
            strip = struct.pack("<HHIIHHII", 273, 4, 1, 8, 279, 4, 1, size - 38)
            tail = struct.pack("<H", 2) + strip + bytes(4)
            head = b"II*\0" + struct.pack("<I", size - len(tail))
        else:
            whole = made(name)
            head, tail = whole[: len(whole) - 100], whole[-100:]

        def read_at(offset: int, length: int) -> bytes:
            middle = bytes(length)
            if offset < len(head):
                middle = head[offset : offset + length].ljust(length, b"\0")
            start = size - len(tail)
            if offset + length > start:
                behind = tail[max(0, offset - start) :]
                middle = (middle[: max(0, start - offset)] + behind)[:length]
            return middle

        found, reads, read = self.counted(size, read_at)
        assert (found.kind, found.end) == (name, End.WHOLE)
        assert reads < 30
        assert read < 300_000

    @given(st.data())
    def test_any_damage_gives_an_answer(self, data: st.DataObject) -> None:
        content = bytearray(made(data.draw(st.sampled_from(sorted(SAMPLES)))))
        for _ in range(data.draw(st.integers(1, 5))):
            end = len(content)
            where = [st.integers(0, 300), st.integers(end - 300, end), st.integers(0, end)]
            at = data.draw(st.one_of(*where))
            content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=9))
        found, reads, read = self.counted(
            len(content), lambda offset, length: bytes(content[offset : offset + length])
        )
        assert isinstance(found.end, End)
        assert reads <= 20_000
        assert read <= 4 * MIB

    def test_content_that_is_shorter_than_its_size_is_cut(self) -> None:
        content = tiff()[:-10]
        found = examine(lambda at, length: content[at : at + length], len(content) + 10)
        assert found.end is End.CUT

    def test_errors_of_reading_are_the_callers(self) -> None:
        def discarded(offset: int, length: int) -> bytes:
            raise ValueError("the scan is discarded")

        with pytest.raises(ValueError, match="discarded"):
            examine(discarded, 100)
