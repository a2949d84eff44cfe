"""TLS records are taken several at once, and the end that comes with them is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd import tls
from openspp_ftpd.ftp import data as module
from openspp_ftpd.ftp.data import TLS_PIECE, TLS_RECORD, DataConnection
from tests.unit.ftp.ground import Client, Ground, ground_in

RECORD = bytes(range(256)) * (TLS_RECORD // 256)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with ground_in(tmp_path) as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Client:
    return ground.client("alice")


def transfer(ground: Ground, client: Client) -> DataConnection:
    """STOR's data connection, as if it had TLS."""
    client.connect(client.port())
    assert client.ask("STOR scan.dat") == 150
    (session,) = ground.sessions
    upload = session.upload
    assert upload is not None
    ground.run_until(lambda: upload._data)
    data = upload._data
    assert data is not None
    data.encrypted = True
    return data


def plays(monkeypatch: pytest.MonkeyPatch, *said: bytes | tls.Wait | tls.End) -> None:
    """What TLS says, one after the other, and then that it waits."""
    rest = list(said)
    monkeypatch.setattr(
        tls, "receive", lambda connection, size: rest.pop(0) if rest else tls.Wait.READ
    )


def pieces(data: DataConnection, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what is taken from now on."""
    taken: list[int] = []
    take = data._take
    assert take is not None

    def count(piece: memoryview) -> None:
        taken.append(len(piece))
        take(piece)

    monkeypatch.setattr(data, "_take", count)
    return taken


def test_records_that_came_together_are_taken_together(
    ground: Ground, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = transfer(ground, client)
    taken = pieces(data, monkeypatch)
    plays(monkeypatch, *[RECORD] * 6, b"end")
    data.handle_read_event()
    assert taken == [TLS_PIECE, 2 * TLS_RECORD + 3]


def test_an_end_in_the_very_last_read_of_a_turn(
    ground: Ground, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READS_PER_EVENT", 1)
    data = transfer(ground, client)
    plays(monkeypatch, RECORD, b"more", tls.End.CLOSED_PROPERLY)
    data.handle_read_event()
    (handed,) = ground.delivery.handed
    assert handed.scan.content.size == TLS_RECORD + 4


def test_a_reset_behind_data_is_no_end(
    ground: Ground, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = transfer(ground, client)
    plays(monkeypatch, RECORD, tls.End.RESET)
    data.handle_read_event()
    assert client.answer() == 426
    assert ground.delivery.handed == []


def test_a_listing_ends_where_data_and_the_end_come_together(
    ground: Ground, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.connect(client.port())
    (session,) = ground.sessions
    ground.run_until(lambda: session._data)
    data = session._data
    assert data is not None
    plays(monkeypatch, b"nonsense", tls.End.CLOSED_PROPERLY)
    data.encrypted, data._listing = True, b""
    data.handle_read_event()
    assert data._closed
