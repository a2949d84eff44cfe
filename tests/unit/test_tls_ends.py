"""How a TLS stream ended, and the goodbye that tells the other side that ours did."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

import pytest
from OpenSSL import SSL

from openspp_ftpd import tls
from openspp_ftpd.settings import TlsSettings
from tests.unit import certificates
from tests.unit.tls_connections import PATIENCE, client_context, tcp_pair, tls_pair

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    key = certificates.private_key("rsa")
    return certificates.make(tmp_path_factory.mktemp("tls"), "scan.test", key=key)


@pytest.fixture(scope="module")
def contexts(pair: certificates.Pair) -> tls.Contexts:
    return tls.contexts(TlsSettings(certificate=pair.certificate, key=pair.key))


def read_all(server: SSL.Connection, size: int = 65536) -> tuple[bytes, tls.End]:
    """Everything until the end, and how it ended."""
    content = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        got = tls.receive(server, size)
        if isinstance(got, tls.End):
            return content, got
        if isinstance(got, tls.Wait):
            assert got is tls.Wait.READ
            select.select([server], [], [], PATIENCE)
        else:
            assert 0 < len(got) <= size
            content += got
    raise TimeoutError


def close_properly(client: ssl.SSLSocket) -> None:
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):  # the close_notify is sent, ours does not come
        client.unwrap()


def close_bare(client: ssl.SSLSocket) -> None:
    client.shutdown(socket.SHUT_WR)


def reset(client: ssl.SSLSocket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(client.detach())


def send_garbage(client: ssl.SSLSocket) -> None:
    os.write(client.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record nobody encrypted


ENDS: list[tuple[Callable[[ssl.SSLSocket], None], tls.End]] = [
    (close_properly, tls.End.CLOSED_PROPERLY),
    (close_bare, tls.End.CLOSED_BARE),
    (send_garbage, tls.End.BROKEN),
]


class TestTheEndOfAStream:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(("close", "end"), ENDS)
    def test_after_data_everything_is_read_and_the_end_is_told(
        self,
        contexts: tls.Contexts,
        version: ssl.TLSVersion,
        close: Callable[[ssl.SSLSocket], None],
        end: tls.End,
    ) -> None:
        sent = os.urandom(100_000)
        with tls_pair(contexts.control, client_context(version)) as (server, client):
            client.sendall(sent)
            close(client)
            assert read_all(server) == (sent, end)

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(("close", "end"), ENDS)
    def test_before_the_first_byte(
        self,
        contexts: tls.Contexts,
        version: ssl.TLSVersion,
        close: Callable[[ssl.SSLSocket], None],
        end: tls.End,
    ) -> None:
        with tls_pair(contexts.control, client_context(version)) as (server, client):
            close(client)
            assert read_all(server) == (b"", end)

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("size", [0, 100_000])
    def test_a_reset_is_a_reset(
        self, contexts: tls.Contexts, version: ssl.TLSVersion, size: int
    ) -> None:
        with tls_pair(contexts.control, client_context(version)) as (server, client):
            client.sendall(b"x" * size)
            reset(client)
            content, end = read_all(server)
            assert end is tls.End.RESET
            assert len(content) <= size

    def test_a_record_cut_in_the_middle_is_a_bare_end(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, client):
            os.write(client.fileno(), b"\x17\x03\x03\x40\x00" + b"x" * 100)
            close_bare(client)
            assert read_all(server) == (b"", tls.End.CLOSED_BARE)

    def test_an_end_stays_an_end(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, client):
            close_properly(client)
            assert read_all(server)[1] is tls.End.CLOSED_PROPERLY
            assert tls.receive(server, 100) is tls.End.CLOSED_PROPERLY

    def test_no_data_yet_is_to_wait(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, _):
            assert tls.receive(server, 100) is tls.Wait.READ

    def test_small_reads_get_the_whole_record_before_they_are_told_to_wait(
        self, contexts: tls.Contexts
    ) -> None:
        with tls_pair(contexts.data) as (server, client):
            client.sendall(bytes(range(100)))
            select.select([server], [], [], PATIENCE)
            pieces = []
            while isinstance(got := tls.receive(server, 7), bytes):
                pieces.append(got)
            assert got is tls.Wait.READ
            assert b"".join(pieces) == bytes(range(100))

    def test_a_write_that_openssl_wants_first_is_told_so(self) -> None:
        class Busy(SSL.Connection):
            def __init__(self) -> None:
                pass

            def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
                raise SSL.WantWriteError

        assert tls.receive(Busy(), 100) is tls.Wait.WRITE

    @pytest.mark.parametrize(
        ("error", "end"),
        [
            # As OpenSSL 1.1 and pyOpenSSL, as OpenSSL 3 alone tell it.
            (SSL.SysCallError(-1, "Unexpected EOF"), tls.End.CLOSED_BARE),
            (
                SSL.Error([("SSL routines", "", "unexpected eof while reading")]),
                tls.End.CLOSED_BARE,
            ),
            (SSL.SysCallError(104, "ECONNRESET"), tls.End.RESET),
            (SSL.SysCallError(110, "ETIMEDOUT"), tls.End.RESET),
            (SSL.Error([("SSL routines", "", "bad record mac")]), tls.End.BROKEN),
            (SSL.Error([]), tls.End.BROKEN),
            (SSL.Error(), tls.End.BROKEN),
        ],
    )
    def test_every_way_the_libraries_tell_it(self, error: SSL.Error, end: tls.End) -> None:
        class Ended(SSL.Connection):
            def __init__(self) -> None:
                pass

            def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
                raise error

        assert tls.receive(Ended(), 100) is end


class TestSending:
    def test_what_fits_is_sent_and_the_rest_when_it_fits(self, contexts: tls.Contexts) -> None:
        content = os.urandom(65536)
        with tls_pair(contexts.data) as (server, client):
            sent = bytearray()
            read = bytearray()
            while count := tls.send(server, content):
                assert count <= len(content)
                sent += content[:count]
            assert count == 0
            client.settimeout(PATIENCE)
            while len(read) < len(sent):
                read += client.recv(65536)
            assert tls.send(server, content)
            assert read == sent

    @pytest.mark.parametrize("close", [reset, send_garbage])
    def test_where_nobody_is_it_says_so(
        self, contexts: tls.Contexts, close: Callable[[ssl.SSLSocket], None]
    ) -> None:
        with tls_pair(contexts.data) as (server, client):
            close(client)
            read_all(server)
            assert tls.send(server, b"LIST") is None


class TestGoodbye:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_the_client_gets_close_notify(
        self, contexts: tls.Contexts, version: ssl.TLSVersion
    ) -> None:
        with tls_pair(contexts.control, client_context(version)) as (server, client):
            server.send(b"226 Done.\r\n")
            tls.say_goodbye(server)
            server.sock_shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"226 Done.\r\n"
            assert client.recv(100) == b""  # a bare end would raise

    def test_without_it_the_client_would_know(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.control) as (server, client):
            server.sock_shutdown(socket.SHUT_WR)
            with pytest.raises(ssl.SSLError, match=r"(?i)unexpected.eof|EOF occurred"):
                client.recv(100)

    def test_it_is_sent_once(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, client):
            for _ in range(3):
                tls.say_goodbye(server)
            server.sock_shutdown(socket.SHUT_WR)
            os.set_blocking(client.fileno(), True)
            raw = b""
            while piece := os.read(client.fileno(), 1000):
                raw += piece
            assert raw[0] == 21  # an alert record (RFC 5246 section 6.2.1)
            assert len(raw) == 5 + int.from_bytes(raw[3:5], "big")

    def test_a_second_one_takes_nothing_of_what_comes_in(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, client):
            tls.say_goodbye(server)
            client.sendall(b"the rest")
            close_bare(client)
            select.select([server], [], [], PATIENCE)
            tls.say_goodbye(server)
            assert read_all(server) == (b"the rest", tls.End.CLOSED_BARE)

    def test_it_is_sent_after_the_clients_own(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, client):
            client.settimeout(PATIENCE)
            thread = threading.Thread(target=client.unwrap)
            thread.start()
            assert read_all(server) == (b"", tls.End.CLOSED_PROPERLY)
            tls.say_goodbye(server)
            thread.join(PATIENCE)
            assert not thread.is_alive()

    @pytest.mark.parametrize("close", [close_bare, reset, send_garbage])
    def test_after_any_end_it_raises_nothing(
        self, contexts: tls.Contexts, close: Callable[[ssl.SSLSocket], None]
    ) -> None:
        with tls_pair(contexts.data) as (server, client):
            close(client)
            read_all(server)
            tls.say_goodbye(server)

    def test_during_the_handshake_it_raises_nothing(self, contexts: tls.Contexts) -> None:
        with tcp_pair() as (server_socket, _):
            server = SSL.Connection(contexts.data, server_socket)
            server.set_accept_state()
            tls.say_goodbye(server)

    def test_on_a_closed_socket_it_raises_nothing(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, _):
            server.close()
            tls.say_goodbye(server)

    def test_it_does_not_wait_for_a_client_that_reads_nothing(self, contexts: tls.Contexts) -> None:
        with tls_pair(contexts.data) as (server, _):
            with pytest.raises(SSL.WantWriteError):
                server.sendall(bytes(100 * 1024 * 1024))
            started = time.monotonic()
            tls.say_goodbye(server)
            assert time.monotonic() - started < 5
