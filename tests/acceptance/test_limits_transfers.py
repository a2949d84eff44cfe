"""What one client may take: time for a file, room in the spool, the length of a command."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.attacks import ATTACKER, MIB, NEXT_DOOR, under_attack
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import Gateway, gateway_of, until
from tests.acceptance.running import small_tmpfs
from tests.acceptance.scanner import Answer, Scanner, end_properly

REFUSED_IS_READ_FOR = 5.0  # seconds; upload.py has it as DRAIN_SECONDS
TOO_LONG = Answer(426, "The transfer took too long. Not stored. Scan fewer pages at once.")
SHARE_USED_UP = Answer(452, "Too many scans from this address at once. Send it again later.")


class Trickle:
    """Sends a byte now and then until the other side ends."""

    def __init__(self, scanner: Scanner, name: str) -> None:
        self._data = scanner.begin(name)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.wait(0.2):
                self._data.sendall(b"%")

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)


class TestTheTimeOfOneTransfer:
    """`[limits] transfer_within`: data_idle alone would let a trickle go on for ever."""

    @pytest.fixture
    def ground(self, tmp_path: Path) -> Iterator[Ground]:
        options = {"limits": {"transfer_within": "3s", "data_idle": "2s"}}
        with running(tmp_path, options=options) as made:
            yield made

    def test_a_trickle_ends(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            began = time.monotonic()
            with contextlib.closing(Trickle(scanner, "page.pdf")):
                assert scanner.answer() == TOO_LONG
            assert 2.9 < time.monotonic() - began < 15
            assert until(lambda: not ground.daemon.spooled_bytes())
            assert scanner.store("page.pdf", pdf(2000)).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})
        assert "Not whole within 3 s" in ground.daemon.log()

    def test_the_time_that_openspp_takes_does_not_count(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page@slow=4.pdf", pdf(2000)).code == 226

    def test_many_of_them_cost_the_scanner_next_door_nothing(self, tmp_path: Path) -> None:
        options = {"limits": {"transfer_within": "6s"}}
        with (
            running(tmp_path, options=options, openspp=("--user=slow:scan-slow",)) as ground,
            contextlib.ExitStack() as closing,
            under_attack(ground),
        ):
            slow = [
                closing.enter_context(ground.logged_in("slow", source=f"127.0.0.{100 + number}"))
                for number in range(40)
            ]
            for scanner in slow:
                closing.enter_context(contextlib.closing(Trickle(scanner, "page.pdf")))
            assert [scanner.answer() for scanner in slow] == [TOO_LONG] * len(slow)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
class TestTheShareOfOneAddress:
    """`[uploads] share_per_address` of a tmpfs of 8 MB; scans may have 2 MB."""

    @pytest.fixture(scope="class", params=["50%"])
    def running(
        self, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
    ) -> Iterator[Gateway]:
        options = {
            "uploads": {"max_size": "2M", "share_per_address": request.param},
            "limits": {"trusted_networks": "127.0.0.200/32"},
        }
        with (
            small_tmpfs("8M") as spool,
            gateway_of(tmp_path_factory.mktemp("share"), options, spool=spool) as gateway,
        ):
            yield gateway

    @pytest.fixture
    def gateway(self, running: Gateway) -> Iterator[Gateway]:
        yield running
        running.check()

    @pytest.mark.parametrize("announced", [True, False])
    def test_it_is_used_up_and_others_go_on(self, gateway: Gateway, announced: bool) -> None:
        """Six scans hang; whether their size was announced or came."""
        with contextlib.ExitStack() as closing:
            hanging = [closing.enter_context(gateway.session(source=ATTACKER)) for _ in range(6)]
            told = [self.hang(scanner, announced) for scanner in hanging]
            if not announced:  # what is refused is read for some seconds, for the client's sake
                time.sleep(REFUSED_IS_READ_FOR + 1)
                told = [next_answer(scanner) for scanner in hanging]
            assert told.count(None) in (2, 3)  # 4 MB; a refused one held some of it for a while
            assert {each for each in told if each} == {SHARE_USED_UP}
            # No room for a second of them, but for everybody else.
            with gateway.session(source=NEXT_DOOR) as other:
                assert other.store("next-door.pdf", gateway_content(gateway)).code == 226
            with gateway.session(source="127.0.0.200") as trusted:
                assert trusted.store("trusted.pdf", gateway_content(gateway)).code == 226
        assert until(lambda: not gateway.daemon.spooled_bytes())
        with gateway.session(source=ATTACKER) as again:
            assert again.store("again.pdf", gateway_content(gateway)).code == 226

    def hang(self, scanner: Scanner, announced: bool) -> Answer | None:
        """Begin a scan of 1.5 MB that does not end; the refusal, if there is one."""
        size = MIB * 3 // 2
        if announced:
            assert scanner.command(f"ALLO {size}").code == 200
            scanner.passive()
            answer = scanner.command("STOR hanging.pdf")
            return None if answer.code == 150 else answer
        data = scanner.begin("hanging.pdf")
        data.sendall(bytes(size))
        return None

    def test_a_trusted_network_has_all_of_it(self, gateway: Gateway) -> None:
        with contextlib.ExitStack() as closing:
            hanging = [
                closing.enter_context(gateway.session(source="127.0.0.200")) for _ in range(4)
            ]
            assert [self.hang(scanner, True) for scanner in hanging] == [None] * 4

    def test_what_was_announced_and_not_needed_is_given_back(self, gateway: Gateway) -> None:
        with contextlib.ExitStack() as closing:
            for _ in range(2):
                scanner = closing.enter_context(gateway.session(source=ATTACKER))
                assert scanner.command(f"ALLO {2 * MIB}").code == 200
                data = scanner.begin("small@slow=6.pdf")
                data.sendall(gateway_content(gateway))
                end_properly(data)
            assert until(lambda: gateway.daemon.spooled_bytes() < MIB)
            another = closing.enter_context(gateway.session(source=ATTACKER))
            assert self.hang(another, announced=True) is None

    def test_one_scan_of_the_largest_size_fits_into_the_smallest_share(
        self, tmp_path: Path
    ) -> None:
        options = {"uploads": {"max_size": "2M", "share_per_address": "1%"}}
        with (
            small_tmpfs("8M") as spool,
            gateway_of(tmp_path, options, spool=spool) as gateway,
            gateway.session(source=ATTACKER) as scanner,
        ):
            assert scanner.command(f"ALLO {2 * MIB}").code == 200
            assert scanner.store("large.pdf", pdf(2 * MIB)).code == 226


def next_answer(scanner: Scanner) -> Answer | None:
    """The reply that is there, None where there is none."""
    try:
        return scanner.answer(1)
    except TimeoutError:
        return None


def gateway_content(gateway: Gateway) -> bytes:
    """A scan that `Gateway.check` knows of."""
    content = pdf(100_000, len(gateway.openspp.record()) + 1000)
    gateway.copies(content)
    return content


class TestTheLengthOfACommand:
    """4096 bytes with what ends it; before and after the login."""

    @pytest.fixture(scope="class")
    def ground(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
        with running(tmp_path_factory.mktemp("lines")) as made:
            yield made

    @pytest.mark.parametrize("logged_in", [False, True])
    @pytest.mark.parametrize(
        ("length", "code"), [(4095, 200), (4096, 500), (100_000, 500), (5_000_000, 500)]
    )
    def test_the_longest_and_one_that_is_longer(
        self, length: int, code: int, logged_in: bool, ground: Ground
    ) -> None:
        with ground.logged_in() if logged_in else ground.scanner() as scanner:
            answer = scanner.command(b"CLNT ".ljust(length, b"x"))
            assert answer.code == code
            if code == 500:
                assert answer.text == "Line too long."
            assert scanner.command("NOOP").code == 200
