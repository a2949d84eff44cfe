"""The demonstration shows the whole way of a scan, tells the truth about it, and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .running import TREE, free_ports

COMMAND = (sys.executable, "-m", "openspp_ftpd", "demo")
READY = "Waiting for scans."
SECONDS = 60.0


class Demo:
    """`openspp-ftpd demo` as a process of its own, on a port that is free."""

    def __init__(self, *options: str, port: int | None = None, path: Path | None = None) -> None:
        self.port = port or free_ports(1)[0]
        programs = os.environ["PATH"]
        self.process = subprocess.Popen(
            [*COMMAND, "--listen", f"127.0.0.1:{self.port}", *options],
            cwd=TREE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": f"{path}:{programs}" if path else programs},
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout
        os.set_blocking(self._output.fileno(), False)
        self.said = ""

    def read(self) -> str:
        """All it said so far."""
        self.said += (self._output.read() or b"").decode()
        return self.said

    def wait_for(self, words: str) -> None:
        """Until it says so."""
        deadline = time.monotonic() + SECONDS
        while words not in self.read():
            assert self.process.poll() is None, f"it ended and said:\n{self.read()}"
            assert time.monotonic() < deadline, f"it only said:\n{self.said}"
            time.sleep(0.02)

    def end(self) -> int:
        """Its exit status."""
        status = self.process.wait(SECONDS)
        if not self._output.closed:
            self.read()
            self._output.close()
        return status

    def children(self) -> dict[str, int]:
        """Its daemon and its embedded OpenSPP, each with its process id."""
        found = {}
        for process, command in processes():
            for name in ("serve", "sandbox"):
                if f"openspp_ftpd {name} " in command and parent(process) == self.process.pid:
                    found[name] = process
        return found


def processes() -> Iterator[tuple[int, str]]:
    """The processes of this machine with their command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            yield int(entry.name), command.replace(b"\0", b" ").decode("utf-8", "replace")


def parent(process: int) -> int:
    """The parent's process id; 0 if there is no such process."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def folders() -> set[Path]:
    """The folders in memory that demonstrations have."""
    return set(Path("/dev/shm").glob("openspp-ftpd-demo-*"))


Start = Callable[..., Demo]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts demonstrations. After the test there must be no folder and no process of theirs."""
    before = folders()
    started: list[Demo] = []

    def start_one(*options: str, port: int | None = None, path: Path | None = None) -> Demo:
        started.append(Demo(*options, port=port, path=path))
        return started[-1]

    yield start_one
    for demo in started:
        demo.process.kill()
        demo.end()
    deadline = time.monotonic() + 15
    while True:
        left = {str(folder) for folder in folders() - before}
        alive = [command for _, command in processes() if any(name in command for name in left)]
        if not left and not alive:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {left} {alive}")
        time.sleep(0.05)


def connectable(port: int) -> bool:
    """Somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fake_curl(folder: Path, script: str) -> Path:
    """A folder for the front of PATH with another curl."""
    program = folder / "curl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


class TestOnce:
    def test_the_sample_arrives_bit_for_bit_and_that_is_0(self, start: Start) -> None:
        demo = start("--once")
        assert demo.end() == 0
        for step in range(1, 6):
            assert re.search(rf"^ {step}  \S", demo.said, re.MULTILINE), demo.said
        sums = re.findall(r"^      (\S+)\s+([0-9a-f]{64})$", demo.said, re.MULTILINE)
        assert [label for label, _ in sums] == ["SHA-256", "sent", "stored"]
        assert len({sha256 for _, sha256 in sums}) == 1
        assert READY not in demo.said

    def test_the_essential_replies_are_shown_in_order_and_both_connections_encrypted(
        self, start: Start
    ) -> None:
        demo = start("--once")
        assert demo.end() == 0
        replies = re.findall(r"^      (?:connect|[A-Z]{4})\s+(\d{3}) ", demo.said, re.MULTILINE)
        assert replies == ["220", "234", "230", "229", "150", "226"]
        assert "the control connection is encrypted" in demo.said
        assert "the data connection is encrypted" in demo.said
        assert "100 %" in demo.said

    def test_a_document_that_is_not_what_was_made_is_1(self, start: Start, tmp_path: Path) -> None:
        cutting = fake_curl(tmp_path, 'head -c 1000000 | /usr/bin/curl "$@"')
        demo = start("--once", path=cutting)
        assert demo.end() == 1
        assert "226 Transfer complete" in demo.said
        assert "That is not what was sent." in demo.said
        assert "stored: sample-scan.pdf of alice, 1,000,000 bytes" in demo.said

    def test_a_client_that_fails_is_1(self, start: Start, tmp_path: Path) -> None:
        demo = start("--once", path=fake_curl(tmp_path, 'echo "curl: (7) no route" >&2; exit 7'))
        assert demo.end() == 1
        assert "was not acknowledged" in demo.said
        assert "curl: (7) no route" in demo.said

    def test_a_client_that_only_claims_success_is_1(self, start: Start, tmp_path: Path) -> None:
        lying = 'echo "< 150 Ok." >&2; cat > /dev/null; echo "< 226 Stored." >&2'
        demo = start("--once", path=fake_curl(tmp_path, lying))
        assert demo.end() == 1
        assert "OpenSPP has nothing" in demo.said


class TestPorts:
    def test_a_taken_port_is_named_with_a_way_out(self, start: Start) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            demo = start("--once", port=port)
            assert demo.end() == 1
        assert f"Port {port} is taken" in demo.said
        assert "make demo LISTEN=127.0.0.1:" in demo.said
        assert "Traceback" not in demo.said

    def test_an_address_that_is_none_is_a_wrong_command_line(self) -> None:
        ran = subprocess.run(
            [*COMMAND, "--listen", "printer"],
            cwd=TREE,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert ran.returncode == 2
        assert "'printer' is not ADDRESS:PORT" in ran.stderr

    def test_other_demonstrations_beside_it_do_no_harm(self, start: Start) -> None:
        first = start()
        first.wait_for(READY)
        second = start("--once")
        assert second.end() == 0
        first.process.send_signal(signal.SIGINT)
        assert first.end() == 0


class TestStaying:
    def test_the_profile_works_and_each_further_scan_is_shown(
        self, start: Start, tmp_path: Path
    ) -> None:
        demo = start()
        demo.wait_for(READY)
        profile = dict(re.findall(r"^   (\S.*?)  +(\S.*)$", demo.said, re.MULTILINE))
        assert profile["Port"] == str(demo.port)
        login = f"{profile['User']}:{profile['Scanner password']}"
        scan = tmp_path / "own.dat"
        scan.write_bytes(b"this is my scan.")
        url = f"ftp://{profile['Server (host)']}:{profile['Port']}/"
        subprocess.run(
            ["curl", "-q", "-sS", "-u", login, "-T", str(scan), url],
            check=True,
            timeout=SECONDS,
        )
        demo.wait_for("own.dat of alice: 16 bytes")
        demo.process.send_signal(signal.SIGINT)
        assert demo.end() == 0
        assert "nothing is left behind" in demo.said
        assert not connectable(demo.port)

    def test_a_scanner_with_a_wrong_password_is_explained(
        self, start: Start, tmp_path: Path
    ) -> None:
        demo = start()
        demo.wait_for(READY)
        scan = tmp_path / "a.pdf"
        scan.write_bytes(b"%PDF-")
        url = f"ftp://127.0.0.1:{demo.port}/"
        refused = subprocess.run(
            ["curl", "-q", "-s", "-u", "alice:wrong-word", "-T", str(scan), url], timeout=SECONDS
        )
        assert refused.returncode == 67
        demo.wait_for("could not log in")
        demo.process.send_signal(signal.SIGTERM)
        assert demo.end() == 0
        assert "wrong-word" not in demo.said


class TestNothingIsLeft:
    @pytest.mark.parametrize("words", [" 1  ", " 2  ", " 3  ", " 4  ", "150 ", "25 %", " 5  "])
    def test_ctrl_c_at_any_step(self, start: Start, words: str) -> None:
        demo = start()
        demo.wait_for(words)
        demo.process.send_signal(signal.SIGINT)
        assert demo.end() in (0, 128 + signal.SIGINT)
        assert "nothing is left behind" in demo.said
        assert "Traceback" not in demo.said
        assert not connectable(demo.port)

    @pytest.mark.parametrize("words", [" 2  ", "50 %", READY])
    def test_even_a_kill_9_of_the_demonstration(self, start: Start, words: str) -> None:
        demo = start()
        demo.wait_for(words)
        children = demo.children()
        demo.process.kill()
        demo.end()
        deadline = time.monotonic() + 15
        while any(Path(f"/proc/{child}").exists() for child in children.values()):
            assert time.monotonic() < deadline, f"alive: {children}"
            time.sleep(0.05)
        assert not connectable(demo.port)

    @pytest.mark.parametrize(
        ("victim", "words"),
        [
            ("serve", "25 %"),
            ("serve", READY),
            ("sandbox", "25 %"),
            ("sandbox", READY),
        ],
    )
    def test_a_child_that_is_killed_is_named_and_ends_it(
        self, start: Start, victim: str, words: str
    ) -> None:
        demo = start()
        demo.wait_for(words)
        os.kill(demo.children()[victim], signal.SIGKILL)
        assert demo.end() == 1
        name = {"serve": "daemon", "sandbox": "embedded OpenSPP"}[victim]
        assert f"The {name} was killed by signal 9." in demo.said
        assert "Traceback" not in demo.said
