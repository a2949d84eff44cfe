"""Requests to OpenSPP are counted by what they say about OpenSPP; and where there are none, one is
made that has no password in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import (
    Content,
    Credentials,
    Denied,
    Exchange,
    NotStored,
    Outcome,
    Stored,
    Unsettled,
    watched,
)
from openspp_ftpd.openspp.watched import Watched
from openspp_ftpd.status.figures import Figures
from openspp_ftpd.status.snapshot import Facts, OpenSPP

from .scripted import ALICE, SMALL, Request, api_at, eventually, scripted


class Scripted:
    """An OpenSPP that answers as a test says."""

    settles_after = None

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.meanwhile: Callable[[Exchange], object] = lambda exchange: None
        self.probes = 0

    @property
    def denied(self) -> Denied | None:
        return None if isinstance(self.outcome, Stored) else Denied(self.outcome.failure)

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        self.meanwhile(exchange)
        return self.denied

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        self.meanwhile(exchange)
        return self.outcome

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        return self.outcome

    def probe(self, exchange: Exchange) -> Denied | None:
        self.probes += 1
        self.meanwhile(exchange)
        return self.denied


def not_stored(problem: Problem) -> NotStored:
    return NotStored(Failure(problem, detail=problem.name))


def shown(figures: Figures) -> OpenSPP:
    return figures.snapshot(Facts()).openspp


WELL = [Problem.WRONG_PASSWORD, Problem.NO_DIRECTORY, Problem.REFUSED, Problem.NAME_TAKEN]
NOT_WELL = [Problem.UNREACHABLE, Problem.OUT_OF_ORDER, Problem.REDIRECTED, Problem.CERTIFICATE]


class TestWhatIsCounted:
    def test_a_scan_that_is_stored(self) -> None:
        figures = Figures()
        api = Scripted(Stored())
        assert Watched(api, figures).store(ALICE, "a.pdf", SMALL, Exchange()) is api.outcome
        assert shown(figures).requests == {"upload": {"answered": 1}}
        assert sum(shown(figures).seconds["upload"].counts) == 1

    @pytest.mark.parametrize("problem", WELL, ids=lambda problem: problem.name)
    def test_an_openspp_that_refuses_is_well(self, problem: Problem) -> None:
        figures = Figures()
        api = Watched(Scripted(not_stored(problem)), figures)
        denied = api.authenticate(ALICE, Exchange())
        assert denied is not None
        assert denied.failure.problem is problem
        api.store(ALICE, "a.pdf", SMALL, Exchange())
        assert shown(figures).requests == {"login": {"answered": 1}, "upload": {"answered": 1}}
        assert shown(figures).answers is True

    @pytest.mark.parametrize("problem", NOT_WELL, ids=lambda problem: problem.name)
    def test_one_that_gives_no_proper_answer_is_not(self, problem: Problem) -> None:
        figures = Figures()
        api = Watched(Scripted(not_stored(problem)), figures)
        api.authenticate(ALICE, Exchange())
        api.store(ALICE, "a.pdf", SMALL, Exchange())
        counted = {problem.name.lower(): 1}
        assert shown(figures).requests == {"login": counted, "upload": counted}
        assert (shown(figures).answers, shown(figures).trouble) == (False, problem.name)
        assert shown(figures).seconds == {}

    def test_a_scan_without_a_verdict_is_none(self) -> None:
        figures = Figures()
        api = Watched(Scripted(Unsettled(Failure(Problem.UNCERTAIN))), figures)
        api.store(ALICE, "a.pdf", SMALL, Exchange())
        assert shown(figures).requests == {"upload": {"uncertain": 1}}
        assert shown(figures).answers is False

    def test_that_we_hung_up_says_nothing_of_openspp(self) -> None:
        figures = Figures()
        api = Scripted(not_stored(Problem.UNREACHABLE))
        api.meanwhile = lambda exchange: exchange.hang_up()
        Watched(api, figures).authenticate(ALICE, Exchange())
        assert shown(figures).requests == {"login": {"given_up": 1}}
        assert shown(figures).answers is None


class TestProbe:
    def test_where_nothing_was_heard_yet_it_is_asked(self) -> None:
        figures, api = Figures(), Scripted(Stored())
        Watched(api, figures).probe_if_quiet()
        assert eventually(lambda: shown(figures).answers is True)
        assert shown(figures).requests == {"probe": {"answered": 1}}

    def test_where_scanners_are_busy_it_is_not(self) -> None:
        figures, api = Figures(), Scripted(Stored())
        observed = Watched(api, figures)
        observed.authenticate(ALICE, Exchange())
        for _ in range(50):
            observed.probe_if_quiet()
        time.sleep(0.1)
        assert api.probes == 0

    def test_it_is_asked_again_when_it_was_quiet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watched, "QUIET_SECONDS", 0.0)
        figures, api = Figures(), Scripted(not_stored(Problem.UNREACHABLE))
        observed = Watched(api, figures)
        observed.probe_if_quiet()
        assert eventually(lambda: shown(figures).answers is False)
        api.outcome = Stored()

        def recovered() -> bool:
            observed.probe_if_quiet()
            return shown(figures).answers is True

        assert eventually(recovered)

    def test_one_that_hangs_is_not_joined_by_another_and_holds_nobody_up(self) -> None:
        go_on = threading.Event()
        figures, api = Figures(), Scripted(Stored())
        api.meanwhile = lambda exchange: go_on.wait(30)
        observed = Watched(api, figures)
        began = time.monotonic()
        for _ in range(100):
            observed.probe_if_quiet()
        assert time.monotonic() - began < 10
        assert eventually(lambda: api.probes == 1)
        go_on.set()
        assert eventually(lambda: shown(figures).answers is True)
        assert api.probes == 1

    def test_it_sends_no_password(self) -> None:
        """What goes over the wire, where a scanner's password was sent before."""
        heard: list[bytes] = []

        def listen(request: Request) -> None:
            request.read_head()
            request.read_body()
            heard.append(request.head + request.body)
            request.answer("405 METHOD NOT ALLOWED", "text/html")

        figures = Figures()
        with scripted(listen) as server:
            api = Watched(api_at(server.url), figures)
            api.authenticate(ALICE, Exchange())
            api.probe()
        assert ALICE.password.encode() in heard[0]
        assert len(heard) == 2
        assert ALICE.password.encode() not in heard[1]
        assert ALICE.user.encode() not in heard[1]
