"""What is remembered of an Odoo, and that it is looked up again when it is no longer true."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from openspp_ftpd.delivery.logins import RememberedLogins
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import Credentials, Denied, NotStored, Stored
from openspp_ftpd.openspp.odoo import MOST_NAMES
from openspp_ftpd.openspp.odoo_memory import (
    IDENTIFY_AFTER,
    MOST_USERS,
    Documents,
    Names,
    Place,
    Places,
)

from .recorded_odoo import CASES, SERVERS, desk
from .scripted import ALICE, Request

IDENTIFY = {"odoo17": ["authenticate"], "odoo19": ["context_get", "read"]}
DENIED = {"odoo17": "b1h authenticate revoked key", "odoo19": "j4 wrong key"}
GONE = {"odoo17": "x9b web_save directory gone", "odoo19": "j7 directory gone"}
STORED = {"odoo17": "x5b web_save with fields - plain spp_dms", "odoo19": "w1 web_save"}
NO_LONGER = {"odoo17": "b2c execute_kw wrong key", "odoo19": "j4 wrong key"}


def result(server: str, value: object) -> bytes:
    """An answer of this value."""
    if server == "odoo17":
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()
    return json.dumps(value).encode()


def refused(outcome: object) -> Problem:
    assert isinstance(outcome, NotStored | Denied)
    return outcome.failure.problem


@pytest.mark.parametrize("server", SERVERS)
class TestWhoSomebodyIs:
    """The key's owner, checked by Odoo itself and not only by its cache."""

    def test_a_removed_key_ends_at_the_next_login(self, server: str) -> None:
        """web_save would still be done, from the cache (WIRE17.md section 7, i5)."""
        with desk(server) as gateway:
            assert gateway.store() == Stored()
            gateway.odoo.will(**{IDENTIFY[server][0]: DENIED[server]})
            assert refused(gateway.login()) is Problem.WRONG_PASSWORD
            assert refused(gateway.store(name="2.pdf")) is Problem.WRONG_PASSWORD

    def test_and_within_ten_minutes_in_a_session_that_stays(self, server: str) -> None:
        with desk(server) as gateway:
            assert gateway.store(name="1.pdf") == Stored()
            gateway.odoo.will(**{IDENTIFY[server][0]: DENIED[server]})
            gateway.clock.now += IDENTIFY_AFTER - 1
            assert gateway.store(name="2.pdf") == Stored()
            gateway.clock.now += 1
            gateway.odoo.new()
            assert refused(gateway.store(name="3.pdf")) is Problem.WRONG_PASSWORD
            assert gateway.odoo.new() == IDENTIFY[server][:1]

    def test_who_is_no_longer_known_is_asked_for_at_once(self, server: str) -> None:
        with desk(server) as gateway:
            assert gateway.store(name="1.pdf") == Stored()
            gateway.odoo.will(web_save=NO_LONGER[server], **{IDENTIFY[server][0]: DENIED[server]})
            assert refused(gateway.store(name="2.pdf")) is Problem.WRONG_PASSWORD

    def test_who_is_known_after_all_may_try_again(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.odoo.will(web_save=[NO_LONGER[server], STORED[server]])
            outcome = gateway.store()
            assert isinstance(outcome, NotStored)
            assert (refused(outcome), outcome.may_retry) == (Problem.OUT_OF_ORDER, True)
            gateway.odoo.new()
            assert gateway.store() == Stored()
            assert gateway.odoo.new() == ["directory", "web_save"]

    def test_one_user_is_not_taken_for_another(self, server: str) -> None:
        with desk(server) as gateway:
            assert gateway.store() == Stored()
            gateway.odoo.will(**{IDENTIFY[server][0]: DENIED[server]})
            for other in (Credentials("alice", "another"), Credentials("bob", ALICE.password)):
                assert refused(gateway.store(credentials=other)) is Problem.WRONG_PASSWORD

    def test_who_may_only_read_is_told_at_login(self, server: str) -> None:
        case = {"odoo17": "a6h check_access_rights create carol", "odoo19": "j9e has_access carol"}
        with desk(server) as gateway:
            asked = "check_access_rights" if server == "odoo17" else "has_access"
            gateway.odoo.will(**{asked: case[server]})
            denied = gateway.login()
        assert refused(denied) is Problem.MAY_NOT_STORE
        assert denied.failure.login_reply().code == 530
        assert "DMS / Officer" in denied.failure.detail


@pytest.mark.parametrize("login", ["bob", "Alice", "alice ", ""])
def test_over_json_2_the_key_must_be_that_of_the_login(login: str) -> None:
    """The bearer key alone decides who somebody is (WIRE17.md section 1)."""
    with desk("odoo19", read=result("odoo19", [{"id": 5, "login": login}])) as gateway:
        assert refused(gateway.login()) is Problem.WRONG_PASSWORD
        assert refused(gateway.store()) is Problem.WRONG_PASSWORD


@pytest.mark.parametrize("answer", [[], [{}], {}, "alice", [{"login": 5}], None, 0])
def test_over_json_2_nonsense_about_users_is_no_login(answer: object) -> None:
    with desk("odoo19", read=result("odoo19", answer)) as gateway:
        assert isinstance(gateway.login(), Denied)


@pytest.mark.parametrize("server", SERVERS)
class TestTheDirectory:
    """Looked up once, and again when Odoo says that it is gone."""

    def test_made_anew_under_another_id(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            gateway.odoo.will(
                web_save=[GONE[server], STORED[server]], directory=result(server, [{"id": 9}])
            )
            outcome = gateway.store(name="2.pdf")
            assert isinstance(outcome, NotStored)
            assert (refused(outcome), outcome.may_retry) == (Problem.OUT_OF_ORDER, True)
            assert gateway.store(name="2.pdf") == Stored()
            sent = gateway.odoo.sent("web_save")
        values = sent["vals"] if server == "odoo19" else sent["params"]["args"][5][1]
        assert values["directory_id"] == 9

    def test_gone_for_good(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            gateway.odoo.will(web_save=GONE[server], directory=result(server, []))
            assert refused(gateway.store(name="2.pdf")) is Problem.DIRECTORY_MISSING

    def test_there_all_the_time(self, server: str) -> None:
        with desk(server, web_save=GONE[server]) as gateway:
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert (refused(outcome), outcome.may_retry) == (Problem.REFUSED, False)

    def test_looked_up_anew_every_ten_minutes_too(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.store(name="1.pdf")
            gateway.clock.now += IDENTIFY_AFTER
            gateway.odoo.new()
            gateway.store(name="2.pdf")
            assert gateway.odoo.new() == [*IDENTIFY[server], "directory", "names", "web_save"]


@pytest.mark.parametrize("server", SERVERS)
class TestNames:
    """Odoo stores any name twice, so we look (WIRE17.md section 1)."""

    def test_one_that_is_there_is_taken(self, server: str) -> None:
        listed = result(server, [{"id": 1, "name": "a.pdf"}, {"id": 2, "name": "b.pdf"}])
        with desk(server, names=listed) as gateway:
            assert refused(gateway.store(name="a.pdf")) is Problem.NAME_TAKEN
            assert "web_save" not in gateway.odoo.new()
            assert gateway.store(name="c.pdf") == Stored()

    def test_one_that_we_stored_is_taken(self, server: str) -> None:
        with desk(server) as gateway:
            assert gateway.store(name="a.pdf") == Stored()
            assert refused(gateway.store(name="a.pdf")) is Problem.NAME_TAKEN

    def test_one_that_was_not_stored_is_free(self, server: str) -> None:
        with desk(server) as gateway:
            gateway.odoo.will(web_save=[GONE[server], STORED[server]])
            assert refused(gateway.store(name="a.pdf")) is Problem.REFUSED
            assert gateway.store(name="a.pdf") == Stored()

    def test_in_a_full_directory_each_is_looked_up(self, server: str) -> None:
        many = [{"id": number, "name": f"{number}.pdf"} for number in range(MOST_NAMES + 1)]
        with desk(server) as gateway:
            gateway.odoo.will(names=[result(server, many), result(server, [])])
            assert gateway.store(name="a.pdf") == Stored()
            assert gateway.odoo.new()[-3:] == ["names", "names", "web_save"]
            gateway.odoo.will(names=result(server, [{"id": 7}]))
            assert refused(gateway.store(name="b.pdf")) is Problem.NAME_TAKEN
            assert gateway.odoo.new() == ["names", "same"]

    def test_a_list_that_is_too_long_to_read_is_a_full_directory(self, server: str) -> None:
        long = result(server, [{"id": 1, "name": "x" * 1024 * 1024}])
        with desk(server) as gateway:
            gateway.odoo.will(names=[long, result(server, [])])
            assert gateway.store(name="a.pdf") == Stored()
            assert gateway.odoo.new()[-3:] == ["names", "names", "web_save"]

    def test_two_uploads_do_not_take_the_same_at_once(self, server: str) -> None:
        """Two at a time would both be stored."""
        at_work, go_on = threading.Event(), threading.Event()

        def waits(request: Request) -> None:
            at_work.set()
            assert go_on.wait(20)
            request.answer(body=json.dumps(body).encode())

        body = CASES[server, STORED[server]]["response"]["body"]
        outcomes: list[Any] = []
        with desk(server, web_save=waits) as gateway:
            first = threading.Thread(target=lambda: outcomes.append(gateway.store(name="a.pdf")))
            first.start()
            assert at_work.wait(20)
            assert refused(gateway.store(name="a.pdf")) is Problem.NAME_TAKEN
            go_on.set()
            first.join(20)
        assert outcomes == [Stored()]

    def test_a_list_of_nonsense_stores_nothing(self, server: str) -> None:
        wrong: tuple[object, ...] = ({}, [1], "a.pdf", False)
        for nonsense in wrong:
            with desk(server, names=result(server, nonsense)) as gateway:
                assert refused(gateway.store()) is Problem.NOT_OPENSPP
                assert "web_save" not in gateway.odoo.new()


def test_a_removed_key_ends_within_ten_minutes() -> None:
    assert IDENTIFY_AFTER == 600.0, "as the README says"


def test_a_login_of_who_may_not_store_any_more_is_forgotten() -> None:
    logins = RememberedLogins(b"k")
    logins.remember("alice", "x", 0.0)
    logins.heed("alice", Failure(Problem.MAY_NOT_STORE))
    assert not logins.known("alice", "x", 1.0)


class TestPlaces:
    def test_the_key_is_part_of_it_and_is_not_kept(self) -> None:
        places = Places(b"k")
        places.put(ALICE, Place(6, 0.0))
        assert places.get(ALICE, 1.0) == Place(6, 0.0)
        assert places.get(Credentials(ALICE.user, "other"), 1.0) is None
        assert places.get(Credentials("alices", "can-alice"), 1.0) is None
        assert ALICE.password not in str(vars(places))

    def test_the_oldest_goes(self) -> None:
        places = Places(b"k")
        for number in range(MOST_USERS + 1):
            places.put(Credentials(f"user-{number}", "x"), Place(number, 0.0))
        assert places.get(Credentials("user-0", "x"), 0.0) is None
        assert places.get(Credentials("user-1", "x"), 0.0) is not None


class TestBounds:
    def test_names_of_idle_directories_go_first(self) -> None:
        names = Names()
        assert names.claim(1, "under way.pdf")
        for directory in range(2, 1000):
            names.listed(directory, [], True, 0.0)
        assert not names.claim(1, "under way.pdf")

    def test_documents(self) -> None:
        documents = Documents()
        for number in range(5000):
            documents.add(number)
        assert 0 not in documents
        assert 4999 in documents
