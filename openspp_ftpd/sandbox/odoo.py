"""What Odoo does around the two routes: paths, types, sessions, databases, languages, JSON-RPC."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Final

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.answers import (
    HTML,
    Answer,
    Early,
    HangUp,
    Request,
    ScannerStyle,
    html_error,
    json_error,
    json_not_found,
    json_result,
)
from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import NOTHING, Faults, Plan
from openspp_ftpd.sandbox.keeping import Incoming
from openspp_ftpd.sandbox.scanner_interface import OdooError, ScannerInterface, Setting

_JSON_TYPES: Final = frozenset({"application/json", "application/json-rpc"})
_ROUTES: Final = {
    "/dms/auth": "login",
    "/dms/auth/": "login",
    "/dms/upload": "upload",
    "/dms/upload/": "upload",
}
_MOST_SESSIONS: Final = 10_000
_LANGUAGES: Final = {"fr": "fr_FR", "fr-fr": "fr_FR"}


class Sessions:
    """The sessions by their cookie, each with the database it is bound to."""

    def __init__(self) -> None:
        self._databases: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, given: str) -> tuple[str, str]:
        """Return (session, database); an unknown session gets a new one, as Odoo does."""
        with self._lock:
            if given not in self._databases:
                given = secrets.token_hex(20)
                self._databases[given] = ""
                while len(self._databases) > _MOST_SESSIONS:
                    self._databases.popitem(last=False)
            return given, self._databases[given]

    def bind(self, session: str, database: str) -> None:
        """Bind a session to a database."""
        with self._lock:
            self._databases[session] = database


class Odoo:
    """Answers every request that is not for the sandbox itself."""

    def __init__(
        self,
        scanner: ScannerInterface,
        documents: Documents,
        faults: Faults,
        databases: Sequence[str],
        pause: Callable[[float], None],
        small: int = body.SMALL,
    ) -> None:
        """databases: only the first has the modules, the others are empty; none: there is but one.

        small: bytes up to which a body is read at once.
        """
        self._scanner = scanner
        self._documents = documents
        self._faults = faults
        self._databases = databases
        self._pause = pause
        self._small = small
        self._sessions = Sessions()

    def answer(self, request: Request) -> Answer:
        """Return the answer. Raises HangUp, Early, and what reading the body raises."""
        given, in_header = _session_of(request)
        session, database = self._sessions.open(given)
        answer = self._answer(request, session, database)
        wants_cookie = answer.content_type != HTML or answer.status in (200, 302, 303)
        return replace(answer, session=session) if wants_cookie and not in_header else answer

    def _answer(self, request: Request, session: str, database: str) -> Answer:
        if request.path == "/web/login" and request.method in ("GET", "HEAD"):
            return self._bind(request, session, database)
        path = "/" + request.path.lstrip("/")
        route = _ROUTES.get(path.removeprefix("/fr"), "")
        if len(self._databases) > 1 and not database:
            route = ""
        elif database and database != self._databases[0]:
            return html_error(500)
        content_type = request.header("Content-Type").partition(";")[0].strip().lower()
        if content_type in _JSON_TYPES:
            return self._json(request, route)
        for _ in request.pieces():
            continue
        if not route:
            return html_error(404)
        if request.method != "POST":
            return html_error(405)
        return html_error(400, "Session expired (invalid CSRF token)")

    def _bind(self, request: Request, session: str, database: str) -> Answer:
        wanted = request.query.get("db", "")
        if len(self._databases) > 1 and not database:
            if wanted not in self._databases:
                location = f"{request.base_url}/web/database/selector"
                return Answer(303, HTML, b"", (("Location", location),))
            self._sessions.bind(session, wanted)
            return Answer(302, HTML, b"", (("Location", request.base_url + request.target),))
        return Answer(200, HTML, b"<!DOCTYPE html>\n<title>Login</title>\n<h1>Log in</h1>\n")

    def _json(self, request: Request, route: str) -> Answer:
        incoming = _Incoming(
            self._documents,
            self._pause,
            self._faults.of_route(route) if route and request.method == "POST" else NOTHING,
            by_name=self._faults.of_name if route == "upload" else None,
        )
        try:
            incoming.before_reading()
            try:
                call = body.read(
                    request.pieces(), request.length, incoming.new_content, self._small
                )
            except body.InvalidJSON as invalid:
                return html_error(400, f"Invalid JSON data: {invalid.body!r}")
            except (body.NotUTF8, body.TooMuch):
                return html_error(500)
            return self._call(request, route, call, incoming)
        finally:
            incoming.close()

    def _call(self, request: Request, route: str, call: object, incoming: _Incoming) -> Answer:
        if not isinstance(call, dict):
            return html_error(500)
        params = call.get("params", {})
        if not isinstance(params, dict):
            return html_error(500)
        context = params.pop("context", None)
        if not isinstance(context, dict | None):
            return html_error(500)
        request_id = call.get("id")
        if not route:
            return json_not_found(request_id)
        if request.method != "POST":
            return html_error(405)
        plan = self._plan(route, params, incoming)
        instead = plan.instead(ScannerStyle(), request_id, request.base_url + request.target)
        if instead is not None:
            return instead
        try:
            if route == "login":
                result = self._scanner.authenticate(params, plan.seconds("slow"))
            else:
                setting = Setting(
                    _language(context, request.header("Accept-Language")),
                    bool(context and context.get("image_no_postprocess")),
                    plan.seconds("slow"),
                )
                result = self._scanner.upload(params, setting)
        except OdooError as error:
            return json_error(request_id, error.name, error.arguments)
        return replace(json_result(request_id, result), manner=plan.manner())

    def _plan(self, route: str, params: Mapping[str, object], incoming: _Incoming) -> Plan:
        if route == "login":
            return incoming.plan.joined(self._faults.of_name(str(params.get("username"))))
        filename = params.get("filename")
        incoming.name_is_known(filename if isinstance(filename, str) else "")
        return incoming.plan


class _Incoming:
    """A request's document while it comes in, and the faults that it meets on the way."""

    def __init__(
        self,
        documents: Documents,
        pause: Callable[[float], None],
        plan: Plan,
        by_name: Callable[[str], Plan] | None,
    ) -> None:
        self.plan = plan
        self._files: list[Incoming] = []
        self._documents = documents
        self._pause = pause
        self._by_name = by_name

    def before_reading(self) -> None:
        """Meet the faults that need no name."""
        early = self.plan.early()
        if early is not None:
            raise Early(early)

    def name_is_known(self, filename: str) -> None:
        """Add the faults that are written in the name, once."""
        if self._by_name is not None and filename:
            self.plan = self.plan.joined(self._by_name(filename))
            self._by_name = None

    def new_content(self, filename: str) -> Content:
        """Return where a document goes that begins now, and meet the faults of its body."""
        self.name_is_known(filename)
        self.before_reading()
        self._pause(self.plan.seconds("stop-reading"))
        if self.plan.has("drop-in-body") or self.plan.has("reset-in-body"):
            raise HangUp(reset=self.plan.has("reset-in-body"))
        file = self._documents.new_file()
        self._files.append(file)
        return Content(file)

    def close(self) -> None:
        """The request has been handled: what was not stored is thrown away."""
        for file in self._files:
            file.discard()


def _session_of(request: Request) -> tuple[str, bool]:
    """Return the session that the request names, and whether elsewhere than in its cookie."""
    for given in (request.query.get("session_id", ""), request.header("X-Openerp-Session-Id")):
        if given:
            return given, True
    try:
        cookie = SimpleCookie(request.header("Cookie")).get("session_id")
    except CookieError:
        cookie = None
    return (cookie.value if cookie is not None else ""), False


def _language(context: Mapping[str, object] | None, accepted: str) -> str:
    """Return the messages' language: the context's, or the best of Accept-Language (section 5)."""
    if context is not None:
        return str(context.get("lang") or "en_US")
    best, best_quality = "", 0.0
    for part in accepted.split(","):
        tag, _, parameter = part.partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if quality > best_quality:
            best, best_quality = tag.strip().lower(), quality
    return _LANGUAGES.get(best, "en_US")
