"""What can be made to go wrong, by a file name, a user name, at run time or by chance (pure).

A fault is written @NAME or @NAME=VALUE, several may follow each other, and one that ends in -once
or -twice happens only the first or the first two times that a name comes:

    scan@slow=5.pdf  scan@drop-after-once.pdf  scan@http=503-twice.pdf  scan@slow=2@http=500.pdf
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from openspp_ftpd.sandbox.answers import (
    HTML,
    JSON,
    Answer,
    Manner,
    Style,
    html_error,
)

KNOWN: Final[Mapping[str, str]] = {
    "slow": "S: takes S seconds, between the duplicate check and the storing",
    "late": "S: stores at once, and answers after S seconds",
    "stop-reading": "S: reads nothing for S seconds once the document has begun",
    "drop-in-body": "closes the connection once the document has begun",
    "reset-in-body": "resets the connection once the document has begun",
    "early": "CODE: answers with that HTTP status before it has read the body",
    "drop-before": "closes the connection without storing",
    "reset-before": "resets the connection without storing",
    "drop-after": "stores, and closes the connection without an answer",
    "reset-after": "stores, and resets the connection",
    "cut-answer": "stores, and closes in the middle of the answer",
    "trickle-head": "S: stores, and sends the answer's head byte by byte over S seconds",
    "trickle-body": "S: stores, and sends the answer's body byte by byte over S seconds",
    "chunked": "stores, and sends the answer in chunks (with --keep-alive)",
    "http": "CODE: answers with that HTTP status and HTML, not storing",
    "html": "CODE: answers a page that has nothing to do with OpenSPP, with that HTTP status",
    "not-found": "answers Odoo's JSON 404, as without a database",
    "garbage": "answers 200 with something that is no JSON",
    "empty": "answers 200 with an empty body",
    "redirect": "answers 302 to https; =CODE: with that status",
    "error": "NAME:TEXT: answers that Odoo error, for instance ValidationError:No.",
    "result": "CODE: answers that code in brackets; other text: that text, or JSON, as the result",
}
"""Every fault with what it does: its value, if it takes one, before the colon."""

ROUTES: Final = ("login", "upload", "search")
"""What requests are to the faults; only Odoo's own API has searches."""

_DOWN: Final = ("down", "database_down")
_TOKEN: Final = re.compile(r"@[a-z-]+(?:=[^@]*)?(?=@|$)")
_TIMES: Final = {"-once": 1, "-twice": 2}
_EXTENSION: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9} *$")
_SUFFIX: Final = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{4}(-\d+)?$")
_MODULES: Final = {
    "ValidationError": "odoo.exceptions.",
    "AccessError": "odoo.exceptions.",
    "AccessDenied": "odoo.exceptions.",
    "OperationalError": "psycopg2.",
    "RequestEntityTooLarge": "werkzeug.exceptions.",
    "ClientDisconnected": "werkzeug.exceptions.",
    "TimeoutError": "builtins.",
    "OSError": "builtins.",
    "UserError": "odoo.exceptions.",
    "MissingError": "odoo.exceptions.",
    "MemoryError": "builtins.",
    "ValueError": "builtins.",
    "TypeError": "builtins.",
}
_TEXTS: Final = {"AccessDenied": "Access Denied", "MemoryError": ""}
_GARBAGE: Final = b'{"jsonrpc": "2.0", "id": 1, "result": "<Response 7 by'
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Welcome</h1><p>200 OK</p></body></html>\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults that a request meets, by name with their value."""

    faults: Mapping[str, str]

    def seconds(self, name: str) -> float:
        """Return the seconds this fault stands for; 0 when it is not there."""
        try:
            return max(0.0, float(self.faults.get(name) or 0))
        except ValueError:
            return 0.0

    def has(self, name: str) -> bool:
        """Return whether the request meets this fault."""
        return name in self.faults

    def joined(self, other: Plan) -> Plan:
        """Return both together."""
        return Plan({**self.faults, **other.faults})

    def early(self) -> Answer | None:
        """Return the answer that is sent before the body was read, if there is one."""
        return html_error(_code(self.faults["early"], 413)) if self.has("early") else None

    def instead(self, style: Style, request_id: object, target: str) -> Answer | None:
        """Return what is answered instead of handling the request, if there is such a fault."""
        for name, value in self.faults.items():
            answer = _instead(name, value, style, request_id, target)
            if answer is not None:
                return answer
        return None

    def manner(self) -> Manner:
        """Return how the answer is sent after the request was handled."""
        return Manner(
            ending="drop" if self.has("drop-after") else "reset" if self.has("reset-after") else "",
            delay=self.seconds("late"),
            head_over=self.seconds("trickle-head"),
            body_over=self.seconds("trickle-body"),
            cut=self.has("cut-answer"),
            chunked=self.has("chunked"),
        )


NOTHING: Final = Plan({})


def _code(value: str, default: int) -> int:
    return int(value) if re.fullmatch(r"[1-9]\d\d", value) else default


def _instead(name: str, value: str, style: Style, request_id: object, target: str) -> Answer | None:
    match name:
        case "drop-before":
            return Answer(200, JSON, b"", manner=Manner(ending="drop"))
        case "reset-before":
            return Answer(200, JSON, b"", manner=Manner(ending="reset"))
        case "http":
            return html_error(_code(value, 500))
        case "html":
            return Answer(_code(value, 200), HTML, _PAGE)
        case "not-found":
            return style.not_found(request_id)
        case "garbage":
            return Answer(200, JSON, _GARBAGE)
        case "empty":
            return Answer(200, JSON, b"")
        case "redirect":
            location = ("Location", "https://" + target.partition("://")[2])
            return Answer(_code(value, 302), HTML, b"<p>Moved</p>\n", (location,))
        case "error":
            exception, _, text = value.partition(":")
            text = text or _TEXTS.get(exception, "An error asked for by name.")
            full = _MODULES.get(exception, "") + exception
            return style.error(request_id, full, (text,) if text else ())
        case "result":
            return style.result(request_id, style.result_of(value))
        case _:
            return None


class Faults:
    """Which faults a request meets: those of its name, those set at run time, and by chance."""

    def __init__(self, fail_rate: float, drop_rate: float, seed: int | None) -> None:
        """fail_rate, drop_rate: share of uploads, 0 to 1; seed: makes chance repeat itself."""
        self._down_until = 0.0
        self._database_down_until = 0.0
        self._fail_rate = fail_rate
        self._drop_rate = drop_rate
        self._chance = random.Random(seed)
        self._seen: Counter[tuple[str, str]] = Counter()
        self._set: dict[str, dict[str, str]] = {}
        self._times: int | None = None
        self._lock = threading.Lock()

    @property
    def down(self) -> bool:
        """Whether connections are closed as soon as they come."""
        return time.monotonic() < self._down_until

    @property
    def database_down(self) -> bool:
        """Whether PostgreSQL refuses OpenSPP's connections (WIRE17.md section 7)."""
        return time.monotonic() < self._database_down_until

    def of_name(self, name: str) -> Plan:
        """Return the faults that are written in a name; each call counts for -once and -twice.

        A file name counts as the same with and without its extension and the time and hash that the
        gateway adds before it.
        """
        stem = _SUFFIX.sub("", _EXTENSION.sub("", name))
        found: dict[str, str] = {}
        for token in _TOKEN.finditer(stem):
            text, limit = token[0], 0
            for ending, times in _TIMES.items():
                if text.endswith(ending):
                    text, limit = text.removesuffix(ending), times
            fault, _, value = text[1:].partition("=")
            if fault in KNOWN and (not limit or self._count(stem, token[0]) <= limit):
                found[fault] = value
        return Plan(found)

    def _count(self, stem: str, token: str) -> int:
        with self._lock:
            self._seen[stem, token] += 1
            return self._seen[stem, token]

    def of_route(self, route: str) -> Plan:
        """Return the faults set at run time for one of ROUTES, and those by chance."""
        with self._lock:
            found = dict(self._set.get(route, {}))
            if found and self._times is not None:
                self._times -= 1
                if self._times <= 0:
                    self._set, self._times = {}, None
            if route == "upload":
                found |= self._by_chance()
        return Plan(found)

    def _by_chance(self) -> dict[str, str]:
        if self._fail_rate and self._chance.random() < self._fail_rate:
            return {"http": "500"}
        if self._drop_rate and self._chance.random() < self._drop_rate:
            return {self._chance.choice(("drop-before", "drop-after")): ""}
        return {}

    def set(self, order: Mapping[str, object]) -> str:
        """Set the faults from now on.

        order: {"login": {NAME: VALUE}, "upload": {...}, "search": {...}, "down": SECONDS,
        "database_down": SECONDS, "times": N}; what it does not name is well again, and all is after
        N requests that met one. Returns what is wrong with it, else "".
        """
        routes: dict[str, dict[str, str]] = {}
        for route in ROUTES:
            faults = order.get(route, {})
            if not isinstance(faults, dict):
                return f"{route} must be an object of faults"
            unknown = sorted(set(faults) - set(KNOWN))
            if unknown:
                return f"unknown fault {unknown[0]!r}; known: {', '.join(KNOWN)}"
            routes[route] = {name: _value(value) for name, value in faults.items()}
        times = order.get("times")
        if times is not None and (not isinstance(times, int) or times < 1):
            return "times must be a number from 1 on"
        down = [order.get(name, 0) for name in _DOWN]
        for name, seconds in zip(_DOWN, down, strict=True):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                return f"{name} must be a number of seconds"
        members = (*ROUTES, *_DOWN, "times")
        strange = sorted(set(order) - set(members))
        if strange:
            return f"unknown member {strange[0]!r}; known: {', '.join(members)}"
        with self._lock:
            self._set, self._times = routes, times
            until = [time.monotonic() + float(str(seconds)) for seconds in down]
            self._down_until, self._database_down_until = until
        return ""


def _value(value: object) -> str:
    return "" if value is True else str(value)


def described(names: Iterable[str] = KNOWN) -> str:
    """Return the list of faults for the help text, one to a line."""
    return "\n".join(f"  @{name:<14} {KNOWN[name]}" for name in names)
