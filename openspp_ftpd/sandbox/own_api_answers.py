"""How OpenSPP 17 and OpenSPP 2 word what they answer by Odoo's own API (pure).

WIRE17.md sections 3, 4 and 7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from openspp_ftpd.sandbox.answers import Answer

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
XML: Final = "text/xml; charset=utf-8"
NOSNIFF: Final = (("X-Content-Type-Options", "nosniff"),)

_TRACEBACK: Final = "Traceback (most recent call last):\n  (the embedded OpenSPP has none)\n"
_BROKEN: Final = "The browser (or proxy) sent a request that this server could not understand."
_TOO_LARGE: Final = "The data value transmitted exceeds the capacity limit."
_NOT_FOUND: Final = (
    "The requested URL was not found on the server. If you entered the URL manually please check "
    "your spelling and try again."
)
_CRASHED: Final = (
    "The server encountered an internal error and was unable to complete your request. Either the "
    "server is overloaded or there is an error in the application."
)
_NO_DATABASE: Final = (
    "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected "
    "and the requested URL was not found in the server-wide controllers.</p>\n<p>Please verify the "
    "hostname, <a href=/web/login>login</a> and try again.</p>\n\n"
    "<!-- Alternatively, use the X-Odoo-Database header. -->\n"
)
# A body that is not read to its end has no id yet; what broke it is Werkzeug's to say.
_BODY_ERRORS: Final[Mapping[str, tuple[int, str, str]]] = {
    "werkzeug.exceptions.ClientDisconnected": (400, "Bad Request", _BROKEN),
    "werkzeug.exceptions.RequestEntityTooLarge": (413, "Request Entity Too Large", _TOO_LARGE),
    "builtins.OSError": (500, "", "Invalid chunk header"),
    "builtins.TimeoutError": (500, "", "timed out"),
}
_STATUSES: Final[Mapping[str, int]] = {
    "werkzeug.exceptions.BadRequest": 400,
    "werkzeug.exceptions.Unauthorized": 401,
    "odoo.exceptions.AccessDenied": 403,
    "odoo.exceptions.AccessError": 403,
    "werkzeug.exceptions.NotFound": 404,
    "odoo.exceptions.MissingError": 404,
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "werkzeug.exceptions.UnprocessableEntity": 422,
}


@dataclass(frozen=True, slots=True)
class JSONRPC:
    """The words of /jsonrpc; version: 17 or 19."""

    version: int

    def result(self, request_id: object, result: object) -> Answer:
        """Return the answer of a call that went well."""
        value = {"jsonrpc": "2.0", "id": request_id, "result": result}
        return Answer(200, JSON, _bytes(value), NOSNIFF)

    def result_of(self, text: str) -> object:
        """Return a fault's text as JSON where it is some, else as it is."""
        return _value_of(text)

    def error(self, request_id: object, name: str, arguments: tuple[object, ...]) -> Answer:
        """Return Odoo's error object, with HTTP 200."""
        message = "\n".join(str(argument) for argument in arguments)
        if name in _BODY_ERRORS:
            status, phrase, text = _BODY_ERRORS[name]
            request_id = None
            message, arguments = (f"{status} {phrase}: {text}", ()) if phrase else (text, (text,))
        error = {
            "code": 200 if self.version < 19 else 0,
            "message": "Odoo Server Error",
            "data": {
                "name": name,
                "debug": f"{_TRACEBACK}{name}: {message}\n",
                "message": message,
                "arguments": list(arguments),
                "context": {},
            },
        }
        value = {"jsonrpc": "2.0", "id": request_id, "error": error}
        return Answer(200, JSON, _bytes(value))

    def not_found(self, request_id: object) -> Answer:
        """Return the answer as without a database, which only 19 words so."""
        return Words(self.version).not_found(database=self.version < 19)


@dataclass(frozen=True, slots=True)
class JSON2:
    """The words of /json/2."""

    def result(self, request_id: object, result: object) -> Answer:
        """Return the bare value."""
        return Answer(200, JSON, _bytes(result), NOSNIFF)

    def result_of(self, text: str) -> object:
        """Return a fault's text as JSON where it is some, else as it is."""
        return _value_of(text)

    def error(self, request_id: object, name: str, arguments: tuple[object, ...]) -> Answer:
        """Return the exception as JSON, with the HTTP status that belongs to it."""
        status = _STATUSES.get(name, 500)
        if name in _BODY_ERRORS:
            status, phrase, text = _BODY_ERRORS[name]
            arguments = (text, status) if phrase else (text,)
        elif name.startswith("werkzeug."):
            arguments = (*arguments, status)
        value = {
            "name": name,
            "message": str(arguments[0]) if arguments else "",
            "arguments": list(arguments),
            "context": {},
            "debug": f"{_TRACEBACK}{name}\n",
        }
        headers = (("WWW-Authenticate", "Bearer "),) if status == 401 else ()
        return Answer(status, JSON, _bytes(value), headers)

    def not_found(self, request_id: object) -> Answer:
        """Return the answer as without a database."""
        return Words(19).not_found(database=False)


def _bytes(value: object) -> bytes:
    """Return JSON as these versions write it: letters are not escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _value_of(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Words:
    """What is answered around the calls: pages of errors, plain texts; version: 17 or 19."""

    version: int

    def page(self, status: int, title: str, text: str) -> Answer:
        """Return Werkzeug's page for an HTTP error."""
        shown = escape(text)
        if self.version < 19:
            start = '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n'
        else:
            start = "<!doctype html>\n<html lang=en>\n"
            shown = shown.replace("&#x27;", "&#39;").replace("\n", "<br>")
        body = f"{start}<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{shown}</p>\n"
        return Answer(status, HTML, body.encode("utf-8", "replace"))

    def not_found(self, *, database: bool) -> Answer:
        """Return the answer for an unknown path; database: one is selected."""
        if database:
            return self.page(404, "Not Found", _NOT_FOUND)
        return Answer(404, HTML, _NO_DATABASE.encode())

    def crashed(self) -> Answer:
        """Return the answer for a mistake that nobody caught."""
        return self.page(500, "Internal Server Error", _CRASHED)

    def wrong_type(self, path: str, kind: str) -> Answer:
        """Return the answer for a request whose content type does not fit the route."""
        text = f"Request inferred type is compatible with ['http'] but '{path}' is type='{kind}'."
        if self.version < 19:
            return self.page(400, "Bad Request", text)
        text += "\n\nPlease verify the Content-Type request header and try again."
        return self.page(415, "Unsupported Media Type", text)

    def redirect(self, location: str) -> Answer:
        """Return a redirect to a page of Odoo's."""
        link = f'<a href="{escape(location)}">{escape(location)}</a>'
        text = (
            "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n"
            "<h1>Redirecting...</h1>\n<p>You should be redirected automatically to the target URL: "
            f"{link}. If not, click the link.\n"
        )
        return Answer(303, HTML, text.encode(), (("Location", location),))


def plain(status: int, text: str) -> Answer:
    """Return a short text of Odoo's."""
    return Answer(status, HTML, text.encode(), NOSNIFF)
