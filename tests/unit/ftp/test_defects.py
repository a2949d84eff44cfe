"""A defect of ours, wherever an upload is taken, ends in a final reply: a scanner that waits for
one without end holds up the office."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd import content
from openspp_ftpd.events import Journal
from openspp_ftpd.ftp import upload
from openspp_ftpd.ftp.filesystem import View
from openspp_ftpd.spool import SpoolFile
from tests.unit.ftp.ground import Client, Ground, ground_in


class Defect(Exception):
    """What nobody expects."""


def fail(*arguments: Any, **named: Any) -> Any:
    raise Defect("a defect")


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with ground_in(tmp_path) as ground:
        yield ground


@pytest.fixture
def scanner(ground: Ground) -> Client:
    return ground.client("alice")


def send(scanner: Client) -> None:
    """A whole upload, but for its final reply."""
    data = scanner.connect(scanner.port())
    assert scanner.ask("STOR scan.pdf") == 150
    data.sendall(b"a scan")
    data.close()


def goes_on(ground: Ground, scanner: Client) -> bool:
    """The session sends the next scan as if nothing had happened."""
    handed = len(ground.delivery.handed)
    send(scanner)
    ground.run_until(lambda: len(ground.delivery.handed) > handed)
    ground.delivery.handed[-1].is_stored()
    return scanner.answer() == 226


@pytest.mark.parametrize(
    ("where", "what"),
    [(SpoolFile, "write"), (SpoolFile, "finish"), (content, "examine"), (upload, "judge")],
)
def test_before_it_is_handed_over(
    ground: Ground,
    scanner: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: Any,
    what: str,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(where, what, fail)
        send(scanner)
        assert scanner.answer() == 451
    assert ground.delivery.handed == []
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)
    assert goes_on(ground, scanner)


def test_at_the_second_look(
    ground: Ground, scanner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(upload, "SECOND_LOOK_SECONDS", 0.3)
        send(scanner)
        ground.run_for(0.1)
        patched.setattr(upload, "judge", fail)
        assert scanner.answer() == 451
    assert ground.delivery.handed == []
    assert goes_on(ground, scanner)


@pytest.mark.parametrize(("where", "what"), [(View, "add"), (Journal, "stored")])
def test_when_the_outcome_comes(
    ground: Ground,
    scanner: Client,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    what: str,
) -> None:
    send(scanner)
    ground.run_until(lambda: ground.delivery.handed)
    with monkeypatch.context() as patched:
        patched.setattr(where, what, fail)
        ground.delivery.handed[0].is_stored()
        assert scanner.answer() == 451
    assert goes_on(ground, scanner)
