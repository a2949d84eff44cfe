"""What goes over the wire: a request as the routes see it, an answer and how it is sent (pure)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Final, Literal, Protocol

HTML: Final = "text/html"
JSON: Final = "application/json"

_DESCRIPTIONS: Final[Mapping[int, str]] = {
    400: "The browser (or proxy) sent a request that this server could not understand.",
    404: (
        "The requested URL was not found on the server. If you entered the URL manually please "
        "check your spelling and try again."
    ),
    405: "The method is not allowed for the requested URL.",
    500: (
        "The server encountered an internal error and was unable to complete your request. Either "
        "the server is overloaded or there is an error in the application."
    ),
}
_TRACEBACK: Final = "Traceback (most recent call last):\n  (the embedded OpenSPP has none)\n"
_PROXY: Final = frozenset({413, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is sent; the default is at once and whole.

    ending: "drop" closes the connection and "reset" resets it, both without an answer; delay:
    seconds before the first byte; head_over, body_over: seconds over which that part is sent byte
    by byte; cut: the connection closes in the middle of the body; chunked: the body has no length.
    """

    ending: Literal["", "drop", "reset"] = ""
    delay: float = 0.0
    head_over: float = 0.0
    body_over: float = 0.0
    cut: bool = False
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; session: the value of its session_id cookie, "" for none.

    file: what is sent instead of the body, and closed then.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    session: str = ""
    manner: Manner = Manner()
    file: IO[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; pieces: reads its body; path and query are unquoted."""

    method: str
    path: str
    query: Mapping[str, str]
    header: Callable[[str], str]
    pieces: Callable[[], Iterator[bytes]]
    length: int | None
    base_url: str
    target: str


@dataclass(frozen=True, slots=True)
class Banner:
    """What the server calls itself; closes_by_header: by HTTP/1.1, where it says that it closes."""

    server: str
    python: str
    closes_by_header: bool = False


class HangUp(Exception):
    """The connection ends here without an answer; reset: by RST instead of FIN."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("reset" if reset else "close")
        self.reset = reset


class BodyCut(Exception):
    """A body ended, or paused for too long, before it was whole.

    how: "cut" or "paused"; chunked: it came in chunks; answer: that of the scanner interface, None
    for none.
    """

    def __init__(
        self, how: Literal["cut", "paused"], answer: Answer | None, *, chunked: bool
    ) -> None:
        super().__init__(f"the body was {how}")
        self.how = how
        self.answer = answer
        self.chunked = chunked


class Early(Exception):
    """An answer that is sent before the body was read."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def reason(status: int) -> str:
    """Return the reason phrase as Werkzeug writes it, for instance "BAD REQUEST"."""
    try:
        return HTTPStatus(status).phrase.upper()
    except ValueError:
        return "UNKNOWN"


def html_error(status: int, description: str = "") -> Answer:
    """Return Werkzeug's HTML page for a status, or nginx's for those that only a proxy gives."""
    phrase = HTTPStatus(status).phrase if reason(status) != "UNKNOWN" else "Unknown"
    if status in _PROXY:
        title = f"{status} {phrase}"
        text = (
            f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
            f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        )
        return Answer(status, HTML, text.encode())
    shown = html.escape(description or _DESCRIPTIONS.get(status, phrase), quote=False)
    shown = shown.replace('"', "&quot;").replace("\n", "<br>")
    text = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n'
        f"<title>{status} {phrase}</title>\n<h1>{phrase}</h1>\n<p>{shown}</p>\n"
    )
    headers = (("Allow", "POST"),) if status == 405 else ()
    return Answer(status, HTML, text.encode("utf-8", "replace"), headers)


class Style(Protocol):
    """How an interface words its answers."""

    def result(self, request_id: object, result: object) -> Answer:
        """Return the answer of a call that went well, in Odoo's eyes."""

    def result_of(self, text: str) -> object:
        """Return the result that a text written into a fault stands for."""

    def error(self, request_id: object, name: str, arguments: tuple[object, ...]) -> Answer:
        """Return the answer for an exception; name: with its module; arguments: the exception's."""

    def not_found(self, request_id: object) -> Answer:
        """Return the answer as without a database."""


class ScannerStyle:
    """The words of the scanner interface."""

    def result(self, request_id: object, result: object) -> Answer:
        """Return the answer of a call that went well, in Odoo's eyes."""
        return json_result(request_id, result)

    def result_of(self, text: str) -> object:
        """Return the text, or the code in brackets for one of three digits."""
        if re.fullmatch(r"[1-9]\d\d", text):
            return f"<Response 5 bytes [{text} {reason(int(text))}]>"
        return text

    def error(self, request_id: object, name: str, arguments: tuple[object, ...]) -> Answer:
        """Return Odoo's error object."""
        return json_error(request_id, name, arguments)

    def not_found(self, request_id: object) -> Answer:
        """Return Odoo's JSON answer for an unknown path."""
        return json_not_found(request_id)


def json_result(request_id: object, result: object) -> Answer:
    """Return the answer of a call that went well, in Odoo's eyes."""
    return _json(200, {"jsonrpc": "2.0", "id": request_id, "result": result})


def json_error(request_id: object, name: str, arguments: tuple[object, ...]) -> Answer:
    """Return Odoo's error object (WIRE.md section 5).

    name: the exception with its module; arguments: the exception's, of which the message is made.
    """
    message = "\n".join(str(argument) for argument in arguments)
    error = {
        "code": 200,
        "message": "Odoo Server Error",
        "data": _data(name, message, arguments),
    }
    return _json(200, {"jsonrpc": "2.0", "id": request_id, "error": error})


def json_not_found(request_id: object) -> Answer:
    """Return Odoo's JSON answer for an unknown path, or without a database (WIRE.md section 8)."""
    message = f"404 Not Found: {_DESCRIPTIONS[404]}"
    error = {
        "code": 404,
        "message": "404: Not Found",
        "data": _data("werkzeug.exceptions.NotFound", message, ()),
        "http_status": 404,
    }
    return _json(404, {"jsonrpc": "2.0", "id": request_id, "error": error})


def _data(name: str, message: str, arguments: tuple[object, ...]) -> dict[str, object]:
    return {
        "name": name,
        "debug": f"{_TRACEBACK}{name}: {message}\n",
        "message": message,
        "arguments": list(arguments),
        "context": {},
    }


def _json(status: int, value: object) -> Answer:
    return Answer(status, JSON, json.dumps(value).encode())
