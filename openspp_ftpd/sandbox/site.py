"""All that answers at one address: OpenSPP, the page of what arrived, the control for tests."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Sequence
from typing import Final

from openspp_ftpd.sandbox import body, page
from openspp_ftpd.sandbox.answers import HTML, JSON, Answer, Request, html_error
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.odoo import Odoo
from openspp_ftpd.sandbox.scanner_interface import Rules, ScannerInterface
from openspp_ftpd.sandbox.users import Users

_MOST: Final = 64 * 1024


class Site:
    """The embedded OpenSPP without its network side."""

    def __init__(
        self,
        users: Users,
        documents: Documents,
        rules: Rules,
        faults: Faults,
        *,
        databases: Sequence[str] = (),
        key: str = "",
        kept: bool = False,
        small: int = body.SMALL,
    ) -> None:
        """key: the page is at /KEY/ and there is no control surface; "": the page is at /.

        kept: the documents stay in a folder; small: bytes up to which a body is read at once.
        """
        self.documents = documents
        self.faults = faults
        self._key = key
        self._kept = kept
        self._stopping = threading.Event()
        scanner = ScannerInterface(users, documents, rules, self.pause)
        self._odoo = Odoo(scanner, documents, faults, databases, self.pause, small)

    def pause(self, seconds: float) -> None:
        """Wait, but not when the server stops: what is under way is then finished at once."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def stop(self) -> None:
        """End all waiting."""
        self._stopping.set()

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request. Raises what Odoo.answer raises."""
        shown = self._shown(request)
        if shown is not None:
            return shown
        if not self._key and request.path.startswith("/sandbox/"):
            return self._control(request)
        return self._odoo.answer(request)

    def _shown(self, request: Request) -> Answer | None:
        expected = f"/{self._key}/" if self._key else "/"
        given = request.path.encode("utf-8", "replace")
        if request.method != "GET" or not hmac.compare_digest(given, expected.encode()):
            return None
        documents = self.documents.latest(page.SHOWN)
        total = documents[0].number if documents else 0
        return page.show(documents, total, kept=self._kept)

    def _control(self, request: Request) -> Answer:
        """Answer the tests: what arrived, which faults there shall be, which file is archived."""
        given = b"".join(request.pieces()) if (request.length or 0) <= _MOST else b""
        if (request.method, request.path) == ("GET", "/sandbox/documents"):
            listed = [document.as_object() for document in self.documents.all()]
            return Answer(200, JSON, json.dumps(listed).encode())
        # A web page that a browser shows cannot send this type here without asking first.
        if request.method != "POST" or request.header("Content-Type") != JSON:
            return html_error(404)
        try:
            order = json.loads(given)
        except ValueError:
            order = None
        if not isinstance(order, dict):
            return Answer(400, HTML, b"A JSON object is wanted.\n")
        match request.path:
            case "/sandbox/faults":
                wrong = self.faults.set(order)
            case "/sandbox/archive":
                found = self.documents.archive(str(order.get("user")), str(order.get("filename")))
                wrong = "" if found else "there is no such file"
            case _:
                return html_error(404)
        if wrong:
            return Answer(400, HTML, f"{wrong}\n".encode())
        return Answer(200, JSON, b"{}")
