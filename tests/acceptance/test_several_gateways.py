"""Several gateways behind HAProxy: none of them is needed, and a 226 means the same."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.crowd import Crowd
from tests.acceptance.documents import pdf, sha256
from tests.acceptance.haproxy import BALANCER, EXAMPLE, NODES, PROGRAM, UNREADY_FOR, Farm, farm
from tests.acceptance.own_network import in_a_network_of_its_own
from tests.acceptance.promises import until
from tests.acceptance.scanner import Scanner
from tests.faults.network import Nft

CLIENTS = 32


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: tuple[Path, Path],
) -> Iterator[Farm]:
    with farm(tmp_path_factory.mktemp("farm"), certificate, request.param, nodes=2) as made:
        yield made


def scanner_at(made: Farm, source: str, tls: str = "", patience: float = 30) -> Scanner:
    """A scanner that knows the balancer's address alone; patience: seconds for any reply."""
    port = made.implicit_port if tls == "implicit" else made.port
    return Scanner(port, tls, source, patience, host=BALANCER)


def names() -> Iterator[str]:
    """Names that no other scan here has."""
    return (f"scan-{random.randrange(1 << 40)}-{number}.pdf" for number in itertools.count())


NAMES = names()


class TestThroughTheBalancer:
    @pytest.mark.parametrize("tls", ["", "explicit", "implicit"])
    def test_scans_arrive(self, tls: str, running: Farm) -> None:
        for last in range(2, 10):
            name, content = next(NAMES), pdf(50_000, last)
            with scanner_at(running, f"127.0.0.{last}", tls) as scanner:
                assert scanner.login().code == 230
                assert scanner.store(name, content).code == 226
            assert (name, sha256(content)) in running.recorded()

    @pytest.mark.parametrize("program", ["curl", "lftp"])
    @pytest.mark.parametrize("epsv", [True, False], ids=["EPSV", "PASV"])
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
    def test_of_real_clients(
        self, program: str, epsv: bool, tls: bool, running: Farm, tmp_path: Path
    ) -> None:
        file = tmp_path / next(NAMES)
        file.write_bytes(pdf(200_000, random.randrange(1 << 40)))
        if program == "curl":
            command = ["curl", "--disable", "--silent", "--show-error", "--insecure", "--noproxy"]
            command += ["*", "--user", "alice:scan-alice", "--upload-file", str(file)]
            command += ["--interface", "127.0.0.21"]
            command += ["--ssl-reqd"] * tls + ["--disable-epsv"] * (not epsv)
            command.append(f"ftp://{BALANCER}:{running.port}/")
        else:
            lines = (
                f"set ftp:ssl-allow {'yes' if tls else 'no'}; set ssl:verify-certificate no;"
                f" set ftp:ssl-protect-data yes; set ftp:prefer-epsv {'yes' if epsv else 'no'};"
                " set net:socket-bind-ipv4 127.0.0.22;"
                f" open -u alice,scan-alice {BALANCER}:{running.port}; put {file}; bye"
            )
            command = ["lftp", "--norc", "-c", lines]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        assert (file.name, sha256(file.read_bytes())) in running.recorded()

    def test_a_227_names_the_balancer(self, running: Farm) -> None:
        with scanner_at(running, "127.0.0.31") as scanner:
            assert scanner.login().code == 230
            assert BALANCER.replace(".", ",") in scanner.command("PASV").text

    def test_the_journal_names_the_scanner(self, running: Farm) -> None:
        with scanner_at(running, "127.0.0.32") as scanner:
            assert scanner.login().code == 230
        logs = "".join(node.log() for node in running.nodes)
        assert "alice at 127.0.0.32 logged in" in logs
        assert f"at {BALANCER}" not in logs

    def test_one_scanner_always_meets_the_same_node(self, running: Farm) -> None:
        before = [node.log().count("at 127.0.0.33 logged in") for node in running.nodes]
        for _ in range(6):
            with scanner_at(running, "127.0.0.33") as scanner:
                assert scanner.login().code == 230
                scanner.quit()
        after = [node.log().count("at 127.0.0.33 logged in") for node in running.nodes]
        gained = [late - early for early, late in zip(before, after, strict=True)]
        assert sorted(gained) == [0, 6]

    def test_another_scanners_data_connection_is_not_taken(self, running: Farm) -> None:
        with scanner_at(running, "127.0.0.34") as scanner:
            assert scanner.login().code == 230
            port = scanner.passive_port()
            stranger = socket.create_connection(
                (BALANCER, port), 10, source_address=("127.0.0.35", 0)
            )
            with stranger, contextlib.suppress(ConnectionResetError):
                assert stranger.recv(1) == b""
            data = scanner.connect_data(port)
            assert scanner.command(f"STOR {next(NAMES)}").code == 150
            data.sendall(pdf(3000, 1))
            data.close()
            assert scanner.answer().code == 226


class TestWhoMayPassOn:
    def test_a_direct_scanner_is_served_as_itself(self, running: Farm) -> None:
        node = running.nodes[0]
        with Scanner(node.port, "", "127.0.0.41", host=NODES[0]) as scanner:
            assert scanner.login().code == 230
            assert scanner.store(next(NAMES), pdf(3000, 2)).code == 226

    @pytest.mark.parametrize(
        "header",
        [
            b"PROXY TCP4 10.9.9.9 10.9.9.8 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
        ],
        ids=["version 1", "version 2"],
    )
    def test_a_header_of_anybody_else_is_refused(self, header: bytes, running: Farm) -> None:
        node = running.nodes[0]
        source = ("127.0.0.42", 0)
        with socket.create_connection((NODES[0], node.port), 10, source_address=source) as stranger:
            stranger.sendall(header + b"USER alice\r\nPASS scan-alice\r\n")
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := stranger.recv(4096):
                    received += piece
        assert b"230" not in received
        assert "10.9.9.9" not in node.log()

    def test_a_balancer_that_sends_none_is_refused(self, running: Farm) -> None:
        node = running.nodes[0]
        with socket.create_connection(
            (NODES[0], node.port), 10, source_address=(BALANCER, 0)
        ) as balancer:
            balancer.sendall(b"USER alice\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert balancer.recv(100) == b""
        assert until(lambda: "write send-proxy-v2 for its server" in node.log())


@dataclass
class Load:
    """Clients without patience: one try for each scan, and never the same scan again."""

    made: Farm
    again: bool
    """They send again what they were not told 226 for."""
    patience: float = 30
    acknowledged: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._crowd = Crowd(CLIENTS, self._client)

    def __enter__(self) -> Load:
        self._crowd.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._crowd.__exit__(*exception)

    def wait_for_more(self, scans: int = CLIENTS) -> None:
        """Until some more scans went through."""
        enough = len(self.acknowledged) + scans
        assert until(
            lambda: len(self.acknowledged) >= enough, 90
        ), f"nothing goes on: {self.outcomes}"

    def check(self) -> None:
        """Every 226 is kept."""
        record = {document["sha256"] for document in self.made.openspp.record()}
        lost = [name for digest, name in self.acknowledged.items() if digest not in record]
        assert not lost

    def _client(self, number: int) -> None:
        chance = random.Random(number)
        tls = ("", "explicit", "implicit")[number % 3]
        while not self._crowd.stop.is_set():
            name, content = next(NAMES), pdf(
                chance.randrange(1000, 60_000), chance.randrange(1 << 60)
            )
            while not self._send(name, content, f"127.0.0.{number + 50}", tls):
                if not self.again or self._crowd.stop.wait(0.2):
                    break

    def _send(self, name: str, content: bytes, source: str, tls: str) -> bool:
        try:
            with scanner_at(self.made, source, tls, self.patience) as scanner:
                assert scanner.greeting.code == 220
                assert scanner.login().code == 230
                code = scanner.store(name, content).code
                scanner.quit()
        except (OSError, AssertionError) as error:
            self.outcomes[f"{type(error).__name__}"] += 1
            return False
        self.outcomes[str(code)] += 1
        if code == 226:
            self.acknowledged[sha256(content)] = name
        return code == 226


@pytest.fixture
def three(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[Farm]:
    with farm(tmp_path, certificate) as made:
        yield made


class TestRollingRestart:
    def test_nothing_is_refused_and_nothing_is_lost(self, three: Farm) -> None:
        with Load(three, again=False) as load:
            load.wait_for_more()
            for number, node in enumerate(three.nodes):
                node.signal(signal.SIGTERM)
                began = time.monotonic()
                assert until(partial(three.is_unready, number), 5)
                assert node.wait(60) == 0
                assert time.monotonic() - began >= UNREADY_FOR - 1
                node.start()
                assert until(partial(three.is_ready, number), 20)
                time.sleep(2)  # until the balancer knows
                load.wait_for_more()
        load.check()
        assert set(load.outcomes) == {"226"}


class TestANodeThatDies:
    def test_scanners_send_again_and_the_scan_is_there(self, three: Farm) -> None:
        with Load(three, again=True) as load:
            load.wait_for_more()
            for number in (0, 1):
                three.nodes[number].kill()
                load.wait_for_more()
                node = three.nodes[number]
                node.start()
                assert until(partial(three.is_ready, number), 20)
                load.wait_for_more()
        load.check()

    @pytest.mark.skipif(
        os.geteuid() != 0, reason="a network of one's own, which can be cut, needs root"
    )
    def test_one_that_is_cut_off_is_not_needed(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        def play(_: object) -> None:
            with farm(tmp_path, certificate) as made:
                with Load(made, again=True, patience=6) as load:
                    load.wait_for_more()
                    with Nft().cut_off(NODES[0]):
                        load.wait_for_more(3 * CLIENTS)
                    load.wait_for_more()
                load.check()

        in_a_network_of_its_own(play)


def test_the_shipped_example_is_valid(tmp_path: Path) -> None:
    assert PROGRAM
    text = EXAMPLE.read_text()
    assert text.isascii()
    switched_on = tmp_path / "haproxy.cfg"
    before, mark, after = text.partition("# Implicit TLS")
    commented = ("#frontend", "#backend", "#    ")
    switched_on.write_text(
        before
        + mark
        + "".join(
            line.removeprefix("#") if line.startswith(commented) else line
            for line in after.splitlines(keepends=True)
        )
    )
    for file in (EXAMPLE, switched_on):
        checked = subprocess.run([PROGRAM, "-c", "-f", str(file)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr + checked.stdout
