"""Names and contents: whatever a device calls or sends, what comes of it fits OpenSPP."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import strategies as st

from openspp_ftpd import content, names
from openspp_ftpd.content import End
from openspp_ftpd.settings import ScannerSettings
from openspp_ftpd.whole import Doubt, Judgement, judge
from tests.acceptance import documents
from tests.fuzz.campaign import Campaign

TEMPORARY = ScannerSettings().temporary_names
_EVERY_CHARACTER = st.characters(max_codepoint=0x10FFFF)
_ODD = ["/", "\\", "..", ".", " ", "\0", '"', ".pdf", ".part", "tmp.", ".in.", "é", "\u200d", "👩"]
_TEXT = st.text(_EVERY_CHARACTER, max_size=120)
TEXTS = st.one_of(
    _TEXT,
    st.lists(st.one_of(st.sampled_from(_ODD), _TEXT)).map("".join),
    st.builds(str.__mul__, st.text(_EVERY_CHARACTER, min_size=1, max_size=9), st.integers(20, 300)),
    st.builds("{}.{}".format, st.sampled_from(["x" * 300, "é" * 128, "👩\u200d" * 60]), _TEXT),
)


def fits_openspp(name: str) -> bool:
    """WIRE.md section 2: what OpenSPP stores, and no control character for a reply or a log."""
    return (
        0 < len(name.encode()) <= names.LONGEST
        and name not in (".", "..")
        and bool(name.strip())
        and not any(c in "/\\" or ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in name)
    )


@pytest.mark.share(0.7, 4)
def test_names(campaign: Campaign) -> None:
    def check(cwd: str, text: str, extension: str, when: datetime, attempt: int) -> None:
        path = names.resolve(names.resolve("/", cwd), text)
        assert path.startswith("/")
        assert "/../" not in f"{path}/" and "//" not in path and "\0" not in path
        path.encode()
        cleaned = names.clean(text)
        assert fits_openspp(cleaned)
        assert names.clean(cleaned) == cleaned
        final = names.final(cleaned, TEMPORARY)
        assert final and final in cleaned
        assert names.final(final, TEMPORARY) == final
        extended = names.with_extension(final, extension)
        assert fits_openspp(extended)
        ours = names.ours_alone(final, when, "ab12" + "0" * 60, attempt)
        assert fits_openspp(ours)
        assert ours != names.ours_alone(final, when, "ab13" + "0" * 60, attempt)
        assert ours != names.ours_alone(final, when, "ab12" + "0" * 60, attempt + 1)
        for mode in ("full", "short", "none"):
            shown = names.shown(final, mode)
            assert "\n" not in shown and "\u2028" not in shown and "\u202e" not in shown

    campaign.fuzz(
        check,
        cwd=TEXTS,
        text=TEXTS,
        extension=st.sampled_from(["", ".pdf", ".tif", ".jpg"]),
        when=st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)),
        attempt=st.integers(0, 2000),
    )


_WHOLE = (
    documents.pdf(3000, 1),
    documents.png(20, 20, 1),
    documents.jpeg(32, 32, 1),
    documents.tiff(20, 20, 1),
)


def examined(data: bytes) -> content.Examined:
    """As a scan of these bytes is; `read_at` is never asked for what is not there."""

    def read_at(offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(data)
        return data[offset : offset + length]

    return content.examine(read_at, len(data))


@pytest.mark.share(0.5, 4)
def test_contents(campaign: Campaign) -> None:
    """Whole documents are, cut ones never; nonsense raises nothing."""

    def check(which: int, cut: float, patches: list[tuple[float, bytes]], noise: bytes) -> None:
        whole = _WHOLE[which]
        assert examined(whole).end is End.WHOLE
        padding = b"\0\n\r"
        length = int(cut * len(whole.rstrip(padding)))
        assert examined(whole[:length]).end is not End.WHOLE
        patched = bytearray(whole)
        for place, patch in patches:
            start = int(place * len(whole))
            patched[start : start + len(patch)] = patch
        for data in (bytes(patched), bytes(patched[:length]), noise, whole[:20] + noise):
            assert examined(data).end in End

    campaign.fuzz(
        check,
        which=st.integers(0, len(_WHOLE) - 1),
        cut=st.floats(0, 1, exclude_max=True),
        patches=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12)), max_size=5),
        noise=st.binary(max_size=300),
    )


@pytest.mark.share(0.2, 2)
def test_what_is_whole(campaign: Campaign) -> None:
    """A doubtful scan is delivered only if its content vouches for it; waiting has an end."""

    def check(doubts: set[Doubt], end: End, look: str, notify: str, settled: bool) -> None:
        judged = judge(doubts, end, look, notify, settled)  # type: ignore[arg-type]
        assert not (settled and judged is Judgement.WAIT)
        required = notify == "require" and Doubt.NO_CLOSE_NOTIFY in doubts
        if required or (doubts and end is not End.WHOLE and look != "never"):
            assert judged is Judgement.DISCARD
        elif end is End.WHOLE or look == "never":
            assert judged is Judgement.DELIVER
        if end is End.CUT and look == "always":
            assert judged is Judgement.DISCARD

    campaign.fuzz(
        check,
        doubts=st.sets(st.sampled_from(Doubt)),
        end=st.sampled_from(End),
        look=st.sampled_from(["doubtful", "always", "never"]),
        notify=st.sampled_from(["ignore", "log", "require"]),
        settled=st.booleans(),
    )
