"""The answers of a real OpenSPP, played back byte for byte (tests/data/wire.jsonl)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Denied, Exchange, NotStored, Outcome, Stored, Unsettled
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings

from .scripted import ALICE, SMALL, Request, scripted

RECORD = Path(__file__).parents[2] / "data" / "wire.jsonl"


def recorded() -> Iterator[dict[str, Any]]:
    with RECORD.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def distinct(path: str) -> list[Any]:
    """The first case of every distinct answer to a request of this kind."""
    seen: dict[tuple[object, ...], dict[str, Any]] = {}
    for case in recorded():
        answer = case["response"]
        if path in case["request"]["path"].lower():
            seen.setdefault((answer["status"], answer["content_type"], answer["body"]), case)
    return [pytest.param(case, id=case["name"]) for case in seen.values()]


REASONS = {400: "BAD REQUEST", 404: "NOT FOUND", 405: "METHOD NOT ALLOWED", 200: "OK"}


def play(request: Request, case: dict[str, Any], body: str) -> None:
    request.read()
    answer = case["response"]
    request.answer(
        f"{answer['status']} {REASONS.get(answer['status'], 'INTERNAL SERVER ERROR')}",
        answer["content_type"],
        body.encode(),
        "Set-Cookie: session_id=0123456789abcdef0123456789abcdef01234567; "
        "Expires=Sat, 20-Feb-2027 09:13:14 GMT; Max-Age=7776000; HttpOnly; Path=/",
    )


def expected(case: dict[str, Any]) -> tuple[bool, Problem | None]:
    """Whether it may be retried, and the problem (None: success), by WIRE.md's own tables."""
    answer = case["response"]
    if answer["status"] != 200:
        return {
            400: (True, Problem.OUT_OF_ORDER),
            404: (True, Problem.NOT_OPENSPP),
            405: (False, Problem.NOT_OPENSPP),
            500: (True, Problem.OUT_OF_ORDER),
        }[answer["status"]]
    content = json.loads(answer["body"])
    is_login = "auth" in case["request"]["path"].lower()
    if "result" in content:
        code = content["result"].split("[")[1][:3]
        return (
            False,
            {
                "200": None,
                "400": Problem.OUT_OF_ORDER if is_login else Problem.NO_DIRECTORY,
                "401": Problem.WRONG_PASSWORD,
                "403": Problem.NOT_A_SCANNER_USER,
                "406": Problem.EMPTY,
            }[code],
        )
    if is_login:
        return False, Problem.OUT_OF_ORDER
    data = content["error"]["data"]
    if data["name"] == "odoo.exceptions.AccessError":
        return False, Problem.NO_RIGHT
    if data["message"] == "A file with the same name already exists.":
        return False, Problem.NAME_TAKEN
    if data["message"] == "The maximum upload size is 25 MB).":
        return False, Problem.TOO_LARGE
    return False, Problem.REFUSED


def request_id(case: dict[str, Any]) -> str | int:
    """The id that the recorded request had. Some had none, as ours never do: "ours" for them."""
    body = case["response"]["body"]
    recorded_id: str | int | None = json.loads(body)["id"] if body.startswith("{") else None
    return "ours" if recorded_id is None else recorded_id


def with_id(case: dict[str, Any]) -> str:
    body: str = case["response"]["body"]
    return body.replace('"id": null', '"id": "ours"')


def log_in(case: dict[str, Any]) -> Denied | None:
    """What our client makes of it. A recorded refusal of a GET is played to our POST."""
    with scripted(lambda request: play(request, case, with_id(case))) as server:
        api = ScannerApi(OpenSPPSettings(server.url), new_id=lambda: request_id(case))
        return api.authenticate(ALICE, Exchange())


def store(case: dict[str, Any], body: str, our_id: str | int) -> Outcome:
    with scripted(lambda request: play(request, case, body)) as server:
        api = ScannerApi(OpenSPPSettings(server.url), new_id=lambda: our_id)
        return api.store(ALICE, "scan.pdf", SMALL, Exchange())


LOGINS = [*distinct("auth"), *distinct("/dms/nosuch")]
UPLOADS = distinct("upload")


def test_the_record_is_complete() -> None:
    assert len(list(recorded())) == 172
    assert len(LOGINS) >= 14
    assert len(UPLOADS) >= 20


@pytest.mark.parametrize("case", LOGINS)
def test_a_recorded_answer_to_a_login_has_its_verdict(case: dict[str, Any]) -> None:
    verdict = log_in(case)
    may_retry, problem = expected(case)
    if problem is None:
        assert verdict is None
    else:
        assert isinstance(verdict, Denied)
        assert (verdict.may_retry, verdict.failure.problem) == (may_retry, problem)


@pytest.mark.parametrize("case", UPLOADS)
def test_a_recorded_answer_to_an_upload_has_its_verdict(case: dict[str, Any]) -> None:
    outcome = store(case, with_id(case), request_id(case))
    may_retry, problem = expected(case)
    if problem is None:
        assert outcome == Stored()
    else:
        assert isinstance(outcome, NotStored)
        assert (outcome.may_retry, outcome.failure.problem) == (may_retry, problem)


@pytest.mark.parametrize("case", UPLOADS)
def test_only_the_words_of_a_validation_or_access_error_are_shown(case: dict[str, Any]) -> None:
    body = case["response"]["body"]
    outcome = store(case, with_id(case), request_id(case))
    content = json.loads(body) if body.startswith("{") else {}
    data = content.get("error", {}).get("data", {"name": "", "message": ""})
    shown = data["name"] in ("odoo.exceptions.ValidationError", "odoo.exceptions.AccessError")
    words = data["message"].split("\n")[0] if shown else ""
    assert isinstance(outcome, Stored) or outcome.failure.said == words


@pytest.mark.parametrize("case", [c for c in UPLOADS if c.values[0]["response"]["status"] == 200])
def test_an_answer_to_another_request_settles_nothing(case: dict[str, Any]) -> None:
    outcome = store(case, case["response"]["body"], "another")
    assert isinstance(outcome, Unsettled)
    assert outcome.failure.problem is Problem.UNCERTAIN


def test_a_traceback_of_full_length_is_no_hindrance() -> None:
    """The record's tracebacks are shortened; real ones have 3 to 4 kB (WIRE.md section 5)."""
    case = next(case for case in recorded() if case["name"] == "upload_duplicate")
    body = case["response"]["body"].replace("...", "x" * 4096)
    outcome = store(case, body, 1)
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.NAME_TAKEN
