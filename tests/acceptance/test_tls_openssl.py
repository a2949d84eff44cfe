"""TLS as OpenSSL's own client and other real ones see it: what is offered, and what is refused."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.attacks import under_attack
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, one_daemon
from tests.acceptance.promises import at_once
from tests.acceptance.scanner import tls_context

INTERMEDIATE = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",
}
"""Mozilla's "Server Side TLS" guidelines, version 5.7, intermediate, in OpenSSL's names."""


@pytest.fixture(scope="module")
def grounds(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Iterator[Ground]]:
    options = {"limits": {"handshake_within": "3s"}}
    with one_daemon(tmp_path_factory.mktemp("daemon"), certificate, options) as made:
        yield made


@pytest.fixture
def ground(grounds: Iterator[Ground]) -> Ground:
    """As it is installed, but for its patience, and a user of the test's own."""
    return next(grounds)


def s_client(port: int, *options: str, said: bytes = b"QUIT\n", starttls: bool = True) -> str:
    """What `openssl s_client` writes of a connection to the daemon."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    ran = subprocess.run(
        [*command, "-starttls", "ftp"] if starttls else command,
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return ran.stdout.decode(errors="replace")


def agreed(told: str) -> tuple[str, str] | None:
    """Version and cipher suite, None where there is no connection."""
    found = re.search(r"^New, (TLSv\S+), Cipher is (\S+)$", told, re.MULTILINE)
    version = re.search(r"^\s*Protocol\s*: (\S+)$|^Protocol: (\S+)$", told, re.MULTILINE)
    if found is None or found[2] == "(NONE)":
        return None
    return ((version[1] or version[2]) if version else found[1], found[2])


class TestVersions:
    @pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
    def test_1_0_and_1_1_are_refused(self, old: str, ground: Ground) -> None:
        told = s_client(ground.daemon.port, old, "-cipher", "ALL:@SECLEVEL=0")
        assert agreed(told) is None
        assert "alert protocol version" in told

    @pytest.mark.parametrize(
        ("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")]
    )
    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    def test_1_2_and_1_3(self, tls: str, option: str, version: str, ground: Ground) -> None:
        told = s_client(ground.port(tls), option, starttls=tls == "explicit")
        found = agreed(told)
        assert found is not None
        assert found[0] == version
        assert found[1] in INTERMEDIATE
        assert "Compression: NONE" in told
        assert "Secure Renegotiation IS supported" in told or version == "TLSv1.3"


class TestCiphers:
    def test_of_all_that_openssl_has_only_mozilla_s_intermediate_ones_are_agreed_on(
        self, ground: Ground
    ) -> None:
        """Each is offered alone, on the control connection."""
        listed = subprocess.run(
            ["openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        suites = [suite for suite in listed.split(":") if not suite.startswith("TLS_")]
        assert {"AES128-SHA", "ECDHE-RSA-AES128-SHA"} < set(suites)
        assert len(suites) > 60

        def taken(suite: str) -> bool:
            client = tls_context(ssl.TLSVersion.TLSv1_2)
            client.set_ciphers(f"{suite}:@SECLEVEL=0")
            with socket.create_connection(("127.0.0.1", ground.port("implicit")), 30) as connection:
                try:
                    with client.wrap_socket(connection) as secured:
                        used = secured.cipher()
                        assert used is not None
                        assert used[0] == suite
                        return True
                except (ssl.SSLError, ConnectionError):
                    return False

        accepted = {suite for suite in suites if taken(suite)}
        assert accepted <= INTERMEDIATE
        assert accepted == {  # the certificate's key is RSA
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-RSA-CHACHA20-POLY1305",
        }

    @pytest.mark.parametrize(
        "suite",
        ["DES-CBC3-SHA", "ECDHE-RSA-DES-CBC3-SHA", "RC4-SHA", "AES128-SHA", "ECDHE-RSA-AES256-SHA"],
    )
    def test_weak_ones_by_their_number(self, suite: str, ground: Ground) -> None:
        """Also those that the client's OpenSSL does not have any more."""
        number = {
            "DES-CBC3-SHA": 0x000A,
            "ECDHE-RSA-DES-CBC3-SHA": 0xC012,
            "RC4-SHA": 0x0005,
            "AES128-SHA": 0x002F,
            "ECDHE-RSA-AES256-SHA": 0xC014,
        }[suite]
        assert alert_of(ground, client_hello(number)) == HANDSHAKE_FAILURE

    def test_the_hello_that_is_written_by_hand_is_a_good_one(self, ground: Ground) -> None:
        """The same with a suite that is offered leads to a ServerHello."""
        assert alert_of(ground, client_hello(0xC02F)) is None


HANDSHAKE_FAILURE = 40
"""RFC 5246 section 7.2.2."""


def client_hello(suite: int) -> bytes:
    """A ClientHello of TLS 1.2 that offers one suite (RFC 5246 section 7.4.1.2)."""
    groups = bytes.fromhex("000a00040002 0017".replace(" ", ""))
    algorithms = bytes.fromhex("000d0006000404010403")
    extensions = groups + algorithms
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02" + suite.to_bytes(2, "big") + b"\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def alert_of(ground: Ground, hello: bytes) -> int | None:
    """The alert that answers it; None where it is a handshake record."""
    with socket.create_connection(("127.0.0.1", ground.port("implicit")), 30) as connection:
        connection.sendall(hello)
        record = connection.recv(4096)
        assert record[0] in (21, 22)
        return record[6] if record[0] == 21 else None


def renegotiate(port: int) -> str:
    """What `openssl s_client` writes when it is told to renegotiate ("R") after the greeting."""
    with subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "ftp", "-tls1_2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        assert client.stdin
        assert client.stdout
        told = b""
        while b"220 OpenSPP" not in told:
            line = client.stdout.readline()
            assert line, told
            told += line
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(b"R\n")
            client.stdin.flush()
        return client.stdout.read().decode(errors="replace")


class TestRenegotiation:
    """An old way to have a server compute for many (CVE-2011-1473)."""

    def test_it_is_refused(self, ground: Ground) -> None:
        told = renegotiate(ground.daemon.port)
        assert "RENEGOTIATING" in told
        assert "no renegotiation" in told
        assert "depth=0" not in told  # no second handshake came as far as the certificate

    def test_many_clients_that_ask_for_it_cost_nobody_anything(self, ground: Ground) -> None:
        with under_attack(ground):
            told = at_once(*[lambda: renegotiate(ground.daemon.port)] * 10)
            assert all("no renegotiation" in each for each in told)


class TestGarbageInsteadOfAHello:
    @pytest.mark.parametrize(
        "sent",
        [
            b"USER alice\r\nPASS scan-alice\r\n",
            b"\0" * 5000,
            b"\x16\x03\x01\xff\xff" + b"\xff" * 70000,
            b"\x16\x03\x01\x00\x00" * 2000,
            b"\x15\x03\x01\x00\x02\x01\x00",
            b"\x80\x2e\x01\x00\x02" + bytes(50),
        ],
        ids=["FTP", "zeros", "an oversized record", "empty records", "an alert", "SSL 2"],
    )
    @pytest.mark.parametrize("where", ["explicit", "implicit"])
    def test_it_ends_the_connection_and_no_other(
        self, where: str, sent: bytes, ground: Ground
    ) -> None:
        with contextlib.ExitStack() as closing:
            if where == "implicit":
                connection = closing.enter_context(
                    socket.create_connection(("127.0.0.1", ground.port("implicit")), 30)
                )
            else:
                scanner = closing.enter_context(ground.scanner())
                assert scanner.command("AUTH TLS").code == 234
                connection = scanner.connection
            with contextlib.suppress(ConnectionError):
                connection.sendall(sent)
                connection.settimeout(20)
                answered = b"".join(iter(lambda: connection.recv(4096), b""))
                assert b"331" not in answered
                assert b"230" not in answered
        with ground.logged_in(tls="explicit") as next_one:
            assert next_one.store("page.pdf", pdf(2000)).code == 226
        assert "Traceback" not in ground.daemon.log()


class TestTicketsAndCompression:
    def test_tickets_are_given_and_taken(self, ground: Ground, tmp_path: Path) -> None:
        """A device that comes again saves itself half of the handshake."""
        ticket = str(tmp_path / "ticket")
        first = s_client(ground.daemon.port, "-tls1_2", "-sess_out", ticket)
        assert "TLS session ticket:" in first
        assert "Reused, TLSv1.2" in s_client(ground.daemon.port, "-tls1_2", "-sess_in", ticket)

    def test_compression_is_off_where_the_client_wants_it(self, ground: Ground) -> None:
        assert "Compression: NONE" in s_client(ground.daemon.port, "-tls1_2", "-comp")
