"""The embedded OpenSPP answers as the recorded one: every case of wire.jsonl, in its order.

None is left out. Where the recording shortens a document, one of the same kind is sent; where it
shortens a whole request (long names), the request is made again from its note and its length.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.scanner_interface import Rules
from tests.unit.sandbox.harness import PDF, Answer, OpenSPP, openspp

RECORDING = Path(__file__).parents[2] / "data" / "wire.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in RECORDING.read_text().splitlines()]

BYTES = bytes(range(256)) * 8
MIB = 1024 * 1024
LINES = base64.encodebytes(BYTES).decode()
# Documents that the recording shortens; the length of their text is part of it.
FILES = {
    "upload_b64_encodebytes_newlines": LINES,
    "upload_b64_crlf": LINES.replace("\n", "\r\n"),
    "upload_b64_plain": base64.b64encode(BYTES).decode(),
    "upload_b64_urlsafe": base64.urlsafe_b64encode(bytes(range(256))).decode(),
    "upload_noext_mimetype_without_extension": base64.b64encode(BYTES).decode(),
    "size_default_25MiB": base64.b64encode(b"x" * 25 * MIB).decode(),
    "size_default_25MiB_plus_1": base64.b64encode(b"x" * (25 * MIB + 1)).decode(),
}
SHORTENED = re.compile(r"\.\.\.<(\d+) chars>$")
TRACEBACK = re.compile(r'"debug": "Traceback \(most recent call last\):(?:[^"\\]|\\.)*"')

# What the recording changed on the server before these cases; without a name: as it comes.
SETTINGS = {"forbidden_ext_exe": "exe, msi, PDF", "forbidden_off_exe": ""}
ARCHIVED = {"upload_same_name_as_archived_file": ("alice", "ok2.pdf")}


@dataclass(frozen=True)
class Replayed:
    """A case with what the embedded OpenSPP answered."""

    case: dict[str, Any]
    answer: Answer


def file_of(case: dict[str, Any], text: str) -> str:
    """Return the base64 text to send for what is recorded."""
    length = SHORTENED.search(text)
    if text != "<base64>" and length is None:
        return text
    made = FILES.get(case["name"], base64.b64encode(PDF.ljust(195, b"\n")).decode())
    assert length is None or len(made) == int(length[1]), case["name"]
    return made


def body_of(case: dict[str, Any]) -> bytes | None:
    """Return the body of a recorded request, None when it had none."""
    request = case["request"]
    if "json" in request:
        call = request["json"]
        params = call.get("params")
        if isinstance(params, dict) and isinstance(params.get("file"), str):
            params = params | {"file": file_of(case, params["file"])}
            call = call | {"params": params}
        return json.dumps(call).encode()
    if "raw_body" not in request:
        return None
    shortened = SHORTENED.search(request["raw_body"])
    if shortened is not None:
        return long_name_body(case["note"], int(shortened[1]))
    # In the recording a byte that is no UTF-8 has become U+FFFD.
    raw: str = request["raw_body"].replace("\ufffd", "\udce9")
    return raw.encode("utf-8", "surrogateescape")


def long_name_body(note: str, length: int) -> bytes:
    """Return a body of this length; its filename repeats the first letter of the noted one."""
    letter = re.match(r'filename="(\\u[0-9a-f]{4}|.)\1\1', note)
    assert letter is not None
    file = base64.b64encode(PDF.ljust(195, b"\n")).decode()
    start = '{"params": {"username": "alice", "password": "scan-alice", "filename": "'
    end = f'.pdf", "file": "{file}"}}}}'
    count, rest = divmod(length - len(start) - len(end), len(letter[1]))
    assert not rest
    return f"{start}{letter[1] * count}{end}".encode()


def replay(server: OpenSPP, case: dict[str, Any]) -> Replayed:
    request = case["request"]
    headers = {name.replace("-", "_"): value for name, value in request["headers"].items()}
    answer = server.ask(request["method"], request["path"], body_of(case), **headers)
    return Replayed(case, answer)


@pytest.fixture(scope="module", params=[body.SMALL, -1], ids=["at once", "streaming"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Replayed]:
    """Replay the recording, with each of the two ways to read a body."""
    folder = tmp_path_factory.mktemp("store")
    found: dict[str, Replayed] = {}
    for forbidden, cases in by_setting():
        rules = Rules(forbidden_extensions=forbidden)
        with openspp(folder=folder, rules=rules, small=request.param) as server:
            for case in cases:
                if case["name"] in ARCHIVED:
                    assert server.documents.archive(*ARCHIVED[case["name"]])
                found[case["name"]] = replay(server, case)
    return found


def by_setting() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the cases in their order, in parts between which the server's settings change."""
    forbidden, part = "", list[dict[str, Any]]()
    for case in CASES:
        if case["name"] in SETTINGS:
            yield forbidden, part
            forbidden, part = SETTINGS[case["name"]], []
        part.append(case)
    yield forbidden, part


@pytest.mark.parametrize("name", [case["name"] for case in CASES])
def test_answer_is_the_recorded_one(name: str, replayed: dict[str, Replayed]) -> None:
    recorded, answer = replayed[name].case["response"], replayed[name].answer
    assert answer.status == recorded["status"]
    assert answer.header("Content-Type") == recorded["content_type"]
    shortened = '"debug": "Traceback (most recent call last): ..."'
    assert TRACEBACK.sub(shortened, answer.body.decode()) == recorded["body"]


def test_recording_is_whole() -> None:
    assert len(CASES) == 172
    assert len({case["name"] for case in CASES}) == 172
