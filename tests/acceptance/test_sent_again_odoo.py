"""A scan that is sent again, with Odoo's own API: never stored twice, and what is there is found.

OpenSPP can be asked what it has. Where it does not answer that, nothing is said and nothing is sent
again before it does; what it may still be storing is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance import plays
from tests.acceptance.interfaces import ODOO
from tests.acceptance.openspp_doubles import DoubledGateway
from tests.acceptance.own_api import control
from tests.acceptance.promises import OTHER_NAME, STORED, UNCERTAIN, Gateway, pdf, unique
from tests.acceptance.tables import Ahead, Row, Told, rows

THEN = " / "
"""Between the replies to the first sending and to the last."""


@dataclass(frozen=True)
class Doubt:
    """A fault of the upload, and of the searches until the scan is sent again."""

    upload: str
    search: dict[str, Any] = field(default_factory=dict)


class TestWithoutAVerdict:
    @staticmethod
    def play(gateway: Gateway, row: Row) -> Told:
        """The scan, and once more where the scanner was not told 226."""
        name, document = unique(f"scan@{row.fault.upload}.pdf"), pdf()
        gateway.serves_the_next_scan()  # which asks what the upload asks before it begins
        control(gateway, "faults", {"search": row.fault.search})
        try:
            replies = gateway.send(name, document)
        finally:
            control(gateway, "faults", {})
        if replies != STORED:
            replies += THEN + gateway.send(name, document)
        return replies, gateway.copies(document)

    FOUND = UNCERTAIN + THEN + STORED

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("Odoo is asked", Doubt("drop-after-once"), STORED, 1, only=ODOO),
            Row("it fails", Doubt("reset-after-once", {"http": 500}), FOUND, 1, only=ODOO),
            Row("it closes", Doubt("cut-answer-once", {"drop-before": True}), FOUND, 1, only=ODOO),
            Row("it is silent", Doubt("drop-after-once", {"slow": 5}), FOUND, 1, only=ODOO),
            Row("it babbles", Doubt("late=60-once", {"garbage": True}), FOUND, 1, only=ODOO),
            Row(
                "its database is away",
                Doubt("drop-after-once", {"error": "psycopg2.OperationalError:down"}),
                FOUND,
                1,
                only=ODOO,
            ),
            Row("it stores it later", Doubt("slow=4-once"), FOUND, 1, only=ODOO),
            Row(
                "it may store it yet",
                Doubt("drop-before-once"),
                UNCERTAIN + THEN + UNCERTAIN,
                only=ODOO,
            ),
        ),
    )
    def test_it_is_never_there_twice(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestOverANameOfOurs:
    """The asked-for name is taken, and OpenSPP dies over the scan under another."""

    @staticmethod
    def play(gateway: DoubledGateway, row: Row) -> Told:
        """`fault`: whether it has stored the scan by then."""
        name, document = unique("scan.pdf"), pdf()
        assert gateway.send(name, pdf()) == STORED
        stores = plays.stores_and_dies(gateway.openspp.port)
        death = stores if row.fault else plays.dies_after_the_body
        gateway.double.scripts[name.removesuffix(".pdf")] = plays.InOrder(
            gateway.openspp.port, death
        )
        replies = [gateway.send(name, document)]
        if not replies[0].startswith(OTHER_NAME):
            replies.append(gateway.send(name, document))
        return THEN.join(reply[: len(OTHER_NAME)] for reply in replies), gateway.copies(document)

    NOBODY_KNOWS = THEN.join([UNCERTAIN[: len(OTHER_NAME)]] * 2)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("having stored it", True, OTHER_NAME, 1, only=ODOO),
            Row("having stored nothing", False, NOBODY_KNOWS, only=ODOO),
        ),
    )
    def test_it_is_never_there_twice(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)
