"""What answers where OpenSPP should be is told apart, and the line to change is named."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.doctor.findings import Finding, Level
from openspp_ftpd.doctor.openspp import check_openspp, judge
from openspp_ftpd.openspp.probe import Probe, probe
from openspp_ftpd.settings import OpenSPPSettings
from tests.unit.openspp.scripted import Request, Script, scripted, unused_port

RECORDS = Path(__file__).parents[2] / "data"
NOW = datetime(2026, 11, 22, 9, 13, 14, tzinfo=UTC)  # what the scripted server's answers say
NOBODY = "<Response 7 bytes [400 BAD REQUEST]>"
HTML = b"<!DOCTYPE html><html><head><title>Log in</title></head></html>"


def of_odoo(serie: str) -> dict[str, Any]:
    """The answer to the question for the version that a real one of this serie gave."""
    for line in (RECORDS / "wire17.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        if case["request"].get("path") == "/web/webclient/version_info":
            result = (case["response"]["body"] or {}) if isinstance(case["response"], dict) else {}
            if isinstance(result, dict) and result.get("result", {}).get("server_serie") == serie:
                return dict(result["result"])
    raise LookupError(serie)


def openspp(version: object, answer: Callable[[Request], None]) -> Script:
    """A server that tells its version so, and answers an empty login with `answer`."""

    def script(request: Request) -> None:
        request.read()
        if request.path != "/web/webclient/version_info":
            assert (request.method, request.path) == ("POST", "/dms/auth")
            parameters = request.json()["params"]
            assert (parameters["username"], parameters["password"]) == ("", "")
            answer(request)
        elif version is None:
            request.answer("404 NOT FOUND", "text/html", HTML)
        else:
            request.answer(body=json.dumps({"jsonrpc": "2.0", "result": version}).encode())

    return script


def found(script: Script, **settings: Any) -> list[Finding]:
    """Of a server with this script."""
    with scripted(script) as server:
        return list(check_openspp(OpenSPPSettings(server.url, **settings), NOW))


def no_route(request: Request) -> None:
    request.answer("404 NOT FOUND", "text/html", HTML)


FIFTEEN = {"server_serie": "15.0"}


def test_the_scanner_interface_is_known_by_its_own_refusal_of_nobody() -> None:
    answered, clock = found(openspp(FIFTEEN, lambda request: request.succeed(NOBODY)))
    assert answered.level is Level.FINE
    assert "Odoo 15.0, takes scans" in answered.text
    assert clock.level is Level.FINE


def test_recorded_refusals_of_nobody_are_such() -> None:
    cases = [json.loads(line) for line in (RECORDS / "wire.jsonl").read_text("utf-8").splitlines()]
    named = ("auth_missing_username", "auth_missing_password", "auth_empty_password")
    empty = [case for case in cases if case["name"] in named]
    assert len(empty) == len(named)
    for case in empty:
        result = json.loads(case["response"]["body"])["result"]
        answered, _ = found(openspp(FIFTEEN, partial(Request.succeed, result=result)))
        assert answered.level is Level.FINE


@pytest.mark.parametrize("serie", ["17.0", "19.0"])
def test_a_later_openspp_names_the_line_to_change(serie: str) -> None:
    answered, _ = found(openspp(of_odoo(serie), no_route))
    assert answered.level is Level.FAILED
    assert f"Odoo {serie}" in answered.text
    assert answered.mend == "write api = odoo in [openspp]"


@pytest.mark.parametrize("version", [FIFTEEN, None])
def test_an_openspp_15_before_api_odoo_names_the_line_to_change(version: object) -> None:
    """Its own API may not answer, or tell a version that has no document store."""

    def script(request: Request) -> None:
        request.read()
        if request.path == "/dms/auth":
            request.succeed(NOBODY)
        elif request.path == "/web/webclient/version_info" and version is not None:
            request.answer(body=json.dumps({"jsonrpc": "2.0", "result": version}).encode())
        else:
            no_route(request)

    answered, _ = found(script, api="odoo", database="spp", directory="2")
    assert answered.level is Level.FAILED
    assert "the scanner interface of OpenSPP 15" in answered.text
    assert answered.mend == "write api = scanner in [openspp]"


def test_no_openspp_at_all_before_api_odoo() -> None:
    def script(request: Request) -> None:
        request.read()
        no_route(request)

    answered, _ = found(script, api="odoo", database="spp", directory="2")
    assert answered.level is Level.FAILED
    assert "Odoo's own API does not answer" in answered.text


def test_an_odoo_without_the_interface_is_told_from_it() -> None:
    answered, _ = found(openspp(FIFTEEN, no_route))
    assert answered.level is Level.FAILED
    assert "Odoo 15.0, but it has no scanner interface" in answered.text
    assert "spp_scanner_api" in answered.mend
    assert "database" in answered.mend


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda request: request.answer(content_type="text/html", body=HTML), "not JSON"),
        (lambda request: request.succeed("<Response 7 bytes [200 OK]>"), "lets in a user without"),
        (
            lambda request: request.answer(
                "301 MOVED", "text/html", b"", "Location: https://scans.example.org/dms/auth"
            ),
            "write url = https://scans.example.org",
        ),
        (lambda request: request.answer("502 BAD GATEWAY", "text/html", HTML), "proxy"),
    ],
    ids=["a login page", "anything is fine there", "a redirect", "a proxy"],
)
def test_what_is_no_openspp_is_told_with_what_to_do(answer: Script, words: str) -> None:
    answered, _ = found(openspp(None, answer))
    assert answered.level is Level.FAILED
    assert words in answered.mend


def test_nobody_there() -> None:
    (answered,) = check_openspp(OpenSPPSettings(f"http://127.0.0.1:{unused_port()}"), NOW)
    assert answered.level is Level.FAILED
    assert "is OpenSPP running?" in answered.mend


def test_a_name_that_cannot_be_resolved() -> None:
    (answered,) = check_openspp(OpenSPPSettings("https://openspp.invalid"), NOW)
    assert answered.level is Level.FAILED
    assert "openspp.invalid" in answered.mend


def test_another_clock_is_warned_of() -> None:
    with scripted(openspp(FIFTEEN, lambda request: request.succeed(NOBODY))) as server:
        late = NOW + timedelta(minutes=7)
        _, clock = check_openspp(OpenSPPSettings(server.url), late)
    assert clock.level is Level.WARNING
    assert "420 s apart" in clock.text


def test_passwords_in_the_clear_are_warned_of() -> None:
    first = next(check_openspp(OpenSPPSettings("http://192.0.2.1"), NOW))
    assert first.level is Level.WARNING
    assert "not encrypted" in first.text


def test_a_slow_one_is_warned_of() -> None:
    (finding,) = judge(OpenSPPSettings("https://openspp"), Probe(None, 3.2, "15.0", None))
    assert finding.level is Level.WARNING
    assert "3.20 s" in finding.text


def test_a_version_that_is_none_is_not_shown() -> None:
    for strange in ({"server_serie": 7}, {"server_serie": "x" * 99}, {}, None, "17.0", ["17.0"]):
        with scripted(openspp(strange, no_route)) as server:
            assert probe(OpenSPPSettings(server.url)).version == ""
