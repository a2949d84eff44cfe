"""The embedded OpenSPP 17 and OpenSPP 2 beyond the recorded cases: bodies, images, keys, faults."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.sandbox import models
from openspp_ftpd.sandbox.databases import Setup
from openspp_ftpd.sandbox.users import User
from tests.unit.sandbox import wire17
from tests.unit.sandbox.harness import Answer, openspp, read_to_end, split
from tests.unit.sandbox.own_api_client import INTERFACES, Client, domain_of, error, result

KEEP = {"image_no_postprocess": True}


@pytest.fixture(params=INTERFACES)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with openspp(interface=request.param) as server:
        yield Client(server, request.param)


class TestStoring:
    def test_is_answered_with_what_was_received_and_noted_with_what_is_kept(
        self, client: Client
    ) -> None:
        content = bytes(range(256)) * 5000
        (saved,) = result(client.save("a.pdf", content))
        assert saved["checksum"] == hashlib.sha512(content).hexdigest()
        assert saved["size"] == float(len(content))
        (document,) = client.server.documents.all()
        assert (document.user, document.filename) == ("alice", "a.pdf")
        assert document.sha256 == hashlib.sha256(content).hexdigest()
        assert document.origin is not None
        assert document.origin.directory == "Scans / alice"
        assert document.as_object()["api"] == client.interface

    @pytest.mark.parametrize("content", [wire17.jpeg(2480, 3508), wire17.png(10, 1921)])
    def test_image_is_shrunk_while_the_answer_says_nothing(
        self, client: Client, content: bytes
    ) -> None:
        (saved,) = result(client.save("a.jpg", content))
        assert saved["checksum"] == hashlib.sha512(content).hexdigest()
        assert saved["size"] == float(len(content))
        (document,) = client.server.documents.all()
        assert document.altered
        assert document.sha256 != hashlib.sha256(content).hexdigest()

    def test_image_stays_when_the_context_says_so(self, client: Client) -> None:
        content = wire17.jpeg(2480, 3508)
        client.save("a.jpg", content, context=KEEP)
        (document,) = client.server.documents.all()
        assert not document.altered
        assert document.sha256 == hashlib.sha256(content).hexdigest()

    @pytest.mark.parametrize("content", [wire17.BROKEN_PNG, wire17.jpeg(7016, 9921)])
    def test_image_is_refused_unless_no_thumbnail_is_wanted(
        self, client: Client, content: bytes
    ) -> None:
        refused = client.save("a.pdf", content, values={"image_1920": None})
        assert error(refused) == "odoo.exceptions.UserError"
        assert client.server.documents.all() == ()
        assert result(client.save("a.pdf", content))

    def test_one_name_many_times_is_stored_each_time(self, client: Client) -> None:
        threads = [
            threading.Thread(target=client.save, args=("same.pdf", b"%d" % number))
            for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = result(client.call("spp.dms.file", "search_count", **domain_of(client, "same.pdf")))
        assert found == 6

    def test_too_large_for_17_is_a_memory_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "_LARGEST_17", 1000)
        with openspp(interface="odoo17") as server:
            answer = Client(server, "odoo17").save("a.pdf", b"x" * 1000)
            assert error(answer) == "builtins.MemoryError"
            assert answer.json["error"]["data"]["message"] == ""
            assert server.documents.all() == ()

    def test_too_large_for_19_is_told_before_the_body_is_read(self) -> None:
        with openspp(interface="odoo19", most=5000) as server:
            client = Client(server, "odoo19")
            refused = client.save("a.pdf", b"x" * 5000)
            assert refused.status == 413
            assert error(refused) == "werkzeug.exceptions.RequestEntityTooLarge"
            rpc = client.rpc("object", "execute_kw", ["x" * 6000]).json
            assert rpc["id"] is None
            message = "413 Request Entity Too Large: The data value transmitted exceeds the"
            assert rpc["error"]["data"]["message"].startswith(message)

    def test_directory_is_made_and_used(self, client: Client) -> None:
        values = {"name": "new", "parent_id": 1}
        if client.interface == "odoo17":
            made = result(client.call("spp.dms.directory", "create", ids=values))
        else:
            (made,) = result(client.call("spp.dms.directory", "create", vals_list=[values]))
        client.save("a.pdf", values={"directory_id": made})
        (document,) = client.server.documents.all()
        assert document.origin is not None
        assert document.origin.directory == "Scans / new"


class TestRestart:
    def test_file_is_found_again_with_its_checksum_and_number(self, tmp_path: Path) -> None:
        for interface in INTERFACES:
            folder = tmp_path / interface
            with openspp(interface=interface, folder=folder) as server:
                (saved,) = result(Client(server, interface).save("a.pdf"))
            with openspp(interface=interface, folder=folder) as server:
                client = Client(server, interface)
                domain = [["checksum", "=", saved["checksum"]], ["create_uid.login", "=", "alice"]]
                named = {"ids": domain} if interface == "odoo17" else {"domain": domain}
                (found,) = result(client.call("spp.dms.file", "search_read", **named))
                assert found["id"] == saved["id"]
                assert found["directory_id"] == [2, "Scans / alice"]
                assert found["mimetype"] == "application/pdf"
                (following,) = result(client.save("b.pdf"))
                assert following["id"] == saved["id"] + 1

    def test_interfaces_do_not_see_each_others_files(self, tmp_path: Path) -> None:
        with openspp(folder=tmp_path) as server:
            server.upload("scanner.pdf")
        with openspp(interface="odoo17", folder=tmp_path) as server:
            Client(server, "odoo17").save("own.pdf")
        with openspp(interface="odoo19", folder=tmp_path) as server:
            named = {"domain": [["id", ">", 0]]}
            assert result(Client(server, "odoo19").call("spp.dms.file", "search", **named)) == []
        with openspp(folder=tmp_path) as server:
            server.upload("own.pdf")
            assert len(server.documents.all()) == 3


class TestKeys:
    def test_removed_one_works_on_where_it_is_remembered(self) -> None:
        with openspp(interface="odoo17") as server:
            client = Client(server, "odoo17")
            login = ["spp17", "alice", "scan-alice", {}]
            assert result(client.save("a.pdf"))
            assert server.post("/sandbox/key", {"user": "alice", "removed": True}).status == 200
            assert client.rpc("common", "authenticate", login).json["result"] is False
            assert result(client.save("b.pdf"))

    def test_removed_one_works_no_more_by_json2(self) -> None:
        with openspp(interface="odoo19") as server:
            client = Client(server, "odoo19")
            assert result(client.save("a.pdf"))
            server.post("/sandbox/key", {"user": "alice", "removed": True})
            refused = client.save("b.pdf")
            assert (refused.status, error(refused)) == (401, "werkzeug.exceptions.Unauthorized")

    def test_expires_on_19_only_and_shows_when(self) -> None:
        with openspp(interface="odoo19") as server:
            client = Client(server, "odoo19")
            named = {"domain": [], "fields": ["expiration_date"]}
            first = result(client.call("res.users.apikeys", "search_read", **named))[0]
            last = datetime.strptime(first["expiration_date"], "%Y-%m-%d %H:%M:%S")
            now = datetime.now(UTC).replace(tzinfo=None)
            assert timedelta(days=89) < last - now < timedelta(days=91)
            server.post("/sandbox/key", {"user": "alice", "expires": "2026-01-01T00:00:00"})
            assert client.save("a.pdf").status == 401

    @pytest.mark.parametrize(
        "order",
        [
            {"user": "nobody"},
            {"user": "alice", "removed": 1},
            {"user": "alice", "expires": "soon"},
            {"user": "alice", "expires": "2026-01-01T00:00:00+01:00"},
            {"user": "alice", "strange": 1},
        ],
    )
    def test_mistaken_order_is_told(self, client: Client, order: dict[str, Any]) -> None:
        assert client.server.post("/sandbox/key", order).status == 400


class TestNamedUsers:
    def test_each_has_a_directory_and_the_password_as_key(self) -> None:
        users = (User("zana", "s:ecret"),)
        for interface in INTERFACES:
            with openspp(interface=interface, users=users, recorded=False) as server:
                client = Client(server, interface)
                login = [f"spp{interface[4:]}", "zana", "s:ecret", {}]
                uid = client.rpc("common", "authenticate", login).json["result"]
                assert uid
                alice = [login[0], "alice", "scan-alice", {}]
                assert client.rpc("common", "authenticate", alice).json["result"] is False
                client.user, client.uid = "zana", uid
                domain = [["complete_name", "=", "Scans / zana"]]
                call = [login[0], uid, "s:ecret", "spp.dms.directory", "search", [domain]]
                assert len(client.rpc("object", "execute_kw", call).json["result"]) == 1


class TestBodies:
    """WIRE17.md section 6."""

    def cut(self, interface: str, *, chunked: bool, paused: bool) -> Answer:
        version = int(interface[4:])
        data = wire17.create("a.pdf", b"x" * 1000, version=version)
        path = "/jsonrpc" if version == 17 else "/json/2/spp.dms.file/create"
        head = f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n"
        head += "Authorization: bearer scan-alice\r\n"
        head += "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
        sent = wire17.in_chunks(data, whole=False) if chunked else data[:-10]
        with (
            openspp(interface=interface, socket_timeout=0.5 if paused else 0) as server,
            server.connect() as connection,
        ):
            connection.sendall(head.encode() + b"\r\n\r\n" + sent)
            if not paused:
                connection.shutdown(1)
            answer = split(read_to_end(connection))
            assert server.documents.all() == ()
            return answer

    @pytest.mark.parametrize("paused", [True, False])
    def test_cut_one_is_told_with_200_and_no_id_by_17(self, paused: bool) -> None:
        answer = self.cut("odoo17", chunked=False, paused=paused)
        assert (answer.status, answer.json["id"]) == (200, None)
        assert error(answer) == "werkzeug.exceptions.ClientDisconnected"

    def test_pause_in_chunks_is_a_timeout_on_17(self) -> None:
        answer = self.cut("odoo17", chunked=True, paused=True)
        assert (answer.status, answer.json["id"]) == (200, None)
        assert answer.json["error"]["data"]["message"] == "timed out"

    @pytest.mark.parametrize("paused", [True, False])
    def test_cut_one_is_400_by_19(self, paused: bool) -> None:
        answer = self.cut("odoo19", chunked=False, paused=paused)
        assert answer.status == 400
        assert error(answer) == "werkzeug.exceptions.ClientDisconnected"

    def test_wrong_key_is_told_before_the_body_is_read(self) -> None:
        head = "POST /json/2/spp.dms.file/create HTTP/1.1\r\nContent-Type: application/json\r\n"
        head += "Authorization: bearer wrong\r\nContent-Length: 1000000\r\n\r\n"
        with openspp(interface="odoo19") as server, server.connect() as connection:
            connection.sendall(head.encode())
            connection.shutdown(1)
            assert split(read_to_end(connection)).status == 401


class TestCalls:
    def test_parameters_are_named_when_missing_or_strange(self) -> None:
        with openspp(interface="odoo19") as server:
            client = Client(server, "odoo19")
            answer = client.call("spp.dms.file", "web_save", ids=[])
            assert answer.status == 422
            assert answer.json["message"] == "missing a required argument: 'vals'"

    def test_reader_may_not_store(self, client: Client) -> None:
        client = Client(client.server, client.interface, "carol")
        assert error(client.save("a.pdf")) == "odoo.exceptions.AccessError"

    def test_what_is_not_known_is_told_so(self, client: Client) -> None:
        named = {"ids": [["nosuch", "=", 1]]}
        named = named if client.interface == "odoo17" else {"domain": named["ids"]}
        assert error(client.call("spp.dms.file", "search", **named)) == "builtins.ValueError"

    def test_body_of_nonsense_is_no_crash(self, client: Client) -> None:
        for text in ("[]", "1", '"x"', "null", '{"params": []}', '{"params": {"args": 1}}', ""):
            answer = client.server.ask(
                "POST", "/jsonrpc", text.encode(), Content_Type="application/json"
            )
            assert answer.status in (200, 400)
        nonsense: list[Any] = [[], [1], ["spp17"], ["spp17", 6, "scan-alice", "spp.dms.file"], "x"]
        for args in nonsense:
            assert "error" in client.rpc("object", "execute_kw", args).json

    def test_two_databases_have_stores_of_their_own(self) -> None:
        with openspp(interface="odoo17", setup=Setup(("one", "two"))) as server:
            client = Client(server, "odoo17")
            client.save("a.pdf")
            counts = [
                client.rpc(
                    "object",
                    "execute_kw",
                    [name, 6, "scan-alice", "spp.dms.file", "search_count", [[]]],
                ).json["result"]
                for name in ("one", "two")
            ]
            assert counts == [1, 0]

    def test_large_document_is_read_as_it_comes(self) -> None:
        content = bytes(range(256)) * 8000
        for interface in INTERFACES:
            with openspp(interface=interface, small=0) as server:
                client = Client(server, interface)
                (saved,) = result(client.save("a.pdf", content))
                assert saved["checksum"] == hashlib.sha512(content).hexdigest()
                ids = [saved["id"]]
                (read,) = result(client.call("spp.dms.file", "read", ids=ids, fields=["content"]))
                assert base64.b64decode(read["content"]) == content
