"""The page that shows what arrived (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from openspp_ftpd.sandbox.answers import HTML, Answer
from openspp_ftpd.sandbox.documents import Document

SHOWN: Final = 200
"""Documents on the page, the newest first."""

_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; background: #fafafa }
h1 { font-size: 1.4rem; margin-bottom: 0 }
p { color: #555; margin-top: .3rem }
table { border-collapse: collapse; width: 100%; background: #fff; box-shadow: 0 1px 3px #0002 }
th, td { text-align: left; padding: .5rem .8rem; vertical-align: top;
  border-bottom: 1px solid #eee }
th { font-weight: 600; color: #555 }
td.size { text-align: right; white-space: nowrap }
td.name { unicode-bidi: isolate; overflow-wrap: anywhere }
code { font-size: .8rem; overflow-wrap: anywhere }
strong { color: #b00 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } table { background: #222 } p, th { color: #aaa }
  th, td { border-color: #333 } strong { color: #f77 } }
"""


def show(documents: Sequence[Document], total: int, *, kept: bool) -> Answer:
    """Return the page; documents: newest first; total: how many there are; kept: in a folder."""
    rows = "\n".join(_row(document) for document in documents)
    what = "documents are kept in a folder" if kept else "nothing is kept but this list"
    table = (
        "<table><tr><th>Time (UTC)<th>User<th>Name<th>Size<th>SHA-256</tr>\n" f"{rows}\n</table>"
        if documents
        else "<p>Nothing has arrived yet. This page refreshes itself.</p>"
    )
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="refresh" content="3">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Embedded OpenSPP: {total} arrived</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Embedded OpenSPP: {total} document{'' if total == 1 else 's'} arrived</h1>\n"
        f"<p>This is a tool for trying, not OpenSPP: {what}.</p>\n{table}\n</body></html>\n"
    )
    return Answer(200, f"{HTML}; charset=utf-8", text.encode("utf-8", "replace"), _HEADERS)


def _row(document: Document) -> str:
    altered = " <strong>altered: shrunk as an image</strong>" if document.altered else ""
    time = document.time.replace("T", " ").removesuffix("Z")
    name = escape(document.filename) + altered
    return (
        f"<tr><td>{escape(time)}"
        f'<td class="name">{escape(document.user)}<td class="name">{name}'
        f'<td class="size">{document.size:,}<td><code>{escape(document.sha256)}</code></tr>'
    )
