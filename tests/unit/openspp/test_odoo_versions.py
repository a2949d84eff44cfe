"""Which Odoo answers: found without a login and once, and again after it was away."""

from __future__ import annotations

import json

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Denied, Exchange, NotStored, Stored, Unsettled

from .recorded_odoo import SERVERS, Odoo, desk
from .scripted import Request, scripted


def told(first: object) -> bytes:
    """common.version's answer of this version."""
    result = {"server_version": "x", "server_version_info": [first, 0, 0, "final", 0, ""]}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


@pytest.mark.parametrize("server", SERVERS)
class TestOnce:
    def test_no_user_and_no_key_is_sent(self, server: str) -> None:
        with desk(server) as gateway:
            assert gateway.api.probe(Exchange()) is None
            for request in gateway.odoo.requests:
                assert b"alice" not in request.head + request.body
                assert request.header("Authorization") == ""

    def test_not_again_for_the_next_user(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.login()
            gateway.odoo.new()
            gateway.login()
            asked = gateway.odoo.new()
        assert "/web/version" not in asked
        assert "version" not in asked

    @pytest.mark.parametrize(
        "fault", ["reset", "502 Bad Gateway", "500 Internal Server Error", "404 Not Found"]
    )
    def test_again_after_it_was_away(self, server: str, fault: str) -> None:
        def fails(request: Request) -> None:
            if fault == "reset":
                request.reset()
            else:
                request.answer(fault, "text/html", b"<html>")

        with desk(server, names=fails) as gateway:
            assert isinstance(gateway.store(), NotStored)
            gateway.odoo.new()
            gateway.store()
            assert gateway.odoo.new()[0] == "/web/version"


def test_an_openspp_that_was_upgraded_meanwhile_is_spoken_to_in_its_new_way() -> None:
    with desk("odoo17") as gateway:
        assert gateway.store(name="1.pdf") == Stored()
        gateway.odoo.will(web_save=lambda request: request.reset())
        assert isinstance(gateway.store(name="2.pdf"), Unsettled)
        new = Odoo("odoo19")
        gateway.odoo.server, gateway.odoo._replies = new.server, new._replies
        gateway.odoo.new()
        assert gateway.store(name="3.pdf") == Stored()
        assert gateway.odoo.new() == ["/web/version", "web_save"]


@pytest.mark.parametrize("first", [17, 18, "saas~17", "17", "saas-18"])
def test_json_rpc_up_to_18(first: object) -> None:
    with desk("odoo17", version=told(first)) as gateway:
        assert gateway.store() == Stored()


@pytest.mark.parametrize("first", [19, "saas~19", 20])
def test_json_2_from_19_on(first: object) -> None:
    body = json.dumps({"version_info": [first, 1], "version": "x"}).encode()
    with desk("odoo19") as gateway:
        gateway.odoo.will(**{"/web/version": body})
        assert gateway.store() == Stored()


@pytest.mark.parametrize("first", [15, 16, "saas~16"])
def test_an_older_one_needs_the_other_interface(first: object) -> None:
    with desk("odoo17", version=told(first)) as gateway:
        denied = gateway.login()
    assert isinstance(denied, Denied)
    assert denied.failure.problem is Problem.NOT_OPENSPP
    assert "api = scanner" in denied.failure.detail


@pytest.mark.parametrize("first", [None, "x", "", [], 10**9])
def test_a_version_that_is_none(first: object) -> None:
    with desk("odoo17", version=told(first)) as gateway:
        denied = gateway.login()
    assert isinstance(denied, Denied)
    assert denied.failure.problem is Problem.NOT_OPENSPP


@pytest.mark.parametrize(
    ("status", "location", "problem"),
    [
        ("301 Moved", "Location: https://openspp.example.org/web/version", Problem.REDIRECTED),
        ("503 Busy", "X: y", Problem.OUT_OF_ORDER),
        ("502 Bad Gateway", "X: y", Problem.OUT_OF_ORDER),
        ("200 OK", "X: y", Problem.NOT_OPENSPP),
        ("404 Not Found", "X: y", Problem.NOT_OPENSPP),
    ],
)
def test_what_is_no_odoo_gets_no_key(status: str, location: str, problem: Problem) -> None:
    """A redirect is not followed, and names the url to write."""

    def another_server(request: Request) -> None:
        request.read_head()
        request.read_body()
        assert b"scan-alice" not in request.head + request.body
        request.answer(status, "text/html", b"<html>", location)

    with desk("odoo17") as gateway, scripted(another_server) as other:
        gateway.settings = type(gateway.settings)(
            other.url, api="odoo", database="spp17", directory="2"
        )
        gateway.api = gateway.another_process()
        denied = gateway.login()
    assert isinstance(denied, Denied)
    assert denied.failure.problem is problem
    if problem is Problem.REDIRECTED:
        assert "write url = https://openspp.example.org" in denied.failure.detail


class TestTheDatabase:
    """Whether it is there is asked without a user; a key does not tell it from a wrong one."""

    @pytest.mark.parametrize(
        ("server", "case"),
        [
            ("odoo17", "a4c db.db_exist yes"),
            ("odoo17", "m5 17 list_db=False db.db_exist"),
            ("odoo19", "j4k empty bearer"),
        ],
    )
    def test_is_there(self, server: str, case: str) -> None:
        with desk(server, db_exist=case, context_get=case) as gateway:
            assert gateway.api.find_database(Exchange()) is None
            for request in gateway.odoo.requests:
                assert b"alice" not in request.head + request.body

    @pytest.mark.parametrize(
        ("server", "case"),
        [
            ("odoo17", "a4d db.db_exist no"),
            ("odoo19", "j5b unknown database"),
            ("odoo17", "w7b PostgreSQL refuses: authenticate (17)"),
            ("odoo19", "w6 PostgreSQL refuses the Odoo server: /json/2"),
        ],
    )
    def test_is_not_there_or_cannot_be_reached(self, server: str, case: str) -> None:
        with desk(server, db_exist=case, context_get=case) as gateway:
            denied = gateway.api.find_database(Exchange())
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.OUT_OF_ORDER
        assert "in [openspp]" in denied.failure.detail
