"""The sample scan: a PDF of a filled-in form as an office scanner makes it. Pure.

Every page is one A4 image of paper at 200 dpi, whose grain makes the size a real scan has, over a
form drawn crooked by a fraction of a degree. The same call gives the same bytes (ISO 32000-1 is the
source of everything written here).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final

from openspp_ftpd.pdf import Document, text_string

A4: Final = (595, 842)
"""Width and height in points (1/72 inch)."""

PAPER: Final = (1654, 2339)
"""Width and height of the paper's image in pixels: A4 at 200 dpi."""

_GRAIN: Final = bytes(
    min(255, round(NormalDist(245, 1.7).inv_cdf((level + 0.5) / 256))) for level in range(256)
)
"""From an even random byte to the grey of a spot of paper."""


def sample_scan(pages: int = 4) -> bytes:
    """A PDF of `pages` scanned pages (1 to 4), about 1.4 MB each."""
    document = Document()
    fonts = {
        "Print": document.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"),
        "Bold": document.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"),
        "Hand": document.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Italic >>"),
    }
    font_list = " ".join(f"/{name} {number} 0 R" for name, number in fonts.items())
    multiply = document.add(b"<< /Type /ExtGState /BM /Multiply >>")
    tree = document.reserve()
    leaves = []
    for index, draw in enumerate(_PAGES[:pages]):
        form = _Form()
        draw(form)
        form.footer(index + 1, min(pages, len(_PAGES)))
        paper = document.add_stream(
            f"/Type /XObject /Subtype /Image /Width {PAPER[0]} /Height {PAPER[1]}"
            " /ColorSpace /DeviceGray /BitsPerComponent 8",
            random.Random(index).randbytes(PAPER[0] * PAPER[1]).translate(_GRAIN),
        )
        content = document.add_stream("", form.as_scanned(seed=index))
        leaves.append(
            document.add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {A4[0]} {A4[1]}]"
                f" /Contents {content} 0 R /Resources << /Font << {font_list} >>"
                f" /XObject << /Paper {paper} 0 R >> /ExtGState << /Multiply {multiply} 0 R >>"
                " >> >>".encode()
            )
        )
    kids = " ".join(f"{leaf} 0 R" for leaf in leaves)
    document.put(tree, f"<< /Type /Pages /Kids [{kids}] /Count {len(leaves)} >>".encode())
    return document.finish(
        root=document.add(f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()),
        info=document.add(b"<< /Title (Sample scan) /Producer (openspp-ftpd demo) >>"),
    )


class _Form:
    """One page: print, boxes and handwriting. Places are in points from the top left corner."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def text(self, x: float, y: float, words: str, size: float = 10, font: str = "Print") -> None:
        self._drawn.append(
            f"BT /{font} {size} Tf 1 0 0 1 {x:.1f} {A4[1] - y:.1f} Tm {text_string(words)} Tj ET"
        )

    def written(self, x: float, y: float, words: str, size: float = 15) -> None:
        """What somebody filled in by hand."""
        self._drawn.append("0.25 g")
        self.text(x, y, words, size, "Hand")
        self._drawn.append("0.1 g")

    def box(self, x: float, y: float, width: float, height: float, grey: float = 1) -> None:
        self._drawn.append(
            f"{grey} g {x:.1f} {A4[1] - y - height:.1f} {width:.1f} {height:.1f} re B 0.1 g"
        )

    def heading(self, words: str, number: str) -> None:
        self.box(50, 48, 495, 46, grey=0.88)
        self.text(62, 70, words, 17, "Bold")
        self.text(62, 86, "SAMPLE. Drawn by the openspp-ftpd demo; no such person exists.", 8.5)
        self.text(455, 76, f"Form {number}", 11, "Bold")

    def field(self, x: float, y: float, width: float, label: str, answer: str) -> None:
        self.box(x, y, width, 34)
        self.text(x + 4, y + 10, label, 7)
        self.written(x + 10, y + 28, answer)

    def tick(self, x: float, y: float, label: str, ticked: bool) -> None:
        self.box(x, y, 11, 11)
        self.text(x + 18, y + 9, label)
        if ticked:
            left, top = x + 1, A4[1] - y
            self._drawn.append(
                f"q 1.6 w 0.25 G {left} {top - 5} m {left + 4} {top - 10} l"
                f" {left + 14} {top + 5} l S Q"
            )

    def table(self, y: float, widths: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        """A table whose first row is printed as its head and whose others are filled in."""
        for row, cells in enumerate(rows):
            x = 50.0
            for width, cell in zip(widths, cells, strict=True):
                self.box(x, y + 24 * row, width, 24, grey=1 if row else 0.88)
                if row:
                    self.written(x + 6, y + 24 * row + 17, cell, 13)
                else:
                    self.text(x + 6, y + 15, cell, 8.5, "Bold")
                x += width

    def paragraph(self, y: float, lines: Sequence[str]) -> None:
        for row, line in enumerate(lines):
            self.text(50, y + 16 * row, line, 10.5)

    def signature(self, x: float, y: float) -> None:
        self._drawn.append(f"0.5 w {x} {A4[1] - y} m {x + 200} {A4[1] - y} l S")
        swing = [
            (x + 15 + 8 * i, A4[1] - y + 9 + 13 * math.sin(i * 2.3) * (1 - i / 24))
            for i in range(22)
        ]
        pen = [f"{swing[0][0]:.1f} {swing[0][1]:.1f} m"]
        for near, far, end in zip(swing[1::3], swing[2::3], swing[3::3], strict=False):
            pen.append(" ".join(f"{px:.1f} {py:.1f}" for px, py in (near, far, end)) + " c")
        self._drawn.append("q 1.3 w 0.25 G " + " ".join(pen) + " S Q")
        self.text(x, y + 12, "Signature or thumb print", 7)

    def footer(self, page: int, pages: int) -> None:
        self.text(50, 808, "openspp-ftpd demo", 8)
        self.text(500, 808, f"{page} of {pages}", 8)

    def as_scanned(self, seed: int) -> bytes:
        """The page's content stream: the form a little crooked and some dust, seen on paper."""
        dice = random.Random(seed)
        angle = math.radians(dice.uniform(-0.7, 0.7))
        turn = f"{math.cos(angle):.5f} {math.sin(angle):.5f} {-math.sin(angle):.5f}"
        dust = " ".join(
            f"{dice.uniform(10, 585):.1f} {dice.uniform(10, 832):.1f} 0.6 0.6 re f"
            for _ in range(40)
        )
        return "\n".join(
            (
                f"q 0.1 g 0.3 G 0.7 w {turn} {math.cos(angle):.5f} {dice.uniform(-4, 4):.1f} 0 cm",
                *self._drawn,
                f"Q q 0.5 g {dust} Q",
                f"q /Multiply gs {A4[0]} 0 0 {A4[1]} 0 0 cm /Paper Do Q",
            )
        ).encode()


def _household(form: _Form) -> None:
    form.heading("Household registration", "A-1")
    form.field(50, 112, 240, "Name of the head of household", "Amina Sample")
    form.field(300, 112, 245, "Registration number", "HH-0000-4711")
    form.field(50, 156, 240, "District", "North Example")
    form.field(300, 156, 120, "Village", "Specimen")
    form.field(430, 156, 115, "Date", "14 March")
    form.text(50, 222, "Kind of dwelling", 11, "Bold")
    for place, (label, ticked) in enumerate(
        (("House", True), ("Flat", False), ("Tent or shelter", False), ("Other", False))
    ):
        form.tick(50 + 124 * place, 234, label, ticked)
    form.text(50, 282, "Source of water", 11, "Bold")
    for place, (label, ticked) in enumerate(
        (("Piped", False), ("Well", True), ("Spring", True), ("Tanker", False))
    ):
        form.tick(50 + 124 * place, 294, label, ticked)
    form.text(50, 344, "Members of the household", 11, "Bold")
    form.table(
        354,
        (30, 200, 105, 80, 80),
        (
            ("No.", "Name", "Relation", "Born", "At school"),
            ("1", "Amina Sample", "head", "1984", "-"),
            ("2", "Yusuf Sample", "husband", "1981", "-"),
            ("3", "Leyla Sample", "daughter", "2011", "yes"),
            ("4", "Karim Sample", "son", "2014", "yes"),
            ("5", "Nura Sample", "daughter", "2021", "no"),
            ("6", "Hanan Specimen", "mother", "1955", "-"),
        ),
    )
    form.field(50, 546, 495, "Remarks", "Roof damaged in the last rain, see page 3.")
    form.signature(50, 680)


def _income(form: _Form) -> None:
    form.heading("Income and needs", "A-2")
    form.text(50, 122, "Income of the last twelve months", 11, "Bold")
    form.table(
        132,
        (195, 100, 100, 100),
        (
            ("Source", "Months", "Per month", "Sum"),
            ("Harvest", "4", "120", "480"),
            ("Daily work", "7", "95", "665"),
            ("Sewing", "12", "30", "360"),
            ("Sent by relatives", "3", "50", "150"),
        ),
    )
    form.text(50, 290, "What the household needs most", 11, "Bold")
    for place, (label, ticked) in enumerate(
        (
            ("Repair of the house", True),
            ("Seeds and tools", True),
            ("School fees and books", True),
            ("Medicine and treatment", False),
            ("Support for an elderly person", True),
        )
    ):
        form.tick(50, 304 + 24 * place, label, ticked)
    form.text(50, 452, "Assistance received before", 11, "Bold")
    form.table(
        462,
        (120, 245, 130),
        (
            ("Year", "Programme", "Amount"),
            ("2023", "Seeds for spring", "80"),
            ("2024", "School start", "45"),
            ("2025", "none", "-"),
        ),
    )
    form.signature(50, 680)


def _consent(form: _Form) -> None:
    form.heading("Consent", "A-3")
    form.paragraph(
        130,
        (
            "I have been told in my own language why these data are collected, who may see",
            "them, and that I may ask for a correction or withdraw at any time without losing",
            "what I have a right to.",
            "",
            "The scanned form is kept in the registry. It is not given to anybody who does not",
            "decide about assistance for this household.",
        ),
    )
    form.tick(50, 250, "I agree that the household is registered.", True)
    form.tick(50, 276, "I agree to be visited at home.", True)
    form.tick(50, 302, "I agree to be called by telephone.", False)
    form.field(50, 346, 495, "Damage seen by the visitor", "North corner of the roof, two beams.")
    form.field(50, 390, 240, "Visitor", "T. Example")
    form.field(300, 390, 245, "Date of the visit", "16 March")
    form.signature(50, 520)
    form.signature(320, 520)


def _receipt(form: _Form) -> None:
    form.heading("Receipt", "A-4")
    form.field(50, 112, 240, "Received by", "Office North Example")
    form.field(300, 112, 245, "Number", "0000-4711-R")
    form.text(50, 184, "Papers handed in", 11, "Bold")
    for place, (label, ticked) in enumerate(
        (
            ("Form A-1, household registration", True),
            ("Form A-2, income and needs", True),
            ("Form A-3, consent", True),
            ("Copy of an identity card", False),
            ("School certificate", False),
        )
    ):
        form.tick(50, 198 + 24 * place, label, ticked)
    form.field(50, 340, 495, "To be brought later", "Copy of the identity card, by end of April.")
    form.signature(50, 470)
    form.box(360, 420, 150, 70)
    form.text(384, 450, "RECEIVED", 18, "Bold")
    form.text(388, 472, "North Example", 11)


_PAGES: Final[tuple[Callable[[_Form], None], ...]] = (_household, _income, _consent, _receipt)
