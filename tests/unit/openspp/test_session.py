"""One session with OpenSPP for all requests, bound to a database where that is configured."""

import threading

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Exchange, NotStored, Stored

from .scripted import ALICE, SMALL, Background, Request, api_at, scripted, success


class TestSession:
    """OpenSPP writes a file for every session, and makes one for every request without a cookie."""

    def test_is_one_for_all_requests(self) -> None:
        cookies: list[str] = []

        def answer(request: Request) -> None:
            body = success(request.read()["id"])
            cookies.append(request.header("Cookie"))
            session = cookies[-1].removeprefix("session_id=") or f"{len(cookies):040}"
            cookie = f"Set-Cookie: session_id={session}; Max-Age=7776000; HttpOnly; Path=/"
            request.answer("200 OK", "application/json", body, cookie)

        with scripted(answer) as server:
            api = api_at(server.url)
            assert api.authenticate(ALICE, Exchange()) is None
            jobs = [
                Background(lambda: api.store(ALICE, "a.pdf", SMALL, Exchange())) for _ in range(20)
            ]
            assert [job.result() for job in jobs] == [Stored()] * 20
            assert api.authenticate(ALICE, Exchange()) is None
        assert cookies[0] == ""
        assert set(cookies[1:]) == {f"session_id={1:040}"}

    def test_follows_a_server_that_names_another_and_one_that_ends_it(self) -> None:
        said = iter(["one", "one", "other", "", "gone; Max-Age=0", ""])
        cookies: list[str] = []

        def answer(request: Request) -> None:
            body = success(request.read()["id"])
            cookies.append(request.header("Cookie"))
            value = next(said)
            cookie = [f"Set-Cookie: session_id={value}; Path=/"] if value else []
            request.answer("200 OK", "application/json", body, *cookie)

        with scripted(answer) as server:
            api = api_at(server.url)
            for _ in range(6):
                assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
        one, other = "session_id=one", "session_id=other"
        assert cookies == ["", one, one, other, other, ""]

    def test_belongs_to_the_paths_that_the_server_said(self) -> None:
        cookies: list[tuple[str, str]] = []

        def answer(request: Request) -> None:
            body = success(request.read()["id"])
            cookies.append((request.path, request.header("Cookie")))
            cookie = "Set-Cookie: session_id=one; Path=/dms/upload"
            request.answer("200 OK", "application/json", body, cookie)

        with scripted(answer) as server:
            api = api_at(server.url)
            for _ in range(2):
                assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
                assert api.authenticate(ALICE, Exchange()) is None
        one = "session_id=one"
        assert [cookie for path, cookie in cookies if path == "/dms/upload"] == ["", one]
        assert [cookie for path, cookie in cookies if path == "/dms/auth"] == ["", ""]


class Databases:
    """An OpenSPP that serves several databases (WIRE.md section 8)."""

    def __init__(self, name: str = "devel") -> None:
        self.name = name
        self.bound: set[str] = set()
        self.bindings = 0
        self.lock = threading.Lock()
        self.bodies: list[bytes] = []
        self.sets_cookies = True
        self.out_of_order = False

    def __call__(self, request: Request) -> None:
        request.read()
        session = request.header("Cookie").removeprefix("session_id=")
        if request.method == "GET":
            self.bodies.append(request.head)
            self.bind(request)
        elif self.out_of_order:
            self.refuse(request, "500 INTERNAL SERVER ERROR")
        elif session in self.bound:
            request.succeed()
        else:
            self.refuse(request)

    def bind(self, request: Request) -> None:
        with self.lock:
            self.bindings += 1
            session = f"{self.bindings:040}"
        path = "/web/database/selector"
        if request.path == f"/web/login?db={self.name}":
            self.bound.add(session)
            path = request.path
        headers = [f"Location: http://{request.header('Host')}{path}"]
        if self.sets_cookies:
            headers.append(f"Set-Cookie: session_id={session}; HttpOnly; Path=/")
        request.answer("302 FOUND", "text/html; charset=utf-8", b"", *headers)

    def refuse(self, request: Request, status: str = "404 NOT FOUND") -> None:
        body = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 404, "message": "404: Not Found"}}'
        cookie = "Set-Cookie: session_id=unbound; HttpOnly; Path=/"
        request.answer(status, "application/json", body, cookie)


class TestDatabase:
    def test_is_bound_once_for_all_requests(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            api = api_at(server.url, database="devel")
            jobs = [
                Background(lambda: api.store(ALICE, "a.pdf", SMALL, Exchange())) for _ in range(8)
            ]
            assert [job.result() for job in jobs] == [Stored()] * 8
            assert api.authenticate(ALICE, Exchange()) is None
        assert openspp.bindings == 1

    def test_is_bound_without_any_password(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            assert api_at(server.url, database="devel").authenticate(ALICE, Exchange()) is None
        assert len(openspp.bodies) == 1
        assert b"alice" not in openspp.bodies[0]

    def test_is_bound_anew_when_openspp_has_forgotten_the_session(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            api = api_at(server.url, database="devel")
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
            openspp.bound.clear()
            lost = api.store(ALICE, "a.pdf", SMALL, Exchange())
            assert isinstance(lost, NotStored)
            assert lost.may_retry
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
        assert openspp.bindings == 2

    def test_is_not_taken_for_bound_because_of_an_earlier_session(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            api = api_at(server.url, database="devel")
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
            openspp.bound.clear()
            assert isinstance(api.store(ALICE, "a.pdf", SMALL, Exchange()), NotStored)
            openspp.sets_cookies = False
            asked = len(server.requests)
            assert isinstance(api.store(ALICE, "a.pdf", SMALL, Exchange()), NotStored)
            assert [request.method for request in server.requests[asked:]] == ["GET"]

    def test_stays_bound_when_an_error_comes_with_another_session(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            api = api_at(server.url, database="devel")
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
            openspp.out_of_order = True
            assert isinstance(api.store(ALICE, "a.pdf", SMALL, Exchange()), NotStored)
            openspp.out_of_order = False
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()
        assert openspp.bindings == 1

    def test_that_does_not_exist_is_told_and_no_password_is_sent(self) -> None:
        openspp = Databases()
        with scripted(openspp) as server:
            api = api_at(server.url, database="nosuch")
            outcome = api.store(ALICE, "a.pdf", SMALL, Exchange())
            assert [request.method for request in server.requests] == ["GET"]
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.NOT_OPENSPP
        assert "database in [openspp]" in outcome.failure.detail

    def test_may_have_any_name(self) -> None:
        openspp = Databases("a%26b%3D%C3%A9%2Fc")
        with scripted(openspp) as server:
            api = api_at(server.url, database="a&b=é/c")
            assert api.store(ALICE, "a.pdf", SMALL, Exchange()) == Stored()

    def test_is_not_waited_for_by_who_has_given_up(self) -> None:
        asked = threading.Event()

        def be_silent(request: Request) -> None:
            request.read_head()
            asked.set()
            request.wait_for_end()

        with scripted(be_silent) as server:
            api = api_at(server.url, database="devel")
            exchanges = [Exchange() for _ in range(5)]
            jobs = [
                Background(lambda e=exchange: api.store(ALICE, "a.pdf", SMALL, e))  # type: ignore[misc]
                for exchange in exchanges
            ]
            assert asked.wait(20)
            for exchange in exchanges:
                assert exchange.abandon() is True
            assert all(isinstance(job.result(1.0), NotStored) for job in jobs)
            assert len(server.requests) == 1
