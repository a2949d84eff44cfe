"""No password and no content in any log at any level, and file names only as the file says."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import Ground, running
from tests.acceptance.openspp_doubles import OpenSPPDouble, Script
from tests.acceptance.plays import echoes, raises
from tests.acceptance.promises import SECRETS, marked, until
from tests.acceptance.running import TREE, Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Scanner, end_bare, reset
from tests.unit.openspp.scripted import Request

RIGHT = "Right-Zx81-Password"
WRONG = "Wrong-Zx82-Password"
TYPED = "Typed-Zx83-Password"
IN_URL = "InUrl-Zx84-Password"
PASSWORDS = [word.encode() for word in (RIGHT, WRONG, TYPED, IN_URL)]

NAME = "Hevi-Karim-adoption"
"""Part of every file name and folder of these tests: who reads it knows something of somebody."""

MISTYPED = [
    b"PASS %s",  # before USER
    b" PASS %s",
    b"pass %s",
    b"PASS  %s",
    b"PASS\t%s",
    b"\tPASS %s",
    b"PAS %s",
    b"PASSS %s",
    b"PASSWORD %s",
    b"PASS=%s",
    b"PASS:%s",
    b"PASS%s",
    b"XPASS %s",
    b"P ASS %s",
    b"ACCT %s",
    b"%s",
    b"%s PASS",
    b"\xff\xf4\xff\xf2PASS %s",
    b"\xef\xbb\xbfPASS %s",
    b"PASS\xc2\xa0%s",
    b"PASS\xa0%s",
    b"PASS\x00%s",
    b"SITE PSWD %s",
    b"SITE PASS %s",
    b"NOOP PASS %s",
    b"HELP PASS %s",
    b"CLNT PASS %s",
    b"QUOTE PASS %s",
    b"AUTH %s",
    b"OPTS PASS %s",
    b"PASS %s" + b"x" * 5000,
]
"""Before each a session has not logged in."""


def everything(ground: Ground, double: OpenSPPDouble) -> None:
    """Whatever a day brings: logins, uploads, TLS, mistakes, errors of OpenSPP, a death."""
    wrong = ground.scanner()
    wrong.command("USER leyla")
    wrong.send(f"PASS {WRONG}")
    for tls in ("", "explicit", "implicit"):
        with ground.scanner(tls) as scanner:
            assert scanner.login("leyla", RIGHT).code == 230
            assert scanner.command(f"PASS {RIGHT}").code == 230
            uploads(scanner, tls)
    for template in MISTYPED:
        with ground.scanner() as scanner, contextlib.suppress(ConnectionError):
            scanner.command(template.replace(b"%s", TYPED.encode()))
            scanner.command("NOOP")
    failing_answers(ground, double)
    with contextlib.closing(wrong.connection):
        assert wrong.answer().code == 530
    broken_tls(ground)
    bad_reload(ground)
    with ground.scanner() as scanner:
        assert scanner.login("leyla", RIGHT).code == 230
        assert scanner.store(f"{NAME}-last.pdf", marked(pdf(3000))).code == 226


def uploads(scanner: Scanner, tls: str) -> None:
    """Good ones and such as fail."""
    content = marked(pdf(3000))
    scanner.command(f"CWD {NAME}-folder")
    scanner.command("PWD")
    scanner.command(f"MKD {NAME}-made")
    scanner.command(f"XMKD {NAME}-made")
    scanner.command(f"XCWD {NAME}-made")
    assert scanner.store(f"{NAME}{tls}.pdf", content).code == 226
    assert scanner.store(f"{NAME}{tls}.pdf", content).text.startswith("Transfer complete. Stored")
    assert scanner.store(f".in.{NAME}{tls}2.pdf", content).code == 226
    scanner.command(f"RNFR .in.{NAME}{tls}2.pdf")
    scanner.command(f"RNTO {NAME}{tls}3.pdf")
    assert scanner.store(f"{NAME}{tls}5.pdf", content, verb="APPE").code == 226
    assert scanner.store(f"{NAME}{tls}6.pdf", content, verb="STOU").code == 226
    for verb in ("SIZE", "MDTM", "MFMT 20200101000000", "MLST", "STAT", "DELE", "RETR", "XRMD"):
        scanner.command(f"{verb} {NAME}{tls}.pdf")
    scanner.command(f"SITE CHMOD 644 {NAME}{tls}.pdf")
    scanner.command(f"STORE {NAME}{tls}.pdf")
    for verb in ("LIST", "NLST", "MLSD"):
        data = scanner.begin(f"{NAME}*", verb)
        while data.recv(4096):
            pass
        scanner.answer()
    data = scanner.begin(f"{NAME}{tls}-cut.bin")
    data.sendall(marked(noise(3000)))
    reset(data)
    assert scanner.answer().code == 426
    if tls:
        data = scanner.begin(f"{NAME}{tls}-bare.pdf")
        data.sendall(content)
        end_bare(data)
        assert scanner.answer().code == 226
    data = scanner.begin(f"{NAME}{tls}-aborted.bin")
    data.sendall(marked(noise(3000)))
    scanner.send("ABOR")
    assert (scanner.answer().code, scanner.answer().code) == (426, 225)
    assert scanner.store(f"{NAME}{tls}-empty.pdf", b"").code == 550
    assert scanner.store(f"{NAME}{tls}-large.pdf", marked(noise(300_000))).code == 552
    faults = ("http=500", "garbage", "error=ValidationError:No.", "error=TypeError:x", "result=401")
    for fault in faults:
        assert scanner.store(f"{NAME}{tls}@{fault}.pdf", content).code > 400
    assert scanner.command("NOOP").code == 200


def failing_answers(ground: Ground, double: OpenSPPDouble) -> None:
    """OpenSPP repeats the request, or cannot be reached."""
    scripts = {
        "html": echoes("400 BAD REQUEST", "body"),
        "status": echoes("", "status"),
        "header": echoes("302 FOUND", "header"),
        "raised": raises("builtins.ValueError"),
    }
    with ground.scanner() as scanner:
        assert scanner.login("leyla", RIGHT).code == 230
        for name, script in scripts.items():
            double.scripts[name] = script
            assert scanner.store(f"{name}-{NAME}.pdf", marked(pdf(3000))).code > 400
    for script in scripts.values():
        with double.at_the_door(partial(begun, script)), ground.scanner() as scanner:
            assert scanner.login("leyla", RIGHT).code > 400
    with ground.scanner() as scanner:
        assert scanner.login("leyla", RIGHT).code == 230
        ground.openspp.kill()
        assert scanner.store(f"away-{NAME}.pdf", marked(pdf(3000))).code == 451
        with ground.scanner() as other:
            assert other.login("leyla", RIGHT).code == 421
        ground.openspp.start()


def begun(script: Script, request: Request) -> None:
    """Play a script at the door, where nothing was read yet."""
    request.read_head()
    script(request)


def broken_tls(ground: Ground) -> None:
    """A password and a scan in the clear where TLS is expected."""
    with ground.scanner() as scanner:
        scanner.command("AUTH TLS")
        scanner.connection.sendall(f"USER leyla\r\nPASS {TYPED}\r\n".encode())
        with contextlib.suppress(ConnectionError):
            scanner.connection.recv(100)
    with ground.scanner("explicit") as scanner:
        assert scanner.login("leyla", RIGHT).code == 230
        data = scanner.passive()
        assert scanner.command(f"STOR {NAME}-clear.pdf").code == 150
        with contextlib.suppress(ConnectionError):
            data.sendall(marked(pdf(3000)))
        assert scanner.answer().code == 522


def bad_reload(ground: Ground) -> None:
    """A password in the configuration, where none belongs."""
    sections = ground.daemon.sections
    url = {"url": f"http://admin:{IN_URL}@127.0.0.1:8069"}
    ground.daemon.write_configuration({**sections, "openspp": url})
    ground.daemon.signal(signal.SIGHUP)
    if sections["log"]["level"] != "warning":
        assert until(lambda: "not reloaded" in ground.daemon.log())
    time.sleep(0.2)
    ground.daemon.write_configuration(sections)


@dataclass(frozen=True)
class Day:
    """What is left of a day."""

    log: str
    openspp: dict[str, bytes]
    """What OpenSPP logged and showed, by where."""


def a_day(directory: Path, certificate: tuple[Path, Path], log: dict[str, str]) -> Day:
    """A daemon with this [log] to which everything happens and that is then stopped in order."""
    options = {
        "log": log,
        "openspp": {"answer_within": "2s", "login_within": "2s"},
        "uploads": {"max_size": "200K"},
    }
    with (
        EmbeddedOpenSPP(directory, "--user", f"leyla:{RIGHT}") as openspp,
        OpenSPPDouble(openspp.port) as double,
        Daemon(directory, double.url, options, certificate=certificate) as daemon,
    ):
        everything(Ground(openspp, daemon, "leyla"), double)
        shown = {}
        for path in ("/", "/sandbox/arrivals"):
            with urllib.request.urlopen(openspp.url + path, timeout=10) as answer:
                shown[path] = answer.read()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(10) == 0
        shown["log"] = openspp.log_path.read_bytes()
        shown["record"] = openspp.record_path.read_bytes()
        return Day(daemon.log(), shown)


LOGS = {
    "debug": {"level": "debug"},
    "info": {"level": "info"},
    "warning": {"level": "warning"},
    "short": {"level": "debug", "names": "short"},
    "none": {"level": "debug", "names": "none"},
}


@pytest.fixture(scope="module")
def days(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> dict[str, Day]:
    """One for each of LOGS, all at the same time, since much of a day is waiting."""
    directories = [tmp_path_factory.mktemp(name) for name in LOGS]
    with ThreadPoolExecutor(len(LOGS)) as pool:
        left = pool.map(a_day, directories, repeat(certificate), LOGS.values())
        return dict(zip(LOGS, left, strict=True))


class TestNoPasswordAndNoContent:
    @pytest.mark.parametrize("name", LOGS)
    def test_in_any_log(self, name: str, days: dict[str, Day]) -> None:
        day = days[name]
        for where, text in {"the daemon's log": day.log.encode(), **day.openspp}.items():
            for secret in [*PASSWORDS, *SECRETS]:
                assert secret.lower() not in text.lower(), f"{secret!r} in {where}"
        assert "Traceback" not in day.log

    def test_but_what_happened_is_there(self, days: dict[str, Day]) -> None:
        for name, day in days.items():
            assert "leyla at 127.0.0.1 could not log in" in day.log
            assert (" is in OpenSPP" in day.log) is (name != "warning")
            assert ("<- PASS (not shown)" in day.log) is (name in ("debug", "short", "none"))
            assert NAME.encode() in day.openspp["/sandbox/arrivals"]
            assert NAME.encode() in day.openspp["record"]

    def test_in_the_words_of_a_wrong_configuration(self, tmp_path: Path) -> None:
        file = tmp_path / "openspp-ftpd.conf"
        file.write_text(f"[openspp]\nurl = http://admin:{IN_URL}@127.0.0.1:8069\n")
        for command in (["serve", "-c", str(file)], ["check", "-c", str(file)]):
            ended = subprocess.run(
                [sys.executable, "-m", "openspp_ftpd", *command],
                cwd=TREE,
                capture_output=True,
                timeout=30,
                check=False,
            )
            assert ended.returncode == 78
            assert b"openspp-ftpd.conf:2" in ended.stdout + ended.stderr
            assert IN_URL.encode() not in ended.stdout + ended.stderr

    def test_in_what_other_processes_see(self, tmp_path: Path) -> None:
        """Neither in the command line nor in the environment, where ps(1) would show it."""
        openspp = ["--user", f"leyla:{RIGHT}"]
        with running(tmp_path, openspp=openspp) as ground, ground.scanner() as scanner:
            assert scanner.login("leyla", RIGHT).code == 230
            for file in ("cmdline", "environ", "comm"):
                seen = Path(f"/proc/{ground.daemon.pid}/{file}").read_bytes()
                assert RIGHT.encode() not in seen


class TestFileNames:
    @pytest.mark.parametrize("names", ["short", "none"])
    def test_are_hidden(self, names: str, days: dict[str, Day]) -> None:
        log = days[names].log
        telling = [line for line in log.splitlines() if NAME.lower() in line.lower()]
        assert not telling, telling[:10]
        assert ("Hev...pdf" in log) is (names == "short")
        assert ("(not logged)" in log) is (names == "none")

    def test_are_shown_in_full_by_default(self, days: dict[str, Day]) -> None:
        assert f"{NAME}.pdf (3000 bytes) is in OpenSPP" in days["info"].log
        assert f"<- STOR {NAME}.pdf" in days["debug"].log
