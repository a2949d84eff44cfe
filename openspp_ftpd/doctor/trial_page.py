"""The document that `try` sends: one page that says what it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from openspp_ftpd.pdf import Document, text_string

A4: Final = (595, 842)
"""Width and height in points (1/72 inch)."""

_TITLE: Final = "openspp-ftpd: a test document"


def trial_page(user: str, way: str, when: datetime) -> bytes:
    """A PDF of one page. way: how it was sent, in words."""
    lines = (
        "This page was sent by the scan gateway's own test (openspp-ftpd try)",
        "to see whether scans reach OpenSPP. It is no scan and may be deleted.",
        "",
        f"Sent for: {user}",
        f"Sent by: {way}",
        f"Sent on: {when:%Y-%m-%d %H:%M:%S %Z}",
    )
    return _drawn(lines)


def _drawn(lines: Sequence[str]) -> bytes:
    document = Document()
    plain = document.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    bold = document.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>")
    drawn = [f"BT /Bold 20 Tf 60 {A4[1] - 90} Td {text_string(_TITLE)} Tj ET"]
    for row, line in enumerate(lines):
        place = A4[1] - 130 - 18 * row
        drawn.append(f"BT /Plain 11 Tf 60 {place} Td {text_string(line)} Tj ET")
    content = document.add_stream("", "\n".join(drawn).encode("ascii"))
    tree = document.reserve()
    leaf = document.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {A4[0]} {A4[1]}]"
        f" /Contents {content} 0 R /Resources << /Font"
        f" << /Plain {plain} 0 R /Bold {bold} 0 R >> >> >>".encode("ascii")
    )
    document.put(tree, f"<< /Type /Pages /Kids [{leaf} 0 R] /Count 1 >>".encode("ascii"))
    return document.finish(
        root=document.add(f"<< /Type /Catalog /Pages {tree} 0 R >>".encode("ascii")),
        info=document.add(b"<< /Title (openspp-ftpd: a test document) >>"),
    )
