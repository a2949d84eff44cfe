"""Verdicts that no recording holds: what proxies, strangers and nonsense answer."""

import json
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Denied, NotStored, Outcome, Stored, Unsettled
from openspp_ftpd.openspp.answers import Answer, judge_binding, judge_login, judge_upload

from .scripted import OK, success

UPLOAD = "http://openspp:8069/dms/upload"
SECRET = "scan-alice-secret"
HTML = b"<html>scan-alice-secret</html>"


def answer(
    status: int = 200, kind: str = "application/json", body: bytes = b"", **more: Any
) -> Answer:
    return Answer(UPLOAD, status, kind, body, **more)


def upload(given: Answer, *, wholly_sent: bool = True) -> Outcome:
    return judge_upload(given, "id", wholly_sent=wholly_sent)


def login(given: Answer) -> Denied | None:
    return judge_login(given, "id")


def error(name: object, message: object = SECRET) -> bytes:
    data = {"name": name, "debug": SECRET, "message": message, "arguments": [SECRET], "context": {}}
    content = {"code": 200, "message": "Odoo Server Error", "data": data}
    return json.dumps({"jsonrpc": "2.0", "id": "id", "error": content}).encode()


def refused(outcome: Outcome) -> tuple[Problem, bool]:
    assert isinstance(outcome, NotStored)
    return outcome.failure.problem, outcome.may_retry


class TestSuccess:
    def test_is_code_200_in_a_json_answer_to_our_request(self) -> None:
        assert upload(answer(body=success("id"))) == Stored()
        assert login(answer(body=success("id"))) is None

    def test_any_charset_parameter_will_do(self) -> None:
        assert (
            upload(answer(kind="application/json; charset=utf-8", body=success("id"))) == Stored()
        )

    @pytest.mark.parametrize(
        "result",
        [
            "OK",
            "200 OK",
            "[200 OK]",
            "<Response 7 bytes [200 OK]> ",
            "<Response 7 bytes [200 OK]>\n",
            " <Response 7 bytes [200 OK]>",
            "<Response 7 bytes [2000 OK]>",
            "<Response 7 bytes [201 CREATED]>",
            "<Response 7 bytes [302 FOUND]>",
            "<Response bytes [200 OK]>",
            "<Response ٧ bytes [200 OK]>",
            "<Response 7 bytes [200 OK]><Response 5 bytes [401 UNAUTHORIZED]>",
            True,
            1,
            None,
            [OK],
            {"code": 200},
        ],
    )
    def test_is_nothing_that_looks_like_it(self, result: object) -> None:
        given = answer(body=success("id", result))
        assert isinstance(upload(given), Unsettled)
        assert isinstance(login(given), Denied)

    @pytest.mark.parametrize("other", ["ID", "", None, 1, ["id"]])
    def test_is_no_answer_to_another_request(self, other: object) -> None:
        assert isinstance(upload(answer(body=success(other))), Unsettled)
        assert isinstance(login(answer(body=success(other))), Denied)

    @pytest.mark.parametrize("status", [201, 202, 204, 206, 103])
    def test_needs_http_200(self, status: int) -> None:
        assert isinstance(upload(answer(status, body=success("id"))), Unsettled)
        assert isinstance(login(answer(status, body=success("id"))), Denied)

    @pytest.mark.parametrize("kind", ["text/html", "", "text/plain; x=application/json"])
    def test_needs_the_content_type_of_json(self, kind: str) -> None:
        assert isinstance(upload(answer(kind=kind, body=success("id"))), Unsettled)
        assert isinstance(login(answer(kind=kind, body=success("id"))), Denied)

    def test_needs_the_whole_answer(self) -> None:
        assert isinstance(upload(answer(body=success("id"), whole=False)), Unsettled)

    def test_needs_the_whole_scan(self) -> None:
        outcome = upload(answer(body=success("id")), wholly_sent=False)
        assert refused(outcome) == (Problem.NOT_OPENSPP, False)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"<Response 7 bytes [200 OK]>"',
            success("id")[:-1],
            success("id") + b"}",
            b"\xff\xfe" + success("id"),
            b"[" * 60000,
            b'{"id": "id", "error": null}',
            b'{"id": "id", "error": "no"}',
            b'{"id": "id", "error": {"data": 5}}',
            b'{"id": "id", "error": {"data": {"name": 5}}}',
            b'{"id": "id", "result": "<Response 7 bytes [200 OK]>", "error": {}}',
        ],
    )
    def test_is_not_made_out_of_garbage(self, body: bytes) -> None:
        assert isinstance(upload(answer(body=body)), Unsettled)
        assert isinstance(login(answer(body=body)), Denied)


class TestExceptionsOfOpenSPP:
    @pytest.mark.parametrize(
        ("name", "message", "problem", "may_retry"),
        [
            ("odoo.exceptions.AccessDenied", "Access Denied", Problem.OUT_OF_ORDER, True),
            ("psycopg2.OperationalError", "gone", Problem.OUT_OF_ORDER, True),
            ("psycopg2.errors.SerializationFailure", "", Problem.OUT_OF_ORDER, True),
            (
                "builtins.ValueError",
                "Image size excessive, uploaded images must be smaller than 4.5 million pixels.",
                Problem.EXCESSIVE_IMAGE,
                False,
            ),
            ("builtins.MemoryError", "", Problem.TOO_LARGE_FOR_MEMORY, False),
            ("builtins.ValueError", "Other", Problem.REFUSED, False),
            ("odoo.exceptions.UserError", "Other", Problem.OUT_OF_ORDER, False),
            ("builtins.KeyError", "x", Problem.OUT_OF_ORDER, False),
            ("odoo.http.SessionExpiredException", "", Problem.OUT_OF_ORDER, False),
        ],
    )
    def test_prove_that_nothing_was_stored(
        self, name: str, message: str, problem: Problem, may_retry: bool
    ) -> None:
        outcome = upload(answer(body=error(name, message)))
        assert refused(outcome) == (problem, may_retry)
        assert isinstance(outcome, NotStored)
        assert outcome.failure.said == ""
        assert name in outcome.failure.detail

    def test_access_denied_under_load_is_no_wrong_password(self) -> None:
        denied = login(answer(body=error("odoo.exceptions.AccessDenied", "Access Denied")))
        assert denied is not None
        assert (denied.failure.problem, denied.may_retry) == (Problem.OUT_OF_ORDER, True)

    @pytest.mark.parametrize("message", [None, 5, ["x"], ""])
    def test_of_a_known_class_without_words_are_refusals_all_the_same(
        self, message: object
    ) -> None:
        outcome = upload(answer(body=error("odoo.exceptions.ValidationError", message)))
        assert refused(outcome) == (Problem.REFUSED, False)

    def test_at_a_login_never_give_an_upload_s_reply(self) -> None:
        for name in ("odoo.exceptions.ValidationError", "builtins.MemoryError", "binascii.Error"):
            denied = login(answer(body=error(name)))
            assert denied is not None
            assert denied.failure.login_reply().code == 421

    def test_with_a_name_that_is_none_are_garbage(self) -> None:
        assert isinstance(upload(answer(body=error("x\npassword=" + SECRET))), Unsettled)


class TestHttpStatus:
    @pytest.mark.parametrize(
        ("status", "problem", "may_retry"),
        [
            (301, Problem.REDIRECTED, False),
            (302, Problem.REDIRECTED, False),
            (304, Problem.REDIRECTED, False),
            (400, Problem.OUT_OF_ORDER, True),
            (401, Problem.NOT_OPENSPP, False),
            (403, Problem.NOT_OPENSPP, False),
            (404, Problem.NOT_OPENSPP, True),
            (405, Problem.NOT_OPENSPP, False),
            (408, Problem.OUT_OF_ORDER, True),
            (413, Problem.TOO_LARGE_FOR_PROXY, False),
            (429, Problem.OUT_OF_ORDER, True),
            (431, Problem.NOT_OPENSPP, False),
            (500, Problem.OUT_OF_ORDER, True),
            (501, Problem.NOT_OPENSPP, False),
            (503, Problem.OUT_OF_ORDER, True),
        ],
    )
    @pytest.mark.parametrize("wholly_sent", [True, False])
    def test_that_says_the_request_was_not_carried_out(
        self, status: int, problem: Problem, may_retry: bool, wholly_sent: bool
    ) -> None:
        outcome = upload(answer(status, "text/html", HTML), wholly_sent=wholly_sent)
        assert refused(outcome) == (problem, may_retry)

    @pytest.mark.parametrize("status", [502, 504, 520, 524, 599])
    def test_of_a_proxy_that_lost_sight_of_openspp_settles_nothing(self, status: int) -> None:
        outcome = upload(answer(status, "text/html", HTML))
        assert isinstance(outcome, Unsettled)
        assert outcome.failure.problem is Problem.UNCERTAIN
        assert f"HTTP {status}" in outcome.failure.detail

    @pytest.mark.parametrize("status", [502, 504, 520])
    def test_of_such_a_proxy_is_certain_while_the_scan_was_not_wholly_sent(
        self, status: int
    ) -> None:
        outcome = upload(answer(status, "text/html", HTML), wholly_sent=False)
        assert refused(outcome) == (Problem.OUT_OF_ORDER, True)

    def test_is_never_a_wrong_password(self) -> None:
        for status in (302, 400, 401, 403, 404, 407, 413, 500, 502, 503):
            denied = login(answer(status, "text/html", HTML))
            assert denied is not None
            assert denied.failure.login_reply().code == 421
            assert denied.failure.problem is not Problem.WRONG_PASSWORD

    def test_400_of_a_tls_port_names_the_url_to_write(self) -> None:
        body = b"<center>The plain HTTP request was sent to HTTPS port</center>"
        outcome = upload(answer(400, "text/html", body))
        assert refused(outcome) == (Problem.NOT_OPENSPP, False)
        assert isinstance(outcome, NotStored)
        assert "url = https://openspp:8069" in outcome.failure.detail

    def test_404_says_what_is_missing(self) -> None:
        outcome = upload(answer(404, "text/html", HTML))
        assert isinstance(outcome, NotStored)
        assert "spp_scanner_api" in outcome.failure.detail
        assert "database" in outcome.failure.detail


class TestRedirects:
    def test_name_the_url_to_write(self) -> None:
        outcome = upload(answer(301, redirects_to="https://openspp.example"))
        assert isinstance(outcome, NotStored)
        assert "write url = https://openspp.example in" in outcome.failure.detail

    def test_never_advise_to_give_up_encryption(self) -> None:
        given = Answer("https://o/dms/upload", 302, "", b"", redirects_to="http://o")
        outcome = upload(given)
        assert isinstance(outcome, NotStored)
        assert "url = http:" not in outcome.failure.detail
        assert "not encrypted" in outcome.failure.detail


class TestDetails:
    @pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 413, 418, 500, 502, 503, 599])
    @pytest.mark.parametrize("body", [HTML, SECRET.encode(), error(SECRET), error("x", SECRET)])
    def test_never_quote_the_answer(self, status: int, body: bytes) -> None:
        """An HTML answer can echo the request, password included (WIRE.md section 1)."""
        for kind in ("application/json", f"text/{SECRET}", f"\n{SECRET}"):
            given = answer(status, kind, body)
            outcome = upload(given)
            assert isinstance(outcome, NotStored | Unsettled)
            denied = login(given)
            assert denied is not None
            assert SECRET not in repr((outcome, denied, given))

    def test_tell_status_type_and_length(self) -> None:
        outcome = upload(answer(503, "text/html; charset=x", b"12345"))
        assert isinstance(outcome, NotStored)
        assert f"{UPLOAD} answered HTTP 503 (text/html, 5 bytes)" in outcome.failure.detail


class TestBinding:
    def test_succeeds_by_openspp_s_redirect_to_its_login_page(self) -> None:
        given = answer(302, "text/html", redirect_path="/web/login")
        assert judge_binding(given, has_session=True) is None

    def test_does_not_mind_the_scheme_that_odoo_takes_itself_to_have(self) -> None:
        given = Answer(
            "https://o/web/login",
            302,
            "text/html",
            b"",
            redirects_to="http://o",
            redirect_path="/web/login",
        )
        assert judge_binding(given, has_session=True) is None

    def test_succeeds_where_there_is_only_that_database(self) -> None:
        assert judge_binding(answer(200, "text/html"), has_session=True) is None

    def test_fails_for_a_database_that_openspp_does_not_serve(self) -> None:
        given = answer(303, "text/html", redirect_path="/web/database/selector")
        denied = judge_binding(given, has_session=True)
        assert denied is not None
        assert denied.failure.problem is Problem.NOT_OPENSPP
        assert "database in [openspp]" in denied.failure.detail

    def test_fails_without_a_session(self) -> None:
        assert judge_binding(answer(200, "text/html"), has_session=False) is not None

    def test_fails_by_a_redirect_to_another_address(self) -> None:
        given = answer(301, redirects_to="https://o", redirect_path="/web/login")
        denied = judge_binding(given, has_session=False)
        assert denied is not None
        assert denied.failure.problem is Problem.REDIRECTED

    def test_may_be_retried_while_openspp_starts(self) -> None:
        denied = judge_binding(answer(503, "text/html"), has_session=False)
        assert denied is not None
        assert denied.may_retry
