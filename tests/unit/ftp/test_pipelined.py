"""Commands sent in one piece are obeyed in order, each when the one before is answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd import limits
from openspp_ftpd.ftp import lines
from tests.unit.ftp.ground import WRONG_PASSWORD, Ground, ground_in


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with ground_in(tmp_path) as ground:
        yield ground


def test_a_whole_session(ground: Ground) -> None:
    """Behind a PASS the first transfer was not waited for: QUIT ended it."""
    client = ground.client()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        where = f"{host.replace('.', ',')},{port >> 8},{port & 255}"
        client.send("USER alice", "PASS right", f"PORT {where}", "STOR scan.pdf", "QUIT")
        assert [client.answer() for _ in range(4)] == [331, 230, 200, 150]
        data, _ = listening.accept()
    with data:
        ground.run_for(0.1)
        data.sendall(b"a scan")
    ground.run_until(lambda: ground.delivery.handed)
    ground.run_for(0.1)
    ground.delivery.handed[0].is_stored()
    assert [client.answer(), client.answer(), client.answer()] == [226, 221, 0]


@pytest.mark.parametrize("password", ["right", WRONG_PASSWORD])
def test_a_login_behind_a_login(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr(limits, "FIRST_WAIT", 0.01)
    client = ground.client()
    slow = 530 if password == WRONG_PASSWORD else 230
    client.send("USER alice", f"PASS {password}", "USER alice", "PASS right", "NOOP")
    assert [client.answer() for _ in range(5)] == [331, slow, 331, 230, 200]


def test_a_pasv_that_waits_behind_a_login(ground: Ground) -> None:
    holding, waiting = ground.client("alice"), ground.client()
    holding.port()
    waiting.send("USER zoe", "PASS right", "PASV", "NOOP")
    assert [waiting.answer(), waiting.answer()] == [331, 230]
    ground.run_for(0.1)
    assert holding.ask("QUIT") == 221
    assert [waiting.answer(), waiting.answer()] == [227, 200]


def test_one_who_sends_many_lets_the_others_have_their_turn(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "WAITING_REPLIES", 10_000)  # this is not what makes them wait
    busy, other = ground.client(), ground.client()
    busy.send(*["NOOP"] * 600)
    other.send("NOOP")
    assert other.answer() == 200
    assert any(session.lines for session in ground.sessions)
    assert [busy.answer() for _ in range(600)] == [200] * 600
