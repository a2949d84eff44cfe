"""The embedded OpenSPP 17 and OpenSPP 2: the paths of Odoo's own API and what leads to a call.

What is recorded in WIRE17.md and nothing else; what a call does is in models.
"""

from __future__ import annotations

import json
import secrets
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from xml.parsers.expat import ExpatError

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.answers import Answer, BodyCut, Early, Request, Style
from openspp_ftpd.sandbox.arriving import Arriving
from openspp_ftpd.sandbox.databases import Databases
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults, Plan
from openspp_ftpd.sandbox.models import Models
from openspp_ftpd.sandbox.own_api_answers import (
    HTML,
    JSON,
    JSON2,
    JSONRPC,
    NOSNIFF,
    XML,
    Words,
    plain,
)
from openspp_ftpd.sandbox.scanner_interface import OdooError, Rules
from openspp_ftpd.sandbox.services import Call, Services

MOST_19: Final = 128 * 1024 * 1024
"""Bytes of a body that Werkzeug lets OpenSPP 2 take (WIRE17.md section 6)."""

_MOST_XML: Final = 16 * 1024 * 1024
_SESSION: Final = "session_id={}; Expires={}; Max-Age=604800; HttpOnly; Path=/"
_YEAR: Final = 365 * 24 * 60 * 60
_JSON_TYPES: Final = frozenset({"application/json", "application/json-rpc"})
_LOGIN_PAGE: Final = "<!DOCTYPE html>\n<html>\n<title>Odoo</title>\n<h1>Log in</h1>\n</html>\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body; small: up to these it is read at once; most: so many OpenSPP 2 takes."""

    small: int = body.SMALL
    most: int = MOST_19


class OwnAPI:
    """Answers every request to an OpenSPP 17 or OpenSPP 2."""

    def __init__(
        self,
        databases: Databases,
        documents: Documents,
        faults: Faults,
        rules: Rules,
        pause: Callable[[float], None],
        limits: Limits = Limits(),
    ) -> None:
        """pause: waits for that many seconds, less when the server stops."""
        self._databases = databases
        self._version = databases.version
        self._words = Words(databases.version)
        self._documents = documents
        self._faults = faults
        self._rules = rules
        self._pause = pause
        self._limits = limits
        self._services = Services(databases, faults)

    def answer(self, request: Request) -> Answer:
        """Return the answer. Raises HangUp, Early, and what reading the body raises."""
        path = "/" + request.path.lstrip("/")
        if path == "/jsonrpc":
            return self._jsonrpc(request)
        if path in ("/xmlrpc/2/common", "/xmlrpc/2/object", "/xmlrpc/2/db"):
            return self._xmlrpc(request, path.rpartition("/")[2])
        if self._version >= 19 and (path == "/json/2" or path.startswith("/json/2/")):
            return self._json2(request, path.removeprefix("/json/2").strip("/"))
        return self._page(request, path)

    # Pages and probes

    def _page(self, request: Request, path: str) -> Answer:
        is_json = _content_type(request) in _JSON_TYPES
        if path == "/web/webclient/version_info" and not is_json:
            _drain(request)
            return self._words.wrong_type(path, "json" if self._version < 19 else "jsonrpc")
        _drain(request)
        match path:
            case "/web/health":
                return self._health(request)
            case "/web/webclient/version_info":
                return _with_cookie(JSONRPC(self._version).result(None, self._databases.told()))
            case "/web/version" if self._version >= 19:
                told = self._databases.told()
                found = {
                    "version_info": told["server_version_info"],
                    "version": told["server_version"],
                }
                return _with_cookie(Answer(200, JSON, json.dumps(found).encode(), NOSNIFF))
            case "/web/login":
                return _with_cookie(Answer(200, HTML, _LOGIN_PAGE.encode(), NOSNIFF))
            case "/doc" if self._version >= 19:
                return self._words.redirect("/web/login?redirect=%2Fdoc%3F")
        selected = self._version < 19 or self._database(request) is not None
        return self._words.not_found(database=selected)

    def _health(self, request: Request) -> Answer:
        told: dict[str, object] = {"status": "pass"}
        if self._version >= 19 and request.query.get("db_server_status"):
            told["db_server_status"] = not self._faults.database_down
            told["status"] = "fail" if self._faults.database_down else "pass"
        status = 200 if told["status"] == "pass" else 500
        return Answer(status, "application/json", json.dumps(told).encode(), NOSNIFF)

    def _database(self, request: Request) -> Models | None:
        """Return the database that a request is for, of OpenSPP 2."""
        if self._faults.database_down:
            return None
        return self._databases.selected(request.header("X-Odoo-Database"))

    # /jsonrpc

    def _jsonrpc(self, request: Request) -> Answer:
        style = JSONRPC(self._version)
        if _content_type(request) not in _JSON_TYPES:
            _drain(request)
            return self._words.wrong_type("/jsonrpc", "json" if self._version < 19 else "jsonrpc")
        if self._is_too_large(request):
            return style.error(None, "werkzeug.exceptions.RequestEntityTooLarge", ())
        with Arriving(self._documents, self._faults, self._pause) as arriving:
            try:
                call = self._read(request, arriving)
            except body.TooMuch:
                return self._words.crashed()
            except (body.InvalidJSON, body.NotUTF8):
                return plain(400, "Invalid JSON data")
            except BodyCut as cut:
                return _told_cut(cut, style)
            if not isinstance(call, dict):
                return plain(400, "Invalid JSON-RPC data")
            params = call.get("params")
            if not isinstance(params, dict) or {"service", "method", "args"} - params.keys():
                text = (
                    "RPC.jsonrpc() missing 3 required positional arguments: "
                    "'service', 'method', and 'args'"
                )
                return style.error(call.get("id"), "builtins.TypeError", (text,))
            found = Call(str(params["service"]), str(params["method"]), params["args"])
            return self._called(request, call.get("id"), found, arriving, style)

    def _called(
        self, request: Request, request_id: object, call: Call, arriving: Arriving, style: Style
    ) -> Answer:
        """Meet the faults of a call, make it, and word what came of it."""
        plan = arriving.plan_of(call.route, call.name)
        early = plan.early()
        if early is not None:
            raise Early(early)
        instead = plan.instead(style, request_id, request.base_url + request.target)
        if instead is not None:
            return instead
        try:
            result = self._services.call(call, self._seconds(call.route, plan))
        except OdooError as error:
            return style.error(request_id, error.name, error.arguments)
        except UnicodeEncodeError:
            return self._words.crashed()
        return replace(style.result(request_id, result), manner=plan.manner())

    def _seconds(self, route: str, plan: Plan) -> float:
        """Return what storing takes longer; for other calls wait here."""
        seconds = plan.seconds("slow")
        if route == "upload":
            return seconds + self._rules.slow_upload
        self._pause(seconds + (self._rules.slow_login if route == "login" else 0.0))
        return 0.0

    def _read(self, request: Request, arriving: Arriving) -> object:
        return body.read(
            request.pieces(),
            request.length,
            arriving.new_content,
            self._limits.small,
            body.CONTENT,
        )

    def _is_too_large(self, request: Request) -> bool:
        return self._version >= 19 and (request.length or 0) > self._limits.most

    # /json/2

    def _json2(self, request: Request, rest: str) -> Answer:
        style = JSON2()
        model, _, method = rest.partition("/")
        if request.method != "POST" or not model or not method:
            text = "Did you mean POST /json/2/<model>/<method>?"
            return style.error(None, "werkzeug.exceptions.NotFound", (text,))
        if _content_type(request) not in _JSON_TYPES:
            _drain(request)
            return self._words.wrong_type("/json/2/<__model__>/<__method__>", "json2")
        models = self._database(request)
        if models is None:
            _drain(request)
            return self._words.not_found(database=False)
        try:
            account = self._services.bearer(models, request.header("Authorization"))
            if self._is_too_large(request):
                raise OdooError("werkzeug.exceptions.RequestEntityTooLarge")
            call = Call("json2", method, [], models, account, model)
            with Arriving(self._documents, self._faults, self._pause, call.route) as arriving:
                call = replace(call, args=[self._named(request, arriving)])
                return self._called(request, None, call, arriving, style)
        except OdooError as error:
            return style.error(None, error.name, error.arguments)
        except body.InvalidJSON as invalid:
            text = f"could not parse the body as json: {invalid.said}"
            return style.error(None, "werkzeug.exceptions.BadRequest", (text,))
        except (body.NotUTF8, body.TooMuch):
            return self._words.crashed()
        except BodyCut as cut:
            return _told_cut(cut, style)

    def _named(self, request: Request, arriving: Arriving) -> dict[str, Any]:
        """Return the call's arguments. A body in chunks is ignored, one that is no object empty."""
        if request.length is None or request.length == 0:
            return {}
        found = self._read(request, arriving)
        return found if isinstance(found, dict) else {}

    # /xmlrpc/2

    def _xmlrpc(self, request: Request, service: str) -> Answer:
        if request.method != "POST" or (request.length or 0) > _MOST_XML:
            return self._words.not_found(database=True)
        data = b"".join(request.pieces())
        try:
            params, method = xmlrpc.client.loads(data)
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError):
            return self._words.crashed()
        with Arriving(self._documents, self._faults, self._pause) as arriving:
            args = body.with_contents(list(params), arriving.new_content, body.CONTENT)
            call = Call(service, str(method), args)
            arriving.plan_of(call.route, call.name)
            try:
                result = self._services.call(call, 0.0)
                text = _in_xml(result)
            except OdooError as error:
                text = xmlrpc.client.dumps(_fault(error), methodresponse=True)
        return Answer(200, XML, text.encode(), NOSNIFF)


def _in_xml(result: Any) -> str:
    return xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True)


def _fault(error: OdooError) -> xmlrpc.client.Fault:
    message = "\n".join(str(argument) for argument in error.arguments)
    match error.name:
        case "odoo.exceptions.AccessDenied":
            return xmlrpc.client.Fault(3, message)
        case "odoo.exceptions.AccessError":
            return xmlrpc.client.Fault(4, message)
        case _:
            traceback = f"Traceback (most recent call last):\n{error.name}: {message}\n"
            return xmlrpc.client.Fault(1, traceback)


def _told_cut(cut: BodyCut, style: Style) -> Answer:
    """Return what is answered to a body that did not come whole (WIRE17.md section 6)."""
    name = "werkzeug.exceptions.ClientDisconnected"
    if cut.chunked:
        name = "builtins.OSError" if cut.how == "cut" else "builtins.TimeoutError"
    return style.error(None, name, ())


def _content_type(request: Request) -> str:
    return request.header("Content-Type").partition(";")[0].strip().lower()


def _drain(request: Request) -> None:
    for _ in request.pieces():
        continue


def _with_cookie(answer: Answer) -> Answer:
    expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + _YEAR))
    cookie = ("Set-Cookie", _SESSION.format(secrets.token_hex(20), expires))
    return replace(answer, headers=(*answer.headers, cookie))
