"""A passive port is taken over from a silent session: what it sends after all is nobody's scan."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd.ftp import passive
from tests.unit.ftp.ground import Client, Ground, ground_in

SCAN = b"a scan of alice's"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(passive, "WAIT_SECONDS", 0.6)
    monkeypatch.setattr(passive, "TAKE_OVER_SECONDS", 0.2)
    monkeypatch.setattr(passive, "_CHECK_SECONDS", 0.05)
    with ground_in(tmp_path) as ground:
        yield ground


@pytest.fixture
def alice(ground: Ground) -> Client:
    return ground.client("alice")


@pytest.fixture
def zoe(ground: Ground) -> Client:
    return ground.client("zoe")


def send(data: socket.socket) -> None:
    """Send the scan, if anybody takes it."""
    with contextlib.suppress(OSError):
        data.sendall(SCAN)
        data.close()


def test_an_upload_that_waits_for_its_data(ground: Ground, alice: Client, zoe: Client) -> None:
    port = alice.port()
    assert zoe.port() == port
    assert zoe.ask("STOR zoe.pdf") == 150
    data = alice.connect(port)
    assert alice.ask("STOR alice.pdf") == 425
    send(data)
    assert zoe.answer() == 426
    assert ground.delivery.handed == []


def test_a_data_connection_that_came_before_its_command(
    ground: Ground, alice: Client, zoe: Client
) -> None:
    port = alice.port()
    assert zoe.port() == port
    data = alice.connect(port)
    send(data)
    ground.run_for(0.05)
    assert alice.ask("STOR alice.pdf") == 425
    assert zoe.ask("STOR zoe.pdf") == 425
    assert ground.delivery.handed == []


def test_a_data_connection_that_comes_after_its_command(
    ground: Ground, alice: Client, zoe: Client
) -> None:
    port = alice.port()
    assert zoe.port() == port
    assert alice.ask("STOR alice.pdf") == 425
    send(alice.connect(port))
    ground.run_for(0.05)
    assert zoe.ask("STOR zoe.pdf") == 425
    assert ground.delivery.handed == []


def test_a_scan_that_is_handed_over_already(ground: Ground, alice: Client, zoe: Client) -> None:
    port = alice.port()
    assert zoe.port() == port
    assert zoe.ask("STOR zoe.pdf") == 150
    send(alice.connect(port))
    ground.run_until(lambda: ground.delivery.handed)
    assert alice.ask("STOR alice.pdf") == 425
    assert zoe.answer() == 426
    assert ground.delivery.handed[0].abandoned


def test_a_port_that_was_given_on_once_more(ground: Ground, alice: Client, zoe: Client) -> None:
    port, carol = alice.port(), ground.client("carol")
    assert zoe.port() == carol.port() == port
    assert carol.ask("STOR carol.pdf") == 150
    send(alice.connect(port))
    assert alice.ask("STOR alice.pdf") == 425
    assert carol.answer() == 426


def test_a_new_pasv_is_agreed_on_anew(ground: Ground, alice: Client, zoe: Client) -> None:
    """Who was silent and asks again contests nothing."""
    assert alice.port() == zoe.port()
    assert zoe.ask("STOR zoe.pdf") == 150
    alice.send("PASV")
    assert alice.answer() == 425
    assert alice.ask("STOR alice.pdf") == 425
    ground.run_for(0.1)
    assert zoe.ask("ABOR") == 426


def test_sessions_that_wait_in_vain_are_told_and_go_on(
    ground: Ground, alice: Client, zoe: Client
) -> None:
    carol = ground.client("carol")
    alice.port()
    assert alice.ask("STOR alice.pdf") == 150  # its port is not taken over
    for client in (zoe, carol):
        client.send("PASV", "PASV", "NOOP")
    for client in (zoe, carol):
        assert [client.answer() for _ in range(3)] == [425, 425, 200]
