"""Quirks 11 to 20 of devices, each held by a test that bears its number and its words.

Every test has a user, and so a folder in OpenSPP, of its own; `conftest.py` has the daemons.
"""

from __future__ import annotations

import re

import pytest

from tests.acceptance.documents import noise, tiff
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.quirks import SCAN, listed, stored
from tests.acceptance.scanner import end_bare, reset

PAGES = {f"{number:08}.TIF": tiff(100, 100, number) for number in range(1, 13)}
SIDE_FILES = {
    "NETSCAN.DAT": b"one",
    "NETSCAN.XST": noise(3000),
    "xsmdesc.Lck": b"",
    "job7.xml": b"<job/>",
}
NOT_KEPT = (250, "Not kept: side files do not go to OpenSPP.")


# -- transfer parameters


@pytest.mark.parametrize(
    "command",
    ["TYPE i", "type I", "TYPE L 8", "TYPE l 8", "TYPE L8", "TYPE L 7", "TYPE A N", "TYPE a",
     "TYPE A T", "TYPE  I", "TYPE I "],
)  # fmt: skip
def test_11_type_i_type_l_8_type_a_n(command: str, ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert scanner.command(command).code == 200
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


@pytest.mark.parametrize("commands", [["TYPE A"], ["TYPE I", "TYPE A N"], []])
def test_12_type_a_or_no_type_then_a_pdf(commands: list[str], ground: Ground) -> None:
    line_ends = SCAN[:-300] + b"\n\r\n\r\r\n\n\x1a\xff\xfe\r" + SCAN[-300:]
    with ground.logged_in() as scanner:
        assert [scanner.command(line).code for line in commands] == [200] * len(commands)
        assert scanner.store("scan.pdf", line_ends).code == 226
        assert scanner.command("SIZE scan.pdf") == (213, str(len(line_ends)))
    stored(ground, "scan.pdf", line_ends)


@pytest.mark.parametrize("argument", [" 20000", " 20000 R 512", " 0", " 20,000", "", " "])
def test_13_allo_must_be_200(argument: str, ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert scanner.command("ALLO" + argument).code == 200
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


def test_14_mode_s_stru_f(ground: Ground) -> None:
    accepted = ("MODE S", "mode s", "MODE S ", "STRU F", "stru f", "STRU  F")
    with ground.logged_in() as scanner:
        assert [scanner.command(line).code for line in accepted] == [200] * len(accepted)
        assert [scanner.command(line).code for line in ("MODE B", "MODE C", "MODE Z")] == [504] * 3
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


def test_15_stru_r(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert scanner.command("STRU R").code == 504  # records would bring marks into the file
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


# -- folders and names


def test_16_cwd_to_a_folder_nobody_made_mkd_first_mkd_again(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert scanner.command("CWD /nobody/made/this").code == 250
        assert scanner.command('MKD the "new" one') == (
            257,
            '"/nobody/made/this/the ""new"" one" created.',
        )
        for line in ('MKD the "new" one', "XMKD box", "MKD box", "MKD /nobody", "MKD /"):
            assert scanner.command(line).code == 257
        assert scanner.command("CWD box").code == 250
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


@pytest.mark.parametrize(
    ("folder", "becomes"),
    [
        ("/tmp/tmp", "/tmp/tmp"),
        ("inbox", "/inbox"),
        ("inbox/", "/inbox"),
        ("FILINGFOLDER\\image file", "/FILINGFOLDER/image file"),
        ("\\scans\\", "/scans"),
        ('"in box"', "/in box"),
        ("someone@example.com", "/someone@example.com"),
        ("//a///b/./c", "/a/b/c"),
        ("../../../etc", "/etc"),
        ("/" + "x" * 120 + "/" + "y" * 120, "/" + "x" * 120 + "/" + "y" * 120),
    ],
)
def test_17_absolute_paths_no_slash_backslash_quotes_trailing_slash_at_path_in_stor(
    folder: str, becomes: str, ground: Ground
) -> None:
    with ground.logged_in() as scanner:
        assert scanner.command(f"CWD {folder}").code == 250
        assert scanner.command("PWD").text.startswith(f'"{becomes}"')
        assert scanner.store("one.pdf", SCAN).code == 226
        assert scanner.command("CWD /").code == 250
        separator = "\\" if "\\" in folder else "/"
        path = f"{folder.strip(chr(34))}{separator}two.pdf"
        assert scanner.store(f'"{path}"' if '"' in folder else path, SCAN).code == 226
        assert scanner.command(f"SIZE {becomes}/one.pdf").code == 213
        assert scanner.command(f"SIZE {becomes}/two.pdf").code == 213
    assert ground.recorded() == expected({"one.pdf": SCAN, "two.pdf": SCAN})


@pytest.mark.parametrize("path", ["scan.pdf", "/in/scan.pdf"])
def test_18_name_probe_before_stor(path: str, ground: Ground) -> None:
    probes = ("SIZE", "MLST", "MDTM", "DELE", "RNFR", "MFMT 20260101000000")
    with ground.logged_in() as scanner:
        for probe in probes:
            assert scanner.command(f"{probe} {path}").code == 550, probe
        assert listed(scanner, f"NLST {path}") == ([150, 226], "")
        assert listed(scanner, f"LIST {path}") == ([150, 226], "")
        assert scanner.store(path, SCAN).code == 226
        assert scanner.command(f"SIZE {path}") == (213, str(len(SCAN)))
    stored(ground, "scan.pdf")


def test_19_file_touched_after_226_mfmt_size_dele_rnfr_rnto_list(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert scanner.store("scan.pdf", SCAN).code == 226
        assert scanner.command("MFMT 20260102030405 scan.pdf").code == 213
        assert scanner.command("MDTM scan.pdf") == (213, "20260102030405")
        assert scanner.command("SIZE scan.pdf") == (213, str(len(SCAN)))
        assert "size=20000;" in scanner.command("MLST scan.pdf").text
        assert re.search(r" 20000 .* scan\.pdf\r\n$", listed(scanner, "LIST")[1])
        assert listed(scanner, "NLST") == ([150, 226], "scan.pdf\r\n")
        assert scanner.command("RNFR scan.pdf").code == 350
        assert scanner.command("RNTO other.pdf") == (
            250,
            "Renamed here. OpenSPP keeps it as scan.pdf",
        )
        assert scanner.command("SIZE scan.pdf").code == 550
        assert scanner.command("DELE other.pdf") == (250, "Deleted here. OpenSPP keeps its copy.")
        assert scanner.command("SIZE other.pdf").code == 550
    stored(ground, "scan.pdf")


class Test20ManyFilesPerJobSideFiles:
    def test_20_many_files_per_job_side_files(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            assert scanner.command("CWD DOC.XSM").code == 250
            for name, content in SIDE_FILES.items():
                assert scanner.store(name, content) == NOT_KEPT
            for name, content in PAGES.items():
                assert scanner.store(name, content).code == 226
            # The patterns are for the final name, and for all of it.
            assert scanner.store("other.xst.part", b"side") == NOT_KEPT
            assert scanner.store("netscan.dat.pdf", SCAN).code == 226
            assert scanner.store("job77.xml", b"<job/>").code == 226
        documents = {**PAGES, "netscan.dat.pdf": SCAN, "job77.xml": b"<job/>"}
        assert switched.recorded() == expected(documents)
        for name in (*SIDE_FILES, "other.xst"):
            said = f"{switched.user} at 127.0.0.1: {name} was not kept: [scanners] side_files."
            assert said in switched.daemon.log()

    def test_20_side_files_can_be_touched_like_others(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            assert scanner.store("job.lck", b"locked") == NOT_KEPT
            assert scanner.command("SIZE job.lck") == (213, "6")
            assert scanner.command("RNFR job.lck").code == 350
            assert scanner.command("RNTO job.dat") == (250, "Renamed.")
            assert scanner.command("DELE job.dat") == (250, "Deleted.")
        assert switched.recorded() == []

    def test_20_a_side_file_cannot_become_a_document(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            assert scanner.store("scan.dat", SCAN) == NOT_KEPT
            assert scanner.command("RNFR scan.dat").code == 350
            assert scanner.command("RNTO scan.pdf").code == 553  # its content is gone
            assert scanner.command("SIZE scan.pdf").code == 550
        assert switched.recorded() == []

    def test_20_a_side_file_whose_tls_ends_badly(self, switched: Ground) -> None:
        with switched.logged_in(tls="explicit") as scanner:
            for end, code in ((end_bare, 250), (reset, 426)):
                data = scanner.begin("netscan.dat")
                data.sendall(b"side")
                end(data)
                assert scanner.answer().code == code
        assert switched.recorded() == []

    def test_20_without_the_switch_every_file_is_a_document(self, ground: Ground) -> None:
        documents = {**PAGES, "NETSCAN.DAT": b"one", "NETSCAN.XST": noise(3000)}
        with ground.logged_in() as scanner:
            for name, content in documents.items():
                assert scanner.store(name, content).code == 226
        assert ground.recorded() == expected(documents)
