"""A client that is gone before its reply: killed, cut off, or one that does not wait.

Nobody is left to tell, so what is whole must be stored all the same, and what is cut must not.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.interfaces import every_api
from tests.acceptance.promises import (
    OPTIONS,
    STORED,
    Gateway,
    at_once,
    cut_pdf,
    gateway_of,
    noise,
    row,
    unique,
    until,
    whole_pdf,
)
from tests.acceptance.running import TREE
from tests.acceptance.scanner import Scanner, end_properly

CUT: Final = "426 The scan was cut off on its way. Not stored. Send it again."

End = Callable[[socket.socket], None]


class TestTheControlConnectionIsGone:
    """Nobody is left to tell, so content that nothing vouches for is not stored."""

    @every_api
    @pytest.mark.parametrize("tls", [row("plain", ""), row("TLS", "explicit")])
    @pytest.mark.parametrize("gone", [row("closed", Scanner.close), row("reset", Scanner.reset)])
    @pytest.mark.parametrize(
        ("content", "openspp_has"),
        [
            row("whole PDF", whole_pdf, 1),
            row("cut PDF", cut_pdf, 0),
            row("unknown content", noise, 0),
        ],
    )
    def test_first(
        self,
        tls_gateway: Gateway,
        content: Callable[[], bytes],
        openspp_has: int,
        gone: Callable[[Scanner], None],
        tls: str,
    ) -> None:
        document, name = content(), unique("scan.pdf")
        scanner = tls_gateway.session(tls=tls)
        data = scanner.begin(name)
        data.sendall(document[: len(document) // 2])
        gone(scanner)
        time.sleep(0.1)
        data.sendall(document[len(document) // 2 :])
        end_properly(data)
        _is_settled(tls_gateway, name, openspp_has)
        assert tls_gateway.copies(document) == openspp_has

    @every_api
    @pytest.mark.parametrize(
        ("content", "reply"),
        [row("whole PDF", whole_pdf, STORED), row("unknown content", noise, CUT)],
    )
    def test_half_closed_it_still_gets_the_reply(
        self, tls_gateway: Gateway, content: Callable[[], bytes], reply: str
    ) -> None:
        document = content()
        with tls_gateway.session() as scanner:
            data = scanner.begin(unique("scan.pdf"))
            scanner.connection.shutdown(socket.SHUT_WR)
            data.sendall(document)
            end_properly(data)
            assert tls_gateway.told(document, scanner.answer()) == reply
        assert tls_gateway.copies(document) == (reply == STORED)

    @every_api
    def test_after_a_quit_it_ended_in_order(self, tls_gateway: Gateway) -> None:
        document, name = noise(), unique("scan.bin")
        scanner = tls_gateway.session()
        data = scanner.begin(name)
        scanner.send("QUIT")
        scanner.connection.shutdown(socket.SHUT_WR)
        data.sendall(document)
        end_properly(data)
        assert tls_gateway.told(document, scanner.answer()) == STORED
        assert scanner.answer().code == 221
        scanner.close()
        assert tls_gateway.copies(document) == 1

    @pytest.mark.parametrize(
        ("tls", "end"),
        [
            row("plain", "", end_properly),
            row("TLS with close_notify", "explicit", lambda data: _notify_and_close(data)),
            row("TLS without close_notify", "explicit", lambda data: data.close()),
        ],
    )
    def test_both_closed_at_once_after_a_whole_scan(
        self, tls_gateway: Gateway, tls: str, end: End
    ) -> None:
        """Fifty times, by a device that does not wait for its reply: every PDF is in OpenSPP."""
        documents = [whole_pdf() for _ in range(50)]

        def send_ten(number: int) -> None:
            for document in documents[number::5]:
                scanner = tls_gateway.session(("alice", "frank")[number % 2], tls)
                data = scanner.begin(unique("scan.pdf"))
                data.sendall(document)
                end(data)
                scanner.close()

        at_once(*(functools.partial(send_ten, number) for number in range(5)))
        assert until(lambda: all(tls_gateway.copies(document) for document in documents), 20)
        assert [tls_gateway.copies(document) for document in documents] == [1] * 50


def _notify_and_close(data: socket.socket) -> None:
    """close_notify without waiting for the other side's, and FIN."""
    assert isinstance(data, ssl.SSLSocket)
    data.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        data.unwrap()
    data.close()


def _is_settled(gateway: Gateway, name: str, openspp_has: int) -> None:
    """The daemon knows what becomes of the file."""
    words = "is in OpenSPP" if openspp_has else "was not stored"
    assert gateway.journal_tells(name, words)


class TestAClientThatIsKilled:
    """kill -9: its kernel ends both connections by FIN, as if all were well."""

    PROGRAM: Final = """
import sys, time
from pathlib import Path
from tests.acceptance.scanner import Scanner

port, tls, name, file = sys.argv[1:]
scanner = Scanner(int(port), tls)
assert scanner.login().code == 230
data = scanner.begin(name)
data.sendall(Path(file).read_bytes())
print("sent", flush=True)
time.sleep(60)
"""

    @pytest.mark.parametrize("tls", [row("plain", ""), row("TLS", "explicit")])
    @pytest.mark.parametrize(
        ("content", "openspp_has"),
        [
            row("cut PDF", cut_pdf, 0),
            row("unknown content", lambda: noise(300_000), 0),
            row("whole PDF, not yet closed", whole_pdf, 1),
        ],
    )
    def test_in_mid_upload(
        self,
        tls_gateway: Gateway,
        tmp_path: Path,
        content: Callable[[], bytes],
        openspp_has: int,
        tls: str,
    ) -> None:
        documents = [content() for _ in range(6)]

        def send_and_die(number: int) -> None:
            name, file = unique("scan.pdf"), tmp_path / f"{number}"
            file.write_bytes(documents[number])
            arguments = [str(tls_gateway.daemon.port), tls, name, str(file)]
            with subprocess.Popen(
                [sys.executable, "-c", self.PROGRAM, *arguments], cwd=TREE, stdout=subprocess.PIPE
            ) as client:
                assert client.stdout is not None
                assert client.stdout.readline() == b"sent\n"
                client.kill()
            _is_settled(tls_gateway, name, openspp_has)

        at_once(*(functools.partial(send_and_die, number) for number in range(6)))
        assert [tls_gateway.copies(document) for document in documents] == [openspp_has] * 6


def test_an_orphan_that_never_ends(tmp_path: Path) -> None:
    """The control connection is gone and the rest of the file trickles: not for ever."""
    with gateway_of(tmp_path, OPTIONS) as gateway:
        scanner, name = gateway.session(), unique("scan.pdf")
        data = scanner.begin(name)
        data.sendall(cut_pdf())
        scanner.close()
        over = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.2):
                    data.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        assert gateway.journal_tells(name, "was not stored", seconds=20)
        over.set()
        thread.join()
        data.close()
        gateway.check()
