"""Quirks 1 to 10 of devices, each held by a test that bears its number and its words.

Every test has a user, and so a folder in OpenSPP, of its own; `conftest.py` has the daemons.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from openspp_ftpd.settings import OpenSPPSettings
from tests.acceptance.documents import jpeg, noise, pdf, tiff
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import at_once, row
from tests.acceptance.quirks import SCAN, active_store, stored
from tests.acceptance.scanner import Scanner, end_bare, end_properly, reset, tls_context

# -- TLS, and how a data connection ends


def test_01_tls_1_3_tickets_on_the_data_connection_cause_truncation(ground: Ground) -> None:
    context = tls_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    scans = {f"scan-{number}.pdf": pdf(200_000, number) for number in range(10)}
    with ground.scanner() as scanner:
        scanner.context = context
        assert scanner.command("AUTH TLS").code == 234
        scanner.begin_tls()
        assert isinstance(scanner.connection, ssl.SSLSocket)
        assert scanner.connection.version() == "TLSv1.3"
        scanner.tls = "explicit"
        assert [scanner.command(line).code for line in ("PBSZ 0", "PROT P")] == [200, 200]
        assert scanner.login(ground.user).code == 230
        for name, content in scans.items():
            data = scanner.begin(name)
            assert isinstance(data, ssl.SSLSocket)
            assert data.version() == "TLSv1.2"
            data.sendall(content)  # and never reads, so that a ticket would reset its end
            data.close()
            assert scanner.answer().code == 226
        cut = scanner.begin("cut.pdf")
        cut.sendall(SCAN[:15_000])
        reset(cut)
        assert scanner.answer().code == 426
    assert ground.recorded() == expected(scans)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        row("a whole PDF", SCAN, 226),
        row("a whole TIFF", tiff(100, 100), 226),
        row("a whole JPEG", jpeg(64, 64), 226),
        row("a PDF that is cut", SCAN[:-300], 426),
        row("content that tells nothing", noise(20_000), 426),
    ],
)
def test_02_tls_data_ended_without_close_notify(content: bytes, code: int, ground: Ground) -> None:
    with ground.logged_in(tls="explicit") as scanner:
        data = scanner.begin("scan")
        data.sendall(content)
        end_bare(data)
        assert scanner.answer().code == code
    assert ground.recorded() == (expected({"scan": content}) if code == 226 else [])


# -- the final reply


def test_03_waits_a_limited_time_for_226(switched: Ground) -> None:
    curls_limit = 60
    assert OpenSPPSettings("").answer_within < curls_limit
    with switched.logged_in() as scanner:
        began = time.monotonic()
        assert scanner.store("scan@slow=20.pdf", SCAN).code == 451
        assert 1.5 < time.monotonic() - began < 6


def test_04_continuation_lines_as_keep_alive(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        data = scanner.begin("scan@slow=1.5.pdf")
        data.sendall(SCAN)
        end_properly(data)
        scanner.connection.settimeout(1)
        with pytest.raises(TimeoutError):
            scanner.connection.recv(1)
        scanner.connection.settimeout(10)
        assert re.fullmatch(rb"226 [^\r\n]+\r\n", scanner.connection.recv(4096))


# -- sessions without a document


def checked(ground: Ground) -> list[int]:
    """USER, PASS, CWD, QUIT, as before the paper moves: the codes."""
    with ground.scanner() as scanner:
        codes = [scanner.greeting.code]
        for line in (f"USER {ground.user}", f"PASS scan-{ground.user}", "CWD /", "QUIT"):
            codes.append(scanner.command(line).code)
            if codes[-1] >= 400:
                break
        return codes


class Test05CheckSession:
    """Login, CWD, QUIT: quick, never counted, and a failure when OpenSPP is away."""

    def test_05_check_session_200_times_in_a_row(self, ground: Ground) -> None:
        began = time.monotonic()
        for _ in range(200):
            one = time.monotonic()
            assert checked(ground) == [220, 331, 230, 250, 221]
            assert time.monotonic() - one < 2
        assert time.monotonic() - began < 20
        with ground.logged_in() as scanner:
            assert scanner.store("scan.pdf", SCAN).code == 226
        stored(ground, "scan.pdf")

    def test_05_check_session_while_openspp_is_away(self, tmp_path: Path) -> None:
        with running(tmp_path, options={"limits": {"failed_logins": "1"}}) as ground:
            ground.openspp.kill()
            names = ("alice", "frank", "dbuser", "gina")  # several: that could be an attack
            everyone = [replace(ground, user=name) for name in names]
            for _ in range(2):
                began = time.monotonic()
                codes = at_once(*(partial(checked, person) for person in everyone))
                assert codes == [[220, 331, 421]] * len(everyone)
                assert time.monotonic() - began < 5
            ground.openspp.start()
            assert checked(ground) == [220, 331, 230, 250, 221]


class Test06TestFileThenDele:
    @pytest.mark.parametrize(
        ("content", "codes", "documents"),
        [
            row("empty", b"", [550, 550], 0),
            row("tiny", b"test", [226, 250], 1),
        ],
    )
    def test_06_test_file_then_dele(
        self, content: bytes, codes: list[int], documents: int, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner:
            found = [scanner.store("test.txt", content).code, scanner.command("DELE test.txt").code]
            assert found == codes
            assert scanner.command("SIZE test.txt").code == 550
            assert scanner.store("scan.pdf", SCAN).code == 226
        assert len(ground.recorded()) == documents + 1  # what was stored, OpenSPP keeps

    def test_06_empty_test_file_where_the_administrator_allows_it(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            assert scanner.store("test.txt", b"") == (250, "Not kept: the file is empty.")
            assert scanner.command("SIZE test.txt") == (213, "0")
            assert scanner.command("DELE test.txt") == (250, "Deleted.")
        assert switched.recorded() == []


class Test07StorOpenedEarlySlowTrickle:
    """Without a command 1.5 seconds are allowed here, without data 3."""

    def test_07_stor_opened_early_slow_trickle(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            data = scanner.begin("scan.pdf")
            for start in range(0, len(SCAN), 10_000):
                time.sleep(2)
                data.sendall(SCAN[start : start + 10_000])
            end_properly(data)
            assert scanner.answer().code == 226
            time.sleep(1)  # the limit for commands begins anew with the reply
            assert scanner.command("NOOP").code == 200
        stored(switched, "scan.pdf")

    @pytest.mark.parametrize("noops", [0, 8])
    def test_07_the_limit_for_data_runs_though_commands_come(
        self, noops: int, switched: Ground
    ) -> None:
        with switched.logged_in() as scanner:
            data = scanner.begin("scan.pdf")
            data.sendall(SCAN[:10_000])
            began = time.monotonic()
            for _ in range(noops):
                time.sleep(0.2)
                scanner.send("NOOP")
            assert scanner.answer().code == 426
            assert 2.8 < time.monotonic() - began < 6
            assert [scanner.answer().code for _ in range(noops)] == [200] * noops
        assert switched.recorded() == []

    def test_07_the_limit_for_commands_runs_though_a_data_connection_is_open(
        self, switched: Ground
    ) -> None:
        with switched.logged_in() as scanner, scanner.passive() as data:
            began = time.monotonic()
            data.sendall(SCAN)
            assert scanner.answer().code == 421
            assert 1.3 < time.monotonic() - began < 2.8


# -- active and passive


@pytest.mark.parametrize(
    "command",
    [
        "PORT 127,0,0,1,PORT2",
        "PORT 0,0,0,0,PORT2",
        "PORT 192,168,0,16,PORT2",
        "PORT 8,8,8,8,PORT2",
        "port 10,0,0,1, PORT2",
        "EPRT |1|127.0.0.1|PORT1|",
        "EPRT |1|0.0.0.0|PORT1|",
        "EPRT !1!192.168.0.16!PORT1!",
    ],
)
def test_08_active_only_port_with_odd_address(command: str, ground: Ground) -> None:
    with ground.logged_in(source="127.0.0.8") as scanner:
        assert active_store(scanner, command).code == 226
    stored(ground, "scan.pdf")


class Test09PassiveOnlyEpsvUnusable:
    def test_09_passive_only_epsv_unusable(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("EPSV").code == 229  # and the device cannot use it
            assert scanner.store("scan.pdf", SCAN).code == 226
        stored(ground, "scan.pdf")

    def test_09_the_address_that_the_scanner_connected_to(self, without_tls: Ground) -> None:
        for host in ("127.0.0.1", "127.0.0.2"):
            with Scanner(
                without_tls.other_ports.get(host, without_tls.daemon.port), host=host
            ) as scanner:
                assert scanner.login(without_tls.user).code == 230
                assert f"({host.replace('.', ',')}," in scanner.command("PASV").text
                assert scanner.store(f"{host}.pdf", SCAN).code == 226
        assert len(without_tls.recorded()) == 2

    def test_09_the_address_that_the_administrator_names_for_a_network(
        self, switched: Ground
    ) -> None:
        for source, told in (("127.0.0.9", "127,0,0,2"), ("127.0.0.8", "127,0,0,1")):
            with switched.logged_in(source=source) as scanner:
                assert f"({told}," in scanner.command("PASV").text


class Test10FallsFromActiveToPassiveInOneSession:
    def test_10_falls_from_active_to_passive_in_one_session(self, ground: Ground) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with ground.logged_in() as scanner:
            assert scanner.command(f"PORT 127,0,0,1,{port >> 8},{port & 255}").code == 200
            scanner.send("STOR scan.pdf")
            assert [scanner.answer().code, scanner.answer().code] == [150, 425]
            assert scanner.store("scan.pdf", SCAN).code == 226
        stored(ground, "scan.pdf")

    def test_10_falls_from_passive_to_active_in_one_session(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("PASV").code == 227  # a firewall swallows what it connects
            assert scanner.command("STOR scan.pdf").code == 150
            assert scanner.command("ABOR").code == 426
            assert scanner.answer().code == 225
            assert active_store(scanner, "PORT 127,0,0,1,PORT2").code == 226
        stored(ground, "scan.pdf")
