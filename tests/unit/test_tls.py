"""TLS: what scanners may use, and that OpenSSL is used in a way the sandbox allows."""

from __future__ import annotations

import select
import ssl
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from OpenSSL import SSL

from openspp_ftpd import tls
from openspp_ftpd.settings import TlsSettings
from tests.unit import certificates
from tests.unit.tls_connections import PATIENCE, client_context, handshake, tcp_pair, tls_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    key = certificates.private_key("rsa")
    return certificates.make(tmp_path_factory.mktemp("tls"), "scan.test", key=key)


@pytest.fixture(scope="module")
def contexts(pair: certificates.Pair) -> tls.Contexts:
    return tls.contexts(settings(pair))


def settings(pair: certificates.Pair) -> TlsSettings:
    return TlsSettings(certificate=pair.certificate, key=pair.key)


NEW_SUITES = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]
OLD_SUITES = [
    "AES128-SHA",  # a scanner of 2012
    "AES256-SHA256",
    "ECDHE-RSA-AES128-SHA",
]


def used_suite(context: SSL.Context, offered: str) -> str:
    """What is agreed on with a client of TLS 1.2 that offers this."""
    client = client_context(ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(offered)
    with tls_pair(context, client) as (_, connected):
        used = connected.cipher()
        assert used is not None
        return used[0]


class TestSessionReuse:
    """`[tls] session_reuse`: a data connection belongs to its control connection."""

    @pytest.mark.parametrize("wanted", ["log", "require"])
    def test_who_resumes_is_told_from_who_does_not(
        self, pair: certificates.Pair, wanted: Literal["log", "require"]
    ) -> None:
        contexts = tls.contexts(replace(settings(pair), session_reuse=wanted))
        client = client_context()
        with tls_pair(contexts.control, client) as (control, connected):
            assert connected.version() == "TLSv1.2"  # a session of 1.3 cannot be resumed by 1.2
            session = connected.session
            with tls_pair(contexts.data, client, session) as (data, again):
                assert again.session_reused
                assert tls.resumed(data, control)
            with tls_pair(contexts.data, client) as (data, _):
                assert not tls.resumed(data, control)

    def test_the_session_of_another_control_connection_is_not_enough(
        self, pair: certificates.Pair
    ) -> None:
        contexts = tls.contexts(replace(settings(pair), session_reuse="require"))
        client = client_context()
        with (
            tls_pair(contexts.control, client) as (control, _),
            tls_pair(contexts.control, client) as (_, other),
            tls_pair(contexts.data, client, other.session) as (data, again),
        ):
            assert again.session_reused
            assert not tls.resumed(data, control)


class TestContexts:
    def test_control_uses_tls_1_3_where_the_scanner_can(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.control) as (_, client):
            assert client.version() == "TLSv1.3"

    def test_control_takes_tls_1_2(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.control, client_context(ssl.TLSVersion.TLSv1_2)) as (_, client):
            assert client.version() == "TLSv1.2"

    def test_data_uses_tls_1_2_even_where_the_scanner_can_more(
        self, contexts: tls.Contexts
    ) -> None:
        with tls_pair(contexts.data) as (_, client):
            assert client.version() == "TLSv1.2"

    def test_data_refuses_a_scanner_that_wants_nothing_but_tls_1_3(
        self, contexts: tls.Contexts
    ) -> None:
        wanting = client_context()
        wanting.minimum_version = ssl.TLSVersion.TLSv1_3
        with (
            pytest.raises(SSL.Error, match="unsupported protocol"),
            tls_pair(contexts.data, wanting),
        ):
            pass

    @pytest.mark.parametrize("which", ["control", "data"])
    def test_tls_1_1_is_refused(
        self, contexts: tls.Contexts, which: Literal["control", "data"]
    ) -> None:
        # A ClientHello for TLS 1.1 (RFC 4346 section 7.4.1.2) written by hand: the libraries here
        # no longer send one.
        body = b"\x03\x02" + bytes(32) + b"\0" + b"\0\x04\x00\x2f\x00\x35" + b"\x01\0"
        message = b"\x01" + len(body).to_bytes(3, "big") + body
        with tcp_pair() as (server_socket, client):
            server = SSL.Connection(getattr(contexts, which), server_socket)
            server.set_accept_state()
            client.sendall(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
            with pytest.raises(SSL.Error, match="unsupported protocol"):
                handshake(server)

    @pytest.mark.parametrize("which", ["control", "data"])
    @pytest.mark.parametrize("suite", [*NEW_SUITES, *OLD_SUITES])
    def test_old_and_new_suites_work_where_they_are_wanted(
        self, pair: certificates.Pair, which: Literal["control", "data"], suite: str
    ) -> None:
        compatible = tls.contexts(replace(settings(pair), ciphers="compatible"))
        assert used_suite(getattr(compatible, which), suite) == suite

    @pytest.mark.parametrize("which", ["control", "data"])
    @pytest.mark.parametrize("suite", NEW_SUITES)
    def test_new_suites_are_the_default(
        self, contexts: tls.Contexts, which: Literal["control", "data"], suite: str
    ) -> None:
        assert used_suite(getattr(contexts, which), suite) == suite

    @pytest.mark.parametrize("which", ["control", "data"])
    @pytest.mark.parametrize("suite", OLD_SUITES)
    def test_old_suites_are_not(
        self, contexts: tls.Contexts, which: Literal["control", "data"], suite: str
    ) -> None:
        with pytest.raises(SSL.Error, match="no shared cipher"):
            used_suite(getattr(contexts, which), suite)

    def test_a_scanner_that_prefers_an_old_suite_gets_the_better_one(
        self, pair: certificates.Pair
    ) -> None:
        compatible = tls.contexts(replace(settings(pair), ciphers="compatible"))
        client = client_context(ssl.TLSVersion.TLSv1_2)
        client.set_ciphers("AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384")
        with tls_pair(compatible.data, client) as (_, connected):
            used = connected.cipher()
            assert used is not None
            assert used[0] == "ECDHE-RSA-AES256-GCM-SHA384"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_client_may_offer_its_control_session_for_data(
        self, contexts: tls.Contexts, version: ssl.TLSVersion
    ) -> None:
        client = client_context(version)
        with tls_pair(contexts.control, client) as (control, connected):
            control.send(b"220 Ready.\r\n")
            assert connected.recv(100) == b"220 Ready.\r\n"  # behind the tickets of TLS 1.3
            session = connected.session
            assert session is not None
            for _ in range(2):
                with tls_pair(contexts.data, client, session) as (_server, data):
                    assert data.version() == "TLSv1.2"

    def test_a_second_data_connection_resumes_the_first(self, contexts: tls.Contexts) -> None:
        client = client_context()
        with tls_pair(contexts.data, client) as (_, first):
            session = first.session
            assert not first.session_reused
        with tls_pair(contexts.data, client, session) as (_, second):
            assert second.session_reused

    @pytest.mark.parametrize("suite", ["aNULL", "eNULL", "PSK"])
    def test_suites_that_protect_nothing_are_refused(
        self, contexts: tls.Contexts, suite: str
    ) -> None:
        offered = SSL.Connection(contexts.control, None).get_cipher_list()
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(f"{suite}:@SECLEVEL=0".encode())
        weak = [
            name
            for name in SSL.Connection(context, None).get_cipher_list()
            if not name.startswith("TLS_")
        ]
        assert weak
        assert not set(weak) & set(offered)

    def test_renegotiation_is_refused(self, contexts: tls.Contexts) -> None:
        with tcp_pair() as (server_socket, client_socket):
            server = SSL.Connection(contexts.data, server_socket)
            server.set_accept_state()
            client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), client_socket)
            client.set_connect_state()
            client_socket.setblocking(True)
            thread = threading.Thread(target=client.do_handshake)
            thread.start()
            handshake(server)
            thread.join(PATIENCE)
            client_socket.setblocking(False)
            assert client.renegotiate()
            with pytest.raises(SSL.WantReadError):
                client.do_handshake()
            select.select([server], [], [], PATIENCE)
            assert isinstance(tls.receive(server, 100), tls.Wait | tls.End)
            select.select([client], [], [], PATIENCE)
            with pytest.raises(SSL.Error, match="no renegotiation"):
                client.do_handshake()

    @pytest.mark.parametrize("which", ["control", "data"])
    def test_the_chain_is_sent_and_a_client_that_looks_is_content(
        self, tmp_path: Path, which: Literal["control", "data"]
    ) -> None:
        issuer = ("Scan CA", certificates.private_key("ec", number=1))
        pair = certificates.make(tmp_path, "scan.test", issuer=issuer)
        pem = Path(pair.certificate).read_text("ascii")
        authority = pem[pem.rindex("-----BEGIN CERTIFICATE") :]
        careful = ssl.create_default_context(cadata=authority)
        with tls_pair(getattr(tls.contexts(settings(pair)), which), careful) as (_, client):
            assert client.getpeercert() is not None

    def test_an_intermediate_certificate_is_sent(self, tmp_path: Path) -> None:
        issuer = ("Scan CA", certificates.private_key("ec", number=1))
        pair = certificates.make(tmp_path, "scan.test", issuer=issuer)
        context = tls.contexts(settings(pair)).data
        with tcp_pair() as (server_socket, client_socket):
            server = SSL.Connection(context, server_socket)
            server.set_accept_state()
            client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), client_socket)
            client.set_connect_state()
            client_socket.setblocking(True)
            thread = threading.Thread(target=client.do_handshake)
            thread.start()
            handshake(server)
            thread.join(PATIENCE)
            sent = client.get_peer_cert_chain() or []
            names = [each.to_cryptography().subject.rfc4514_string() for each in sent]
            assert names == ["CN=scan.test", "CN=Scan CA"]

    def test_a_renewed_certificate_is_taken_by_new_contexts_alone(self, tmp_path: Path) -> None:
        pair = certificates.make(tmp_path, "scan.test")
        before = tls.contexts(settings(pair))
        key = certificates.private_key("ec", number=2)
        certificates.make(tmp_path, "scan.test", key=key)
        after = tls.contexts(settings(pair))
        shown = []
        for each in (before, after):
            with tls_pair(each.control) as (_, client):
                shown.append(client.getpeercert(binary_form=True))
        assert shown[0] != shown[1]


def test_openssl_is_never_given_a_callback(pair: certificates.Pair) -> None:
    """Under MemoryDenyWriteExecute= making one fails; cffi makes them in `ffi.callback`."""
    code = f"""
import OpenSSL.SSL, OpenSSL.crypto, socket
from openspp_ftpd import tls
from openspp_ftpd.settings import TlsSettings

class NoCallbacks:
    def __init__(self, ffi):
        self._ffi = ffi
    def __getattr__(self, name):
        if name == "callback":
            raise MemoryError("Cannot allocate write+execute memory for ffi.callback()")
        return getattr(self._ffi, name)

OpenSSL.SSL._ffi = NoCallbacks(OpenSSL.SSL._ffi)
OpenSSL.crypto._ffi = NoCallbacks(OpenSSL.crypto._ffi)
try:
    OpenSSL.SSL.Context(OpenSSL.SSL.TLS_METHOD).set_info_callback(lambda *_: None)
except MemoryError:
    print("a callback is noticed")
pair = {pair.certificate!r}, {pair.key!r}
contexts = tls.contexts(TlsSettings(certificate=pair[0], key=pair[1]))
print(tls.examine_certificate(*pair).subject)
one, other = socket.socketpair()
one.setblocking(False)
server = OpenSSL.SSL.Connection(contexts.control, one)
server.set_accept_state()
print(tls.receive(server, 100))
tls.say_goodbye(server)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:3] == ["a callback is noticed", "CN=scan.test", "Wait.READ"]
