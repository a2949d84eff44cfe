"""What no OpenSPP answers, but a proxy, another server or a broken one may.

Played by a double before the embedded OpenSPP, in the form of each interface; as in
test_failing_uploads, `openspp_has` is what OpenSPP has after the final reply.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.acceptance import plays
from tests.acceptance.interfaces import ODOO, SCANNER, every_api
from tests.acceptance.openspp_doubles import DoubledGateway, OpenSPPDouble
from tests.acceptance.promises import (
    LARGE,
    OUT_OF_ORDER,
    STORED,
    TOO_SLOW,
    UNCERTAIN,
    UNREACHABLE,
    Gateway,
    pdf,
    unique,
)
from tests.acceptance.tables import Ahead, Row, Told, rows, sent
from tests.acceptance.test_failing_uploads import NOT_OPENSPP, REDIRECTED, REFUSED

WITH_IDS: Final = (SCANNER, "odoo17")
"""/json/2 has no envelope: neither an id nor an error beside a result."""


class TestTheAnswer:
    @staticmethod
    def play(gateway: DoubledGateway, row: Row) -> Told:
        """`fault` is what the double plays to the upload."""
        name = unique("scan.pdf")
        gateway.double.scripts[name.removesuffix(".pdf")] = row.fault
        return sent(gateway, name, pdf(row.size))

    ERROR: Final = {"code": 200, "data": {"name": "x", "message": "x"}}

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("success under another id", plays.confirms_another_id, UNCERTAIN, only=WITH_IDS),
            Row("success beside an error", plays.confirms(error=ERROR), UNCERTAIN, only=WITH_IDS),
            Row("success as HTML", plays.confirms(content_type="text/html"), UNCERTAIN),
            Row("success with HTTP 201", plays.confirms("201 Created"), UNCERTAIN),
            Row("success with HTTP 500", plays.confirms("500 Error"), OUT_OF_ORDER),
            Row("success with HTTP 302", plays.confirms("302 Found"), REDIRECTED),
            Row("bytes that are no HTTP", plays.says(b"\x15\x03\x01"), UNCERTAIN),
            Row("half a head and silence", plays.says(b"HTTP/1.0 200 O", 20), UNCERTAIN),
            Row("a body without end", plays.without_end, UNCERTAIN),
            Row("headers without end", plays.headers_without_end, UNCERTAIN),
            Row("400 echoing the request", plays.echoes("400 Bad", "body"), OUT_OF_ORDER),
            Row("200 echoing the request", plays.echoes("200 OK", "body"), UNCERTAIN),
            Row("a status line with the password", plays.echoes("", "status"), UNCERTAIN),
            Row("redirect to the password", plays.echoes("302 FOUND", "header"), REDIRECTED),
            Row("ValueError quoting the password", plays.raises("ValueError"), REFUSED),
            Row("KeyError quoting the password", plays.raises("KeyError"), OUT_OF_ORDER),
        ),
    )  # fmt: skip
    def test_is_no_success(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)


def _with(**changes: object) -> Any:
    """The record that confirms a document, with these fields changed."""
    return plays.confirms_otherwise(lambda record: [{**record, **changes}])


class TestTheConfirmationOfOtherBytes:
    """Odoo says what it has received: a 226 is for these very bytes and for nothing else."""

    play = staticmethod(TestTheAnswer.play)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("another checksum", _with(checksum="0" * 128), OUT_OF_ORDER, only=ODOO),
            Row("no checksum", _with(checksum=False), OUT_OF_ORDER, only=ODOO),
            Row("a byte less", _with(size=19_999.0), OUT_OF_ORDER, only=ODOO),
            Row("no id", _with(id=False), OUT_OF_ORDER, only=ODOO),
            Row(
                "two of them",
                plays.confirms_otherwise(lambda record: [record, record]),
                OUT_OF_ORDER,
                only=ODOO,
            ),
            Row("none", plays.confirms_otherwise(lambda record: []), OUT_OF_ORDER, only=ODOO),
            Row("bare", plays.confirms_otherwise(lambda record: record), OUT_OF_ORDER, only=ODOO),
        ),
    )  # fmt: skip
    def test_is_no_success(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)


class TestAConnectionThatIsTakenAndNoMore:
    @staticmethod
    def play(gateway: DoubledGateway, row: Row) -> Told:
        """`fault` is what every connection meets."""
        document = pdf(row.size)
        with gateway.session() as scanner:
            # What is asked once has been asked then: the next connection is the upload's.
            assert gateway.store(scanner, unique("before.pdf"), pdf()) == STORED
            with gateway.double.at_the_door(row.fault):
                reply = gateway.store(scanner, unique("scan.pdf"), document)
        return reply, gateway.copies(document)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("closed at once", plays.closes_at_once, UNREACHABLE, size=LARGE),
            Row("reset at once", plays.resets_at_once, UNREACHABLE, size=LARGE),
            Row("never read, a large scan", plays.reads_nothing, TOO_SLOW, size=LARGE),
            Row("never read, a small scan", plays.reads_nothing, UNCERTAIN),
        ),
    )
    def test_nothing_is_stored(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)


@every_api
class TestWhileItIsSent:
    def test_success_before_the_body_had_come(self, doubled: tuple[Gateway, OpenSPPDouble]) -> None:
        gateway, double = doubled
        name, document = unique("scan.pdf"), pdf(LARGE)
        double.scripts[name.removesuffix(".pdf")] = plays.confirms_early(document)
        assert gateway.send(name, document) == NOT_OPENSPP
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
            double.scripts[name.removesuffix(".pdf")] = plays.answers(status, location)
            assert gateway.send(name, document) == REDIRECTED
            assert elsewhere.connections == 0
        assert gateway.copies(document) == 0
        assert gateway.journal_tells(f"write url = {elsewhere.url} in [openspp]")
