"""`check` finds what keeps scans from OpenSPP, and `try` plays the scanner that shows it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.running import TREE
from tests.unit.openspp.scripted import Request

SECRET = "scan-alice"


def command(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "openspp_ftpd", *arguments],
        cwd=TREE,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextlib.contextmanager
def control_port_only(host: str, port: int) -> Iterator[int]:
    """A router that passes one connection on to the daemon's control port, and no passive port."""

    def pass_on(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := near.recv(4096):
                far.sendall(received)
            far.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            near, _ = listening.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=pass_on, args=(far, near))
                back.start()
                pass_on(near, far)
                back.join()

    with socket.create_server((host, 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.fixture
def password(tmp_path: Path) -> str:
    """The path of a file with alice's scanner password."""
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    return str(file)


class TestCheck:
    def findings(self, ground: Ground, status: int) -> dict[str, dict[str, Any]]:
        """What `check --json` found, by what it is about."""
        done = command("check", "--json", "--config", str(ground.daemon.configuration))
        assert done.stderr == ""
        assert done.returncode == status
        told = json.loads(done.stdout)
        assert told["result"] == ("ok", "warning", "failed")[status]
        return {finding["about"]: finding for finding in told["findings"]}

    def test_what_answers_is_told(self, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
        with running(tmp_path, certificate) as ground:
            ground.daemon.kill()  # its ports would be another program's
            found = self.findings(ground, 1)  # a machine with no unit of ours
            assert found["OpenSPP"]["level"] == "ok"
            assert "takes scans" in found["OpenSPP"]["text"]
            assert "days left" in found["certificate"]["text"]
            assert found["spool"]["level"] == "ok"
            assert found[f"port {ground.daemon.port}"]["text"] == "free"
            ground.openspp.kill()
            found = self.findings(ground, 2)
            assert found["OpenSPP"]["level"] == "failed"
            assert "is OpenSPP running?" in found["OpenSPP"]["mend"]

    def test_a_port_that_another_program_has_is_named_with_it(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground:
            found = self.findings(ground, 2)[f"port {ground.daemon.port}"]
            assert found["level"] == "failed"
            assert f"process {ground.daemon.pid}" in found["text"]

    def test_mistakes_in_the_configuration_end_it(self, tmp_path: Path) -> None:
        file = tmp_path / "wrong.conf"
        file.write_text("[openspp]\nurl = ftp://openspp\nadress = 1\n")
        done = command("check", "--all", "--config", str(file))
        assert done.returncode == 2
        assert f"{file}:2: [openspp] url" in done.stdout
        assert f"{file}:3: 'adress'" in done.stdout
        assert "port 8002" not in done.stdout

    def test_the_list_says_how_many_things_are_wrong(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground:
            ground.daemon.kill()
            done = command("check", "--all", "--config", str(ground.daemon.configuration))
            assert "✓ OpenSPP" in done.stdout or "* OpenSPP" in done.stdout
            assert done.stdout.rstrip().endswith("should be looked at.")

    def test_no_scan_is_ever_sent(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground:
            command("check", "--all", "--config", str(ground.daemon.configuration))
            assert ground.openspp.record() == []


class TestTry:
    def trial(
        self, ground: Ground, user: str, password: str, *more: str
    ) -> subprocess.CompletedProcess[str]:
        """`try` with the daemon's configuration."""
        chosen = ("--config", str(ground.daemon.configuration))
        return command("try", "--user", user, "--password-file", password, *chosen, *more)

    def test_a_page_goes_in_by_every_way(
        self, tmp_path: Path, certificate: tuple[Path, Path], password: str
    ) -> None:
        with running(tmp_path, certificate) as ground:
            done = self.trial(ground, "alice", password)
            assert (done.returncode, done.stderr) == (0, "")
            names = [name for name, _ in ground.recorded()]
            assert len(names) == 3
            for name in names:
                assert name.startswith("openspp-ftpd-test-")
                assert f"OpenSPP has it: {name}" in done.stdout
            assert "stays in the user's directory" in done.stdout
            assert done.stdout.count("226 ") == 3
            assert "100 %" in done.stdout
            assert SECRET not in done.stdout

    def test_a_file_of_ones_own(self, tmp_path: Path, password: str) -> None:
        scan = tmp_path / "page one.pdf"
        scan.write_bytes(pdf(300_000))
        with running(tmp_path) as ground:
            done = self.trial(ground, "alice", password, str(scan))
            assert done.returncode == 0
            assert ground.recorded() == expected({"page one.pdf": scan.read_bytes()})

    def test_with_tls_required_the_password_is_never_sent_in_the_clear(
        self, tmp_path: Path, certificate: tuple[Path, Path], password: str
    ) -> None:
        with running(tmp_path, certificate, {"tls": {"mode": "required"}}) as ground:
            done = self.trial(ground, "alice", password)
            assert done.returncode == 0
            assert len(ground.recorded()) == 2
            assert "FTP to" not in done.stdout

    @pytest.mark.parametrize(
        ("user", "given", "reply", "advice"),
        [
            ("alice", "wrong", "530 Wrong", "the user's scanner password"),
            ("carol", "scan-carol", "530 This user", "group Scanner"),
            ("bob", "scan-bob", "550 No active directory", "no active directory"),
            ("dave", "scan-dave", "550 ", "a right"),
        ],
    )
    def test_what_openspp_refuses_is_explained(
        self, user: str, given: str, reply: str, advice: str, tmp_path: Path
    ) -> None:
        secret = tmp_path / "password"
        secret.write_text(given)
        with running(tmp_path) as ground:
            done = self.trial(ground, user, str(secret))
        assert done.returncode == 1
        assert reply in done.stdout
        assert advice in done.stdout

    def test_a_wrong_password_is_not_sent_by_every_way(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        secret = tmp_path / "password"
        secret.write_text("wrong")
        with running(tmp_path, certificate) as ground:
            done = self.trial(ground, "alice", str(secret))
            assert done.returncode == 1
            assert done.stdout.count("PASS") + done.stdout.count("530 ") == 1

    def test_openspp_away(self, tmp_path: Path, password: str) -> None:
        with running(tmp_path) as ground:
            ground.openspp.kill()
            done = self.trial(ground, "alice", password)
            assert done.returncode == 1
            assert "421 OpenSPP cannot be reached" in done.stdout
            assert "openspp-ftpd check" in done.stdout

    def test_openspp_takes_too_long(self, tmp_path: Path, password: str) -> None:
        slow = tmp_path / "page@slow=20.pdf"
        slow.write_bytes(noise(2000))
        options = {"openspp": {"answer_within": "2s"}}
        with running(tmp_path, options=options) as ground:
            done = self.trial(ground, "alice", password, str(slow))
            assert done.returncode == 1
            assert "451 " in done.stdout

    def test_the_daemon_does_not_run(self, tmp_path: Path, password: str) -> None:
        with running(tmp_path) as ground:
            ground.daemon.kill()
            done = self.trial(ground, "alice", password)
            assert done.returncode == 1
            assert "systemctl start openspp-ftpd" in done.stdout

    def test_a_closed_passive_port_is_told_from_a_closed_control_port(
        self, tmp_path: Path, certificate: tuple[Path, Path], password: str
    ) -> None:
        with (
            running(tmp_path, certificate) as ground,
            control_port_only("127.0.0.2", ground.daemon.port) as port,
        ):
            done = self.trial(ground, "alice", password, "--host", f"127.0.0.2:{port}")
            assert done.returncode == 1
            assert "230 " in done.stdout
            assert "login works, but the passive port cannot be reached" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--config", "/nowhere.conf"), "/nowhere.conf"),
            (("--host", "host:99999"), "HOST:PORT"),
            (("nowhere.pdf",), "nowhere.pdf"),
        ],
    )
    def test_what_cannot_be_tried_is_said(
        self, arguments: Sequence[str], words: str, tmp_path: Path, password: str
    ) -> None:
        with running(tmp_path) as ground:
            done = self.trial(ground, "alice", password, *arguments)
            assert done.returncode == 2
            assert words in done.stdout


def test_a_strange_answer_where_openspp_should_be_is_named(tmp_path: Path) -> None:
    def page(request: Request) -> None:
        request.read_head()
        request.read_body()
        request.answer(content_type="text/html", body=b"<html>a proxy's page</html>")

    with running(tmp_path) as ground:
        double = OpenSPPDouble(ground.openspp.port)
        double.door = page
        file = tmp_path / "other.conf"
        told = ground.daemon.configuration.read_text().replace(ground.openspp.url, double.url)
        file.write_text(told)
        ground.daemon.kill()
        done = command("check", "--all", "--config", str(file))
        assert done.returncode == 2
        assert "not OpenSPP's scanner interface" in done.stdout
        assert "proxy's page" not in done.stdout
        double.close()
