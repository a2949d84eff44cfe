"""Each way an upload can fail by what OpenSPP answers: what the scanner is told, what OpenSPP has.

One row is one way to fail. `openspp_has` counts the copies of this very document in its record
after the final reply: 0 or 1 where the reply says that nobody knows, and always 0 where it says
that nothing was stored. Every test ends with Gateway.check.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance import documents
from tests.acceptance import openspp_doubles as plays
from tests.acceptance.openspp_doubles import OpenSPPDouble, Script
from tests.acceptance.promises import (
    LARGE,
    OPTIONS,
    OUT_OF_ORDER,
    SMALL,
    STORED,
    TOO_SLOW,
    UNCERTAIN,
    UNREACHABLE,
    Gateway,
    gateway_of,
    marked,
    noise,
    pdf,
    row,
    unique,
)

REDIRECTED: Final = "451 OpenSPP's address is wrong (redirect). Tell the administrator."
NOT_OPENSPP: Final = "451 No OpenSPP scanner interface there. Tell the administrator."
REFUSED: Final = "553 OpenSPP refused the scan. Tell the administrator."
WRONG_PASSWORD: Final = "530 Wrong OpenSPP user or scanner password."
NOT_IN_GROUP: Final = "550 This user is not in OpenSPP's Scanner group. Tell the administrator."
EMPTY: Final = "550 The file is empty. Nothing was stored."
TOO_LARGE_FOR_PROXY: Final = "552 Too large for OpenSPP's proxy (HTTP 413). Scan fewer pages."
NO_MEMORY: Final = "552 OpenSPP has no memory for this scan. Scan fewer pages."
NO_DMS_GROUP: Final = "550 You are not allowed to create 'File' (dms.file) records."
NO_ACCESS: Final = "550 Due to security restrictions, you are not allowed to access 'Direct..."
NO_ACCESS_FR: Final = "550 Vous n'?tes pas autoris? ? cr?er des enregistrements 'Fichier' (dms..."
NO_DIRECTORY: Final = "550 No active directory for this user. Choose one in OpenSPP."
RECORD: Final = Path(__file__).parents[1] / "data" / "wire.jsonl"


class TestWhatOpenSPPAnswers:
    """By a fault of the embedded OpenSPP."""

    @pytest.mark.parametrize(
        ("fault", "reply", "openspp_has"),
        [
            row("401, the password was changed", "result=401", WRONG_PASSWORD, 0),
            row("403, no longer in the group", "result=403", NOT_IN_GROUP, 0),
            row("400, no active directory", "result=400", NO_DIRECTORY, 0),
            row("406, empty file", "result=406", EMPTY, 0),
            row("500 in brackets", "result=500", OUT_OF_ORDER, 0),
            row("202 in brackets", "result=202", UNCERTAIN, 0),
            row("OK without brackets", "result=OK", UNCERTAIN, 0),
            row("HTML 400", "http=400", OUT_OF_ORDER, 0),
            row("HTML 404", "http=404", NOT_OPENSPP, 0),
            row("HTML 405", "http=405", NOT_OPENSPP, 0),
            row("HTML 413", "http=413", TOO_LARGE_FOR_PROXY, 0),
            row("HTML 500", "http=500", OUT_OF_ORDER, 0),
            row("HTML 502", "http=502", UNCERTAIN, 0),
            row("HTML 503", "http=503", OUT_OF_ORDER, 0),
            row("HTML 504", "http=504", UNCERTAIN, 0),
            row("a page of another server, 200 OK", "html=200", UNCERTAIN, 0),
            row("JSON 404, as without a database", "not-found", NOT_OPENSPP, 0),
            row("garbage", "garbage", UNCERTAIN, 0),
            row("200 without a body", "empty", UNCERTAIN, 0),
            row("a redirect to https", "redirect", REDIRECTED, 0),
            row("a permanent redirect", "redirect=308", REDIRECTED, 0),
            row("MemoryError", "error=MemoryError", NO_MEMORY, 0),
            row("AccessDenied, overloaded", "error=AccessDenied", OUT_OF_ORDER, 0),
            row("PostgreSQL's error", "error=psycopg2.OperationalError:down", OUT_OF_ORDER, 0),
            row("UserError", "error=UserError:No.", OUT_OF_ORDER, 0),
            row("closed before it stored", "drop-before", UNCERTAIN, 0),
            row("closed after it stored", "drop-after", UNCERTAIN, 1),
            row("reset before it stored", "reset-before", UNCERTAIN, 0),
            row("reset after it stored", "reset-after", UNCERTAIN, 1),
            row("the answer is cut", "cut-answer", UNCERTAIN, 1),
        ],
    )  # fmt: skip
    def test_the_answer(self, gateway: Gateway, fault: str, reply: str, openspp_has: int) -> None:
        document = pdf()
        assert gateway.send(unique(f"scan@{fault}.pdf"), document) == reply
        assert gateway.copies(document) == openspp_has

    @pytest.mark.parametrize(
        ("fault", "reply"),
        [
            row("413 before the body", "early=413", TOO_LARGE_FOR_PROXY),
            row("503 before the body", "early=503", OUT_OF_ORDER),
            row("502 before the body, which it reads on", "early=502", UNCERTAIN),
            row("closed within the body", "drop-in-body", UNREACHABLE),
            row("reset within the body", "reset-in-body", UNREACHABLE),
            row("not read on, beyond answer_within", "stop-reading=4", TOO_SLOW),
        ],
    )  # fmt: skip
    def test_within_the_body(self, gateway: Gateway, fault: str, reply: str) -> None:
        document = pdf(LARGE)
        assert gateway.send(unique(f"scan@{fault}.pdf"), document) == reply
        assert gateway.copies(document) == 0

    @pytest.mark.parametrize(
        ("fault", "size"),
        [
            row("HTML 500 of a restarting Odoo", "http=500-once", SMALL),
            row("HTML 404 of a restarting Odoo", "http=404-once", SMALL),
            row("JSON 404 of a restarting Odoo", "not-found-once", SMALL),
            row("HTML 503, twice", "http=503-twice", SMALL),
            row("AccessDenied of an overloaded one", "error=AccessDenied-once", SMALL),
            row("closed within the body", "drop-in-body-once", LARGE),
            row("reset within the body", "reset-in-body-once", LARGE),
        ],
    )
    def test_what_is_certainly_not_stored_is_tried_again(
        self, gateway: Gateway, fault: str, size: int
    ) -> None:
        document = pdf(size)
        assert gateway.send(unique(f"scan@{fault}.pdf"), document) == STORED
        assert gateway.copies(document) == 1

    @pytest.mark.parametrize(
        ("user", "reply"),
        [
            row("400, no active directory", "bob", NO_DIRECTORY),
            row("AccessError, no group", "dave", NO_DMS_GROUP),
            row("AccessError, no access to the directory", "erin", NO_ACCESS),
        ],
    )  # fmt: skip
    def test_a_user_who_may_log_in_but_not_store(
        self, gateway: Gateway, user: str, reply: str
    ) -> None:
        document = pdf()
        assert gateway.send(unique("scan.pdf"), document, user) == reply
        assert gateway.copies(document) == 0

    @pytest.mark.parametrize("kind", ["png", "jpg"])
    def test_an_image_of_too_many_pixels(self, gateway: Gateway, kind: str) -> None:
        image = _image_of(20_000, 20_000, kind)
        reply = gateway.send(unique(f"scan.{kind}"), image)
        assert reply == "553 Image too large for OpenSPP. Scan as PDF or smaller."
        assert gateway.copies(image) == 0

    def test_a_scan_beyond_openspps_own_limit(self, tmp_path: Path) -> None:
        with gateway_of(tmp_path, OPTIONS, ["--max-size", "1"]) as gateway:
            document = pdf(1024 * 1024 + 1)
            assert gateway.send("scan.pdf", document) == "552 The maximum upload size is 1 MB)."
            assert gateway.copies(document) == 0
            gateway.check()


def _image_of(width: int, height: int, kind: str) -> bytes:
    """The beginning of an image says how many pixels it has; the rest is noise."""
    small = noise()
    if kind == "png":
        head = documents.png(1, 1)
        return marked(head[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small)
    frame = b"\xff\xc0\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return marked(b"\xff\xd8" + frame + b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01" + small)


class TestWhatWasRecorded:
    """Each refusal and each error object of a real OpenSPP, played back byte for byte."""

    CASES: Final = [json.loads(line) for line in RECORD.read_text().splitlines()]
    REPLIES: Final = {
        "upload_no_directory_bob": NO_DIRECTORY,
        "upload_not_in_group_carol": NOT_IN_GROUP,
        "upload_wrong_password": WRONG_PASSWORD,
        "upload_empty_file": EMPTY,
        "upload_duplicate": "553 A file with the same name already exists.",
        "context_lang_dup": "553 Un fichier du m?me nom existe d?j?.",
        "upload_dave_no_dms_group": NO_DMS_GROUP,
        "upload_erin_no_access_on_directory": NO_ACCESS,
        "lang_accesserror_dave_fr": NO_ACCESS_FR,
        "name_slash": "553 The file name is invalid.",
        "forbidden_ext_exe": "553 The file has a forbidden file extension.",
        "size_default_25MiB_plus_1": "552 The maximum upload size is 25 MB).",
        "upload_b64_no_padding": REFUSED,
        "upload_b64_garbage": REFUSED,
        "upload_file_is_number": REFUSED,
        "upload_file_is_list": REFUSED,
        "upload_noext_mimetype_without_extension": REFUSED,
        "name_nul": REFUSED,
        "name_surrogate": REFUSED,
        "upload_get": NOT_OPENSPP,
        "auth_missing_password": NO_DIRECTORY,  # `7 bytes` is no success
    }  # fmt: skip

    @pytest.mark.parametrize("case", REPLIES)
    def test_a_recorded_refusal(self, doubled: tuple[Gateway, OpenSPPDouble], case: str) -> None:
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf()
        found = next(each for each in self.CASES if each["name"] == case)
        double.scripts[name.removesuffix(".pdf")] = plays.recorded(found)
        assert gateway.send(name, document) == self.REPLIES[case]
        assert gateway.copies(document) == 0

    def test_none_is_missing(self) -> None:
        def meaning(case: dict[str, Any]) -> object:
            """What tells one refusal of an upload from another."""
            response = case["response"]
            if not response["body"].startswith("{"):
                return response["status"]
            answer = json.loads(response["body"])
            if "result" in answer:
                return answer["result"]
            return answer["error"]["data"]["name"], answer["error"]["data"]["message"]

        uploads = [case for case in self.CASES if "upload" in case["request"]["path"]]
        recorded = {meaning(case) for case in uploads}
        played = {meaning(case) for case in self.CASES if case["name"] in self.REPLIES}
        assert recorded - played == {"<Response 7 bytes [200 OK]>"}


class TestAnOpenSPPThatIsNone:
    """What no OpenSPP answers, but a proxy, another server or a broken one may."""

    OK: Final = b'{"jsonrpc": "2.0", "id": %ID%, "result": "<Response 7 bytes [200 OK]>"}'
    OK_AND_ERROR: Final = (
        OK[:-1] + b', "error": {"code": 200, "data": {"name": "x", "message": "x"}}}'
    )

    @pytest.mark.parametrize(
        ("script", "size", "reply"),
        [
            row("success under another id", plays.another_id, SMALL, UNCERTAIN),
            row("success and error together", plays.answers(OK_AND_ERROR), SMALL, UNCERTAIN),
            row("success as HTML", plays.answers(OK, "200 OK", "text/html"), SMALL, UNCERTAIN),
            row("success with HTTP 201", plays.answers(OK, "201 Created"), SMALL, UNCERTAIN),
            row("success with HTTP 500", plays.answers(OK, "500 Error"), SMALL, OUT_OF_ORDER),
            row("success with HTTP 302", plays.answers(OK, "302 Found"), SMALL, REDIRECTED),
            row("success before the body had come", plays.answers_early(OK), LARGE, NOT_OPENSPP),
            row("bytes that are no HTTP", plays.says(b"\x15\x03\x01"), SMALL, UNCERTAIN),
            row("half a head and silence", plays.says(b"HTTP/1.0 200 O", 20), SMALL, UNCERTAIN),
            row("a body without end", plays.without_end, SMALL, UNCERTAIN),
            row("headers without end", plays.headers_without_end, SMALL, UNCERTAIN),
            row("400 echoing the request", plays.echoes("400 Bad", "body"), SMALL, OUT_OF_ORDER),
            row("200 echoing the request", plays.echoes("200 OK", "body"), SMALL, UNCERTAIN),
            row("a status line with the password", plays.echoes("", "status"), SMALL, UNCERTAIN),
            row("redirect to the password", plays.echoes("302 FOUND", "header"), SMALL, REDIRECTED),
            row("ValueError quoting the password", plays.raises("ValueError"), SMALL, REFUSED),
            row("KeyError quoting the password", plays.raises("KeyError"), SMALL, OUT_OF_ORDER),
        ],
    )  # fmt: skip
    def test_the_answer(
        self, doubled: tuple[Gateway, OpenSPPDouble], script: Script, size: int, reply: str
    ) -> None:
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf(size)
        double.scripts[name.removesuffix(".pdf")] = script
        assert gateway.send(name, document) == reply
        assert gateway.copies(document) == 0

    @pytest.mark.parametrize(
        ("script", "size", "reply"),
        [
            row("closed at once", plays.closes_at_once, LARGE, UNREACHABLE),
            row("reset at once", plays.resets_at_once, LARGE, UNREACHABLE),
            row("never read, a large scan", plays.reads_nothing, LARGE, TOO_SLOW),
            row("never read, a small scan", plays.reads_nothing, SMALL, UNCERTAIN),
        ],
    )
    def test_a_connection_that_is_taken_and_no_more(
        self, doubled: tuple[Gateway, OpenSPPDouble], script: Script, size: int, reply: str
    ) -> None:
        gateway, double = doubled
        document = pdf(size)
        with gateway.session() as scanner, double.at_the_door(script):
            assert gateway.store(scanner, unique("scan.pdf"), document) == reply
        assert gateway.copies(document) == 0

    @pytest.mark.parametrize(
        "status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"]
    )
    def test_a_redirect_is_not_followed(
        self, doubled: tuple[Gateway, OpenSPPDouble], status: str
    ) -> None:
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf()
        with OpenSPPDouble(gateway.openspp.port) as elsewhere:
            location = f"Location: {elsewhere.url}/dms/upload"
            double.scripts[name.removesuffix(".pdf")] = plays.answers(
                b"", status, "text/html", location
            )
            assert gateway.send(name, document) == REDIRECTED
            assert elsewhere.connections == 0
        assert gateway.copies(document) == 0
        assert gateway.journal_tells(f"write url = {elsewhere.url} in [openspp]")
