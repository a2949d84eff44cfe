"""All that answers at one address: OpenSPP, the page of what arrived, the control for tests."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, Protocol

from openspp_ftpd.sandbox.accounts import Accounts
from openspp_ftpd.sandbox.answers import HTML, JSON, Answer, Banner, Request, html_error
from openspp_ftpd.sandbox.databases import Databases
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.page import Page
from openspp_ftpd.sandbox.waiting import Waiting

_MOST: Final = 64 * 1024


class Application(Protocol):
    """An OpenSPP: what answers every request that is not for the sandbox itself."""

    def answer(self, request: Request) -> Answer:
        """Return the answer. Raises HangUp, Early, BodyCut, and OSError when a disk is full."""


class Site:
    """The embedded OpenSPP without its network side."""

    def __init__(
        self,
        application: Application,
        documents: Documents,
        faults: Faults,
        waiting: Waiting,
        banner: Banner,
        page: Page,
        *,
        control: bool,
        databases: Databases | None = None,
    ) -> None:
        """control: tests may set faults; databases: those of Odoo's own API, whose keys they may
        change too.
        """
        self.documents = documents
        self.databases = databases
        self.faults = faults
        self.banner = banner
        self.pause = waiting.pause
        self.stop = waiting.stop
        self._application = application
        self._page = page
        self._control_is_there = control

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request. Raises what the application raises."""
        shown = self._page.answer(request)
        if shown is not None:
            return shown
        if self._control_is_there and request.path.startswith("/sandbox/"):
            return self._control(request)
        return self._application.answer(request)

    def _control(self, request: Request) -> Answer:
        """Answer the tests: what arrived, which faults there shall be, what is archived."""
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
            case "/sandbox/key" if self.databases is not None:
                wrong = _changed(self.databases.accounts, order)
            case _:
                return html_error(404)
        if wrong:
            return Answer(400, HTML, f"{wrong}\n".encode())
        return Answer(200, JSON, b"{}")


def _changed(accounts: Accounts, order: dict[str, Any]) -> str:
    """Change a user's API key. Returns what is wrong with the order, else ""."""
    removed, expires = order.get("removed", False), order.get("expires")
    strange = sorted(set(order) - {"user", "removed", "expires"})
    if strange:
        return f"unknown member {strange[0]!r}; known: user, removed, expires"
    if not isinstance(removed, bool):
        return "removed must be true or false"
    try:
        when = None if expires is None else datetime.fromisoformat(str(expires))
    except ValueError:
        return "expires must be a time, such as 2026-12-01T00:00:00"
    if when is not None and when.tzinfo is not None:
        return "expires must be in UTC, without a zone"
    found = accounts.change_key(str(order.get("user")), removed=removed, expires=when)
    return "" if found else "there is no such user"
