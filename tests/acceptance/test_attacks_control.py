"""The control connection in the hands of somebody who is no scanner.

Each attack costs a bounded piece of memory and nobody else's turn.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.attacks import ATTACKER, MIB, last_words, under_attack
from tests.acceptance.grounds import Ground, running
from tests.acceptance.promises import until
from tests.acceptance.scanner import Answer, Scanner
from tests.acceptance.test_tls_at_rest import half_a_hello

OTHER_PROTOCOL = [Answer(421, "This port speaks FTP. Closing.")]
PATIENCE = {"limits": {"command_idle": "4s"}}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with running(tmp_path_factory.mktemp("daemon")) as made:
        yield made


def refusals(ground: Ground) -> list[str]:
    """The journal's lines about clients that speak something else."""
    return [line for line in ground.daemon.log().splitlines() if "does not speak FTP" in line]


class TestOtherProtocols:
    """Closed after the first words, with one line in the journal."""

    @pytest.mark.parametrize(
        "verb",
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "get"],
    )
    def test_http(self, verb: str, ground: Ground) -> None:
        """A page in somebody's browser must not log in by way of a form's content."""
        before = len(refusals(ground))
        with ground.scanner(source=ATTACKER) as client:
            request = f"{verb} / HTTP/1.1\r\nHost: scans\r\n\r\n"
            client.connection.sendall(f"{request}USER alice\r\nPASS scan-alice\r\n".encode())
            assert last_words(client) == OTHER_PROTOCOL
        assert [line.split("INFO")[1].strip() for line in refusals(ground)[before:]] == [
            f"{ATTACKER} does not speak FTP: HTTP."
        ]

    @pytest.mark.parametrize(
        ("sent", "named"),
        [
            pytest.param(half_a_hello(), "TLS.", id="TLS"),
            pytest.param(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH.", id="SSH"),
            pytest.param(
                bytes.fromhex("000000850ff534d4272000000000") + bytes(120), "binary", id="SMB 1"
            ),
            pytest.param(bytes.fromhex("00000040fe534d42") + bytes(56), "binary", id="SMB 2"),
            pytest.param(bytes.fromhex("030000130ee000000000000100080003"), "binary", id="RDP"),
            pytest.param(b"USR\x01\x02\x03\xfe\r\n", "binary", id="noise behind letters"),
            pytest.param(bytes(range(1, 10)) * 3000, "binary", id="noise"),
        ],
    )
    def test_what_sends_no_lines(self, sent: bytes, named: str, ground: Ground) -> None:
        before = len(refusals(ground))
        with ground.scanner(source=ATTACKER) as client:
            client.connection.sendall(sent)
            assert last_words(client) == OTHER_PROTOCOL
        assert len(refusals(ground)) == before + 1
        assert named in refusals(ground)[-1]

    def test_a_scanner_that_has_logged_in_may_say_what_it_likes(self, ground: Ground) -> None:
        """Firmware knows many a word; a session is not lost for one."""
        with ground.logged_in() as scanner:
            for line in (b"GET scan.pdf", b"\x16\x03\x01", b"SSH-2.0", b"XDEVICE \x01"):
                assert scanner.command(line).code == 500
            assert scanner.command("NOOP").code == 200

    @pytest.mark.parametrize("line", ["XDEVICE", "HOST scans", "\xffFOO", "GETX", "AUTH GSSAPI"])
    def test_an_unknown_command_before_the_login_is_no_other_protocol(
        self, line: str, ground: Ground
    ) -> None:
        with ground.scanner() as scanner:
            assert scanner.command(line.encode("latin-1")).code in (500, 502)
            assert scanner.login(ground.user).code == 230

    def test_telnet_signals_are_ftp(self, ground: Ground) -> None:
        """RFC 959 section 4.1.3."""
        with ground.scanner() as scanner:
            assert scanner.command(b"\xff\xf4\xff\xf2ABOR").code in (225, 530)
            assert scanner.login(ground.user).code == 230

    def test_a_crowd_of_them(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground, under_attack(ground):
            for number in range(200):
                with ground.scanner(source=ATTACKER) as client:
                    client.connection.sendall(
                        b"GET / HTTP/1.0\r\n\r\n" if number % 2 else b"\0" * 8000
                    )
                    assert last_words(client) == OTHER_PROTOCOL


class TestLines:
    def test_one_without_an_end(self, tmp_path: Path) -> None:
        """It is thrown away as it comes, and does not keep the session."""
        with running(tmp_path, options=PATIENCE) as ground, under_attack(ground):
            sent, began = 0, time.monotonic()
            with ground.scanner(source=ATTACKER) as client, contextlib.suppress(OSError):
                while time.monotonic() - began < 60:
                    sent += client.connection.send(b"A" * 65536)
            assert sent > 10 * MIB
            assert time.monotonic() - began < 30

    def test_user_without_pass(self, tmp_path: Path) -> None:
        """A client that names users for ever has as long as one that is silent."""
        with running(tmp_path, options=PATIENCE) as ground, under_attack(ground):
            began = time.monotonic()
            with ground.scanner(source=ATTACKER) as client:
                codes = set()
                with contextlib.suppress(OSError):
                    while time.monotonic() - began < 40:
                        codes.add(client.command("USER alice").code)
                assert codes - {421} == {331}
            assert 3.5 < time.monotonic() - began < 30

    def test_replies_that_nobody_reads(self, tmp_path: Path) -> None:
        """What was asked for and is not fetched is not gathered for ever."""
        with (
            running(tmp_path, options={"log": {"level": "info"}}) as ground,
            contextlib.ExitStack() as closing,
            under_attack(ground),
        ):
            for _ in range(10):
                client = closing.enter_context(ground.logged_in(source=ATTACKER))
                client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.connection.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    for _ in range(2000):
                        client.connection.sendall(b"HELP\r\n" * 1000)


class TestConnectsWithoutAWord:
    def test_a_thousand_leave_room_for_scanners(self, tmp_path: Path) -> None:
        """As many sessions as there are places, and four times more."""
        with (
            running(tmp_path, options={"log": {"level": "info"}}) as ground,
            contextlib.ExitStack() as closing,
            under_attack(ground),
        ):
            held = []
            for _ in range(1000):
                connection = socket.create_connection(
                    ("127.0.0.1", ground.daemon.port), 30, source_address=(ATTACKER, 0)
                )
                held.append(closing.enter_context(connection))
            assert until(lambda: sum(is_open(each) for each in held) <= 130, 20)
            assert sum(is_open(each) for each in held) > 100  # they are not just all thrown out

    def test_a_scanner_s_logged_in_session_is_never_the_one_that_leaves(
        self, tmp_path: Path
    ) -> None:
        options = {"limits": {"sessions": "20"}}
        with (
            running(tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
            ground.logged_in(source=ATTACKER) as scanner,
        ):
            said = [
                closing.enter_context(Scanner(ground.daemon.port, source=ATTACKER))
                for _ in range(40)
            ]
            assert [each.greeting.code for each in said] == [220] * 40
            assert (
                last_words(said[0])[-1].text == "Too many connections without a login. Try again."
            )
            assert scanner.command("NOOP").code == 200

    def test_a_trusted_network_is_let_be(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions": "20", "trusted_networks": f"{ATTACKER}/32"}}
        with running(tmp_path, options=options) as ground, contextlib.ExitStack() as closing:
            said = [closing.enter_context(ground.scanner(source=ATTACKER)) for _ in range(20)]
            assert [each.greeting.code for each in said] == [220] * 20
            assert said[0].command("NOOP").code == 200


def is_open(connection: socket.socket) -> bool:
    """Whether the daemon has not closed it; what it said is read."""
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
