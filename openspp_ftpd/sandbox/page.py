"""The page that shows what arrived, and the documents it shows.

A document is handed out only when its first bytes are those of a PDF, JPEG or PNG, and then as that
type and no other: nothing that a scanner sent can become a page or a script here.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final
from urllib.parse import quote

from openspp_ftpd.sandbox.answers import JSON, Answer, Request, html_error
from openspp_ftpd.sandbox.documents import Document, Documents

SHOWN: Final = 200
"""Documents that the page is told of at once, the newest."""

_KINDS: Final[Sequence[tuple[bytes, str, str]]] = (
    (b"%PDF-", "pdf", "application/pdf"),
    (b"\xff\xd8\xff", "jpeg", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
)
_LONGEST_START: Final = 8
_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "": ("page.html", "text/html; charset=utf-8"),
    "sandbox/page.css": ("page.css", "text/css; charset=utf-8"),
    "sandbox/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_ARRIVALS: Final = "sandbox/arrivals"
_DOCUMENTS: Final = "sandbox/documents/"
_ALWAYS: Final = (
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# The frame is sandboxed from here: one that is by its attribute shows no PDF in Chromium.
_DOCUMENT_POLICY: Final = "default-src 'none'; frame-ancestors 'self'; sandbox"


class Page:
    """The page at one address."""

    def __init__(self, documents: Documents, key: str, *, kept: bool) -> None:
        """key: the page is at /KEY/; "": it is at /; kept: the documents stay in a folder."""
        self._documents = documents
        self._key = key
        self._kept = (
            "Documents are kept in a folder."
            if kept
            else "The newest documents stay in memory and are gone when it ends."
        )
        self._run = secrets.token_hex(8)

    def answer(self, request: Request) -> Answer | None:
        """Return what is answered to a request for the page, None to any other."""
        if request.method != "GET" or not (self._key or _is_direct(request.header("Host"))):
            return None
        path = request.path.removeprefix("/")
        if self._key:
            given, slash, path = path.partition("/")
            # compare_digest takes as long for a key that begins rightly as for any other.
            is_right = hmac.compare_digest(given.encode("utf-8", "replace"), self._key.encode())
            if not (is_right and slash):
                return None
        if path in _FILES:
            name, content_type = _FILES[path]
            data = resources.files(__package__).joinpath(name).read_bytes()
            policy = ("Content-Security-Policy", _PAGE_POLICY)
            return Answer(200, content_type, data, (*_ALWAYS, policy))
        if path == _ARRIVALS:
            return self._arrivals(request.query)
        if path.startswith(_DOCUMENTS):
            return self._document(path.removeprefix(_DOCUMENTS))
        return None

    def _arrivals(self, query: Mapping[str, str]) -> Answer:
        """Return what has arrived since the page asked last, of this run."""
        newest = self._documents.latest(SHOWN)
        same_run = query.get("run") == self._run
        after = _number(query.get("after", "")) if same_run else 0
        told = {
            "run": self._run,
            "kept": self._kept,
            "last": newest[0].number if newest else 0,
            "documents": [self._told(one) for one in reversed(newest) if one.number > after],
        }
        return Answer(200, JSON, json.dumps(told).encode(), _ALWAYS)

    def _told(self, document: Document) -> dict[str, object]:
        origin = document.origin
        file = self._documents.open(document.number)
        kind = ""
        if file is not None:
            with file:
                kind = _kind_of(file.read(_LONGEST_START))[0]
        return {
            "number": document.number,
            "time": document.time,
            "directory": origin.directory if origin is not None else document.user,
            "api": origin.api if origin is not None else "",
            "filename": document.filename,
            "size": document.size,
            "sha256": document.sha256,
            "altered": document.altered,
            "kind": kind,
            "kept": file is not None,
        }

    def _document(self, number: str) -> Answer:
        found = self._documents.get(_number(number))
        file = self._documents.open(found.number) if found is not None else None
        if file is None or found is None:
            return html_error(404)
        content_type = _kind_of(file.read(_LONGEST_START))[1]
        if not content_type:
            file.close()
            return html_error(404)
        file.seek(0)
        name = quote(found.filename.encode("utf-8", "replace"), safe="")
        headers = (
            *_ALWAYS,
            ("Content-Disposition", f"inline; filename*=UTF-8''{name}"),
            ("Content-Security-Policy", _DOCUMENT_POLICY),
        )
        return Answer(200, content_type, b"", headers, file=file)


def _kind_of(start: bytes) -> tuple[str, str]:
    """Return the kind of a document that starts so and its type; ("", "") is not shown."""
    for beginning, kind, content_type in _KINDS:
        if start.startswith(beginning):
            return kind, content_type
    return "", ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _is_direct(host: str) -> bool:
    """Whether the page was asked for by an address, or as localhost.

    A name could be another site's, that lets it point here to read what arrives.
    """
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if not name or name == "localhost":
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
