"""What an Odoo is sent: the recorded forms and no other, one call a scan, every byte of it."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Credentials, Denied, NotStored, Stored, Unsettled
from openspp_ftpd.openspp.body import RAW_PIECE

from .recorded_odoo import CASES, GOOD, SCAN, SERVERS, RecordedScan, desk, kind
from .scripted import ALICE, LARGE, SMALL, Scan

KEY = "0123456789abcdef0123456789abcdef01234567"
WITH_KEY = Credentials("alice", KEY)


def content_of(body: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The values of a web_save without the scan, and the scan."""
    values = body["vals"] if "vals" in body else body["params"]["args"][5][1]
    encoded = values.pop("content")
    return values, base64.b64decode(encoded, validate=True)


class TestTheForms:
    """Compared with what was sent to the real ones."""

    @pytest.mark.parametrize(
        ("asked", "case"),
        [
            ("version", "a3 common.version"),
            ("authenticate", "b1b authenticate api key"),
            ("check_access_rights", "a6f check_access_rights create alice"),
            ("web_save", "z2 web_save specification checksum,size wire-z.pdf"),
        ],
    )
    def test_over_json_rpc(self, asked: str, case: str) -> None:
        with desk("odoo17") as gateway:
            assert gateway.login(WITH_KEY) is None
            gateway.store(name="wire-z.pdf", credentials=WITH_KEY)
            sent = gateway.odoo.sent(asked)
        as_recorded = copy.deepcopy(CASES["odoo17", case]["request"]["json"])
        if asked == "web_save":
            _, scan = content_of(sent)
            assert scan == SCAN.data
            as_recorded["params"]["args"][5][1].pop("content")
        assert sent == json.loads(json.dumps(as_recorded).replace("<key:alice>", KEY))

    @pytest.mark.parametrize(
        ("asked", "case"),
        [
            ("context_get", "j9 context_get (login check)"),
            ("read", "k2 read own login"),
            ("has_access", "j9d has_access"),
            ("web_save", "w1 web_save"),
        ],
    )
    def test_over_json_2(self, asked: str, case: str) -> None:
        with desk("odoo19") as gateway:
            assert gateway.login(WITH_KEY) is None
            gateway.store(name="wire-w.pdf", credentials=WITH_KEY)
            sent = gateway.odoo.sent(asked)
            request = next(each for each in gateway.odoo.requests if kind(each) == asked)
        as_recorded = copy.deepcopy(CASES["odoo19", case]["request"])
        assert request.path == as_recorded["path"]
        expected = as_recorded["json"]
        if asked == "web_save":
            assert sent.pop("context") == {"image_no_postprocess": True}
            _, scan = content_of(sent)
            assert scan == SCAN.data
            expected["vals"].pop("content")
        assert sent == expected
        for header in ("Authorization", "X-Odoo-Database", "Content-Type"):
            assert request.header(header) == as_recorded["headers"][header].replace(
                "<key:alice>", KEY
            )

    @pytest.mark.parametrize("server", SERVERS)
    def test_what_protects_a_scan_is_in_every_upload(self, server: str) -> None:
        """Odoo would shrink large images silently, or refuse them (WIRE17.md section 5)."""
        with desk(server) as gateway:
            assert gateway.store() == Stored()
            sent = gateway.odoo.sent("web_save")
        values, _ = content_of(sent)
        more = sent if server == "odoo19" else sent["params"]["args"][6]
        assert more["context"] == {"image_no_postprocess": True}
        assert values["image_1920"] is False
        assert set(more["specification"]) == {"checksum", "size"}, "mimetype would be lost"

    @pytest.mark.parametrize("server", SERVERS)
    def test_no_file_is_made_by_create(self, server: str) -> None:
        """It fails where spp_change_request overrides it (WIRE17.md section 1)."""
        with desk(server) as gateway:
            gateway.login()
            gateway.store()
            assert "create" not in gateway.odoo.asked

    @pytest.mark.parametrize("server", SERVERS)
    def test_every_request_tells_its_length(self, server: str) -> None:
        """/json/2 ignores the body of one that does not (WIRE17.md section 6)."""
        with desk(server) as gateway:
            gateway.login()
            gateway.store(LARGE)
            requests = gateway.odoo.requests
        for request in requests:
            assert request.header("Transfer-Encoding") == ""
            assert request.length == len(request.body)
            assert request.method == "GET" or request.length > 0
            assert request.header("Connection") == "close"


class TestTheScan:
    """Every byte and every name arrives as it is."""

    @pytest.mark.parametrize("server", SERVERS)
    @pytest.mark.parametrize("size", [1, 2, 3, RAW_PIECE - 1, RAW_PIECE, 2 * RAW_PIECE + 1])
    def test_of_any_size(self, server: str, size: int) -> None:
        scan = Scan((bytes(range(251)) * (size // 251 + 1))[:size])
        with desk(server) as gateway:
            gateway.store(scan)
            _, arrived = content_of(gateway.odoo.sent("web_save"))
        assert arrived == scan.data

    @pytest.mark.parametrize("server", SERVERS)
    @pytest.mark.parametrize(
        "name", ["فاتورة رقم ٣.pdf", "📄 scan.pdf", 'a"b\\c\n.pdf', '"}],{.pdf', "x" * 251 + ".pdf"]
    )
    def test_of_any_name(self, server: str, name: str) -> None:
        with desk(server) as gateway:
            gateway.store(name=name)
            values, _ = content_of(gateway.odoo.sent("web_save"))
        assert values["name"] == name

    @pytest.mark.parametrize("server", SERVERS)
    def test_an_empty_one_is_refused_here(self, server: str) -> None:
        """Odoo would store it (WIRE17.md section 4)."""
        with desk(server) as gateway:
            outcome = gateway.store(Scan(b""))
            assert isinstance(outcome, NotStored)
            assert outcome.failure.problem is Problem.EMPTY
            assert gateway.odoo.asked == []

    @pytest.mark.parametrize("server", SERVERS)
    def test_it_is_stored_only_if_odoo_confirms_its_checksum_and_size(self, server: str) -> None:
        with desk(server) as gateway:
            for name, other in (("1.pdf", SMALL), ("2.pdf", RecordedScan(SCAN.data + b"."))):
                assert isinstance(gateway.store(other, name), Unsettled)

    @pytest.mark.parametrize("server", SERVERS)
    def test_a_confirmation_before_all_of_it_was_sent_is_none(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            stored = [{"id": 7, "checksum": LARGE.sha512, "size": float(LARGE.size)}]
            rpc = {"jsonrpc": "2.0", "id": 1, "result": stored}
            gateway.odoo.early = json.dumps(rpc if server == "odoo17" else stored).encode()
            outcome = gateway.store(LARGE, "2.pdf")
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NOT_OPENSPP


class TestCallsPerScan:
    """One in the steady state."""

    @pytest.mark.parametrize("server", SERVERS)
    def test_the_first_and_the_following(self, server: str) -> None:
        identify = {"odoo17": ["authenticate"], "odoo19": ["context_get", "read"]}[server]
        version = {"odoo17": ["/web/version", "version"], "odoo19": ["/web/version"]}[server]
        with desk(server) as gateway:
            assert gateway.store(name="1.pdf") == Stored()
            first = gateway.odoo.new()
            assert first == [*version, *identify, "directory", "names", "web_save"]
            for number in range(2, 12):
                assert gateway.store(name=f"{number}.pdf") == Stored()
            assert gateway.odoo.new() == ["web_save"] * 10

    @pytest.mark.parametrize("server", SERVERS)
    def test_a_login_between_costs_no_scan_more(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            gateway.login()
            gateway.odoo.new()
            gateway.store(name="2.pdf")
            assert gateway.odoo.new() == ["web_save"]

    @pytest.mark.parametrize("server", SERVERS)
    def test_the_names_are_listed_anew_after_a_minute(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            gateway.clock.now += 59
            gateway.odoo.new()
            gateway.store(name="2.pdf")
            assert gateway.odoo.new() == ["web_save"]
            gateway.clock.now += 2
            gateway.store(name="3.pdf")
            assert gateway.odoo.new() == ["names", "web_save"]


class TestWhatNoServerIsAsked:
    """What is no login or no key, and what must not get into a header."""

    @pytest.mark.parametrize("server", SERVERS)
    @pytest.mark.parametrize(
        "credentials",
        [
            Credentials("", KEY),
            Credentials("alice", ""),
            Credentials("ali\0ce", KEY),
            Credentials("alice", "\ud800"),
        ],
    )
    def test_nobody(self, server: str, credentials: Credentials) -> None:
        with desk(server) as gateway:
            denied = gateway.login(credentials)
            stored = gateway.store(credentials=credentials)
            assert gateway.odoo.asked == []
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.WRONG_PASSWORD
        assert isinstance(stored, NotStored)
        assert stored.failure.problem is Problem.WRONG_PASSWORD

    @pytest.mark.parametrize("password", ["a\r\nX-Evil: 1", "two words", "clé", "x" * 4097])
    def test_no_key(self, password: str) -> None:
        with desk("odoo19") as gateway:
            denied = gateway.login(Credentials("alice", password))
            assert gateway.odoo.asked == ["/web/version"]
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.WRONG_PASSWORD
        assert password not in denied.failure.detail

    def test_a_password_too_long_for_odoo_17(self) -> None:
        """It would stumble over it (WIRE17.md section 7)."""
        with desk("odoo17") as gateway:
            denied = gateway.login(Credentials("alice", "x" * 4097))
            assert "authenticate" not in gateway.odoo.asked
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.WRONG_PASSWORD


@pytest.mark.parametrize("server", SERVERS)
def test_a_key_is_in_no_text(server: str) -> None:
    good = {name: case for name, case in GOOD[server].items() if name[0] != "/"}
    for asked in good:
        with desk(server) as gateway:
            gateway.odoo.will(**{asked: b'{"nonsense": "' + ALICE.password.encode() + b'"}'})
            told = [gateway.login(), gateway.store(), gateway.settle()]
        assert not re.search(ALICE.password, str(told)), asked
