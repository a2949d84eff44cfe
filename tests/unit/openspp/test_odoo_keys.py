"""API keys expire on OpenSPP 2: the administrator hears of it a week before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openspp_ftpd.openspp import Exchange
from openspp_ftpd.openspp.odoo_keys import Expiry, next_expiry

from .recorded_odoo import CASES, desk
from .scripted import ALICE

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def key(days: float | None, scope: object = "rpc", now: datetime = NOW) -> dict[str, Any]:
    """A key that expires in so many days; None: never."""
    at = False if days is None else f"{now + timedelta(days=days):%Y-%m-%d %H:%M:%S}"
    return {"id": 1, "scope": scope, "expiration_date": at}


class TestWhichKey:
    def test_the_only_one(self) -> None:
        expiry = next_expiry("alice", [key(3)], NOW)
        assert expiry == Expiry("alice", NOW + timedelta(days=3), certain=True)

    def test_the_first_of_several(self) -> None:
        expiry = next_expiry("alice", [key(30), key(3, False), key(None)], NOW)
        assert expiry == Expiry("alice", NOW + timedelta(days=3), certain=False)

    def test_not_those_that_no_scanner_can_use(self) -> None:
        assert next_expiry("alice", [key(3, "browser"), key(-1)], NOW) is None

    def test_not_one_that_never_expires(self) -> None:
        assert next_expiry("alice", [key(None)], NOW) is None

    @pytest.mark.parametrize("rows", [None, {}, [1], [{"scope": "rpc"}], "x", [key(None, 5)]])
    def test_nonsense_is_none(self, rows: object) -> None:
        assert next_expiry("alice", rows, NOW) is None

    def test_as_recorded(self) -> None:
        rows = CASES["odoo19", "k5 own api keys (user, scope, expiry) "]["response"]["body"]
        expiry = next_expiry("alice", rows, NOW)
        assert expiry == Expiry("alice", datetime(2027, 2, 20, 9, 39, 9, tzinfo=UTC), False)

    @pytest.mark.parametrize(("days", "soon"), [(7.01, False), (6.99, True), (0.1, True)])
    def test_a_week_before(self, days: float, soon: bool) -> None:
        expiry = next_expiry("alice", [key(days)], NOW)
        assert expiry is not None
        assert expiry.soon(NOW) is soon

    def test_the_sentence_says_whose_when_and_what_to_do(self) -> None:
        expiry = next_expiry("alice", [key(3)], NOW)
        assert expiry is not None
        for word in ("alice", "2026-11-25", "12:00 UTC", "Account Security"):
            assert word in expiry.sentence()


def soon(days: float) -> bytes:
    return json.dumps([key(days, now=datetime.now(UTC))]).encode()


class TestTheWarning:
    def test_at_a_login_once_a_day(self) -> None:
        with desk("odoo19", keys=soon(3)) as gateway:
            assert gateway.login() is None
            assert [expiry.user for expiry in gateway.warned] == ["alice"]
            gateway.odoo.new()
            assert gateway.login() is None
            assert "keys" not in gateway.odoo.new()
            gateway.clock.now += 24 * 3600
            assert gateway.login() is None
            assert len(gateway.warned) == 2

    def test_not_earlier(self) -> None:
        with desk("odoo19", keys=soon(8)) as gateway:
            assert gateway.login() is None
            assert gateway.told == [("alice", None)]

    def test_odoo_17_is_not_asked_for_its_keys_never_expire(self) -> None:
        with desk("odoo17") as gateway:
            assert gateway.login() is None
            assert "keys" not in gateway.odoo.asked
            assert gateway.api.expiry(ALICE, Exchange()) is None

    def test_a_refused_question_keeps_nobody_out(self) -> None:
        with desk("odoo19", keys="j6 no rights (bob) read") as gateway:
            assert gateway.login() is None
            assert gateway.told == []

    def test_it_can_be_asked_for(self) -> None:
        with desk("odoo19", keys=soon(3)) as gateway:
            expiry = gateway.api.expiry(ALICE, Exchange())
        assert expiry is not None
        assert expiry.user == "alice"
        assert expiry.soon(datetime.now(UTC))
