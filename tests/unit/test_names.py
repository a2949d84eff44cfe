"""File names: what a scanner sends, and what OpenSPP, the session's view and the journal get."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openspp_ftpd.names import (
    clean,
    decode,
    final,
    fits,
    ours_alone,
    resolve,
    shown,
    with_extension,
)
from openspp_ftpd.settings import ScannerSettings

PATTERNS = ScannerSettings().temporary_names
RECEIVED = datetime(2026, 11, 22, 9, 5, 3)
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

WIDE = st.text(st.characters(blacklist_categories=()), max_size=400)
"""Any text at all, lone surrogates and control characters included."""

NASTY = st.lists(
    st.sampled_from(["a", ".", "/", "\\", '"', " ", "\0", "\r", "\x85", "\ud800", "ن", "\u200c"])
    | st.sampled_from(
        ["👩‍👧", "e\u0301", "\u0301" * 40, "x" * 100, ".pdf", ".tmp", ".in.", "tmp."]
    ),
    max_size=40,
).map("".join)


def accepted_by_openspp(name: str) -> bool:
    """Whether OpenSPP takes it (WIRE.md section 2) and nothing is in it that was promised away."""
    return (
        name not in (".", "..")
        and 1 <= len(name.encode("utf-8")) <= 255
        and not re.search(r"[/\x00-\x1f\x7f-\x9f]", name)
        and name.strip() != ""
    )


class TestWhatOpenSPPGets:
    @given(WIDE | NASTY)
    @example("." + "\u0301" * 300)
    @example(".." + "\u0301" * 300)
    @example(" " * 300 + "a")
    @example("a" * 300 + "." + "b" * 300)
    def test_any_name_becomes_one_that_openspp_accepts_and_stays_it(self, path: str) -> None:
        name = clean(path)
        assert accepted_by_openspp(name)
        assert clean(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "scan.pdf",
            "مسح ضوئي.pdf",
            "می\u200cخواهم.pdf",  # needs its zero-width non-joiner
            "کوردی.tif",
            "👩‍👧 receipt.pdf",
            "café.pdf",
            "cafe\u0301.pdf",
            " leading and trailing .pdf ",
            ".hidden",
            "trailing.",
            '"quoted".pdf',
            "a:b*c?d;e%~.pdf",
            "abc\u202efdp.exe",
            "x" * 251 + ".pdf",
        ],
    )
    def test_what_openspp_stores_arrives_as_it_was(self, name: str) -> None:
        assert clean(name) == name

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/etc.pdf", "etc.pdf"),
            ("../up.pdf", "up.pdf"),
            ("a/b/c.pdf", "c.pdf"),
            ("FILINGFOLDER\\image file.pdf", "image file.pdf"),
            ("C:\\scan\\x.pdf", "x.pdf"),
            ("folder/", "folder"),
            ("a\0b\r\nc\x1b\x7f\x9b.pdf", "abc.pdf"),
            ("\ud800.pdf", "\ufffd.pdf"),
            ("", "scan"),
            (".", "scan"),
            ("a/..", "scan"),
            ("   ", "scan"),
            ("\0", "scan"),
            (".\0.", "scan"),
            ("///", "scan"),
        ],
    )
    def test_what_openspp_refuses_is_mended(self, path: str, name: str) -> None:
        assert clean(path) == name

    def test_a_long_name_keeps_its_extension_and_whole_characters(self) -> None:
        assert clean("ن" * 126 + ".pdf") == "ن" * 125 + ".pdf"
        assert clean("x" * 254 + "ن") == "x" * 254

    def test_a_long_name_is_not_cut_within_what_is_drawn_as_one(self) -> None:
        assert clean("x" * 250 + "e\u0301.pdf") == "x" * 250 + ".pdf"
        assert clean("x" * 240 + "👩‍👧.pdf") == "x" * 240 + "👩‍👧.pdf"
        assert clean("x" * 241 + "👩‍👧.pdf") == "x" * 241 + ".pdf"
        assert clean("x" * 247 + "👍🏽.pdf") == "x" * 247 + ".pdf"

    def test_a_sentence_behind_a_dot_is_no_extension(self) -> None:
        assert clean("a." + "b" * 300) == "a." + "b" * 253


class TestNamesInAnotherCodePage:
    def test_utf8_comes_first(self) -> None:
        assert decode("Ñandú.pdf".encode(), "cp1252") == "Ñandú.pdf"

    @pytest.mark.parametrize(
        ("text", "code_page"),
        [
            ("Gebühr.pdf", "cp1252"),
            ("表示.pdf", "shift_jis"),
            ("扫描.pdf", "gbk"),
            ("ملف", "cp1256"),
        ],
    )
    def test_else_the_code_page_of_the_scanner(self, text: str, code_page: str) -> None:
        assert decode(text.encode(code_page), code_page) == text

    def test_a_backslash_within_a_shift_jis_character_separates_nothing(self) -> None:
        raw = "表.pdf".encode("shift_jis")
        assert b"\\" in raw
        assert clean(resolve("/", decode(raw, "shift_jis"))) == "表.pdf"

    @given(
        st.binary(),
        st.sampled_from(
            ["cp1252", "shift_jis", "gbk", "big5", "euc_kr", "ascii", "utf-16", "nope"]
        ),
    )
    def test_never_fails(self, raw: bytes, code_page: str) -> None:
        assert accepted_by_openspp(clean(decode(raw, code_page)))


class TestPathsOfTheView:
    @pytest.mark.parametrize(
        ("cwd", "path", "expected"),
        [
            ("/", "scan.pdf", "/scan.pdf"),
            ("/in", "scan.pdf", "/in/scan.pdf"),
            ("/in", "/scan.pdf", "/scan.pdf"),
            ("/in", "\\scan.pdf", "/scan.pdf"),
            ("/in", "", "/in"),
            ("/", "", "/"),
            ("/in", ".", "/in"),
            ("/in/deep", "..", "/in"),
            ("/in", "../../../etc/passwd", "/etc/passwd"),
            ("/", "FILINGFOLDER\\image file", "/FILINGFOLDER/image file"),
            ("/", "/tmp//tmp///x/", "/tmp/tmp/x"),
            ("/", '"my folder"', "/my folder"),
            ("/", '"/my folder/x.pdf"', "/my folder/x.pdf"),
            ("/", '"', '/"'),
            ("/", "someone@example.com/x.pdf", "/someone@example.com/x.pdf"),
            ("/", "a\0/.\0./b", "/b"),
            ("/", "a\rb", "/ab"),
        ],
    )
    def test_every_spelling_of_a_device(self, cwd: str, path: str, expected: str) -> None:
        assert resolve(cwd, path) == expected

    @given(WIDE | NASTY, WIDE | NASTY)
    def test_stays_below_the_root_and_can_be_shown_in_a_reply(
        self, first: str, second: str
    ) -> None:
        path = resolve(resolve("/", first), second)
        assert path == "/" or all(part not in ("", ".", "..") for part in path[1:].split("/"))
        assert path.startswith("/")
        assert not re.search(r"[\\\x00-\x1f\x7f-\x9f]", path)
        path.encode("utf-8")


class TestTemporaryNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (".in.scan.pdf", "scan.pdf"),
            ("tmp.scan.pdf", "scan.pdf"),
            ("scan.pdf.part", "scan.pdf"),
            ("scan.pdf.filepart", "scan.pdf"),
            ("scan.pdf.tmp", "scan.pdf"),
            ("SCAN.PDF.TMP", "SCAN.PDF"),
            ("Tmp.scan0001", "scan0001"),
            (".in.scan.pdf.part", "scan.pdf"),
            ("scan.pdf.tmp.tmp.tmp", "scan.pdf"),
            ("scan.pdf", "scan.pdf"),
            ("tmpscan.pdf", "tmpscan.pdf"),
            (".part", ".part"),
            (".in.", ".in."),
            (".in.part", "part"),
            ("  .tmp", "  .tmp"),
            ("...tmp", "...tmp"),
            ("tmp.pdf", "tmp.pdf"),  # a fixed name with its type, not a temporary `pdf`
        ],
    )
    def test_the_scan_is_known_by_its_final_name(self, name: str, expected: str) -> None:
        assert final(name, PATTERNS) == expected

    def test_overlapping_ends_of_a_pattern_share_nothing(self) -> None:
        assert final("a.a", ["a.*.a"]) == "a.a"
        assert final("a..a", ["a.*.a"]) == "a..a"
        assert final("a.x.a", ["a.*.a"]) == "x"

    def test_a_pattern_that_says_nothing_changes_nothing(self) -> None:
        assert final("scan.pdf", ["*", "scan.pdf", ""]) == "scan.pdf"

    @given(WIDE | NASTY, st.lists(st.text(max_size=5), max_size=4))
    def test_a_final_name_is_final_and_still_accepted(self, path: str, more: list[str]) -> None:
        patterns = [*PATTERNS, *more]
        name = final(clean(path), patterns)
        assert accepted_by_openspp(name)
        assert final(name, patterns) == name


class TestSideFiles:
    @pytest.mark.parametrize(
        ("name", "side_file"),
        [
            ("NETSCAN.XST", True),
            ("netscan.xst", True),
            (".xst", True),
            ("job7.xml", True),
            ("JOB7.XML", True),
            ("job77.xml", False),
            ("scan.xst.pdf", False),
            ("scan.xst2", False),
            ("xst", False),
        ],
    )
    def test_a_pattern_is_for_the_whole_name_in_any_capitals(
        self, name: str, side_file: bool
    ) -> None:
        assert fits(name, ("*.Xst", "job?.xml")) is side_file

    def test_without_patterns_there_are_none(self) -> None:
        assert not fits("NETSCAN.XST", ())


class TestExtensionOfTheContent:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("scan0001", "scan0001.pdf"),
            ("scan.", "scan.pdf"),
            ("scan.pdf", "scan.pdf"),
            ("scan.PDF", "scan.PDF"),
            ("scan.tif", "scan.tif"),
            ("scan.7z", "scan.7z"),
            ("Scan 22.11.2026", "Scan 22.11.2026.pdf"),
            ("مسح", "مسح.pdf"),
            (".pdf", ".pdf"),
        ],
    )
    def test_only_for_a_name_without_one(self, name: str, expected: str) -> None:
        assert with_extension(name, ".pdf") == expected

    def test_none_is_added_for_an_unknown_content(self) -> None:
        assert with_extension("scan0001", "") == "scan0001"

    @given(WIDE | NASTY)
    def test_openspp_accepts_the_result(self, path: str) -> None:
        name = with_extension(clean(path), ".pdf")
        assert accepted_by_openspp(name)
        assert with_extension(name, ".pdf") == name


class TestANameOfOursAlone:
    def test_carries_time_and_hash_before_the_extension(self) -> None:
        assert ours_alone("scan.pdf", RECEIVED, SHA256) == "scan-20261122-090503-e3b0.pdf"
        assert ours_alone("scan", RECEIVED, SHA256) == "scan-20261122-090503-e3b0"

    def test_each_attempt_has_another(self) -> None:
        names = {ours_alone("scan.pdf", RECEIVED, SHA256, attempt) for attempt in range(100)}
        assert len(names) == 100
        assert "scan-20261122-090503-e3b0-2.pdf" in names

    @given(WIDE | NASTY, st.integers(0, 10_000))
    def test_openspp_accepts_it_and_it_stays_itself(self, path: str, attempt: int) -> None:
        name = ours_alone(clean(path), RECEIVED, SHA256, attempt)
        assert accepted_by_openspp(name)
        assert clean(name) == name
        assert "-20261122-090503-e3b0" in name


class TestNamesInTheJournal:
    def test_whole(self) -> None:
        assert shown("scan of Ali.pdf", "full") == "scan of Ali.pdf"
        assert shown("می\u200cخواهم.pdf", "full") == "می\u200cخواهم.pdf"

    def test_what_moves_or_breaks_the_line_is_shown_by_its_number(self) -> None:
        assert shown("abc\u202efdp.exe\u2028\ud800", "full") == r"abc\u202efdp.exe\u2028\ud800"
        assert shown("\U000e0041", "full") == r"\U000e0041"

    def test_short_shows_no_person(self) -> None:
        assert shown("Sarmad Hasan 1980.pdf", "short") == "Sar...pdf"
        assert shown("Mr.Smith", "short") == "M..."
        assert shown("Ali", "short") == "A..."

    def test_none_shows_nothing(self) -> None:
        assert shown("Sarmad.pdf", "none") == "(not logged)"

    @given(WIDE | NASTY, st.sampled_from(["full", "short", "none"]))
    def test_is_always_one_line_of_utf8(self, path: str, mode: str) -> None:
        text = shown(path, mode)  # type: ignore[arg-type]
        text.encode("utf-8")
        assert len(text.splitlines()) <= 1
