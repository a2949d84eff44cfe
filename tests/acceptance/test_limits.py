"""Who may connect and log in, and what it costs to be wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import QUICK, Ground, running, whole_session
from tests.acceptance.promises import at_once, until
from tests.acceptance.scanner import Answer, Scanner


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with running(tmp_path) as made:
        yield made


class TestLimits:
    def test_sessions(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions": "3"}}
        with running(tmp_path, options=options) as ground, contextlib.ExitStack() as closing:
            first, _, last = (closing.enter_context(ground.logged_in()) for _ in range(3))
            refused = closing.enter_context(ground.scanner())
            assert refused.greeting.code == 421
            with pytest.raises(ConnectionError):
                refused.command("NOOP")
            # The data connection is no session.
            assert last.store("page.pdf", pdf(2000)).code == 226
            first.quit()
            assert closing.enter_context(ground.scanner()).greeting.code == 220

    def test_sessions_per_address(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions_per_address": "2", "trusted_networks": "127.0.0.64/26"}}
        with running(tmp_path, options=options) as ground, contextlib.ExitStack() as closing:

            def greeting(source: str) -> int:
                return closing.enter_context(ground.scanner(source=source)).greeting.code

            assert [greeting("127.0.0.2") for _ in range(3)] == [220, 220, 421]
            assert [greeting("127.0.0.3") for _ in range(3)] == [220, 220, 421]
            assert [greeting("127.0.0.65") for _ in range(5)] == [220] * 5

    def test_idle_sessions_end(self, tmp_path: Path) -> None:
        options = {"limits": {"command_idle": "2s"}}
        with running(tmp_path, options=options) as ground, ground.scanner() as idle:
            began = time.monotonic()
            with ground.logged_in() as busy:
                for _ in range(3):
                    time.sleep(0.9)
                    assert busy.command("NOOP").code == 200
            assert idle.answer().code == 421
            assert 1.9 < time.monotonic() - began < 4

    def test_a_long_wait_for_openspp_is_not_idle(self, tmp_path: Path) -> None:
        options = {"limits": {"command_idle": "2s", "data_idle": "2s"}}
        with running(tmp_path, options=options) as ground, ground.logged_in() as scanner:
            assert scanner.store("page@slow=4.pdf", pdf(2000)).code == 226
            assert scanner.command("NOOP").code == 200


BAN_AFTER_THREE = {"limits": {"failed_logins": "3"}}


class TestFailedLogins:

    def wrong(self, ground: Ground, user: str, source: str = "127.0.0.5") -> Scanner:
        """Send a wrong password; the answer is not waited for."""
        scanner = ground.scanner(source=source)
        scanner.command(f"USER {user}")
        scanner.send("PASS wrong")
        return scanner

    def refused_by(self, ground: Ground, count: int) -> bool:
        """OpenSPP has refused so many logins."""
        return until(lambda: ground.daemon.log().count("could not log in") >= count)

    def test_a_wrong_password_is_answered_late_and_nobody_else_waits(self, ground: Ground) -> None:
        began = time.monotonic()
        with self.wrong(ground, "alice") as wrong:
            assert whole_session(ground, "frank", "page.pdf", pdf(2000)) < QUICK
            with ground.logged_in("alice", source="127.0.0.5"):
                assert time.monotonic() - began < 2.9
            assert wrong.answer().code == 530
        assert 2.9 < time.monotonic() - began < 9

    def test_one_name_never_bans_an_address(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, options=BAN_AFTER_THREE) as ground,
            contextlib.ExitStack() as closing,
        ):
            for _ in range(5):
                closing.enter_context(self.wrong(ground, "alice"))
            assert self.refused_by(ground, 5)
            closing.enter_context(ground.logged_in("alice", source="127.0.0.5"))

    def test_several_names_ban_the_address_and_no_other(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, options=BAN_AFTER_THREE) as ground,
            contextlib.ExitStack() as closing,
        ):
            for user in ("alice", "bob", "nobody"):
                closing.enter_context(self.wrong(ground, user))
            assert self.refused_by(ground, 3)
            banned = closing.enter_context(ground.scanner(source="127.0.0.5"))
            assert banned.greeting.code == 421
            assert "failed logins" in banned.greeting.text
            assert whole_session(ground, "alice", "page.pdf", pdf(2000)) < QUICK

    def test_a_good_login_between_them_clears_the_address(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, options=BAN_AFTER_THREE) as ground,
            contextlib.ExitStack() as closing,
        ):
            for count, user in enumerate(("alice", "bob"), 1):
                closing.enter_context(self.wrong(ground, user))
                assert self.refused_by(ground, count)
            closing.enter_context(ground.logged_in("frank", source="127.0.0.5"))
            closing.enter_context(self.wrong(ground, "nobody"))
            assert self.refused_by(ground, 3)
            again = closing.enter_context(ground.scanner(source="127.0.0.5"))
            assert again.greeting.code == 220

    def test_an_openspp_that_is_away_never_counts(self, tmp_path: Path) -> None:
        with running(tmp_path, options=BAN_AFTER_THREE) as ground:

            def login(number: int) -> Answer:
                with ground.scanner(source="127.0.0.5") as scanner:
                    return scanner.login(f"user-{number}")

            ground.openspp.kill()
            answers = at_once(*(partial(login, number) for number in range(6)))
            assert [answer.code for answer in answers] == [421] * 6
            ground.openspp.start()
            with ground.logged_in(source="127.0.0.5") as scanner:
                assert scanner.store("page.pdf", pdf(2000)).code == 226


class TestTheCheckBeforeAScan:
    """Devices try USER, PASS, CWD and QUIT before somebody puts paper in."""

    def check(self, ground: Ground) -> tuple[list[int], float]:
        """The codes and the seconds it took."""
        began = time.monotonic()
        with ground.scanner() as scanner:
            codes = [scanner.greeting.code, scanner.command("USER alice").code]
            codes.append(scanner.command("PASS scan-alice").code)
            if codes[-1] == 230:
                codes += [scanner.command("CWD /").code, scanner.command("QUIT").code]
        return codes, time.monotonic() - began

    def test_it_is_quick(self, ground: Ground) -> None:
        for _ in range(10):
            codes, seconds = self.check(ground)
            assert codes == [220, 331, 230, 250, 221]
            assert seconds < 3

    def test_it_fails_at_once_when_openspp_is_away_although_it_succeeded_before(
        self, ground: Ground
    ) -> None:
        assert self.check(ground)[0][-1] == 221
        with ground.logged_in() as scanner:
            ground.openspp.kill()
            data = scanner.begin("page.pdf")
            data.sendall(pdf(2000))
            data.close()
            # From the first answer that did not come on, nobody is let in by memory.
            assert until(lambda: self.check(ground)[0] == [220, 331, 421], 15)
            ground.openspp.start()
            assert scanner.answer().code == 226

    def test_it_fails_with_421_when_openspp_was_never_there(self, ground: Ground) -> None:
        ground.openspp.kill()
        codes, seconds = self.check(ground)
        assert codes == [220, 331, 421]
        assert seconds < 3
