"""What is over is freed at once: not when a timer comes, and not when Python collects garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import certificates
from tests.unit.ftp.ground import WRONG_PASSWORD, Ground, ground_in


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    pair = certificates.make(tmp_path)
    with ground_in(tmp_path, certificate=(pair.certificate, pair.key)) as ground:
        gc.collect()
        gc.disable()
        try:
            yield ground
        finally:
            gc.enable()


def only_session(ground: Ground) -> weakref.ref[object]:
    (session,) = ground.sessions
    return weakref.ref(session)


class TestAnUpload:
    def test_that_is_stored(self, ground: Ground) -> None:
        client = ground.client("alice")
        data = client.connect(client.port())
        assert client.ask("STOR page.pdf") == 150
        (session,) = ground.sessions
        upload = weakref.ref(session.upload)
        connection = weakref.ref(upload()._data)  # type: ignore[union-attr]
        assert connection() is not None
        data.sendall(b"%PDF-1.4 %%EOF")
        data.close()
        ground.run_until(lambda: ground.delivery.handed)
        ground.delivery.handed[0].is_stored()
        assert client.answer() == 226
        ground.delivery.handed.clear()
        assert connection() is None
        assert upload() is None

    def test_that_is_broken_off(self, ground: Ground) -> None:
        client = ground.client("alice")
        client.connect(client.port())
        assert client.ask("STOR page.pdf") == 150
        (session,) = ground.sessions
        upload = weakref.ref(session.upload)
        client.send("ABOR")
        assert [client.answer(), client.answer()] == [426, 225]
        assert upload() is None


class TestASession:
    def test_that_said_quit(self, ground: Ground) -> None:
        client = ground.client("alice")
        session = only_session(ground)
        assert client.ask("QUIT") == 221
        assert client.answer() == 0
        ground.run_until(lambda: not ground.sessions)
        assert session() is None

    def test_whose_handshake_had_time_left(self, ground: Ground) -> None:
        client = ground.client()
        session = only_session(ground)
        assert client.ask("AUTH TLS") == 234
        client.connection.close()
        ground.run_until(lambda: not ground.sessions)
        assert session() is None

    def test_that_did_not_wait_for_its_530(self, ground: Ground) -> None:
        client = ground.client()
        session = only_session(ground)
        client.send("USER alice", f"PASS {WRONG_PASSWORD}")
        assert client.answer() == 331
        ground.run_for(0.1)
        client.connection.close()
        ground.run_until(lambda: not ground.sessions)
        assert session() is None
