"""Which directory scans go to: by id or path, one and no other, made only where that is wanted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Credentials, NotStored, Stored
from openspp_ftpd.openspp.odoo_calls import Call
from openspp_ftpd.openspp.odoo_directories import Wanted

from .recorded_odoo import SERVERS, desk, kind
from .scripted import ALICE


def result(server: str, value: object) -> bytes:
    if server == "odoo17":
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()
    return json.dumps(value).encode()


def domain_of(call: Call) -> Any:
    return call.first["domain"]


def created(server: str, sent: dict[str, Any]) -> dict[str, Any]:
    """What a directory was made with."""
    values = sent["vals_list"] if server == "odoo19" else sent["params"]["args"][5][0]
    (one,) = values
    assert isinstance(one, dict)
    return one


class TestWhatIsAsked:
    def test_a_path_is_pinned_to_the_root(self) -> None:
        """As recorded (c2): a root directory called "Scans / alice" is another one."""
        assert domain_of(Wanted("Scans / {user}", ALICE).question()) == [
            ["name", "=", "alice"],
            ["parent_id.name", "=", "Scans"],
            ["parent_id.parent_id", "=", False],
        ]

    def test_a_root_directory(self) -> None:
        """As recorded (c4)."""
        expected = [["name", "=", "Scans"], ["parent_id", "=", False]]
        assert domain_of(Wanted("Scans", ALICE).question()) == expected

    def test_an_id(self) -> None:
        assert domain_of(Wanted("2", ALICE).question()) == [["id", "=", 2]]

    def test_blanks_around_the_slashes_do_not_matter(self) -> None:
        assert Wanted("A/B /C", ALICE).parts == Wanted("A / B / C", ALICE).parts

    @pytest.mark.parametrize("user", ["a / b", "../x", "a/b", "{user}"])
    def test_a_login_leads_nowhere_else(self, user: str) -> None:
        wanted = Wanted("Scans / {user}", Credentials(user, "x"))
        assert wanted.parts == ("Scans", user)


@pytest.mark.parametrize("server", SERVERS)
class TestWhatIsFound:
    def store(self, server: str, rows: object, **settings: Any) -> NotStored:
        with desk(server, settings, directory=result(server, rows)) as gateway:
            outcome = gateway.store()
            assert "web_save" not in gateway.odoo.asked
        assert isinstance(outcome, NotStored)
        assert not outcome.may_retry
        return outcome

    def test_none(self, server: str) -> None:
        outcome = self.store(server, [])
        assert outcome.failure.problem is Problem.DIRECTORY_MISSING
        assert outcome.failure.upload_reply().code == 550
        assert '"Scans / alice"' in outcome.failure.detail
        assert "make_directories" in outcome.failure.detail

    def test_none_of_this_id_is_never_made(self, server: str) -> None:
        outcome = self.store(server, [], directory="77", make_directories="yes")
        assert outcome.failure.problem is Problem.DIRECTORY_MISSING
        assert "77" in outcome.failure.detail

    def test_two(self, server: str) -> None:
        outcome = self.store(server, [{"id": 2}, {"id": 6}])
        assert outcome.failure.problem is Problem.TWO_DIRECTORIES
        assert outcome.failure.upload_reply().code == 550

    def test_nonsense(self, server: str) -> None:
        wrong: tuple[object, ...] = ({}, [2], "2", 5)
        for rows in wrong:
            assert self.store(server, rows).failure.problem is Problem.NOT_OPENSPP

    def test_a_user_without_rights(self, server: str) -> None:
        case = {"odoo17": "c6 user without rights (bob)", "odoo19": "j6 no rights (bob) read"}
        with desk(server, directory=case[server]) as gateway:
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NO_RIGHT
        assert outcome.failure.said.startswith("You are not allowed to access 'DMS Directory'")

    def test_a_store_that_is_not_installed(self, server: str) -> None:
        case = {"odoo17": "b2m execute_kw unknown model", "odoo19": "j8 unknown model"}
        with desk(server, directory=case[server]) as gateway:
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NOT_OPENSPP
        assert "spp_dms" in outcome.failure.detail


@pytest.mark.parametrize("server", SERVERS)
class TestMaking:
    def test_the_last_part(self, server: str) -> None:
        with desk(server, {"make_directories": "yes"}) as gateway:
            none, parent, one = (result(server, rows) for rows in ([], [{"id": 1}], [{"id": 7}]))
            gateway.odoo.will(directory=[none, none, parent, one])
            assert gateway.store() == Stored()
            assert created(server, gateway.odoo.sent("create")) == {"name": "alice", "parent_id": 1}
            sent = gateway.odoo.sent("web_save")
        values = sent["vals"] if server == "odoo19" else sent["params"]["args"][5][1]
        assert values["directory_id"] == 7

    def test_the_whole_path(self, server: str) -> None:
        with desk(server, {"make_directories": "yes"}) as gateway:
            none, root, one = (result(server, rows) for rows in ([], [{"id": 3}], [{"id": 7}]))
            gateway.odoo.will(directory=[none, none, none, root, one])
            assert gateway.store() == Stored()
            made = [
                created(server, request.json())
                for request in gateway.odoo.requests
                if kind(request) == "create"
            ]
        assert made == [
            {"name": "Scans", "is_root_directory": True},
            {"name": "alice", "parent_id": 3},
        ]

    def test_only_where_it_is_wanted(self, server: str) -> None:
        with desk(server, directory=result(server, [])) as gateway:
            assert isinstance(gateway.store(), NotStored)
            assert "create" not in gateway.odoo.asked

    def test_somebody_made_it_at_the_same_time(self, server: str) -> None:
        with desk(server, {"make_directories": "yes"}) as gateway:
            rows: tuple[object, ...] = ([], [], [{"id": 1}], [{"id": 7}, {"id": 8}])
            gateway.odoo.will(directory=[result(server, each) for each in rows])
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.TWO_DIRECTORIES

    def test_without_the_right(self, server: str) -> None:
        case = {
            "odoo17": "c8d create directory carol (read only)",
            "odoo19": "j6b viewer (carol) create",
        }
        with desk(server, {"make_directories": "yes"}, create=case[server]) as gateway:
            rows: tuple[object, ...] = ([], [], [{"id": 1}])
            gateway.odoo.will(directory=[result(server, each) for each in rows])
            outcome = gateway.store()
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NO_RIGHT
