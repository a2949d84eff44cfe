"""What a session still does when its end is decided, or when its client reads nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd import limits
from openspp_ftpd.errors import Reply
from openspp_ftpd.ftp import lines
from tests.unit import certificates
from tests.unit.ftp.ground import WRONG_PASSWORD, Client, Ground, ground_in


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    pair = certificates.make(tmp_path)
    with ground_in(tmp_path, certificate=(pair.certificate, pair.key)) as ground:
        yield ground


def fill(ground: Ground, client: Client) -> None:
    """Ask until a reply has no room any more."""
    (session,) = ground.sessions
    for _ in range(1000):
        if session.producer_fifo:
            return
        client.send("HELP")
        ground.run_for(0.005)
    raise AssertionError("there was always room")


def test_commands_behind_a_final_530_are_not_obeyed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FIRST_WAIT", 0.01)
    client = ground.client()
    tried = ["USER alice", f"PASS {WRONG_PASSWORD}"] * 3
    client.send(*tried, "NOOP", "USER alice", "PASS right", "NOOP")
    assert [client.answer() for _ in range(7)] == [331, 530, 331, 530, 331, 530, 0]


def test_commands_behind_quit_are_not_obeyed(ground: Ground) -> None:
    client = ground.client("alice")
    client.send("QUIT", "NOOP")
    assert [client.answer(), client.answer()] == [221, 0]


def test_a_login_that_is_answered_behind_the_last_word_is_none(ground: Ground) -> None:
    client = ground.client()
    fill(ground, client)
    (session,) = ground.sessions
    session.stop(drain_within=1.0)
    waiting = len(session.producer_fifo)
    session.logged_in(Reply(230, "Logged in."))
    assert len(session.producer_fifo) == waiting
    assert not session.authenticated


def test_auth_with_replies_that_were_not_read_ends_the_session(ground: Ground) -> None:
    """In the middle of the handshake they could neither be written nor forgotten: the loop span."""
    client = ground.client()
    fill(ground, client)
    client.send("AUTH TLS")
    ground.run_until(lambda: not ground.sessions)


def test_auth_whose_own_reply_has_no_room_ends_the_session(ground: Ground) -> None:
    client = ground.client()
    (session,) = ground.sessions
    fill(ground, client)
    session.producer_fifo.clear()
    client.send("AUTH TLS")
    ground.run_until(lambda: not ground.sessions)


def test_quit_of_a_client_that_does_not_read_ends_the_session(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINGER_SECONDS", 0.3)
    client = ground.client()
    fill(ground, client)
    client.send("QUIT")
    began = time.monotonic()
    ground.run_until(lambda: not ground.sessions, 2)
    assert time.monotonic() - began > 0.2
    while code := client.answer():
        assert code == 214


def test_a_client_that_reads_late_gets_all_replies(ground: Ground) -> None:
    client = ground.client()
    client.send(*["NOOP"] * 5000, "QUIT")
    assert [client.answer() for _ in range(5002)] == [*[200] * 5000, 221, 0]
