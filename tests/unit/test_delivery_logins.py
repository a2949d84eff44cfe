"""Logins through the delivery: quick, shared, remembered while OpenSPP is well, and bounded."""

from __future__ import annotations

import threading
import time

import pytest

from openspp_ftpd.delivery import Pending
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import Credentials, Denied, Exchange, NotStored
from tests.unit.delivering import PROMPTLY, Scanners, deliver, scanning, workers
from tests.unit.fake_openspp import (
    UNREACHABLE,
    FakeOpenSPP,
    answers,
    scan,
    stores,
    waits_for_its_answer,
)

WRONG = Denied(Failure(Problem.WRONG_PASSWORD))
DOWN = Denied(Failure(Problem.UNREACHABLE, detail="refused"), may_retry=True)


class Login:
    """One login, and what came back."""

    def __init__(self, scanners: Scanners, user: str = "alice", password: str = "secret") -> None:
        self.outcomes: list[Failure | None] = []
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.pending: Pending = scanners.delivery.login(Credentials(user, password), self._then)
        assert not self.outcomes, "told before login() returned"

    def _then(self, failure: Failure | None) -> None:
        self.outcomes.append(failure)
        self.seconds = time.monotonic() - self.begun

    @property
    def problem(self) -> Problem | None:
        (failure,) = self.outcomes
        return failure.problem if failure else None


def log_in(scanners: Scanners, user: str = "alice", password: str = "secret") -> Login:
    """Log in and wait for the outcome."""
    login = Login(scanners, user, password)
    scanners.run(lambda: login.outcomes)
    return login


@pytest.fixture
def openspp() -> FakeOpenSPP:
    return FakeOpenSPP()


class Script:
    """What comes of each login in turn; the last stays. With a gate, only when it opens."""

    def __init__(self, *results: Denied | None, gate: threading.Event | None = None) -> None:
        self._results = list(results)
        self._gate = gate

    def __call__(self, exchange: Exchange) -> Denied | None:
        while self._gate and not self._gate.is_set() and exchange.wait(0.005):
            pass
        return self._results.pop(0) if len(self._results) > 1 else self._results[0]


class TestOpenSPPDecides:
    def test_who_may_log_in(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            assert log_in(scanners).problem is None

    def test_who_may_not_is_not_asked_for_twice(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(WRONG)
        with scanning(openspp) as scanners:
            assert log_in(scanners).problem is Problem.WRONG_PASSWORD
        assert openspp.logins == ["alice"]

    def test_again_if_it_was_not_well(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(DOWN, DOWN, None)
        with scanning(openspp) as scanners:
            assert log_in(scanners).problem is None
        assert openspp.logins == ["alice"] * 3

    def test_but_for_a_few_seconds_only(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(DOWN)
        with scanning(openspp, login_within=15.0) as scanners:
            login = log_in(scanners)
        assert login.problem is Problem.UNREACHABLE
        assert 1 < login.seconds < 8
        (failure,) = login.outcomes
        assert failure is not None
        assert "refused (4 attempts, " in failure.detail

    def test_a_defect_lets_nobody_in(self, openspp: FakeOpenSPP) -> None:
        def breaks(exchange: Exchange) -> None:
            raise KeyError("secret")

        openspp.login_script = breaks
        with scanning(openspp) as scanners:
            login = log_in(scanners)
        assert login.problem is Problem.INTERNAL
        assert "secret" not in str(login.outcomes)


class TestItIsRemembered:
    def test_for_the_same_password(self, openspp: FakeOpenSPP) -> None:
        with scanning(openspp) as scanners:
            log_in(scanners)
            assert log_in(scanners).problem is None
            openspp.login_script = Script(WRONG)
            assert log_in(scanners, password="other").problem is Problem.WRONG_PASSWORD
        assert openspp.logins == ["alice"] * 2

    @pytest.mark.parametrize("problem", [Problem.WRONG_PASSWORD, Problem.NOT_A_SCANNER_USER])
    def test_until_an_upload_is_turned_away(self, openspp: FakeOpenSPP, problem: Problem) -> None:
        openspp.will(answers(NotStored(Failure(problem))))
        with scanning(openspp) as scanners:
            log_in(scanners)
            log_in(scanners, "bob")
            deliver(scanners)
            log_in(scanners)
            log_in(scanners, "bob")
        assert openspp.logins == ["alice", "bob", "alice"]

    def test_until_anything_shows_that_openspp_is_not_well(self, openspp: FakeOpenSPP) -> None:
        openspp.will(answers(UNREACHABLE), stores, name="scan.pdf")
        with scanning(openspp) as scanners:
            log_in(scanners)
            sending = deliver(scanners, scan(user="bob"))
            assert sending.delivered.attempts == 2
            openspp.login_script = Script(WRONG)
            assert log_in(scanners).problem is Problem.WRONG_PASSWORD

    @pytest.mark.parametrize("problem", [Problem.CERTIFICATE, Problem.OUT_OF_ORDER])
    def test_until_another_login_shows_it(self, openspp: FakeOpenSPP, problem: Problem) -> None:
        openspp.login_script = Script(None, Denied(Failure(problem)), None)
        with scanning(openspp) as scanners:
            for user in ("alice", "bob", "alice"):
                log_in(scanners, user)
        assert openspp.logins == ["alice", "bob", "alice"]

    def test_until_openspp_is_too_slow(self, openspp: FakeOpenSPP) -> None:
        openspp.will(waits_for_its_answer(threading.Event()))
        with scanning(openspp, answer_within=0.2) as scanners:
            log_in(scanners)
            deliver(scanners, scan(user="bob"))
            log_in(scanners)
        assert openspp.logins == ["alice"] * 2


class TestOneRequestForManySessions:
    def test_identical_logins_share_it(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.login_script = Script(None, gate=gate)
        with scanning(openspp) as scanners:
            logins = [Login(scanners) for _ in range(64)]
            scanners.run_for(0.05)
            gate.set()
            scanners.run(lambda: all(login.outcomes for login in logins))
        assert {login.problem for login in logins} == {None}
        assert openspp.logins == ["alice"]

    def test_another_password_does_not(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.login_script = Script(WRONG, None, gate=gate)
        with scanning(openspp) as scanners:
            wrong = Login(scanners, password="wrong")
            scanners.run(lambda: openspp.logins)
            right = Login(scanners)
            scanners.run(lambda: len(openspp.logins) == 2)
            gate.set()
            scanners.run(lambda: wrong.outcomes and right.outcomes)
        assert {wrong.problem, right.problem} == {Problem.WRONG_PASSWORD, None}

    def test_one_that_leaves_does_not_disturb_the_others(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.login_script = Script(None, gate=gate)
        with scanning(openspp) as scanners:
            first, second = Login(scanners), Login(scanners)
            scanners.run_for(0.05)
            assert first.pending.abandon()
            assert first.pending.abandon()
            gate.set()
            scanners.run(lambda: second.outcomes)
            scanners.run_for(0.05)
        assert first.outcomes == []
        assert second.problem is None


class TestNothingIsWaitedForTooLong:
    def test_each_session_has_its_own_deadline(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(None, gate=threading.Event())
        with scanning(openspp, login_within=0.8) as scanners:
            first = Login(scanners)
            scanners.run_for(0.4)
            second = Login(scanners)
            scanners.run(lambda: first.outcomes)
            assert not second.outcomes
            scanners.run(lambda: second.outcomes)
            assert first.problem is second.problem is Problem.TOO_SLOW
            assert 0.8 <= second.seconds < PROMPTLY
            scanners.run(lambda: not workers())
            openspp.login_script = Script(None)
            assert log_in(scanners).problem is None

    def test_before_its_turn_too(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(None, gate=threading.Event())
        with scanning(openspp, login_within=2.0, parallel_requests=1) as scanners:
            for password in ("one", "two"):
                Login(scanners, password=password)
            scanners.run_for(0.7)
            waiting = Login(scanners, password="three")
            scanners.run_for(0.5)
            for password in ("one", "two"):
                Login(scanners, password=password)
            scanners.run(lambda: waiting.outcomes)
        assert waiting.problem is Problem.TOO_SLOW
        assert "no turn" in str(waiting.outcomes)
        assert len(openspp.logins) == 2

    def test_hung_logins_keep_nobody_out(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(None, gate=threading.Event())
        with scanning(openspp, login_within=0.5) as scanners:
            hung = [Login(scanners, f"user{number}") for number in range(12)]
            scanners.run(lambda: all(login.outcomes for login in hung))
            assert len(openspp.logins) == 12
            assert {login.problem for login in hung} == {Problem.TOO_SLOW}
            openspp.login_script = Script(None)
            assert log_in(scanners).problem is None

    def test_uploads_do_not_keep_logins_waiting(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.will(waits_for_its_answer(gate))
        with scanning(openspp, parallel_requests=1) as scanners:
            for number in range(4):
                scanners.delivery.upload(scan(name=f"{number}.pdf"), lambda outcome: None)
            assert log_in(scanners).seconds < PROMPTLY
            gate.set()
            scanners.run(lambda: not scanners.delivery.uploads_pending())

    def test_one_users_wrong_passwords_leave_room(self, openspp: FakeOpenSPP) -> None:
        gate = threading.Event()
        openspp.login_script = Script(WRONG, gate=gate)
        with scanning(openspp, parallel_requests=1) as scanners:
            for number in range(20):
                Login(scanners, "mallory", f"guess {number}")
            scanners.run(lambda: openspp.logins == ["mallory"] * 2)
            openspp.login_script = Script(None)
            assert log_in(scanners).seconds < PROMPTLY
            gate.set()

    def test_the_end_is_told(self, openspp: FakeOpenSPP) -> None:
        openspp.login_script = Script(None, gate=threading.Event())
        scanners = Scanners(openspp)
        login = Login(scanners)
        scanners.run_for(0.05)
        scanners.delivery.close()
        assert login.problem is Problem.STOPPING
        assert scanners.loop.due_timers() == 0
        late = Login(scanners)
        scanners.loop.make_due_calls()
        assert late.problem is Problem.STOPPING
