"""Active mode: once connected, the connection belongs to the transfer alone."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd.ftp import listing
from tests.unit.ftp.ground import Client, Ground, ground_in


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with ground_in(tmp_path) as ground:
        yield ground


def listen(ground: Ground, scanner: Client) -> socket.socket:
    """PORT; where the daemon will connect to."""
    listener = ground.opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    assert scanner.ask(f"PORT 127,0,0,1,{port >> 8},{port & 255}") == 200
    return listener


def test_a_short_listing_leaves_no_traceback(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent and closed before asyncore goes on with what made the connection."""
    scanner = ground.client("alice")
    listen(ground, scanner)
    assert [scanner.ask("LIST"), scanner.answer()] == [150, 226]
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_a_long_listing_is_sent_to_its_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncore's going on would stop the writing of what the system's buffers do not hold."""
    lines = b"x" * 16 * 1024 * 1024
    begin = listing.Listing.__init__
    monkeypatch.setattr(listing.Listing, "__init__", lambda self, _, then: begin(self, lines, then))
    scanner = ground.client("alice")
    listener = listen(ground, scanner)
    assert scanner.ask("LIST") == 150
    data = ground.opened.enter_context(listener.accept()[0])
    data.setblocking(False)
    received = bytearray()

    def whole() -> bool:
        with contextlib.suppress(BlockingIOError):
            received.extend(data.recv(1024 * 1024))
        return len(received) == len(lines)

    ground.run_until(whole, 30)
    assert scanner.answer() == 226
