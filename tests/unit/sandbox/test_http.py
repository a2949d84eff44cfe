"""On the wire the embedded OpenSPP is the recorded one: head, connections, bodies whole and cut."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
import time

import pytest

from tests.unit.sandbox.harness import OK, OpenSPP, openspp, read_to_end, split

LOGIN = b'{"id": 7, "params": {"username": "alice", "password": "scan-alice"}}'
HEAD = b"POST /dms/auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BROWSER = b"<p>The browser (or proxy) sent a request that this server could not understand.</p>"


def with_length(body: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes, size: int = 5) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class TestHead:
    def test_is_the_recorded_one(self) -> None:
        with openspp() as server:
            received = server.exchange(with_length(LOGIN))
        expected = (
            r"HTTP/1\.0 200 OK\r\n"
            r"Content-Type: application/json\r\n"
            r"Content-Length: 68\r\n"
            r"Set-Cookie: session_id=[0-9a-f]{40}; Expires=\w{3}, \d\d-\w{3}-\d{4} [\d:]{8} GMT; "
            r"Max-Age=7776000; HttpOnly; Path=/\r\n"
            r"Server: Werkzeug/0\.16\.1 Python/3\.9\.18\r\n"
            r"Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n"
            r"\r\n"
            r'\{"jsonrpc": "2\.0", "id": 7, "result": "<Response 7 bytes \[200 OK\]>"\}'
        )
        assert re.fullmatch(expected, received.decode())

    def test_connection_closes_also_for_who_asks_to_keep_it(self) -> None:
        request = with_length(LOGIN, HEAD + b"Connection: keep-alive\r\n")
        with openspp() as server:
            # What is sent after the request is ignored, and the server closes.
            assert server.exchange(request + request).count(b"HTTP/1.0 200 OK") == 1

    def test_continue_is_sent_when_it_is_asked_for(self) -> None:
        with openspp() as server, server.connect() as connection:
            head = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(LOGIN)
            connection.sendall(head)
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(LOGIN)
            assert split(read_to_end(connection)).head.startswith("HTTP/1.0 200 OK\r\n")

    def test_long_header_line_is_431(self) -> None:
        with openspp() as server:
            answer = split(server.exchange(HEAD + b"X: " + b"x" * 65536 + b"\r\n\r\n"))
        assert answer.head.startswith("HTTP/1.0 431 Line too long\r\n")

    def test_method_that_is_not_allowed_names_the_one_that_is(self) -> None:
        with openspp() as server:
            answer = server.ask("GET", "/dms/upload")
        assert answer.head.startswith("HTTP/1.0 405 METHOD NOT ALLOWED\r\n")
        assert answer.header("Allow") == "POST"


class TestBody:
    def test_in_chunks_is_read(self) -> None:
        head = HEAD + b"Transfer-Encoding: chunked\r\n"
        with openspp() as server:
            assert split(server.exchange(head + b"\r\n" + in_chunks(LOGIN))).result == OK
            both = head + b"Content-Length: 3\r\n\r\n" + in_chunks(LOGIN)
            assert split(server.exchange(both)).result == OK

    def test_header_names_in_lower_case_are_read(self) -> None:
        with openspp() as server:
            assert (
                split(
                    server.exchange(
                        with_length(
                            LOGIN,
                            HEAD.lower().replace(b"post /dms/auth http", b"POST /dms/auth HTTP"),
                        ).replace(b"Content-Length", b"content-length")
                    )
                ).result
                == OK
            )

    def test_without_length_is_empty(self) -> None:
        with openspp() as server:
            answer = split(server.exchange(HEAD + b"\r\n" + LOGIN))
        assert answer.status == 400
        assert b"<p>Invalid JSON data: ''</p>" in answer.body

    @pytest.mark.parametrize("small", [10_000, -1], ids=["at once", "streaming"])
    def test_that_is_no_json_comes_back_whole(self, small: int) -> None:
        # Why nobody may show what is in such a page: the password is in it.
        with openspp(small=small) as server:
            answer = split(server.exchange(with_length(b'\xef\xbb\xbf{"a": "<\'>", \n')))
        assert answer.status == 400
        shown = "Invalid JSON data: '\\ufeff{&quot;a&quot;: &quot;&lt;\\'&gt;&quot;, \\n'"
        assert f"<p>{shown}</p>".encode() in answer.body

    def test_cut_in_the_middle_is_400_and_nothing_is_stored(self) -> None:
        body = upload_body("cut.pdf")
        with openspp() as server, server.connect() as connection:
            head = HEAD.replace(b"auth", b"upload") + b"Content-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body[:-1])
            connection.shutdown(socket.SHUT_WR)
            answer = split(read_to_end(connection))
            assert answer.status == 400
            assert BROWSER in answer.body
            assert server.stored() == []

    @pytest.mark.parametrize("end", [b'5\r\n{"par', b"0\r", b"zz\r\n"])
    def test_cut_chunk_is_500_and_nothing_is_stored(self, end: bytes) -> None:
        chunks = in_chunks(upload_body("cut.pdf")).removesuffix(b"0\r\n\r\n")
        head = HEAD.replace(b"auth", b"upload") + b"Transfer-Encoding: chunked\r\n\r\n"
        with openspp() as server, server.connect() as connection:
            connection.sendall(head + chunks + end)
            connection.shutdown(socket.SHUT_WR)
            assert split(read_to_end(connection)).status == 500
            assert server.stored() == []

    def test_of_a_client_that_did_not_wait_for_the_answer_is_stored(self) -> None:
        body = upload_body("gone.pdf")
        with openspp() as server:
            with server.connect() as connection:
                connection.sendall(with_length(body, HEAD.replace(b"auth", b"upload")))
            end = time.monotonic() + 5
            while not server.stored() and time.monotonic() < end:
                time.sleep(0.01)
            assert server.stored() == [("alice", "gone.pdf")]

    def test_reset_in_the_middle_stops_nobody_else(self) -> None:
        with openspp() as server:
            with server.connect() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
            assert server.login("alice", "scan-alice").result == OK

    def test_pause_beyond_the_socket_timeout(self) -> None:
        # As with workers: 400 for a body with a length, nothing at all for one in chunks.
        with openspp(socket_timeout=0.1) as server:
            answer = split(server.exchange(HEAD + b"Content-Length: 1000\r\n\r\n{"))
            assert answer.status == 400
            assert BROWSER in answer.body
            head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
            assert server.exchange(head + b"5\r\n{") == b""
            assert server.exchange(b"") == b""


def upload_body(filename: str, content: bytes = b"%PDF-1.4") -> bytes:
    params = {"username": "alice", "password": "scan-alice", "filename": filename}
    file = base64.b64encode(content).decode()
    return json.dumps({"params": params | {"file": file}}).encode()


class TestKeepAlive:
    def test_one_connection_takes_several_requests(self) -> None:
        request = with_length(LOGIN)
        with openspp(keep_alive=5.0) as server, server.connect() as connection:
            for _ in range(3):
                connection.sendall(request)
                head, body = read_answer(connection)
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"\r\nConnection: keep-alive\r\n" in head
                assert b"\r\nServer: nginx\r\n" in head
                assert json.loads(body)["result"] == OK
            connection.sendall(with_length(LOGIN, HEAD + b"Connection: close\r\n"))
            assert b"\r\nConnection: close\r\n" in read_to_end(connection)

    def test_idle_connection_closes(self) -> None:
        with openspp(keep_alive=0.1) as server, server.connect() as connection:
            connection.sendall(with_length(LOGIN))
            read_answer(connection)
            assert connection.recv(1) == b""

    def test_answer_can_come_in_chunks(self) -> None:
        request = with_length(upload_body("a@chunked.pdf"), HEAD.replace(b"auth", b"upload"))
        with openspp(keep_alive=0.1) as server:
            answer = split(server.exchange(request))
        assert answer.header("Transfer-Encoding") == "chunked"
        assert answer.header("Content-Length") == ""
        assert unchunked(answer.body).endswith(b'"<Response 7 bytes [200 OK]>"}')

    def test_unread_body_is_not_taken_for_a_request(self) -> None:
        request = with_length(upload_body("a@early=413.pdf", b"x" * 100_000))
        with openspp(keep_alive=5.0, small=-1) as server:
            answer = split(server.exchange(request.replace(b"/dms/auth", b"/dms/upload")))
        assert answer.status == 413
        assert answer.header("Connection") == "close"
        assert b"HTTP/1.1" not in answer.body


def read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer with a length, and no byte more."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    length = re.search(rb"Content-Length: (\d+)", received)
    assert length is not None
    body = b""
    while len(body) < int(length[1]):
        body += connection.recv(int(length[1]) - len(body))
    return received, body


def unchunked(data: bytes) -> bytes:
    whole = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            return whole
        whole, data = whole + data[: int(size, 16)], data[int(size, 16) + 2 :]


class TestManyAtOnce:
    def test_two_hundred_connections_are_all_answered(self) -> None:
        with openspp() as server, contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(200)]
            request = with_length(LOGIN)
            for connection in connections:
                connection.sendall(request[:-1])
            for connection in connections:
                connection.sendall(request[-1:])
            answers = [split(read_to_end(connection)) for connection in connections]
        assert [answer.result for answer in answers] == [OK] * 200

    def test_slow_upload_holds_nobody_up(self) -> None:
        with openspp() as server:
            slow = threading.Thread(target=server.upload, args=("a@slow=60.pdf",))
            slow.start()
            started = time.monotonic()
            assert server.upload("b.pdf").result == OK
            assert time.monotonic() - started < 10
            # A stop ends the waiting, and what is under way is stored.
            server.server.site.stop()
            slow.join()
            assert server.stored() == [("alice", "b.pdf"), ("alice", "a@slow=60.pdf")]


class TestSessions:
    def test_request_without_cookie_gets_a_new_one_each_time(self) -> None:
        with openspp() as server:
            assert session(server) != session(server)

    def test_known_cookie_is_kept_and_an_unknown_one_is_not(self) -> None:
        with openspp() as server:
            known = session(server)
            assert session(server, Cookie=f"session_id={known}") == known
            assert session(server, Cookie=f"session_id={'a' * 40}") != "a" * 40

    def test_session_named_elsewhere_sets_no_cookie(self) -> None:
        with openspp() as server:
            assert session(server, X_Openerp_Session_Id="b" * 40) == ""


def session(server: OpenSPP, **headers: str) -> str:
    answer = server.ask("POST", "/dms/auth", LOGIN, Content_Type="application/json", **headers)
    assert answer.result == OK
    return answer.header("Set-Cookie").partition(";")[0].removeprefix("session_id=")


class TestDatabases:
    """WIRE.md section 8: with two databases a session must be bound to one of them first."""

    def test_without_choice_everything_is_not_found(self) -> None:
        with openspp(databases=("devel", "other")) as server:
            answer = server.login("alice", "scan-alice")
            assert (answer.status, answer.json["error"]["http_status"]) == (404, 404)
            for target in ("/dms/auth?db=devel", "/dms/auth"):
                answer = server.post(
                    target, json.loads(LOGIN), X_Odoo_Database="devel", Host="devel.localhost"
                )
                assert answer.status == 404
            answer = server.ask("POST", "/dms/auth", LOGIN, Content_Type="text/plain")
            assert (answer.status, answer.header("Content-Type")) == (404, "text/html")
            assert server.ask("GET", "/dms/auth").status == 404

    def test_session_that_chose_is_served(self) -> None:
        with openspp(databases=("devel", "other")) as server:
            chosen = choose(server, "devel")
            cookie = {"Cookie": f"session_id={chosen}"}
            assert session(server, **cookie) == chosen
            assert session(server, X_Openerp_Session_Id=chosen) == ""
            target = f"/dms/auth?session_id={chosen}"
            assert server.post(target, json.loads(LOGIN)).result == OK

    def test_empty_database_is_500(self) -> None:
        with openspp(databases=("devel", "other")) as server:
            cookie = f"session_id={choose(server, 'other')}"
            assert server.post("/dms/auth", json.loads(LOGIN), Cookie=cookie).status == 500

    def test_one_database_needs_no_choice(self) -> None:
        with openspp(databases=("devel",)) as server:
            assert server.login("alice", "scan-alice").result == OK


def choose(server: OpenSPP, database: str) -> str:
    answer = server.ask("GET", f"/web/login?db={database}")
    assert answer.status == 302
    return answer.header("Set-Cookie").partition(";")[0].removeprefix("session_id=")
