"""The embedded OpenSPP 17 and OpenSPP 2 answer as the recorded ones: wire17.jsonl in its order.

LEFT_OUT names each case that is not sent again, with the reason.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.databases import Setup
from tests.unit.sandbox import wire17
from tests.unit.sandbox.harness import Answer, OpenSPP, openspp, read_to_end, split

PAGE = "the embedded OpenSPP shows its own page there"
LARGE = "more data than a quick test sends; the limits are tested with smaller ones"
SLOW = "longer than a quick test waits; the same as the pause of 1.5 s"
LEFT_OUT = {
    "a5f GET /": PAGE,
    "m4 17 two databases GET /": PAGE,
    "m5 17 list_db=False GET /": PAGE,
    "m6 17 dbfilter ^spp17$ GET /": PAGE,
    "e2c chunked, last chunk missing, then close": "it has no answer, but ends by time",
    "e1b read content back 25 MiB": "the case before it is left out",
    "e2i 4 s pause in body": SLOW,
    "s3c 4 s pause in body": SLOW,
    "s3e chunked 100 MiB raw": LARGE,
    **{
        case["name"]: LARGE
        for case in wire17.CASES
        if (size := wire17.SIZED.search(case["name"])) and float(size[1]) > 1
    },
}
# What was found by reading a document back is held by TestStoring of test_own_api.
READ_BACK = {case["name"] for case in wire17.CASES if case["name"].endswith(": read back")}


@dataclass(frozen=True)
class Part:
    """Cases that went to one server in one state.

    first, last: their names; file_id: of the next file; earlier: files that were there; down: the
    database server was away.
    """

    interface: str
    first: str
    last: str
    setup: Setup = field(default_factory=Setup)
    file_id: int = 1
    earlier: tuple[tuple[int, str, str, float], ...] = ()
    down: bool = False


SHA = wire17.sha512(wire17.PDF)
UNCERTAIN = wire17.BY_NAME["f1 confirm: search directory_id+name+checksum"]
UNCERTAIN_SHA = UNCERTAIN["request"]["json"]["params"]["args"][5][0][2][2]
TWO_17, TWO_19 = ("spp17", "spp17b"), ("spp19", "spp19b")
PARTS = [
    Part("odoo17", "a1 GET /web/health", "d7 name lone surrogate"),
    Part(
        "odoo17",
        "d7 name emoji",
        "f3 web download of content by session only",
        file_id=108,
        earlier=((107, "wire-1.pdf", SHA, 193.0),),
    ),
    Part(
        "odoo17",
        "m4 17 two databases execute_kw spp17",
        "m4 17 two databases GET /",
        Setup(TWO_17),
    ),
    Part(
        "odoo17",
        "m5 17 list_db=False execute_kw spp17",
        "m5 17 list_db=False GET /",
        Setup(TWO_17, listed=False),
    ),
    Part(
        "odoo17",
        "m6 17 dbfilter ^spp17$ execute_kw spp17",
        "m6 17 dbfilter ^spp17$ GET /",
        Setup(TWO_17, filter="^spp17$"),
    ),
    Part(
        "odoo19",
        "n1 GET /web/health",
        "k11 Host other, header db",
        file_id=31,
        earlier=((2, "wire-j2.pdf", SHA, 193.0),),
    ),
    Part(
        "odoo19",
        "m1 two databases /json/2 with X-Odoo-Database",
        "m1 /jsonrpc chunked small (Odoo 19)",
        Setup(TWO_19),
        file_id=60,
    ),
    Part(
        "odoo19",
        "m2 two databases, list_db=False /json/2 with X-Odoo-Database",
        "m2 two databases, list_db=False common.version",
        Setup(TWO_19, listed=False),
    ),
    Part(
        "odoo19",
        "m3 dbfilter ^spp19$ /json/2 with X-Odoo-Database",
        "m3 dbfilter ^spp19$ common.version",
        Setup(TWO_19, filter="^spp19$"),
    ),
    Part(
        "odoo17",
        "x1 create [vals] - with the create override of spp_change_request",
        "x8 load - with the create override of spp_change_request",
        Setup(("spp17cr",), change_requests=True),
        file_id=168,
    ),
    Part("odoo17", "x1 create [vals] - plain spp_dms", "x9b web_save directory gone", file_id=168),
    Part("odoo19", "w1 web_save", "w4 right key after 12 wrong ones", file_id=61),
    Part(
        "odoo19",
        "w6 PostgreSQL refuses the Odoo server: /json/2",
        "w6d PostgreSQL refuses the Odoo server: /web/health?db_server_status=1",
        down=True,
    ),
    Part(
        "odoo17",
        "w7 PostgreSQL refuses the Odoo server: execute_kw (17)",
        "w7e PostgreSQL refuses: POST /dms/auth (17)",
        down=True,
    ),
    Part("odoo17", "y1 JPEG A4 300dpi default", "z4 create wire-z.pdf", file_id=175),
    Part(
        "odoo19",
        "v1 JPEG A4 create (19)",
        "v3 PDF web_save image_no_postprocess (19): read back",
        file_id=63,
    ),
]
# What was done between the recorded cases: files that came and went used up these ids.
NEXT_FILE = {
    "e2 chunked small": 143,
    "e2e Content-Length right, keep-alive asked": 145,
    "e2h 1.5 s pause in body": 147,
    "e2k Expect: 100-continue": 150,
    "s3 keep-alive asked": 52,
    "s3d Expect: 100-continue": 54,
    "k7 create with category_id (port without category validation)": 56,
    "x8 load - plain spp_dms": 173,
    "z2 web_save specification checksum,size wire-z.pdf": 186,
    "z3 web_save specification id wire-z.pdf": 188,
    "z4 create wire-z.pdf": 190,
}
REMOVED = {"i5 carol key after removal (was cached)": "carol"}


@dataclass(frozen=True)
class Replayed:
    case: dict[str, Any]
    answer: Answer


def in_order(part: Part) -> list[dict[str, Any]]:
    names = [case["name"] for case in wire17.CASES]
    return wire17.CASES[names.index(part.first) : names.index(part.last) + 1]


def exchanged(server: OpenSPP, request: dict[str, Any], name: str) -> bytes:
    lines, data, seconds = wire17.noted(name)
    headers = {**request["headers"]}
    head = [f"{request['method']} {request['path']} HTTP/1.{0 if 'HTTP/1.0' in name else 1}"]
    head += ["Host: x", *lines]
    head += [f"{key}: {wire17.restored(text, name)}" for key, text in headers.items()]
    if request["path"].startswith("/json/2"):
        present = {line.partition(":")[0] for line in head}
        head += ["Authorization: bearer scan-alice"] * ("Authorization" not in present)
    head = [line for line in head if line != "Transfer-Encoding: chunked"] + [
        "Transfer-Encoding: chunked"
    ] * ("Transfer-Encoding: chunked" in lines)
    with server.connect() as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        connection.sendall(data[:50])
        time.sleep(seconds)
        connection.sendall(data[50:])
        if "over the limit" not in name:
            connection.shutdown(socket.SHUT_WR)
        return read_to_end(connection)


def replay(server: OpenSPP, part: Part, case: dict[str, Any]) -> Replayed:
    name, request = case["name"], case["request"]
    if name in NEXT_FILE:
        use_up(server, part, NEXT_FILE[name])
    if name in REMOVED:
        order = {"user": REMOVED[name], "removed": True}
        assert server.post("/sandbox/key", order).status == 200
    if "note" in request:
        return Replayed(case, split(exchanged(server, request, name)))
    headers, data = wire17.sent(case)
    named = {key.replace("-", "_"): text for key, text in headers.items()}
    return Replayed(case, server.ask(request["method"], request["path"], data, **named))


def use_up(server: OpenSPP, part: Part, next_id: int) -> None:
    assert server.databases is not None
    for models in server.databases.by_name.values():
        models.store.use_up("spp.dms.file", next_id)


def write_index(folder: Path, part: Part) -> None:
    """Let files be there from an earlier run, under the ids they had."""
    lines = []
    for number, (file_id, name, checksum, size) in enumerate(part.earlier, 1):
        document = {
            "number": number,
            "time": "2026-11-22T10:40:19.000Z",
            "user": "alice",
            "filename": name,
            "size": int(size),
            "sha256": "",
            "api": part.interface,
            "database": f"spp{part.interface[4:]}",
            "file_id": file_id,
            "directory": "Scans / alice",
            "directory_id": 2,
            "checksum": checksum,
            "received": int(size),
        }
        lines.append(json.dumps(document) + "\n")
        (folder / f"{number:06}").write_bytes(wire17.PDF)
    (folder / "index.jsonl").write_text("".join(lines))


@pytest.fixture(scope="module", params=[body.SMALL, -1], ids=["at once", "streaming"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Replayed]:
    """Replay the recording, with each of the two ways to read a body."""
    found: dict[str, Replayed] = {}
    for part in PARTS:
        folder = tmp_path_factory.mktemp("store")
        write_index(folder, part)
        with openspp(
            interface=part.interface, setup=part.setup, folder=folder, small=request.param
        ) as server:
            use_up(server, part, part.file_id)
            if part.down:
                assert server.post("/sandbox/faults", {"database_down": 600}).status == 200
            for case in in_order(part):
                if case["name"] not in LEFT_OUT and case["name"] not in READ_BACK:
                    if case is UNCERTAIN:
                        store_uncertain(server)
                    found[case["name"]] = replay(server, part, case)
    return found


def store_uncertain(server: OpenSPP) -> None:
    """Let the file be there that was uploaded without waiting for the answer."""
    assert server.databases is not None
    store = server.databases.by_name["spp17"].store
    store.use_up("spp.dms.file", 159)
    server.ask(
        "POST",
        "/jsonrpc",
        wire17.create("wire-uncertain.pdf"),
        Content_Type="application/json",
    )
    store.pretend(159, UNCERTAIN_SHA, 62914560)


def cases() -> Iterator[str]:
    for case in wire17.CASES:
        if case["name"] not in LEFT_OUT and case["name"] not in READ_BACK:
            yield case["name"]


DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
# What depends on the documents that lay on the recorded server, or on the day.
OF_THAT_DAY = {
    "j8e positional list body": {"file_ids", "size", "human_size", "create_date", "write_date"}
    | {"count_elements", "count_files", "count_files_title", "count_total_files"},
}


def comparable(value: Any, name: str) -> Any:
    """Return a body without what cannot be the same."""
    if isinstance(value, dict):
        dropped = OF_THAT_DAY.get(name, set())
        return {
            key: "..." if key == "debug" else comparable(member, name)
            for key, member in value.items()
            if key not in dropped
        }
    if isinstance(value, list):
        return [comparable(member, name) for member in value]
    if isinstance(value, str) and name[0] == "y" and re.fullmatch(r"[0-9a-f]{128}", value):
        return "checksum"
    return DATE.sub("DATE", value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", list(cases()))
def test_answer_is_the_recorded_one(name: str, replayed: dict[str, Replayed]) -> None:
    recorded, answer = replayed[name].case["response"], replayed[name].answer
    if recorded["status"] == 100:
        assert answer.head == "HTTP/1.1 100 Continue"
        recorded, answer = continued(recorded["body"]), split(answer.body)
    assert answer.head.split("\r\n")[0] == recorded["status_line"]
    if recorded["status"] == 431:
        return  # its page is not recorded: the connection was reset
    headers = recorded["headers"]
    for wanted in ("Content-Type", "Server", "Connection", "WWW-Authenticate", "Location"):
        assert answer.header(wanted).strip() == headers.get(wanted, "").strip(), wanted
    assert answer.header("X-Content-Type-Options") == headers.get("X-Content-Type-Options", "")
    assert bool(answer.header("Set-Cookie")) == ("Set-Cookie" in headers)
    if "Set-Cookie" in headers:
        assert "; Max-Age=604800; HttpOnly; Path=/" in answer.header("Set-Cookie")
    shown = recorded["body"]
    if isinstance(shown, str) and "chars>" in shown[-20:]:
        assert answer.body.decode()[:100].lower().split()[:2] == shown[:100].lower().split()[:2]
    elif isinstance(shown, str):
        assert answer.body.decode() == shown
    else:
        assert comparable(answer.json, name) == comparable(shown, name)
        whole = json.dumps(shown)
        if "debug" not in whole and not DATE.search(whole) and name not in OF_THAT_DAY:
            assert answer.header("Content-Length") == headers["Content-Length"]


def continued(text: str) -> dict[str, Any]:
    """Return the answer that came behind a 100 Continue, in the recording's form."""
    text = text.removeprefix("HTTP/1.1 100 Continue\r\n\r\n")
    head, _, rest = text.partition("\r\n\r\n")
    status_line, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    try:
        shown = json.loads(rest)
    except ValueError:
        shown = rest
    return {"status_line": status_line, "status": 0, "headers": headers, "body": shown}


def test_recording_is_whole() -> None:
    assert len(wire17.CASES) == 479
    assert set(LEFT_OUT) <= set(wire17.BY_NAME)
    in_parts = [case["name"] for part in PARTS for case in in_order(part)]
    assert in_parts == [case["name"] for case in wire17.CASES]
    assert len(list(cases())) == 479 - len(LEFT_OUT) - len(READ_BACK)
