"""Real Odoos played back: tests/data/wire17.jsonl, an answer for each question that is asked.

A question is known by its method. Each has the answer that a server in good order gave, and a test
names others, to be given once each and in order, or the last one for good.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from openspp_ftpd.openspp import Credentials, Exchange, Expiry, Outcome
from openspp_ftpd.openspp.odoo import OdooApi
from openspp_ftpd.settings import OpenSPPSettings

from .scripted import ALICE, MIB, Request, Scan, ScriptedServer, scripted

RECORD: Final = Path(__file__).parents[2] / "data" / "wire17.jsonl"
SERVERS: Final = ("odoo17", "odoo19")
SHA512: Final = (
    "979d8ce20ab698f61260cee671b86a43c0a810719813be0bd39ae9d25ff82c95"
    "a5e64adf12b4f988224f185e2dbef0332001d868fd1a4cac6847f3f0759ce0a7"
)


@dataclass(frozen=True)
class RecordedScan(Scan):
    """Stands for the PDF of 193 bytes that was stored when the record was made."""

    @property
    def sha512(self) -> str:
        return SHA512


SCAN: Final = RecordedScan(b"%PDF-1.4".ljust(193, b"."))

GOOD: Final[dict[str, dict[str, str | bytes]]] = {
    "odoo17": {
        "/web/version": "a2c GET /web/version (Odoo 19 only)",
        "version": "a3 common.version",
        "authenticate": "b1b authenticate api key",
        "check_access_rights": "a6f check_access_rights create alice",
        "directory": "c1b complete_name limit 2",
        "names": "f2 confirm, not there",
        "same": "f2 confirm, not there",
        "web_save": "x5b web_save with fields - plain spp_dms",
        "create": "c8b create directory, list form",
        "keys": "i2 alice lists her keys",
    },
    "odoo19": {
        "/web/version": "n1b GET /web/version",
        "context_get": "j9 context_get (login check)",
        "read": "k2 read own login",
        "has_access": "j9d has_access",
        "directory": "j1 search_read directory",
        "names": b"[]",
        "same": b"[]",
        "web_save": "w1 web_save",
        "create": "j2 create",
        "keys": "k5 own api keys (user, scope, expiry) ",
    },
}

Reply = str | bytes | dict[str, Any] | Callable[[Request], None]
"""The name of a recorded case, a JSON body for HTTP 200, a case, or what a script does."""


def recorded() -> Iterator[dict[str, Any]]:
    """Every case with an answer."""
    with RECORD.open(encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            if "status" in case["response"]:
                yield case


CASES: Final = {(case["server"], case["name"]): case for case in recorded()}


def kind(request: Request) -> str:
    """What a request asks for."""
    if request.method == "GET":
        return request.path
    content = request.json()
    if request.path == "/jsonrpc":
        parameters = content["params"]
        if parameters["service"] in ("common", "db"):
            return str(parameters["method"])
        model, method, first, _ = parameters["args"][3:]
        domain = first[0] if first else []
    else:
        model, method = request.path.split("/")[3:]
        domain = content.get("domain", [])
    if method != "search_read":
        return str(method)
    if model == "spp.dms.directory":
        return "directory"
    if model == "res.users.apikeys":
        return "keys"
    return "same" if any(term[0] == "checksum" for term in domain) else "names"


def play(request: Request, case: dict[str, Any]) -> None:
    """A recorded answer: its status line, its headers, its body."""
    answer = case["response"]
    body = answer["body"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = [answer["status_line"]]
    for name, value in answer["headers"].items():
        if name.lower() != "content-length":  # tracebacks are shortened in the record
            lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(raw)}")
    request.send("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)


class Odoo:
    """A real server of the record."""

    def __init__(self, server: str, **other: Reply | list[Reply]) -> None:
        self.server = server
        self.asked: list[str] = []
        self.requests: list[Request] = []
        self.early = b""  # the answer to a large scan of which a part has come
        self._replies: dict[str, list[Reply]] = {}
        self.will(**GOOD[server])
        self.will(**other)

    def will(self, **other: Any) -> None:
        """Answer these questions so from now on; the last of several answers stays."""
        for name, reply in other.items():
            self._replies[name] = list(reply) if isinstance(reply, list) else [reply]

    def __call__(self, request: Request) -> None:
        request.read_head()
        if self.early and request.length > MIB:
            request.read_body(MIB)
            request.answer(body=self.early)
            return
        assert request.read_body()
        asked = kind(request)
        self.asked.append(asked)
        self.requests.append(request)
        replies = self._replies[asked]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            reply(request)
        elif isinstance(reply, bytes):
            request.answer(content_type="application/json; charset=utf-8", body=reply)
        else:
            play(request, CASES[self.server, reply] if isinstance(reply, str) else reply)

    def new(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked

    def sent(self, asked: str) -> dict[str, Any]:
        """The last request of this kind."""
        return next(each for each in reversed(self.requests) if kind(each) == asked).json()


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """The gateway's side before one of these servers."""

    def __init__(self, odoo: Odoo, server: ScriptedServer, **settings: Any) -> None:
        self.odoo = odoo
        self.clock = Clock()
        self.told: list[tuple[str, Expiry | None]] = []
        self.warned: list[Expiry] = []
        values = {"api": "odoo", "database": f"spp{odoo.server[4:]}"}
        self.settings = OpenSPPSettings(
            server.url, **{"directory": "Scans / {user}", **values, **settings}
        )
        self.api = self.another_process()

    def another_process(self) -> OdooApi:
        """One that remembers nothing."""
        return OdooApi(self.settings, self._told, new_id=lambda: 1, clock=lambda: self.clock.now)

    def _told(self, user: str, expiry: Expiry | None) -> None:
        self.told.append((user, expiry))
        if expiry is not None:
            self.warned.append(expiry)

    def login(self, credentials: Credentials = ALICE) -> Any:
        return self.api.authenticate(credentials, Exchange())

    def store(
        self, scan: Scan = SCAN, name: str = "xE.pdf", credentials: Credentials = ALICE
    ) -> Outcome:
        return self.api.store(credentials, name, scan, Exchange())

    def settle(self, scan: Scan = SCAN, name: str = "xE.pdf") -> Outcome:
        return self.api.settle(ALICE, name, scan, Exchange())


@contextlib.contextmanager
def desk(
    server: str, settings: dict[str, Any] | None = None, **other: Reply | list[Reply]
) -> Iterator[Desk]:
    """The gateway before a server of the record, which answers `other` questions otherwise."""
    odoo = Odoo(server, **other)
    with scripted(odoo) as listening:
        yield Desk(odoo, listening, **(settings or {}))
