"""Each way an upload can fail by what the scanner or the network does with the data connection.

A reset is never an end; FIN alone is none where something speaks against it. Every test ends with
Gateway.check: what was cut is not in OpenSPP, and the daemon serves the next scan.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pytest

from tests.acceptance.interfaces import SCANNER, every_api
from tests.acceptance.promises import (
    STORED,
    Gateway,
    cut_pdf,
    noise,
    row,
    unique,
    whole_pdf,
)
from tests.acceptance.scanner import Answer, end_bare, end_properly, reset

CUT: Final = "426 The scan was cut off on its way. Not stored. Send it again."
EMPTY: Final = "550 The file is empty. Nothing was stored."
STALLED: Final = "426 No data came for too long. Not stored. Send it again."
TLS_FAILED: Final = "522 TLS of the data connection failed. Tell the administrator."
NO_CONNECTION: Final = "425 No data connection. Check passive mode and firewall."

End = Callable[[socket.socket], None]


@pytest.fixture(scope="module", autouse=True)
def nobody_connects(
    start_tls_gateway: Callable[[str, str], Gateway],
) -> Iterator[Future[Answer]]:
    """A STOR whose data connection never comes, begun early, for its answer takes 30 s."""

    def wait() -> Answer:
        with start_tls_gateway("", SCANNER).session(timeout=60) as scanner:
            scanner.passive_port()
            assert scanner.command("STOR scan.pdf").code == 150
            return scanner.answer()

    executor = ThreadPoolExecutor(1)
    yield executor.submit(wait)
    executor.shutdown(wait=False)  # where nobody asked for the answer, it ends with the daemon


def empty() -> bytes:
    return b""


# How the data connection ends.


def half_close(data: socket.socket) -> None:
    """FIN without close_notify, and the other direction stays open."""
    data.shutdown(socket.SHUT_WR)


def only_close_notify(data: socket.socket) -> None:
    """close_notify, and the connection stays open."""
    assert isinstance(data, ssl.SSLSocket)
    data.unwrap()


def not_a_record(data: socket.socket) -> None:
    """Bytes that are no TLS record, and FIN."""
    with socket.socket(fileno=data.detach()) as bare:
        bare.sendall(b"this is no TLS record")


class TestHowTheDataConnectionEnds:
    """The control connection stays open and gets the reply."""

    @every_api
    @pytest.mark.parametrize(
        ("tls", "content", "end", "reply"),
        [
            row("FIN", "", whole_pdf, end_properly, STORED),
            row("FIN, unknown content", "", noise, end_properly, STORED),
            row("FIN, cut PDF and nothing that tells", "", cut_pdf, end_properly, STORED),
            row("FIN, empty", "", empty, end_properly, EMPTY),
            row("half-close", "", whole_pdf, half_close, STORED),
            row("reset", "", cut_pdf, reset, CUT),
            row("reset, whole PDF", "", whole_pdf, reset, CUT),
            row("reset, empty", "", empty, reset, CUT),
            row("TLS, close_notify", "explicit", whole_pdf, end_properly, STORED),
            row("TLS, close_notify, unknown content", "explicit", noise, end_properly, STORED),
            row("TLS, close_notify, empty", "explicit", empty, end_properly, EMPTY),
            row("TLS, close_notify without FIN", "explicit", noise, only_close_notify, STORED),
            row("TLS, reset", "explicit", cut_pdf, reset, CUT),
            row("TLS, reset, whole PDF", "explicit", whole_pdf, reset, CUT),
            row("TLS, bytes that are no record", "explicit", whole_pdf, not_a_record, CUT),
            row("TLS, empty and no close_notify", "explicit", empty, end_bare, CUT),
        ],
    )
    def test_the_end(
        self, tls_gateway: Gateway, tls: str, content: Callable[[], bytes], end: End, reply: str
    ) -> None:
        assert _sent(tls_gateway, tls, content(), end) == reply

    @every_api
    @pytest.mark.parametrize("end", [end_bare, half_close])
    @pytest.mark.parametrize(
        ("tls_gateway", "content", "reply"),
        [
            row("ignore, whole PDF", "tls close_notify ignore", whole_pdf, STORED),
            row("ignore, cut PDF", "tls close_notify ignore", cut_pdf, CUT),
            row("ignore, unknown content", "tls close_notify ignore", noise, CUT),
            row("log, whole PDF", "tls close_notify log", whole_pdf, STORED),
            row("log, cut PDF", "tls close_notify log", cut_pdf, CUT),
            row("log, unknown content", "tls close_notify log", noise, CUT),
            row("require, whole PDF", "tls close_notify require", whole_pdf, CUT),
            row("require, cut PDF", "tls close_notify require", cut_pdf, CUT),
            row("require, unknown content", "tls close_notify require", noise, CUT),
        ],
        indirect=["tls_gateway"],
    )
    def test_a_missing_close_notify(
        self, tls_gateway: Gateway, content: Callable[[], bytes], reply: str, end: End
    ) -> None:
        assert _sent(tls_gateway, "explicit", content(), end) == reply

    @pytest.mark.parametrize("tls", ["", "explicit"])
    @pytest.mark.parametrize(
        ("tls_gateway", "content", "reply"),
        [
            row("cut PDF", "uploads check_content always", cut_pdf, CUT),
            row("whole PDF", "uploads check_content always", whole_pdf, STORED),
            row("unknown content", "uploads check_content always", noise, STORED),
        ],
        indirect=["tls_gateway"],
    )
    def test_every_content_is_looked_at(
        self, tls_gateway: Gateway, tls: str, content: Callable[[], bytes], reply: str
    ) -> None:
        assert _sent(tls_gateway, tls, content(), end_properly) == reply

    @every_api
    @pytest.mark.parametrize("announced", [row("fewer", 299_999), row("more", 600_000)])
    @pytest.mark.parametrize(
        ("content", "reply"),
        [
            row("whole PDF", whole_pdf, STORED),
            row("cut PDF", cut_pdf, CUT),
            row("unknown content", lambda: noise(300_000), CUT),
        ],
    )
    def test_allo_announced_another_size(
        self, tls_gateway: Gateway, content: Callable[[], bytes], announced: int, reply: str
    ) -> None:
        assert _sent(tls_gateway, "", content(), end_properly, f"ALLO {announced}") == reply

    @pytest.mark.parametrize("tls", ["", "explicit"])
    def test_silence(self, tls_gateway: Gateway, tls: str) -> None:
        with tls_gateway.session(tls=tls) as scanner:
            data = scanner.begin(unique("scan.pdf"))
            with data:
                data.sendall(cut_pdf())
                assert _reply(scanner.answer()) == STALLED

    @every_api
    def test_data_and_its_end_before_the_command(self, tls_gateway: Gateway) -> None:
        document, name = noise(), unique("scan.bin")
        with tls_gateway.session() as scanner:
            data = scanner.passive()
            data.sendall(document)
            data.close()
            time.sleep(0.2)
            assert scanner.command(f"STOR {name}").code == 150
            assert tls_gateway.told(document, scanner.answer()) == STORED
            scanner.quit()
        assert tls_gateway.copies(document) == 1


def _sent(gateway: Gateway, tls: str, content: bytes, end: End, before: str = "NOOP") -> str:
    """The reply; OpenSPP has the content if it is 226, and else it does not."""
    with gateway.session(tls=tls) as scanner:
        assert scanner.command(before).code == 200
        with scanner.begin(unique("scan.pdf")) as data:
            data.sendall(content)
            end(data)
            reply = gateway.told(content, scanner.answer())
        scanner.quit()
    assert gateway.copies(content) == (reply == STORED)
    return reply


def _reply(answer: Answer) -> str:
    return f"{answer.code} {answer.text}"


class TestTheDataConnectionIsNotWhatWasAgreed:
    @pytest.mark.parametrize("tls_gateway", ["limits handshake_within 2s"], indirect=True)
    @pytest.mark.parametrize(
        "act",
        [
            row("no ClientHello", lambda data: None),
            row("half a ClientHello", lambda data: data.sendall(b"\x16\x03\x01\x02\x00\x01")),
            row("plain text", lambda data: data.sendall(cut_pdf())),
            row("plain text and FIN", lambda data: (data.sendall(whole_pdf()), data.close())),
            row("FIN", lambda data: data.close()),
            row("reset", reset),  # which may be there before the daemon has taken the connection
        ],
    )
    def test_prot_p_without_a_handshake(self, tls_gateway: Gateway, act: End) -> None:
        """Answered within `handshake_within`, and nothing is stored."""
        before = len(tls_gateway.openspp.record())
        with tls_gateway.session(tls="explicit") as scanner, scanner.passive() as data:
            assert scanner.command(f"STOR {unique('scan.pdf')}").code == 150
            began = time.monotonic()
            with contextlib.suppress(OSError):  # the daemon may have closed it before all was sent
                act(data)
            possible = (TLS_FAILED, CUT) if act is reset else (TLS_FAILED,)
            assert _reply(scanner.answer()) in possible
            assert time.monotonic() - began < 4
            scanner.quit()
        assert len(tls_gateway.openspp.record()) == before

    def test_prot_p_agreed_and_tls_on_a_clear_channel(self, tls_gateway: Gateway) -> None:
        """PROT C, and the client begins TLS all the same: its ClientHello is no scan."""
        with tls_gateway.session(tls="explicit") as scanner:
            assert scanner.command("PROT C").code == 200
            with scanner.passive() as data:
                assert scanner.command(f"STOR {unique('scan.pdf')}").code == 150
                data.settimeout(0.5)
                with pytest.raises(OSError):
                    scanner.context.wrap_socket(data)
            scanner.reset()

    def test_nothing_agreed_on(self, tls_gateway: Gateway) -> None:
        with tls_gateway.session() as scanner:
            answer = scanner.command("STOR scan.pdf")
            assert answer == (425, "No data connection agreed on. Use PASV or PORT first.")
            scanner.quit()

    def test_a_port_where_nobody_listens(self, tls_gateway: Gateway) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with tls_gateway.session() as scanner:
            assert scanner.command(f"PORT 127,0,0,1,{port >> 8},{port & 255}").code == 200
            assert scanner.command("STOR scan.pdf").code == 150
            assert _reply(scanner.answer()) == NO_CONNECTION
            scanner.quit()

    def test_nobody_connects(self, tls_gateway: Gateway, nobody_connects: Future[Answer]) -> None:
        assert _reply(nobody_connects.result(60)) == NO_CONNECTION
