"""Whatever dies, and whenever: a 226 that a client read means that OpenSPP has the scan."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.crowd import Crowd
from tests.acceptance.documents import noise, pdf, sha256
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.interfaces import ODOO, every_api
from tests.acceptance.promises import until
from tests.acceptance.scanner import Scanner

CLIENTS = 12
ROUNDS = {"scanner": 6, "odoo17": 2, "odoo19": 2}
SEED = random.randrange(1_000_000)
LIFE = (0.2, 1.5)
"""Seconds from a start to the next kill, chosen at random."""
ENDED = 1.5
"""Seconds after which OpenSPP has stored what a dead daemon had sent it; only it can know that."""


@dataclass
class Load:
    """Clients that upload all the time, plain and by TLS, and what came of it.

    Where OpenSPP can be asked what it has, they send a scan again until they are told 226.
    """

    ground: Ground
    sent: set[str] = field(default_factory=set)
    """SHA-256 of every scan that was begun."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every scan whose 226 was read, with the name it was sent under."""
    replies: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._crowd = Crowd(CLIENTS, self._client)
        self._send_again = self.ground.api in ODOO

    def __enter__(self) -> Load:
        self._crowd.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._crowd.__exit__(*exception)

    def _client(self, number: int) -> None:
        chance = random.Random(SEED * 100 + number)
        user = ("alice", "frank", "dbuser")[number % 3]
        tls = ("", "explicit", "implicit")[number // 3 % 3]
        scans = itertools.count()
        scan: tuple[str, bytes] | None = None
        while not self._crowd.stop.is_set():
            # Refused, reset, ended or timed out: what a client does then is to connect again.
            with (
                contextlib.suppress(OSError, AssertionError),
                self.ground.logged_in(user, tls, f"127.0.0.{number + 2}") as scanner,
            ):
                while not self._crowd.stop.is_set():
                    scan = scan or self._scan(f"{number}-{next(scans)}", chance)
                    if self._upload(scanner, *scan) or not self._send_again:
                        scan = None
            if not self._send_again:
                scan = None
            time.sleep(0.02)

    def _scan(self, name: str, chance: random.Random) -> tuple[str, bytes]:
        size = chance.randrange(1000, 300_000)
        seed = chance.randrange(1 << 60)
        content = pdf(size, seed) if chance.random() < 0.5 else noise(size, seed)
        self.sent.add(sha256(content))
        return name, content

    def _upload(self, scanner: Scanner, name: str, content: bytes) -> bool:
        answer = scanner.store(name, content)
        self.replies.append(answer.code)
        if answer.code == 226:
            self.acknowledged[sha256(content)] = name
        return answer.code == 226

    def wait_for_more(self) -> None:
        """Until some more scans went through."""
        enough = len(self.acknowledged) + CLIENTS
        assert until(lambda: len(self.acknowledged) >= enough, 60), "nothing goes on"

    def check(self) -> None:
        """Every 226 is kept, and nothing is there twice, or that nobody sent whole."""
        record = Counter(document["sha256"] for document in self.ground.openspp.record())
        lost = {name for digest, name in self.acknowledged.items() if digest not in record}
        assert not lost, f"seed {SEED}: acknowledged and lost: {sorted(lost)}"
        assert set(record.values()) == {1}, f"seed {SEED}: something was stored twice"
        assert set(record) <= self.sent, f"seed {SEED}: something was stored that is no whole scan"


@pytest.fixture
def ground(tmp_path: Path, certificate: tuple[Path, Path], api: str) -> Iterator[Ground]:
    options = {"log": {"level": "info"}}
    if api in ODOO:  # what nobody can settle for two minutes keeps no client so long
        options["openspp"] = {"answer_within": "5s"}
    with running(tmp_path, certificate, options, api=api) as made:
        yield made


def left_in_spool(ground: Ground) -> list[Path]:
    """Everything below the upload directory that has a name."""
    return list(ground.daemon.spool.rglob("*"))


@every_api
class TestKill9:
    def test_of_the_daemon(self, ground: Ground) -> None:
        chance = random.Random(SEED)
        rounds = ROUNDS[ground.api]
        with Load(ground) as load:
            for _ in range(rounds):
                load.wait_for_more()
                time.sleep(chance.uniform(*LIFE))
                ground.daemon.kill()
                left = left_in_spool(ground)
                assert all(path.is_dir() for path in left) and len(left) == 1, left
                assert left[0].stat().st_mode & 0o777 == 0o700
                if ground.api in ODOO:
                    time.sleep(ENDED)
                ground.daemon.start()
            load.wait_for_more()
        load.check()
        assert len(load.acknowledged) > rounds * CLIENTS
        with ground.logged_in() as scanner:
            assert scanner.store("afterwards.pdf", pdf(2000)).code == 226
        assert until(lambda: ground.daemon.spooled_bytes() == 0)

    def test_of_openspp(self, ground: Ground) -> None:
        chance = random.Random(SEED + 1)
        with Load(ground) as load:
            for _ in range(ROUNDS[ground.api]):
                load.wait_for_more()
                time.sleep(chance.uniform(*LIFE))
                ground.openspp.kill()
                time.sleep(chance.uniform(0, 0.5))
                ground.openspp.start()
            load.wait_for_more()
        load.check()
        with ground.logged_in() as scanner:
            assert scanner.store("afterwards.pdf", pdf(2000)).code == 226
        assert until(lambda: ground.daemon.spooled_bytes() == 0)
        assert "Traceback" not in ground.daemon.log()

    def test_of_both(self, ground: Ground) -> None:
        chance = random.Random(SEED + 2)
        with Load(ground) as load:
            for _ in range(min(3, ROUNDS[ground.api])):
                load.wait_for_more()
                time.sleep(chance.uniform(*LIFE))
                for process in chance.sample([ground.daemon, ground.openspp], 2):
                    process.kill()
                    time.sleep(chance.uniform(0, 0.1))
                ground.openspp.start()
                ground.daemon.start()
            load.wait_for_more()
        load.check()


class TestSigterm:
    def test_under_load_every_scan_under_way_gets_its_answer(self, ground: Ground) -> None:
        with contextlib.ExitStack() as closing:
            idle = [closing.enter_context(ground.scanner()) for _ in range(2)]
            idle.append(closing.enter_context(ground.logged_in(tls="explicit")))
            asked, coming = {}, {}
            for number in range(4):
                scanner = closing.enter_context(ground.logged_in(("alice", "frank")[number % 2]))
                data = scanner.begin(f"asked-{number}@slow=2.pdf")
                data.sendall(pdf(2000, number))
                data.close()
                asked[number] = scanner
            for number in range(4, 8):
                scanner = closing.enter_context(ground.logged_in("dbuser", tls="explicit"))
                data = scanner.begin(f"coming-{number}.bin")
                data.sendall(noise(100_000, number)[:50_000])
                coming[number] = (scanner, data)
            time.sleep(0.5)
            began = time.monotonic()
            ground.daemon.signal(signal.SIGTERM)
            for scanner in idle:
                assert scanner.answer(2).code == 421
            assert time.monotonic() - began < 1.5
            for port in (ground.daemon.port, ground.daemon.implicit_port):
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), 5)
            for number, (scanner, data) in coming.items():
                data.sendall(noise(100_000, number)[50_000:])
                with contextlib.suppress(OSError):
                    data.unwrap()  # type: ignore[attr-defined]
                data.close()
                assert scanner.answer().code == 226
            for scanner in asked.values():
                assert scanner.answer().code == 226
            assert ground.daemon.wait(5) == 0
        documents = {f"asked-{number}@slow=2.pdf": pdf(2000, number) for number in (0, 2)}
        assert ground.recorded("alice") == expected(documents)
        documents = {f"coming-{number}.bin": noise(100_000, number) for number in range(4, 8)}
        assert ground.recorded("dbuser") == expected(documents)
        assert len(left_in_spool(ground)) <= 1

    def test_in_the_middle_of_continuous_uploads(self, ground: Ground) -> None:
        with Load(ground) as load:
            for _ in range(3):
                load.wait_for_more()
                ground.daemon.signal(signal.SIGTERM)
                assert ground.daemon.wait(10) == 0
                ground.daemon.start()
            load.wait_for_more()
        load.check()
        # Nobody was cut off: a scan is answered, or its session was told 421 before it began.
        assert set(load.replies) == {226}

    def test_an_upload_that_stalls_has_drain_within(self, tmp_path: Path) -> None:
        options = {"ftp": {"drain_within": "2s"}}
        with running(tmp_path, options=options) as ground, ground.logged_in() as scanner:
            data = scanner.begin("page.pdf")
            data.sendall(pdf(2000)[:1000])
            time.sleep(0.2)
            began = time.monotonic()
            ground.daemon.signal(signal.SIGTERM)
            assert scanner.answer(10).code == 426
            assert 1.9 < time.monotonic() - began < 4
            assert ground.daemon.wait(5) == 0
            assert ground.recorded() == []

    def test_commands_that_wait_behind_the_last_upload_are_not_obeyed(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            data = scanner.begin("page@slow=1.pdf")
            data.sendall(pdf(2000))
            data.close()
            time.sleep(0.3)
            scanner.send("NOOP")
            ground.daemon.signal(signal.SIGTERM)
            assert scanner.answer().code == 226
            with contextlib.suppress(ConnectionError):
                assert scanner.answer().code == 421
            assert ground.daemon.wait(5) == 0

    def test_a_second_one_ends_at_once(self, ground: Ground) -> None:
        with ground.logged_in() as scanner, ground.logged_in("frank") as other:
            scanner.begin("page.pdf").sendall(pdf(2000)[:1000])
            data = other.begin("page@slow=9.pdf")
            data.sendall(pdf(2000))
            data.close()
            time.sleep(0.3)
            ground.daemon.signal(signal.SIGTERM)
            time.sleep(0.5)
            assert ground.daemon.process is not None
            assert ground.daemon.process.poll() is None
            began = time.monotonic()
            ground.daemon.signal(signal.SIGTERM)
            assert ground.daemon.wait(5) == 0
            assert time.monotonic() - began < 5

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_without_sessions_it_stops_at_once(
        self, number: signal.Signals, ground: Ground
    ) -> None:
        began = time.monotonic()
        ground.daemon.signal(number)
        assert ground.daemon.wait(5) == 0
        assert time.monotonic() - began < 5
        assert "Traceback" not in ground.daemon.log()
