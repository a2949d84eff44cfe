"""The command line: what it says, how quickly, and with which exit status."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import openspp_ftpd
from openspp_ftpd import cli

from . import certificates

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "openspp_ftpd"]
COMMANDS = ["serve", "check", "status", "sandbox", "demo"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in the checkout."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def status_of(*arguments: str) -> int:
    """The exit status of a command line, in this process."""
    try:
        return cli.main(arguments)
    except SystemExit as end:  # as argparse ends
        assert isinstance(end.code, int)
        return end.code


@pytest.fixture
def spool() -> Iterator[Path]:
    """A private folder in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="openspp-ftpd-test-") as folder:
        yield Path(folder)


def configuration(folder: Path, spool: Path, *, port: int = 8002, more: str = "") -> str:
    """The path of a configuration without mistakes, unless `more` has some."""
    path = folder / "openspp-ftpd.conf"
    path.write_text(
        "[openspp]\nurl = http://127.0.0.1:8069\n"
        f"[ftp]\nlisten = 127.0.0.1:{port}\n[tls]\nmode = off\n"
        f"[uploads]\ndirectory = {spool}\n{more}"
    )
    return str(path)


class TestHelp:
    def test_the_program_names_its_commands(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert status_of("--help") == 0
        said = capsys.readouterr().out
        for command in COMMANDS:
            assert f"\n    {command} " in said

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_command_says_what_it_does(
        self, command: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert status_of(command, "--help") == 0
        said = capsys.readouterr().out
        assert f"usage: openspp-ftpd {command}" in said
        assert len(said.splitlines()) > 8

    @pytest.mark.parametrize("command", ["serve", "check", "demo"])
    def test_a_command_gives_an_example(
        self, command: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status_of(command, "--help")
        assert f"\n  openspp-ftpd {command}" in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["", "serve", "check", "demo"])
    def test_it_fits_a_terminal(self, command: str) -> None:
        said = run(*command.split(), "--help").stdout
        assert max(map(len, said.splitlines())) < 80

    def test_the_version_is_the_package_s(self) -> None:
        assert run("--version").stdout == f"openspp-ftpd {openspp_ftpd.__version__}\n"

    @pytest.mark.parametrize("arguments", [(), ("nosuch",), ("serve", "--nosuch"), ("-c", "x")])
    def test_what_is_not_understood_is_2(
        self, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert status_of(*arguments) == 2
        assert "usage: openspp-ftpd" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["['--help']", "['sandbox', '--help']", "['serve', '-h']"])
def test_help_and_sandbox_load_neither_ftp_nor_http_nor_tls_libraries(arguments: str) -> None:
    script = (
        "import sys\nfrom openspp_ftpd import cli\n"
        f"try: cli.main({arguments})\nexcept SystemExit: pass\n"
        "print([m for m in ('pyftpdlib', 'requests', 'OpenSSL') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.splitlines()[-1] == "[]"


class TestCheck:
    def test_one_line_says_what_a_good_configuration_means(
        self, tmp_path: Path, spool: Path
    ) -> None:
        path = configuration(tmp_path, spool)
        checked = run("check", "--config", path)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert checked.stdout == (
            f"{path} is fine: scanners connect to 127.0.0.1:8002, TLS off;"
            " scans go to OpenSPP at http://127.0.0.1:8069.\n"
        )

    def test_all_mistakes_are_named_with_file_and_line(self, tmp_path: Path, spool: Path) -> None:
        path = configuration(tmp_path, spool, more="nosuch = 1\n[limits]\nsessions = many\n")
        checked = run("check", "-c", path)
        assert (checked.returncode, checked.stdout) == (78, "")
        lines = checked.stderr.splitlines()
        assert [line.split(": ")[0] for line in lines] == [f"{path}:9", f"{path}:11"]

    def test_a_missing_file_is_a_mistake(self, tmp_path: Path) -> None:
        checked = run("check", "-c", str(tmp_path / "nosuch.conf"))
        assert checked.returncode == 78
        assert checked.stderr.startswith(f"{tmp_path}/nosuch.conf: ")

    def test_a_warning_is_shown_and_is_no_mistake(self, tmp_path: Path, spool: Path) -> None:
        made = certificates.make(
            tmp_path, valid_from=datetime(2020, 1, 1, tzinfo=UTC), valid_for=timedelta(days=30)
        )
        path = Path(configuration(tmp_path, spool))
        named = f"certificate = {made.certificate}\nkey = {made.key}"
        path.write_text(path.read_text().replace("mode = off", named))
        checked = run("check", "-c", str(path))
        assert checked.returncode == 0
        assert checked.stderr.startswith(f"{path}:6: warning: ")
        assert "expired on 2020-01-31" in checked.stderr
        assert "is fine" in checked.stdout


class TestServe:
    def test_mistakes_are_all_on_stderr_and_78(self, tmp_path: Path, spool: Path) -> None:
        path = configuration(tmp_path, spool, more="nosuch = 1\n[limits]\nsessions = many\n")
        served = run("serve", "-c", path)
        assert served.returncode == 78
        lines = served.stderr.splitlines()
        assert [line.split(": ")[0] for line in lines] == [f"{path}:9", f"{path}:11"]

    def test_a_taken_port_is_one_clear_line_and_1(self, tmp_path: Path, spool: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            served = run("serve", "-c", configuration(tmp_path, spool, port=port))
        assert served.returncode == 1
        assert len(served.stderr.splitlines()) == 1
        assert f"127.0.0.1:{port}" in served.stderr
        assert "Address already in use" in served.stderr


class TestInterruptions:
    def test_ctrl_c_is_no_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(path: str, credentials: str) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr(cli, "check", interrupted)
        assert cli.main(["check", "--config"]) == 128 + signal.SIGINT

    def test_ctrl_c_stops_the_embedded_openspp(self) -> None:
        with subprocess.Popen(
            [*COMMAND, "sandbox", "--listen", "127.0.0.1:0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert "listens on" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")

    @pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("--version",)])
    def test_a_reader_that_goes_away_is_no_traceback(self, arguments: tuple[str, ...]) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as output:
            ran = subprocess.run(
                [*COMMAND, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, timeout=60
            )
        assert (ran.returncode, ran.stderr) == (128 + signal.SIGPIPE, b"")

    def test_another_broken_pipe_is_not_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(path: str, credentials: str) -> int:
            raise BrokenPipeError("a socket's")

        monkeypatch.setattr(cli, "check", broken)
        with (
            Path(os.devnull).open("w") as output,
            pytest.raises(BrokenPipeError, match="a socket's"),
        ):
            monkeypatch.setattr(sys, "stdout", output)
            cli.main(["check", "--config"])


def test_help_is_quick() -> None:
    times = []
    for _ in range(3):
        began = time.monotonic()
        run("--help")
        times.append(time.monotonic() - began)
    assert min(times) < 1.0
