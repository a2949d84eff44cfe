"""The demonstration's sample is a real PDF of some pages and some MB, and always the same one."""

import subprocess
from pathlib import Path

import pytest

from openspp_ftpd import content
from openspp_ftpd.demo.sample import A4, sample_scan

PAGES = 4


def told_by(*command: str) -> str:
    """What a tool of poppler says on standard output; it must have nothing to complain about."""
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample in a file."""
    path = tmp_path_factory.mktemp("sample") / "sample.pdf"
    path.write_bytes(sample_scan(PAGES))
    return path


def test_a_pdf_reader_sees_its_pages(sample: Path) -> None:
    facts = dict(line.split(":", 1) for line in told_by("pdfinfo", str(sample)).splitlines())
    assert int(facts["Pages"]) == PAGES
    assert facts["Page size"].split() == [str(A4[0]), "x", str(A4[1]), "pts", "(A4)"]
    assert facts["Encrypted"].strip() == "no"


def test_its_pages_are_scans_of_paper(sample: Path) -> None:
    images = told_by("pdfimages", "-list", str(sample)).splitlines()[2:]
    assert len(images) == PAGES
    for page, image in enumerate(images, 1):
        cells = image.split()
        assert (int(cells[0]), cells[5], int(cells[12])) == (page, "gray", 200)


def test_its_pages_show_the_form(sample: Path) -> None:
    text = told_by("pdftotext", "-layout", str(sample), "-")
    for words in ("Household registration", "Amina Sample", "Income and needs", "RECEIVED"):
        assert words in text
    assert text.count("no such person exists") == PAGES


def test_its_pages_can_be_drawn_and_hold_paper_and_ink(sample: Path, tmp_path: Path) -> None:
    told_by("pdftoppm", "-gray", "-r", "30", str(sample), str(tmp_path / "page"))
    drawn = sorted(tmp_path.glob("page-*.pgm"))
    assert len(drawn) == PAGES
    for page in drawn:
        pixels = page.read_bytes()[-200 * 300 :]
        dark = sum(pixel < 150 for pixel in pixels) / len(pixels)
        light = sum(pixel > 225 for pixel in pixels) / len(pixels)
        assert 0.002 < dark < 0.3
        assert light > 0.6


def test_it_has_the_size_of_a_scan(sample: Path) -> None:
    assert 3_000_000 < sample.stat().st_size < 6_500_000


def test_it_is_the_same_every_time(sample: Path) -> None:
    assert sample_scan(PAGES) == sample.read_bytes()


def test_it_may_have_fewer_pages(tmp_path: Path) -> None:
    path = tmp_path / "one.pdf"
    path.write_bytes(sample_scan(1))
    assert "Pages:           1\n" in told_by("pdfinfo", str(path))


def test_the_daemon_takes_it_for_a_whole_pdf(sample: Path) -> None:
    data = sample.read_bytes()
    examined = content.examine(lambda offset, length: data[offset : offset + length], len(data))
    assert (examined.kind, examined.end) == ("PDF", content.End.WHOLE)
