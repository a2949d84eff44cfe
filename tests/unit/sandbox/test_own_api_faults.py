"""What can be made to go wrong with the embedded OpenSPP 17 and OpenSPP 2, worded as theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openspp_ftpd.sandbox.faults import Faults
from tests.unit.sandbox.harness import openspp
from tests.unit.sandbox.own_api_client import INTERFACES, Client, domain_of, error, result


@pytest.fixture(params=INTERFACES)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with openspp(interface=request.param) as server:
        yield Client(server, request.param)


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "name"),
        [
            ("error=ValidationError:No", "odoo.exceptions.ValidationError"),
            ("error=OperationalError:gone", "psycopg2.OperationalError"),
            ("error=MemoryError", "builtins.MemoryError"),
            ("error=ClientDisconnected", "werkzeug.exceptions.ClientDisconnected"),
        ],
    )
    def test_error_is_worded_as_the_interface_words_it(
        self, client: Client, fault: str, name: str
    ) -> None:
        answer = client.save(f"scan@{fault}-once.pdf")
        assert error(answer) == name
        if client.interface == "odoo17":
            assert answer.json["error"]["code"] == 200
            assert answer.json["id"] == (None if "Disconnected" in name else 7)
        assert client.server.documents.all() == ()
        assert result(client.save(f"scan@{fault}-once.pdf"))

    @pytest.mark.parametrize("streaming", [False, True])
    @pytest.mark.parametrize("interface", INTERFACES)
    def test_drop_in_body_closes_without_an_answer(self, interface: str, streaming: bool) -> None:
        with openspp(interface=interface, small=-1 if streaming else 10**9) as server:
            with pytest.raises(AssertionError, match="no answer"):
                Client(server, interface).save("a@drop-in-body.pdf")
            assert server.documents.all() == ()

    def test_drop_after_stores(self, client: Client) -> None:
        with pytest.raises(AssertionError, match="no answer"):
            client.save("a@drop-after.pdf")
        assert [one.filename for one in client.server.documents.all()] == ["a@drop-after.pdf"]

    def test_early_answer_comes_before_the_body_is_read(self, client: Client) -> None:
        assert client.save("a@early=413.pdf").status == 413

    def test_set_ones_meet_their_route_only(self, client: Client) -> None:
        order = {"search": {"http": 502}, "times": 1}
        assert client.server.post("/sandbox/faults", order).status == 200
        assert result(client.save("a.pdf"))
        assert client.call("spp.dms.file", "search", **domain_of(client, "a")).status == 502
        assert client.call("spp.dms.file", "search", **domain_of(client, "a")).status == 200

    def test_login_ones(self, client: Client) -> None:
        client.server.post("/sandbox/faults", {"login": {"http": 503}})
        if client.interface == "odoo17":
            login = ["spp17", "alice", "scan-alice", {}]
            assert client.rpc("common", "authenticate", login).status == 503
        else:
            assert client.call("res.users", "context_get").status == 503
        assert result(client.save("a.pdf"))

    def test_result_is_given_as_json(self, client: Client) -> None:
        client.server.post("/sandbox/faults", {"upload": {"result": "[]"}})
        assert result(client.save("a.pdf")) == []

    def test_chance_meets_uploads(self) -> None:
        with openspp(interface="odoo19", faults=Faults(1.0, 0.0, 1)) as server:
            client = Client(server, "odoo19")
            assert client.save("a.pdf").status == 500
            assert client.call("res.users", "context_get").status == 200
