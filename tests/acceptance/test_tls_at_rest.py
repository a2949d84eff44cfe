"""TLS that stalls, fails or ends halfway: it ends in time, and until then it costs nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, one_daemon
from tests.acceptance.promises import until
from tests.acceptance.scanner import end_properly, tls_context

HANDSHAKE_WITHIN = 2.0
"""[limits] handshake_within, seconds."""

AT_REST = 1.2
"""For how many seconds the daemon's use of the processor is watched."""


@pytest.fixture(scope="module")
def grounds(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Iterator[Ground]]:
    options = {"limits": {"handshake_within": f"{HANDSHAKE_WITHIN:g}s"}}
    with one_daemon(tmp_path_factory.mktemp("daemon"), certificate, options) as made:
        yield made


@pytest.fixture
def ground(grounds: Iterator[Ground]) -> Ground:
    return next(grounds)


def read(connection: socket.socket) -> bytes:
    """What comes next; nothing at the end, however it ends."""
    try:
        return connection.recv(4096)
    except (ConnectionError, ssl.SSLError):
        return b""


def half_a_hello() -> bytes:
    """The first bytes of a ClientHello, and no more."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()[:100]


def half_close(connection: socket.socket) -> None:
    """FIN, without close_notify, while the other direction stays open."""
    socket.socket.shutdown(connection, socket.SHUT_WR)


def say_close_notify(connection: socket.socket) -> None:
    """close_notify, while the connection stays open."""
    assert isinstance(connection, ssl.SSLSocket)
    connection.settimeout(0.2)
    with contextlib.suppress(OSError):  # the answer to it may be long in coming
        connection.unwrap()


def assert_at_rest(ground: Ground) -> None:
    """The daemon uses next to nothing of the processor for a while."""
    time.sleep(0.1)
    before = ground.daemon.cpu_seconds()
    time.sleep(AT_REST)
    used = ground.daemon.cpu_seconds() - before
    assert used < 0.05 * AT_REST, f"{used / AT_REST:.0%} of a processor"


def assert_ends(connections: list[socket.socket], seconds: float) -> None:
    """The daemon closes all of them in time."""
    deadline = time.monotonic() + seconds
    for connection in connections:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        while read(connection):
            pass


STALLS = [
    pytest.param(b"", id="silence"),
    pytest.param(half_a_hello(), id="half a ClientHello"),
]


class TestHandshakesThatStall:
    """They end, and until then they cost nothing."""

    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    @pytest.mark.parametrize("sent", STALLS)
    def test_on_the_control_connection(self, sent: bytes, tls: str, ground: Ground) -> None:
        with contextlib.ExitStack() as closing:
            stalled = []
            for _ in range(5):
                if tls == "explicit":
                    scanner = closing.enter_context(ground.scanner())
                    assert scanner.command("AUTH TLS").code == 234
                    connection = scanner.connection
                else:
                    connection = socket.create_connection(("127.0.0.1", ground.port(tls)), 30)
                    closing.enter_context(connection)
                connection.sendall(sent)
                stalled.append(connection)
            assert_at_rest(ground)
            with ground.logged_in(tls=tls) as other:
                assert other.store("page.pdf", pdf(2000)).code == 226
            assert_ends(stalled, HANDSHAKE_WITHIN)

    @pytest.mark.parametrize("sent", STALLS)
    @pytest.mark.parametrize("after_stor", [False, True])
    def test_on_the_data_connection(self, after_stor: bool, sent: bytes, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.passive()
            data.sendall(sent)
            if after_stor:
                assert scanner.command("STOR page.pdf").code == 150
            assert_at_rest(ground)
            if not after_stor:
                assert scanner.command("STOR page.pdf").code == 150
            assert scanner.answer(HANDSHAKE_WITHIN + 1).code == 522
            assert scanner.store("page.pdf", pdf(2000)).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    @pytest.mark.parametrize(
        "sent", [b"GET / HTTP/1.1\r\n\r\n", pdf(2000)], ids=["HTTP", "a scan in clear"]
    )
    @pytest.mark.parametrize("after_stor", [False, True])
    def test_what_is_no_tls_at_all_on_the_data_connection(
        self, after_stor: bool, sent: bytes, ground: Ground
    ) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.passive()
            if after_stor:
                assert scanner.command("STOR page.pdf").code == 150
            data.sendall(sent)
            assert_ends([data], 5)
            if not after_stor:
                answer = scanner.command("STOR page.pdf")
                assert answer.code in (150, 425)
            if after_stor or answer.code == 150:
                assert scanner.answer(5).code == 522
            assert scanner.store("page.pdf", pdf(2000)).code == 226

    def test_a_client_that_leaves_in_the_middle_of_it(self, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.passive()
            half_close(data)
            assert_at_rest(ground)
            answer = scanner.command("STOR page.pdf")
            if answer.code == 150:
                answer = scanner.answer(HANDSHAKE_WITHIN + 1)
            assert answer.code in (425, 522)
            assert scanner.store("page.pdf", pdf(2000)).code == 226


class TestHalfClosedConnections:
    """One direction has ended, the other not: nothing spins (pyftpdlib did)."""

    @pytest.mark.parametrize("half", [half_close, say_close_notify])
    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    @pytest.mark.parametrize("logged_in", [False, True])
    def test_the_control_connection(
        self, logged_in: bool, tls: str, half: Callable[[socket.socket], None], ground: Ground
    ) -> None:
        with ground.logged_in(tls=tls) if logged_in else ground.scanner(tls) as scanner:
            half(scanner.connection)
            assert_ends([scanner.connection], 2)
            assert_at_rest(ground)

    @pytest.mark.parametrize("half", [half_close, say_close_notify])
    def test_the_control_connection_during_an_upload(
        self, half: Callable[[socket.socket], None], ground: Ground
    ) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.begin("page.pdf")
            data.sendall(pdf(2000)[:1000])
            half(scanner.connection)
            assert_at_rest(ground)
            data.sendall(pdf(2000)[1000:])
            end_properly(data)
            assert until(lambda: ground.recorded() == expected({"page.pdf": pdf(2000)}))

    @pytest.mark.parametrize("half", [half_close, say_close_notify])
    @pytest.mark.parametrize("content", [pdf(2000), pdf(2000)[:1000]], ids=["whole", "cut"])
    def test_the_data_connection_during_an_upload(
        self, content: bytes, half: Callable[[socket.socket], None], ground: Ground
    ) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.begin("page.pdf")
            data.sendall(content)
            half(data)
            # Without close_notify only a file that has its own end is taken.
            taken = half is say_close_notify or content == pdf(2000)
            assert scanner.answer(5).code == (226 if taken else 426)
            assert_at_rest(ground)
        assert ground.recorded() == (expected({"page.pdf": content}) if taken else [])

    @pytest.mark.parametrize("half", [half_close, say_close_notify])
    def test_the_data_connection_before_stor(
        self, half: Callable[[socket.socket], None], ground: Ground
    ) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            data = scanner.secured(scanner.passive())
            data.sendall(pdf(2000))
            half(data)
            assert_at_rest(ground)
            assert scanner.command("STOR page.pdf").code == 150
            assert scanner.answer(5).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    def test_a_listing_that_nobody_reads(self, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            for number in range(300):
                assert scanner.command(f"MKD {'x' * 200}-{number}").code == 257
            data = scanner.passive()
            assert scanner.command("LIST").code == 150
            secured = scanner.secured(data)
            half_close(secured)
            assert_at_rest(ground)
            secured.close()
            assert scanner.answer(5).code in (226, 426)
            assert scanner.command("NOOP").code == 200
