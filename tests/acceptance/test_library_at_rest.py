"""Faults of the library that make its loop spin: what the processor does while nothing happens.

Each test bears the number of its fault in `library_map.py`; `the_library` in its name means that it
shows the fault, and would say if a later version had mended it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, one_daemon
from tests.acceptance.plain_library import PlainLibrary, begin
from tests.acceptance.promises import until
from tests.acceptance.scanner import Scanner, tls_context

AT_REST = 4.0
"""For how many seconds our daemon's use of the processor is watched."""


@pytest.fixture(scope="module")
def grounds(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Iterator[Ground]]:
    """A daemon that waits longer for a handshake than these tests look at it."""
    options = {"limits": {"handshake_within": "60s"}}
    with one_daemon(tmp_path_factory.mktemp("daemon"), certificate, options) as made:
        yield made


@pytest.fixture
def ground(grounds: Iterator[Ground]) -> Ground:
    return next(grounds)


def half_close(connection: socket.socket) -> None:
    """FIN, without close_notify, while the other direction stays open."""
    socket.socket.shutdown(connection, socket.SHUT_WR)


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"]
)
def test_05_the_library_spins_on_tls_data_that_is_half_closed(
    version: ssl.TLSVersion, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """And never answers. A whole second of the processor is what one at rest uses in an hour."""
    options = ("--certificate", str(certificate[0]), "--key", str(certificate[1]))
    with (
        PlainLibrary(tmp_path, *options) as library,
        Scanner(library.port, "explicit", context=tls_context(version)) as scanner,
    ):
        assert scanner.login().code == 230
        assert scanner.command("TYPE I").code == 200
        data = begin(scanner, "half.pdf")
        data.sendall(pdf(20_000))
        half_close(data)
        before = library.cpu_seconds()
        assert until(lambda: library.cpu_seconds() - before > 1, 60)
        with pytest.raises(TimeoutError):
            scanner.answer(0.5)


def test_05_06_07_what_is_half_closed_or_silent_costs_nothing(ground: Ground) -> None:
    """pyftpdlib issues 333, 429, 603, 613 (6) and 683 (7). All of it at once."""
    with contextlib.ExitStack() as stack:
        for tls in ("explicit", "implicit"):
            for logged_in in (False, True):
                made = ground.logged_in(tls=tls) if logged_in else ground.scanner(tls)
                half_close(stack.enter_context(made).connection)
        silent = stack.enter_context(ground.scanner())
        assert silent.command("AUTH TLS").code == 234
        stack.enter_context(socket.create_connection(("127.0.0.1", ground.port("implicit")), 30))
        uploading, early, mute = (
            stack.enter_context(ground.logged_in(tls="explicit")) for _ in range(3)
        )
        data = uploading.begin("half.pdf")
        data.sendall(pdf(20_000))
        half_close(data)
        assert uploading.answer().code == 226
        half_close(early.secured(early.passive()))
        mute.passive()
        assert mute.command("STOR mute.pdf").code == 150
        time.sleep(0.2)
        before = ground.daemon.cpu_seconds()
        time.sleep(AT_REST)
        used = ground.daemon.cpu_seconds() - before
        assert used < 0.05 * AT_REST, f"{used / AT_REST:.0%} of a processor"
