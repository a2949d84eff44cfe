"""Each way an upload can fail over Odoo's own API, before OpenSPP 17 and OpenSPP 2.

As in test_failing_uploads, with what differs: Odoo can be asked what it has, so a scan that it
stored without saying so is a 226, and one that is sent again is never there twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from tests.acceptance.promises import (
    LARGE,
    OUT_OF_ORDER,
    SMALL,
    STORED,
    TOO_SLOW,
    UNCERTAIN,
    UNREACHABLE,
    Gateway,
    pdf,
    row,
    unique,
)
from tests.acceptance.test_failing_uploads import (
    NO_MEMORY,
    NOT_OPENSPP,
    REDIRECTED,
    REFUSED,
    TOO_LARGE_FOR_PROXY,
)

NO_RIGHT: Final = "550 No."

Reply = str | Mapping[str, str]
"""The final reply, or one for each of the two."""


def expected(reply: Reply, api: str) -> str:
    return reply if isinstance(reply, str) else reply[api]


@pytest.mark.parametrize(
    ("fault", "reply", "openspp_has"),
    [
        row("HTML 400", "http=400", OUT_OF_ORDER, 0),
        row(
            "HTML 404: no API on 17, no database on 19",
            "http=404",
            {"odoo17": NOT_OPENSPP, "odoo19": OUT_OF_ORDER},
            0,
        ),
        row("HTML 413", "http=413", TOO_LARGE_FOR_PROXY, 0),
        row("HTML 500", "http=500", OUT_OF_ORDER, 0),
        row("HTML 502", "http=502", UNCERTAIN, 0),
        row("HTML 503", "http=503", OUT_OF_ORDER, 0),
        row("a page of another server, 200 OK", "html=200", UNCERTAIN, 0),
        row("garbage", "garbage", UNCERTAIN, 0),
        row("a redirect to https", "redirect", REDIRECTED, 0),
        row("MemoryError", "error=MemoryError", NO_MEMORY, 0),
        row("AccessDenied, of a key that is right", "error=AccessDenied", OUT_OF_ORDER, 0),
        row("PostgreSQL's error", "error=psycopg2.OperationalError:down", OUT_OF_ORDER, 0),
        row("UserError", "error=UserError:No.", REFUSED, 0),
        row("ValidationError", "error=ValidationError:No.", "553 No.", 0),
        row("AccessError", "error=AccessError:No.", NO_RIGHT, 0),
        row("closed before it stored", "drop-before", UNCERTAIN, 0),
        row("closed after it stored", "drop-after", STORED, 1),
        row("reset after it stored", "reset-after", STORED, 1),
        row("the answer is cut", "cut-answer", STORED, 1),
        row("stored, and answered after the deadline", "late=6", STORED, 1),
    ],
)
def test_the_answer(
    odoo_gateway: tuple[str, Gateway], fault: str, reply: Reply, openspp_has: int
) -> None:
    api, gateway = odoo_gateway
    document = pdf()
    assert gateway.send(unique(f"scan@{fault}.pdf"), document) == expected(reply, api)
    assert gateway.copies(document) == openspp_has


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        row("413 before the body", "early=413", TOO_LARGE_FOR_PROXY),
        row("503 before the body", "early=503", OUT_OF_ORDER),
        row("closed within the body", "drop-in-body", UNREACHABLE),
        row("reset within the body", "reset-in-body", UNREACHABLE),
        row("not read on, beyond answer_within", "stop-reading=4", TOO_SLOW),
    ],
)
def test_within_the_body(odoo_gateway: tuple[str, Gateway], fault: str, reply: str) -> None:
    _, gateway = odoo_gateway
    document = pdf(LARGE)
    assert gateway.send(unique(f"scan@{fault}.pdf"), document) == reply
    assert gateway.copies(document) == 0


@pytest.mark.parametrize(
    ("fault", "size"),
    [
        row("HTML 500 of a restarting Odoo", "http=500-once", SMALL),
        row("HTML 404 of a restarting Odoo", "http=404-once", SMALL),
        row("HTML 503, twice", "http=503-twice", SMALL),
        row("AccessDenied of an overloaded one", "error=AccessDenied-once", SMALL),
        row("closed within the body", "drop-in-body-once", LARGE),
    ],
)
def test_what_is_certainly_not_stored_is_tried_again(
    odoo_gateway: tuple[str, Gateway], fault: str, size: int
) -> None:
    _, gateway = odoo_gateway
    document = pdf(size)
    assert gateway.send(unique(f"scan@{fault}.pdf"), document) == STORED
    assert gateway.copies(document) == 1
