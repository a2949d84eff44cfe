"""Who guesses passwords is slowed and banned; who mistyped, or is next to a guesser, is not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.attacks import ATTACKER, NEXT_DOOR, last_words, under_attack
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import QUICK, Ground, running, whole_session
from tests.acceptance.promises import until
from tests.acceptance.scanner import Scanner

WRONG = "Wrong OpenSPP user or scanner password."


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with running(tmp_path) as made:
        yield made


def failures(ground: Ground) -> int:
    """How many passwords OpenSPP was asked about and refused."""
    return ground.daemon.log().count(f"could not log in: {WRONG}")


def has_failed(ground: Ground, count: int) -> bool:
    """So many passwords were refused."""
    return failures(ground) >= count


def guess(ground: Ground, user: str, password: str, source: str = ATTACKER) -> Scanner:
    """Send a password; the answer is not waited for."""
    scanner = ground.scanner(source=source)
    assert scanner.command(f"USER {user}").code == 331
    scanner.send(f"PASS {password}")
    return scanner


def guess_and_hang_up(ground: Ground, user: str, password: str) -> None:
    """As `guess`, until OpenSPP has refused it or it is clear that nobody asks OpenSPP."""
    before = failures(ground)
    with guess(ground, user, password):
        until(lambda: failures(ground) > before, 1.0)


class TestWaits:
    def test_they_grow_and_the_third_failure_ends_the_session(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            waits = []
            for number in range(3):
                assert scanner.command("USER alice").code == 331
                began = time.monotonic()
                assert scanner.command(f"PASS wrong-{number}", 60) == (530, WRONG)
                waits.append(time.monotonic() - began)
            assert last_words(scanner) == []
        for wait, least in zip(waits, (3, 6, 12), strict=True):
            assert least - 0.1 < wait < least + 10

    def test_who_hangs_up_early_and_comes_back_is_slowed_too(self, ground: Ground) -> None:
        with under_attack(ground):
            for number in range(9):
                guess_and_hang_up(ground, "alice", f"guess-{number}")
            # The next has to wait 12 s; who did not stay so long is not asked about.
            assert not until(lambda: failures(ground) > 4, 14)
        # From elsewhere the clerk logs in as ever, from there after the guesser's wait.
        assert whole_session(ground, "frank", "page.pdf", pdf(2000)) < 5 * QUICK
        with ground.logged_in("alice", source=NEXT_DOOR):
            pass
        with ground.scanner(source=ATTACKER, timeout=60) as scanner:
            assert scanner.login("alice").code == 230

    def test_a_password_that_waits_is_asked_about_in_the_end(self, ground: Ground) -> None:
        for number in range(3):
            guess_and_hang_up(ground, "frank", f"guess-{number}")
        began = time.monotonic()
        with ground.scanner(source=ATTACKER, timeout=60) as scanner:
            assert scanner.login("frank").code == 230
        assert time.monotonic() - began > 5
        began = time.monotonic()
        with ground.scanner(source=ATTACKER) as scanner:  # and then all is forgotten
            assert scanner.login("frank").code == 230
        assert time.monotonic() - began < 5

    def test_a_device_with_an_old_password_slows_nobody_of_its_office(self, ground: Ground) -> None:
        for _ in range(8):
            guess_and_hang_up(ground, "alice", "last-year's")
        assert failures(ground) == 8
        began = time.monotonic()
        with ground.logged_in("alice", source=ATTACKER):
            assert time.monotonic() - began < 3


QUICK_BAN = {"limits": {"failed_logins": "3", "ban_time": "6s"}}


class TestBans:
    def ban(self, ground: Ground, source: str = ATTACKER) -> None:
        """Three names with wrong passwords."""
        for user in ("alice", "bob", "nobody"):
            before = failures(ground)
            with guess(ground, user, "wrong", source):
                assert until(partial(has_failed, ground, before + 1), 20)

    def test_a_ban_ends(self, tmp_path: Path) -> None:
        with running(tmp_path, options=QUICK_BAN) as ground:
            self.ban(ground)
            began = time.monotonic()
            with ground.scanner(source=ATTACKER) as banned:
                text = "Too many failed logins from here. Try again in a minute."
                assert banned.greeting == (421, text)
            assert until(lambda: self.greeting(ground) == 220, 30)
            assert time.monotonic() - began > 4
            with ground.logged_in(source=ATTACKER) as scanner:
                assert scanner.store("page.pdf", pdf(2000)).code == 226

    def greeting(self, ground: Ground) -> int:
        with ground.scanner(source=ATTACKER) as scanner:
            return scanner.greeting.code

    def test_a_session_that_was_open_goes_on(self, tmp_path: Path) -> None:
        with (
            running(tmp_path, options=QUICK_BAN) as ground,
            ground.logged_in(source=ATTACKER) as open_before,
        ):
            self.ban(ground)
            assert open_before.store("page.pdf", pdf(2000)).code == 226

    def test_trusted_networks_know_none(self, tmp_path: Path) -> None:
        limits = {**QUICK_BAN["limits"], "trusted_networks": f"{ATTACKER}/32"}
        with running(tmp_path, options={"limits": limits}) as ground:
            self.ban(ground)
            assert self.greeting(ground) == 220

    def test_many_addresses_lock_no_clerk_out(self, tmp_path: Path) -> None:
        """All guess alice's password at once; she is somewhere else."""
        with (
            running(tmp_path, options=QUICK_BAN) as ground,
            contextlib.ExitStack() as closing,
        ):
            for number in range(30):
                closing.enter_context(
                    guess(ground, "alice", f"guess-{number}", f"127.0.1.{number + 1}")
                )
            assert until(lambda: failures(ground) == 30, 30)
            assert whole_session(ground, "alice", "page.pdf", pdf(2000)) < 5 * QUICK


class TestTheTimeForALogin:
    def test_a_silent_client_and_one_that_names_himself_are_told_and_closed(
        self, tmp_path: Path
    ) -> None:
        options = {"limits": {"command_idle": "2s"}}
        with (
            running(tmp_path, options=options) as ground,
            ground.scanner() as silent,
            ground.scanner() as named,
        ):
            assert named.command("USER alice").code == 331
            for scanner in (silent, named):
                said = last_words(scanner)
                assert said == [(421, "No command for too long. Closing.")]
