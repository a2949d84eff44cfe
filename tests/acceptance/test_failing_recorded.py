"""Each refusal and each error object of the real OpenSPPs, played back byte for byte.

What was recorded as an answer to `create` is played to `web_save`, which raises the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance import plays
from tests.acceptance.interfaces import SCANNER
from tests.acceptance.openspp_doubles import DoubledGateway
from tests.acceptance.promises import OUT_OF_ORDER, pdf, unique
from tests.acceptance.tables import Ahead, Row, Told, rows, sent
from tests.acceptance.test_failing_uploads import (
    EMPTY,
    NO_ACCESS,
    NO_DIRECTORY,
    NO_DMS_GROUP,
    NO_MEMORY,
    NOT_IN_GROUP,
    NOT_OPENSPP,
    REFUSED,
    TOO_LARGE,
    WRONG_PASSWORD,
)
from tests.unit.openspp.recorded_odoo import CASES as CASES17
from tests.unit.openspp.test_odoo_recorded import UPLOADS as VERDICTS

NO_ACCESS_FR: Final = "550 Vous n'?tes pas autoris? ? cr?er des enregistrements 'Fichier' (dms..."
NO_RIGHT: Final = "550 You are not allowed to create 'DMS File' (spp.dms.file) records."
GONE: Final = "553 The operation cannot be completed: another model requires the recor..."
GONE_19: Final = "553 The operation cannot be completed: Another model is using the recor..."
RECORD: Final = Path(__file__).parents[1] / "data" / "wire.jsonl"
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

# By the server of the record. That the key is right all the same is asked first, and again later.
REPLIES17: Final = {
    ("odoo17", "b2c execute_kw wrong key"): OUT_OF_ORDER,
    ("odoo17", "b2e execute_kw uid that does not exist"): OUT_OF_ORDER,
    ("odoo17", "b2l execute_kw unknown db"): OUT_OF_ORDER,
    ("odoo17", "w7 PostgreSQL refuses the Odoo server: execute_kw (17)"): OUT_OF_ORDER,
    ("odoo17", "b2n execute_kw unknown method"): OUT_OF_ORDER,
    ("odoo17", "b2r /jsonrpc invalid JSON"): OUT_OF_ORDER,
    ("odoo17", "x9 web_save without create right (bob)"): NO_RIGHT,
    ("odoo17", "x9b web_save directory gone"): GONE,
    ("odoo17", "d4k content bad padding"): REFUSED,
    ("odoo17", "d4p unknown field"): REFUSED,
    ("odoo17", "d4o content number"): REFUSED,
    ("odoo17", "d6j png 81 megapixel"): REFUSED,
    ("odoo17", "d7 name lone surrogate"): OUT_OF_ORDER,
    ("odoo17", "e1 create 400 MiB raw"): NO_MEMORY,
    ("odoo17", "g1 Content-Length body cut in half, half-close"): OUT_OF_ORDER,
    ("odoo17", "g1b chunked body cut, half-close"): OUT_OF_ORDER,
    ("odoo17", "a2c GET /web/version (Odoo 19 only)"): NOT_OPENSPP,
    ("odoo17", "g2 big header"): NOT_OPENSPP,
    ("odoo19", "j4 wrong key"): OUT_OF_ORDER,
    ("odoo19", "j5b unknown database"): OUT_OF_ORDER,
    ("odoo19", "w6 PostgreSQL refuses the Odoo server: /json/2"): OUT_OF_ORDER,
    ("odoo19", "w3 web_save no rights (carol)"): NO_RIGHT,
    ("odoo19", "j7 directory gone"): GONE_19,
    ("odoo19", "j7g broken png"): REFUSED,
    ("odoo19", "j7d bad base64"): REFUSED,
    ("odoo19", "j7e NUL in name"): REFUSED,
    ("odoo19", "j7i lone surrogate in name"): OUT_OF_ORDER,
    ("odoo19", "j8d unknown parameter"): REFUSED,
    ("odoo19", "j8 unknown model"): NOT_OPENSPP,
    ("odoo19", "j8f invalid JSON"): OUT_OF_ORDER,
    ("odoo19", "j8g text/plain"): NOT_OPENSPP,
    ("odoo19", "s3b chunked small"): OUT_OF_ORDER,
    ("odoo19", "s1 /json/2 create 100 MiB raw"): TOO_LARGE,
}  # fmt: skip


def _named(name: str) -> dict[str, Any]:
    return next(case for case in CASES if case["name"] == name)


class TestARecordedRefusal:
    @staticmethod
    def play(gateway: DoubledGateway, row: Row) -> Told:
        """`fault` is what the double plays to the upload."""
        name = unique("scan.pdf")
        gateway.double.scripts[name.removesuffix(".pdf")] = row.fault
        return sent(gateway, name, pdf(row.size))

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            *(
                Row(name, plays.recorded(_named(name)), reply, only=(SCANNER,))
                for name, reply in REPLIES.items()
            ),
            *(
                Row(name, plays.recorded17(CASES17[server, name]), reply, only=(server,))
                for (server, name), reply in REPLIES17.items()
            ),
        ),
    )
    def test_is_told_the_scanner(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)


def test_none_of_openspp_15_is_missing() -> None:
    def meaning(case: dict[str, Any]) -> object:
        """What tells one refusal of an upload from another."""
        response = case["response"]
        if not response["body"].startswith("{"):
            return response["status"]
        answer = json.loads(response["body"])
        if "result" in answer:
            return answer["result"]
        return answer["error"]["data"]["name"], answer["error"]["data"]["message"]

    uploads = [case for case in CASES if "upload" in case["request"]["path"]]
    recorded = {meaning(case) for case in uploads}
    played = {meaning(case) for case in CASES if case["name"] in REPLIES}
    assert recorded - played == {"<Response 7 bytes [200 OK]>"}


def test_none_with_a_verdict_of_its_own_is_missing() -> None:
    assert set(VERDICTS) <= set(REPLIES17)
