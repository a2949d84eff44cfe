"""Each way an upload can fail by what OpenSPP answers: what the scanner is told, what OpenSPP has.

One row is one way to fail, and is played with every interface of OpenSPP. `openspp_has` counts the
copies of this very document in its record after the final reply: 0 or 1 where the reply says that
nobody knows, and always 0 where it says that nothing was stored. Odoo's own API can be asked what
is there, so with it what was stored without a word is a 226. Every row ends with Gateway.check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.acceptance import documents
from tests.acceptance.interfaces import ODOO, SCANNER
from tests.acceptance.promises import (
    LARGE,
    OPTIONS,
    OUT_OF_ORDER,
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
from tests.acceptance.tables import Ahead, Row, Told, rows, sent

REDIRECTED: Final = "451 OpenSPP's address is wrong (redirect). Tell the administrator."
NOT_OPENSPP: Final = "451 No OpenSPP scanner interface there. Tell the administrator."
REFUSED: Final = "553 OpenSPP refused the scan. Tell the administrator."
WRONG_PASSWORD: Final = "530 Wrong OpenSPP user or scanner password."
NOT_IN_GROUP: Final = "550 This user is not in OpenSPP's Scanner group. Tell the administrator."
EMPTY: Final = "550 The file is empty. Nothing was stored."
TOO_LARGE: Final = "552 The scan is larger than allowed. Scan fewer pages at once."
TOO_LARGE_FOR_PROXY: Final = "552 Too large for OpenSPP's proxy (HTTP 413). Scan fewer pages."
NO_MEMORY: Final = "552 OpenSPP has no memory for this scan. Scan fewer pages."
NO_DMS_GROUP: Final = "550 You are not allowed to create 'File' (dms.file) records."
NO_ACCESS: Final = "550 Due to security restrictions, you are not allowed to access 'Direct..."
NO_DIRECTORY: Final = "550 No active directory for this user. Choose one in OpenSPP."

ONLY_SCANNER: Final = (SCANNER,)
NO_ROUTE: Final = {SCANNER: NOT_OPENSPP, "odoo17": NOT_OPENSPP, "odoo19": OUT_OF_ORDER}
"""To a path that is not there; 19 words a database that is not there in the same way."""
ASKED: Final = {SCANNER: UNCERTAIN, "odoo": STORED}
"""Stored without a word."""
LOOKED_FOR: Final = {SCANNER: UNCERTAIN, "odoo": OUT_OF_ORDER}
"""Done with, and no sign of success: Odoo is asked, and has it not."""


def _send(gateway: Gateway, row: Row) -> Told:
    """A document whose name has the row's fault."""
    return sent(gateway, unique(f"scan@{row.fault}.pdf"), pdf(row.size))


class TestWhatOpenSPPAnswers:
    """By a fault of the embedded OpenSPP."""

    play = staticmethod(_send)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("401, the password was changed", "result=401", WRONG_PASSWORD, only=ONLY_SCANNER),
            Row("403, no longer in the group", "result=403", NOT_IN_GROUP, only=ONLY_SCANNER),
            Row("400, no active directory", "result=400", NO_DIRECTORY, only=ONLY_SCANNER),
            Row("406, empty file", "result=406", EMPTY, only=ONLY_SCANNER),
            Row("500 in brackets", "result=500", OUT_OF_ORDER, only=ONLY_SCANNER),
            Row("202 in brackets", "result=202", UNCERTAIN, only=ONLY_SCANNER),
            Row("OK without brackets", "result=OK", LOOKED_FOR),
            Row("a number alone", "result=57", OUT_OF_ORDER, only=ODOO),
            Row("false, as to a wrong key", "result=false", OUT_OF_ORDER, only=ODOO),
            Row("HTML 400", "http=400", OUT_OF_ORDER),
            Row("HTML 404", "http=404", NO_ROUTE),
            Row("HTML 405", "http=405", NOT_OPENSPP),
            Row("HTML 413", "http=413", TOO_LARGE_FOR_PROXY),
            Row("HTML 500", "http=500", OUT_OF_ORDER),
            Row("HTML 502", "http=502", UNCERTAIN),
            Row("HTML 503", "http=503", OUT_OF_ORDER),
            Row("HTML 504", "http=504", UNCERTAIN),
            Row("a page of another server, 200 OK", "html=200", UNCERTAIN),
            Row("404, as without a database", "not-found", NO_ROUTE),
            Row("garbage", "garbage", UNCERTAIN),
            Row("200 without a body", "empty", UNCERTAIN),
            Row("a redirect to https", "redirect", REDIRECTED),
            Row("a permanent redirect", "redirect=308", REDIRECTED),
            Row("MemoryError", "error=MemoryError", NO_MEMORY),
            Row("AccessDenied, overloaded", "error=AccessDenied", OUT_OF_ORDER),
            Row("PostgreSQL's error", "error=psycopg2.OperationalError:down", OUT_OF_ORDER),
            Row("UserError", "error=UserError:No.", {SCANNER: OUT_OF_ORDER, "odoo": REFUSED}),
            Row("ValidationError", "error=ValidationError:No.", "553 No."),
            Row("AccessError", "error=AccessError:No.", "550 No."),
            Row("ValueError", "error=ValueError:No.", REFUSED),
            Row("MissingError, though he is there", "error=MissingError", OUT_OF_ORDER, only=ODOO),
            Row("too large for Werkzeug", "error=RequestEntityTooLarge", TOO_LARGE, only=ODOO),
            Row("broken off on its way", "error=ClientDisconnected", OUT_OF_ORDER, only=ODOO),
            Row("closed before it stored", "drop-before", UNCERTAIN),
            Row("closed after it stored", "drop-after", ASKED, 1),
            Row("reset before it stored", "reset-before", UNCERTAIN),
            Row("reset after it stored", "reset-after", ASKED, 1),
            Row("the answer is cut", "cut-answer", ASKED, 1),
            Row("stored, and answered too late", "late=6", ASKED, 1),
        ),
    )  # fmt: skip
    def test_the_answer(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestWithinTheBody:
    play = staticmethod(_send)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("413 before the body", "early=413", TOO_LARGE_FOR_PROXY, size=LARGE),
            Row("503 before the body", "early=503", OUT_OF_ORDER, size=LARGE),
            Row("502 before the body, which it reads on", "early=502", UNCERTAIN, size=LARGE),
            Row("closed within the body", "drop-in-body", UNREACHABLE, size=LARGE),
            Row("reset within the body", "reset-in-body", UNREACHABLE, size=LARGE),
            Row("not read on, beyond answer_within", "stop-reading=4", TOO_SLOW, size=LARGE),
        ),
    )
    def test_nothing_is_stored(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestWhatIsCertainlyNotStoredIsTriedAgain:
    play = staticmethod(_send)
    answer_within = 25.0  # there is time for another try on any machine

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("HTML 500 of a restarting Odoo", "http=500-once", STORED, 1),
            Row("HTML 404 of a restarting Odoo", "http=404-once", STORED, 1),
            Row("404 without a database, restarting", "not-found-once", STORED, 1),
            Row("HTML 503, twice", "http=503-twice", STORED, 1),
            Row("AccessDenied of an overloaded one", "error=AccessDenied-once", STORED, 1),
            Row("broken off", "error=ClientDisconnected-once", STORED, 1, only=ODOO),
            Row("closed within the body", "drop-in-body-once", STORED, 1, size=LARGE),
            Row("reset within the body", "reset-in-body-once", STORED, 1, size=LARGE),
        ),
    )
    def test_and_stored_once(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestWhatOnlyOpenSPP15Refuses:
    """Odoo's own API checks none of this: see test_odoo.py for what becomes of it there."""

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
