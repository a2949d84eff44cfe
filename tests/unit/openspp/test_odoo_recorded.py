"""Every error of a real Odoo 17 and 19 has its verdict, played back (tests/data/wire17.jsonl).

The verdicts are those of WIRE17.md section 7, written down here anew.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import Denied, NotStored, Stored, Unsettled

from .recorded_odoo import CASES, GOOD, desk

DIRECTORY_GONE: Final = "The operation cannot be completed"
NOT_ALLOWED: Final = "You are not allowed to create 'DMS File' (spp.dms.file) records."

# An answer to web_save -> the problem, whether another try may do. Errors of `create` are those of
# web_save (WIRE17.md section 4).
UPLOADS: Final[dict[tuple[str, str], tuple[Problem, bool]]] = {
    ("odoo17", "b2c execute_kw wrong key"): (Problem.OUT_OF_ORDER, True),  # the key is right, asked
    ("odoo17", "b2e execute_kw uid that does not exist"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "b2l execute_kw unknown db"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "w7 PostgreSQL refuses the Odoo server: execute_kw (17)"): (
        Problem.OUT_OF_ORDER,
        True,
    ),
    ("odoo17", "b2n execute_kw unknown method"): (Problem.OUT_OF_ORDER, False),
    ("odoo17", "b2r /jsonrpc invalid JSON"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "x9 web_save without create right (bob)"): (Problem.NO_RIGHT, False),
    ("odoo17", "x9b web_save directory gone"): (Problem.REFUSED, False),
    ("odoo17", "d4k content bad padding"): (Problem.REFUSED, False),
    ("odoo17", "d4p unknown field"): (Problem.REFUSED, False),
    ("odoo17", "d4o content number"): (Problem.REFUSED, False),
    ("odoo17", "d6j png 81 megapixel"): (Problem.REFUSED, False),
    ("odoo17", "e1 create 400 MiB raw"): (Problem.TOO_LARGE_FOR_MEMORY, False),
    ("odoo17", "g1 Content-Length body cut in half, half-close"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "g1b chunked body cut, half-close"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "a2c GET /web/version (Odoo 19 only)"): (Problem.NOT_OPENSPP, True),
    ("odoo17", "g2 big header"): (Problem.NOT_OPENSPP, False),
    ("odoo19", "j4 wrong key"): (Problem.OUT_OF_ORDER, True),  # the key is right, asked again
    ("odoo19", "j5b unknown database"): (Problem.OUT_OF_ORDER, True),
    ("odoo19", "w6 PostgreSQL refuses the Odoo server: /json/2"): (Problem.OUT_OF_ORDER, True),
    ("odoo19", "w3 web_save no rights (carol)"): (Problem.NO_RIGHT, False),
    ("odoo19", "j7 directory gone"): (Problem.REFUSED, False),
    ("odoo19", "j7g broken png"): (Problem.REFUSED, False),
    ("odoo19", "j7d bad base64"): (Problem.REFUSED, False),
    ("odoo19", "j7e NUL in name"): (Problem.REFUSED, False),
    ("odoo19", "j8d unknown parameter"): (Problem.REFUSED, False),
    ("odoo19", "j8 unknown model"): (Problem.NOT_OPENSPP, False),
    ("odoo19", "j8f invalid JSON"): (Problem.OUT_OF_ORDER, True),
    ("odoo19", "j8g text/plain"): (Problem.NOT_OPENSPP, False),
    ("odoo19", "s3b chunked small"): (Problem.OUT_OF_ORDER, False),
    ("odoo19", "s1 /json/2 create 100 MiB raw"): (Problem.TOO_LARGE, False),
}

# An answer to the question who somebody is.
LOGINS: Final[dict[tuple[str, str], tuple[Problem, bool]]] = {
    ("odoo17", "b1c authenticate wrong key"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1d authenticate unknown user"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1e authenticate api key of another user"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1f authenticate key of scope browser"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1h authenticate revoked key"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1i authenticate archived user, key"): (Problem.WRONG_PASSWORD, False),
    ("odoo17", "b1u authenticate unknown database"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "w7b PostgreSQL refuses: authenticate (17)"): (Problem.OUT_OF_ORDER, True),
    ("odoo17", "b1v2 authenticate database null"): (Problem.OUT_OF_ORDER, False),
    ("odoo19", "j4 wrong key"): (Problem.WRONG_PASSWORD, False),
    ("odoo19", "j4b expired key"): (Problem.WRONG_PASSWORD, False),
    ("odoo19", "j4c key of other scope"): (Problem.WRONG_PASSWORD, False),
    ("odoo19", "j4e archived user"): (Problem.WRONG_PASSWORD, False),
    ("odoo19", "j4i password as bearer"): (Problem.WRONG_PASSWORD, False),
    ("odoo19", "j5b unknown database"): (Problem.OUT_OF_ORDER, True),
    ("odoo19", "w6 PostgreSQL refuses the Odoo server: /json/2"): (Problem.OUT_OF_ORDER, True),
}

IDENTIFYING: Final = {"odoo17": "authenticate", "odoo19": "context_get"}


def failure_of(outcome: object) -> Failure:
    assert isinstance(outcome, NotStored | Unsettled | Denied)
    return outcome.failure


@pytest.mark.parametrize(("server", "case"), UPLOADS, ids=lambda value: str(value))
def test_an_error_at_an_upload_has_its_verdict(server: str, case: str) -> None:
    with desk(server, web_save=case) as gateway:
        outcome = gateway.store()
    assert isinstance(outcome, NotStored)
    assert (outcome.failure.problem, outcome.may_retry) == UPLOADS[server, case]


@pytest.mark.parametrize(("server", "case"), LOGINS, ids=lambda value: str(value))
def test_an_error_at_a_login_has_its_verdict(server: str, case: str) -> None:
    with desk(server) as gateway:
        gateway.odoo.will(**{IDENTIFYING[server]: case})
        denied = gateway.login()
        uploaded = gateway.store()
    assert isinstance(denied, Denied)
    assert (denied.failure.problem, denied.may_retry) == LOGINS[server, case]
    assert failure_of(uploaded).problem is LOGINS[server, case][0], "at an upload the same"


@pytest.mark.parametrize(
    ("server", "case"),
    [
        ("odoo17", "x5b web_save with fields - plain spp_dms"),
        ("odoo17", "x5b web_save with fields - with the create override of spp_change_request"),
        ("odoo17", "z2 web_save specification checksum,size wire-z.pdf"),
        ("odoo19", "w1 web_save"),
    ],
)
def test_a_confirmation_is_a_success(server: str, case: str) -> None:
    with desk(server, web_save=case) as gateway:
        assert gateway.store() == Stored()


@pytest.mark.parametrize(
    ("server", "case"),
    [
        ("odoo17", "x5 web_save [[], vals] - plain spp_dms"),  # an id, and no checksum
        ("odoo17", "d1 create ok"),
        ("odoo17", "b1c authenticate wrong key"),  # false
        ("odoo17", "e1 create 10 MiB raw"),
        ("odoo19", "j2 create"),
        ("odoo19", "j9d has_access"),
        ("odoo19", "n1 GET /web/health"),
    ],
)
def test_what_confirms_other_bytes_or_none_is_no_success(server: str, case: str) -> None:
    with desk(server, web_save=case) as gateway:
        outcome = gateway.store()
    assert isinstance(outcome, Unsettled)
    assert outcome.over, "a look into OpenSPP tells"
    assert not outcome.may_retry, "each try might leave another document of other bytes"


@pytest.mark.parametrize(
    ("server", "case"),
    [
        ("odoo17", "d7 name lone surrogate"),
        ("odoo19", "j7i lone surrogate in name"),
    ],
)
def test_after_http_500_a_look_tells(server: str, case: str) -> None:
    with desk(server, web_save=case) as gateway:
        outcome = gateway.store()
    assert isinstance(outcome, Unsettled)
    assert (outcome.over, outcome.may_retry) == (True, True)


@pytest.mark.parametrize("recorded_as", ["RequestEntityTooLarge", "MemoryError"])
def test_too_large_over_json_rpc_may_be_told_without_our_id(recorded_as: str) -> None:
    """Recorded of 19's /jsonrpc; a 17 with Werkzeug 2.3 or later answers so too (section 6)."""
    case = next(
        case
        for case in CASES.values()
        if isinstance(body := case["response"]["body"], dict)
        and "error" in body
        and body["error"]["data"]["name"].endswith(recorded_as)
    )
    with desk("odoo17", web_save=case) as gateway:
        outcome = gateway.store()
    assert isinstance(outcome, NotStored)
    assert not outcome.may_retry
    assert outcome.failure.upload_reply().code == 552


@pytest.mark.parametrize(
    ("server", "case", "words"),
    [
        ("odoo17", "x9 web_save without create right (bob)", NOT_ALLOWED),
        ("odoo19", "w3 web_save no rights (carol)", NOT_ALLOWED),
        ("odoo17", "x9b web_save directory gone", DIRECTORY_GONE),
        ("odoo19", "j7 directory gone", DIRECTORY_GONE),
        ("odoo17", "d4p unknown field", ""),
        ("odoo17", "d6j png 81 megapixel", ""),
        ("odoo17", "b2l execute_kw unknown db", ""),
        ("odoo19", "j7e NUL in name", ""),
    ],
)
def test_only_the_words_of_a_validation_or_access_error_are_shown(
    server: str, case: str, words: str
) -> None:
    with desk(server, web_save=case) as gateway:
        failure = failure_of(gateway.store())
    assert failure.said.startswith(words)
    assert bool(failure.said) == bool(words)
    message = json.dumps(CASES[server, case]["response"]["body"])
    for secret in ('127.0.0.1\\", port', "FATAL", "Traceback"):
        assert secret not in failure.detail, f"of {message}"


def test_an_answer_to_another_request_settles_nothing() -> None:
    body = {**CASES["odoo17", str(GOOD["odoo17"]["web_save"])]["response"]["body"], "id": 2}
    with desk("odoo17", web_save=json.dumps(body).encode()) as gateway:
        outcome = gateway.store()
    assert isinstance(outcome, Unsettled)
    assert not outcome.over


def meaning(case: dict[str, Any]) -> tuple[object, ...] | None:
    """What tells one error of a call from another; None: it is none, or nothing we would ask."""
    response, path = case["response"], case["request"]["path"]
    body = response["body"]
    ours = {"odoo17": "/jsonrpc", "odoo19": "/json/2/"}[case["server"]]
    if not path.startswith(ours) or response["status"] in (None, 100):
        return None
    if isinstance(body, dict) and "error" in body:
        return case["server"], body["error"]["data"]["name"]
    if response["status"] == 200:
        return None
    return case["server"], response["status"], body["name"] if isinstance(body, dict) else "html"


def test_no_error_of_the_record_is_missing() -> None:
    played = [*UPLOADS, *LOGINS, ("odoo17", "d7 name lone surrogate")]
    played.append(("odoo19", "j7i lone surrogate in name"))
    never_asked = {
        ("odoo17", "builtins.Exception"),  # a method that `common` does not have
        ("odoo17", "builtins.IndexError"),  # create by keyword
        ("odoo17", "passlib.exc.PasswordSizeError"),  # a password of more than 4096 characters
    }
    recorded = {meaning(case) for case in CASES.values()} - {None}
    assert recorded - {meaning(CASES[each]) for each in played} == never_asked
