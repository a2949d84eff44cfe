"""What a test asks to go wrong goes wrong: by name, at run time, by chance."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from openspp_ftpd.sandbox.faults import KNOWN, Faults
from openspp_ftpd.sandbox.users import User
from tests.unit.sandbox.harness import OK, SECONDS, OpenSPP, openspp, split


def without_chance() -> Faults:
    return Faults(0, 0, None)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("scan.pdf", {}),
            ("scan@office.pdf", {}),
            ("a@b@slow.example.org", {}),
            ("x@slow=5.pdf", {"slow": "5"}),
            ("x@slow=0.5.pdf", {"slow": "0.5"}),
            ("x@slow=0.5", {"slow": "0.5"}),
            ("x@slow=2@http=500.PDF ", {"slow": "2", "http": "500"}),
            ("x@drop-after-20261122-101010-ab12.pdf", {"drop-after": ""}),
            ("x@http=503-once-20261122-101010-ab12.pdf", {"http": "503"}),
            ("x@error=ValidationError:No. Not so.pdf", {"error": "ValidationError:No. Not so"}),
            ("@redirect", {"redirect": ""}),
        ],
    )
    def test_holds_its_faults(self, name: str, found: dict[str, str]) -> None:
        assert without_chance().of_name(name).faults == found

    def test_once_and_twice_count_a_name_with_and_without_the_added_time(self) -> None:
        faults = without_chance()
        renamed = "x@http=503-once-20261122-101010-ab12.pdf"
        assert faults.of_name("x@http=503-once.pdf").has("http")
        assert not faults.of_name(renamed).has("http")
        assert faults.of_name("y@http=503-once.pdf").has("http")
        twice = [faults.of_name("x@slow=1-twice.pdf").has("slow") for _ in range(4)]
        assert twice == [True, True, False, False]


INSTEAD = [
    ("@http=400", 400, b"<h1>Bad Request</h1>"),
    ("@http=404", 404, b"<h1>Not Found</h1>"),
    ("@http=413", 413, b"<center>nginx</center>"),
    ("@http=500", 500, b"<h1>Internal Server Error</h1>"),
    ("@http=502", 502, b"<center><h1>502 Bad Gateway</h1></center>"),
    ("@http=503", 503, b"<center>nginx</center>"),
    ("@http=599", 599, b"<h1>Unknown</h1>"),
    ("@html=200", 200, b"<h1>Welcome</h1>"),
    ("@not-found", 404, b'"werkzeug.exceptions.NotFound"'),
    ("@garbage", 200, b"<Response 7 by"),
    ("@empty", 200, b""),
    ("@redirect", 302, b"Moved"),
    ("@redirect=307", 307, b"Moved"),
    ("@error=ValidationError:Too bad", 200, b'"odoo.exceptions.ValidationError"'),
    ("@error=AccessDenied", 200, b'"Access Denied"'),
    ("@error=MemoryError", 200, b'"name": "builtins.MemoryError"'),
    ("@result=401", 200, b'"<Response 5 bytes [401 UNAUTHORIZED]>"'),
    ("@result=OK", 200, b'"result": "OK"'),
    ("@early=413", 413, b"<center>nginx</center>"),
]


@pytest.mark.parametrize("small", [1_000_000, -1], ids=["at once", "streaming"])
class TestUploads:
    @pytest.mark.parametrize(("fault", "status", "shown"), INSTEAD)
    def test_answer_instead_stores_nothing(
        self, fault: str, status: int, shown: bytes, small: int
    ) -> None:
        with openspp(small=small) as server:
            answer = server.upload(f"x{fault}.pdf")
            assert server.stored() == []
        assert answer.status == status
        assert shown in answer.body
        assert ("Location" in answer.head) == fault.startswith("@redirect")

    @pytest.mark.parametrize("when", ["in-body", "before", "after"])
    @pytest.mark.parametrize("how", ["drop", "reset"])
    def test_connection_ends_without_an_answer(self, how: str, when: str, small: int) -> None:
        with openspp(small=small) as server:
            if how == "reset":
                with pytest.raises(ConnectionResetError):
                    server.upload(f"x@{how}-{when}.pdf")
            else:
                with pytest.raises(AssertionError, match="no answer but b''"):
                    server.upload(f"x@{how}-{when}.pdf")
            assert len(server.stored()) == (when == "after")

    def test_answer_is_cut_after_storing(self, small: int) -> None:
        with openspp(small=small) as server:
            answer = server.upload("x@cut-answer.pdf")
            assert int(answer.header("Content-Length")) == 68
            assert len(answer.body) == 34
            assert len(server.stored()) == 1

    @pytest.mark.parametrize(
        "fault", ["slow", "late", "stop-reading", "trickle-head", "trickle-body"]
    )
    def test_takes_its_time_and_is_stored(self, fault: str, small: int) -> None:
        started = time.monotonic()
        with openspp(small=small) as server:
            assert server.upload(f"x@{fault}=0.3.pdf").result == OK
            assert len(server.stored()) == 1
        assert 0.3 <= time.monotonic() - started < SECONDS

    def test_late_answer_is_of_a_document_stored_before(self, small: int) -> None:
        with openspp(small=small) as server, waiting_upload(server, "x@late=60.pdf"):
            end = time.monotonic() + SECONDS
            while not server.stored() and time.monotonic() < end:
                time.sleep(0.01)
            assert len(server.stored()) == 1

    def test_slow_answer_is_of_a_document_that_is_not_yet_stored(self, small: int) -> None:
        with openspp(small=small) as server, waiting_upload(server, "x@slow=60.pdf") as connection:
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert server.stored() == []

    def test_every_known_fault_is_tried_here(self, small: int) -> None:
        tried = {fault[1:].partition("=")[0] for fault, _, _ in INSTEAD}
        tried |= {
            f"{how}-{when}" for how in ("drop", "reset") for when in ("in-body", "before", "after")
        }
        tried |= {"cut-answer", "slow", "late", "stop-reading", "trickle-head", "trickle-body"}
        assert tried | {"chunked"} == set(KNOWN)  # chunked: see test_http


@contextlib.contextmanager
def waiting_upload(server: OpenSPP, filename: str) -> Iterator[socket.socket]:
    """Send an upload; yields the connection on which its answer is still to come."""
    params = {"username": "alice", "password": "scan-alice", "filename": filename, "file": "eA=="}
    data = json.dumps({"params": params}).encode()
    with server.connect() as connection:
        head = b"POST /dms/upload HTTP/1.1\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        yield connection


def test_early_answer_comes_before_the_body_is_sent() -> None:
    with openspp() as server, server.connect() as connection:
        head = b"POST /dms/upload HTTP/1.1\r\nContent-Type: application/json\r\n"
        start = b'{"params": {"filename": "x@early=413.pdf", "file": "AAAA'
        connection.sendall(head + b"Content-Length: 100000000\r\n\r\n" + start)
        assert connection.recv(100).startswith(b"HTTP/1.0 413 ")


class TestLogins:
    def test_user_name_holds_faults_for_his_logins_only(self) -> None:
        users = (User("u@http=502", "p"), User("u@slow=0.2", "p"))
        with openspp(users=users) as server:
            assert server.login("u@http=502", "p").status == 502
            started = time.monotonic()
            assert server.login("u@slow=0.2", "p").result == OK
            assert time.monotonic() - started >= 0.2
            params = {"username": "u@http=502", "password": "p", "filename": "a", "file": "eA=="}
            assert server.post("/dms/upload", {"params": params}).result == OK


class TestControl:
    def test_faults_are_set_and_ended_at_run_time(self) -> None:
        with openspp() as server:
            control(server, {"login": {"http": 502}, "upload": {"drop-after": True}})
            assert server.login("alice", "scan-alice").status == 502
            with pytest.raises(AssertionError, match="no answer"):
                server.upload("a.pdf")
            control(server, {})
            assert server.login("alice", "scan-alice").result == OK
            assert server.upload("b.pdf").result == OK
            assert server.stored() == [("alice", "a.pdf"), ("alice", "b.pdf")]

    def test_faults_end_after_so_many_requests(self) -> None:
        with openspp() as server:
            control(server, {"upload": {"http": 503}, "times": 2})
            statuses = [server.upload("a.pdf").status for _ in range(3)]
            assert statuses == [503, 503, 200]

    def test_down_closes_every_connection_for_so_long(self) -> None:
        with openspp() as server:
            control(server, {"down": 0.5})
            started = time.monotonic()
            with server.connect() as connection:
                assert connection.recv(1) == b""
            time.sleep(max(0.0, started + 0.6 - time.monotonic()))
            assert server.login("alice", "scan-alice").result == OK

    def test_documents_are_listed(self) -> None:
        with openspp() as server:
            server.upload("a.pdf", b"12345")
            listed = server.ask("GET", "/sandbox/documents").json
        (document,) = listed
        assert (document["user"], document["filename"], document["size"]) == ("alice", "a.pdf", 5)

    def test_archived_name_is_free(self) -> None:
        with openspp() as server:
            order = {"user": "alice", "filename": "a.pdf"}
            assert server.post("/sandbox/archive", order).status == 400
            server.upload("a.pdf")
            assert server.post("/sandbox/archive", order).status == 200
            assert server.upload("a.pdf").result == OK

    @pytest.mark.parametrize(
        ("order", "told"),
        [
            ({"upload": {"slwo": 1}}, b"unknown fault 'slwo'"),
            ({"uplaod": {}}, b"unknown member 'uplaod'"),
            ({"upload": 5}, b"upload must be an object"),
            ({"times": 0}, b"times must be"),
            ({"down": True}, b"down must be a number"),
            ([], b"object is wanted"),
        ],
    )
    def test_mistaken_order_is_refused(self, order: object, told: bytes) -> None:
        with openspp() as server:
            answer = server.post("/sandbox/faults", order)
        assert answer.status == 400
        assert told in answer.body

    def test_web_page_in_a_browser_cannot_give_orders(self) -> None:
        with openspp() as server:
            order = server.post("/sandbox/faults", {"down": 60}, Content_Type="text/plain")
            assert order.status == 404
            assert server.login("alice", "scan-alice").result == OK

    def test_there_is_none_where_real_papers_may_come(self) -> None:
        with openspp(key="k") as server:
            assert server.ask("GET", "/sandbox/documents").status == 404
            assert server.post("/sandbox/faults", {"down": 60}).status == 404
            assert server.login("alice", "scan-alice").result == OK


def control(server: OpenSPP, order: object) -> None:
    assert server.post("/sandbox/faults", order).status == 200


class TestChance:
    def test_rates_and_their_repetition(self) -> None:
        def drawn(seed: int) -> list[str]:
            faults = Faults(0.25, 0.5, seed)
            return ["".join(faults.of_route("upload").faults) for _ in range(4000)]

        counts = {
            name: drawn(1).count(name) / 4000 for name in ("http", "drop-before", "drop-after")
        }
        assert counts["http"] == pytest.approx(0.25, abs=0.03)
        assert counts["drop-before"] == pytest.approx(0.75 / 4, abs=0.03)
        assert counts["drop-after"] == pytest.approx(0.75 / 4, abs=0.03)
        assert drawn(1) == drawn(1) != drawn(2)

    def test_logins_are_spared(self) -> None:
        faults = Faults(1, 1, None)
        assert not faults.of_route("login").faults
        with openspp(faults=faults) as server:
            assert server.login("alice", "scan-alice").result == OK
            assert server.upload("a.pdf").status == 500


def test_stop_reading_leaves_the_rest_of_the_body_with_its_sender() -> None:
    with openspp() as server, server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        file = base64.b64encode(b"x" * 24_000_000)
        params = b'{"params": {"username": "alice", "password": "scan-alice", '
        data = params + b'"filename": "x@stop-reading=1.pdf", "file": "' + file + b'"}}'
        head = b"POST /dms/upload HTTP/1.1\r\nContent-Type: application/json\r\n"
        started = time.monotonic()
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        assert time.monotonic() - started >= 0.5
        assert split(connection.recv(4096)).result == OK
