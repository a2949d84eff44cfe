"""A scan without a verdict is looked for in OpenSPP, and so is never stored twice."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.delivery.uploads import LISTEN_ON_FOR
from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Exchange, NotStored, Stored, Unsettled
from openspp_ftpd.openspp.odoo import SETTLES_AFTER, OdooApi
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings
from openspp_ftpd.spool import Spool

from .recorded_odoo import SCAN, SERVERS, SHA512, desk
from .scripted import ALICE, unused_port


def result(server: str, value: object) -> bytes:
    if server == "odoo17":
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()
    return json.dumps(value).encode()


def hit(number: int = 159, uid: int = 6, age: timedelta = timedelta()) -> dict[str, Any]:
    """A document as a search finds it (recorded: f1)."""
    created = datetime.now(UTC) - age
    return {
        "id": number,
        "create_uid": [uid, "Alice"],
        "create_date": f"{created:%Y-%m-%d %H:%M:%S}",
    }


UID = {"odoo17": 6, "odoo19": 5}


@pytest.mark.parametrize("server", SERVERS)
class TestOneLook:
    """OdooApi.settle: directory, name and checksum."""

    def test_it_asks_for_these_three(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store()
            gateway.odoo.new()
            gateway.settle()
            assert gateway.odoo.new() == ["same"]
            sent = gateway.odoo.sent("same")
        domain = sent["domain"] if server == "odoo19" else sent["params"]["args"][5][0]
        assert domain == [
            ["directory_id", "=", 2],
            ["name", "=", "xE.pdf"],
            ["checksum", "=", SHA512],
        ]

    def test_found(self, server: str) -> None:
        recorded = {
            "odoo17": "f1 confirm: search directory_id+name+checksum",
            "odoo19": "j3 confirm",
        }
        with desk(server, same=recorded[server]) as gateway:
            assert gateway.settle() == Stored(earlier=True)

    def test_not_there(self, server: str) -> None:
        with desk(server) as gateway:
            outcome = gateway.settle()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.upload_reply().code == 451

    def test_nobody_can_say(self, server: str) -> None:
        down = {
            "odoo17": "w7 PostgreSQL refuses the Odoo server: execute_kw (17)",
            "odoo19": "w6 PostgreSQL refuses the Odoo server: /json/2",
        }
        for wrong in (down[server], b"{}", lambda request: request.reset()):
            with desk(server, same=wrong) as gateway:
                assert isinstance(gateway.settle(), Unsettled)

    def test_openspp_is_away(self, server: str) -> None:
        settings = OpenSPPSettings(
            f"http://127.0.0.1:{unused_port()}", api="odoo", database=server, directory="2"
        )
        assert isinstance(OdooApi(settings).settle(ALICE, "a", SCAN, Exchange()), Unsettled)

    def test_another_document_of_ours_is_not_it(self, server: str) -> None:
        """The same bytes, stored and acknowledged before, under the same name."""
        with desk(server) as gateway:
            assert gateway.store() == Stored()
            stored = {"odoo17": 171, "odoo19": 61}[server]
            gateway.odoo.will(same=result(server, [hit(stored)]))
            assert isinstance(gateway.settle(), NotStored)
            gateway.odoo.will(same=result(server, [hit(stored), hit(999)]))
            assert gateway.settle() == Stored(earlier=True)
            assert isinstance(gateway.settle(), NotStored), "one document answers for one scan"

    def test_who_never_answers_is_asked_before_the_scanners_time_is_over(self, server: str) -> None:
        never = threading.Event()
        with desk(server, {"answer_within": 3.0}) as gateway:
            gateway.odoo.will(web_save=lambda request: never.wait(20) and None)
            began = time.monotonic()
            assert isinstance(gateway.store(), Unsettled)
            assert time.monotonic() - began < 3.0
            never.set()

    def test_the_name_is_free_again_when_it_is_not_there(self, server: str) -> None:
        with desk(server, web_save=lambda request: request.reset()) as gateway:
            assert isinstance(gateway.store(), Unsettled)
            outcome = gateway.store()
            assert isinstance(outcome, NotStored)
            assert outcome.failure.problem is Problem.NAME_TAKEN, "it may appear"
            gateway.settle()
            assert isinstance(gateway.store(), Unsettled), "it is sent again"


@pytest.mark.parametrize("server", SERVERS)
class TestAScanFromBeforeWeWereStarted:
    """A process that was killed knows nothing of what it sent; the directory does."""

    def named(self, server: str) -> bytes:
        return result(server, [{"id": 159, "name": "xE.pdf"}])

    def test_sent_again_it_is_not_stored_again(self, server: str) -> None:
        found = result(server, [hit(uid=UID[server])])
        with desk(server, names=self.named(server), same=found) as gateway:
            assert gateway.store() == Stored(earlier=True)
            assert "web_save" not in gateway.odoo.new()

    @pytest.mark.parametrize(
        "other",
        [
            hit(uid=99),  # somebody else's, who may have let Odoo shrink it
            hit(uid=6, age=timedelta(hours=2)),
            {"id": 159},
            {"id": "159", "create_uid": False, "create_date": False},
        ],
        ids=["another user's", "of this morning", "of nobody", "nonsense"],
    )
    def test_anything_else_of_this_name_is_another_document(
        self, server: str, other: dict[str, Any]
    ) -> None:
        found = result(server, [other])
        with desk(server, names=self.named(server), same=found) as gateway:
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NAME_TAKEN


def test_the_scanner_interface_cannot_be_asked() -> None:
    api = ScannerApi(OpenSPPSettings("http://127.0.0.1:1"))
    assert api.settles_after is None
    assert isinstance(api.settle(ALICE, "a.pdf", SCAN, Exchange()), Unsettled)


def test_a_late_verdict_is_waited_for_as_long_as_one_can_come() -> None:
    assert SETTLES_AFTER == 120.0, "Odoo's limit_time_real"
    assert LISTEN_ON_FOR >= SETTLES_AFTER


class TestTheChecksum:
    """Odoo knows a document by its SHA-512; the spool makes it where it is asked for."""

    def test_it_is_read_once_and_outlives_the_content(self, tmp_path: Path) -> None:
        content = bytes(range(251)) * 4000
        file = Spool(str(tmp_path), len(content)).open()
        file.write(content)
        scan = file.finish()
        assert scan.sha512 == hashlib.sha512(content).hexdigest()
        scan.discard()
        assert scan.sha512 == hashlib.sha512(content).hexdigest()

    def test_of_content_that_is_gone_there_is_none(self, tmp_path: Path) -> None:
        file = Spool(str(tmp_path), 10).open()
        file.write(b"x")
        scan = file.finish()
        scan.discard()
        with pytest.raises(ValueError, match="discarded"):
            _ = scan.sha512
