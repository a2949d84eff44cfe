"""A login: what OpenSPP is asked, and what keeps its answer away."""

from typing import Any

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Denied, Exchange

from .scripted import ALICE, OK, Request, api_at, authenticate, scripted, unused_port


class TestLogins:
    def test_that_get_no_answer_may_be_tried_again(self) -> None:
        with scripted(lambda request: request.read_head()) as server:
            denied = authenticate(server.url)
        assert isinstance(denied, Denied)
        assert (denied.failure.problem, denied.may_retry) == (Problem.UNREACHABLE, True)

    def test_with_an_openspp_that_is_down_may_be_tried_again(self) -> None:
        denied = authenticate(f"http://127.0.0.1:{unused_port()}")
        assert isinstance(denied, Denied)
        assert (denied.failure.problem, denied.may_retry) == (Problem.UNREACHABLE, True)

    def test_have_a_time_limit(self) -> None:
        with scripted(lambda request: request.wait_for_end()) as server:
            denied = api_at(server.url, login_within=0.3).authenticate(ALICE, Exchange())
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.TOO_SLOW

    def test_are_asked_as_openspp_wants_it(self) -> None:
        asked: list[dict[str, Any]] = []

        def answer(request: Request) -> None:
            asked.append(request.read())
            assert (request.method, request.path) == ("POST", "/dms/auth")
            assert request.header("Content-Type") == "application/json"
            request.succeed()

        with scripted(answer) as server:
            assert authenticate(server.url) is None
        assert asked[0]["params"]["username"] == "alice"
        assert asked[0]["params"]["password"] == "scan-alice"

    def test_are_refused_by_the_code_in_brackets(self) -> None:
        def answer(request: Request) -> None:
            request.read()
            request.succeed("<Response 7 bytes [400 BAD REQUEST]>")

        with scripted(answer) as server:
            assert isinstance(authenticate(server.url), Denied)

    def test_ids_are_never_the_same(self) -> None:
        ids: set[str] = set()

        def answer(request: Request) -> None:
            ids.add(request.read()["id"])
            request.succeed(OK)

        with scripted(answer) as server:
            for _ in range(20):
                assert authenticate(server.url) is None
        assert len(ids) == 20
