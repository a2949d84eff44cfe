"""Journal entries say who, what and why; file names as configured, never a second line."""

from __future__ import annotations

import logging
from typing import Literal

import pytest

from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.events import Event, Journal, Who
from openspp_ftpd.settings import LogSettings

WHO = Who("a1b2c3d4", "192.0.2.7", "clerk")
Names = Literal["full", "short", "none"]


def journal(names: Names = "full", level: int = logging.DEBUG) -> Journal:
    logger = logging.getLogger("openspp_ftpd.test")
    logger.setLevel(level)
    return Journal(LogSettings(names=names), logger)


def fields(record: logging.LogRecord) -> dict[str, str]:
    found: dict[str, str] = record.journal_fields  # type: ignore[attr-defined]
    return found


def test_every_event_has_a_message_id_of_its_own() -> None:
    identities = [event.message_id for event in Event]
    assert len(set(identities)) == len(identities)
    assert all(len(identity) == 32 and int(identity, 16) for identity in identities)


def test_a_stored_scan_has_all_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    journal().stored(WHO, "a.pdf", "a-2.pdf", 5, "ff" * 32, 0.25, Reply(226, "Done."))
    (record,) = caplog.records
    assert record.getMessage() == (
        "clerk at 192.0.2.7: a.pdf (5 bytes) is in OpenSPP as a-2.pdf, after 0.2 s."
    )
    assert fields(record) == {
        "OPENSPP_EVENT": "stored",
        "MESSAGE_ID": Event.STORED.message_id,
        "SESSION": "a1b2c3d4",
        "CLIENT": "192.0.2.7",
        "USER": "clerk",
        "FILE": "a-2.pdf",
        "BYTES": "5",
        "SHA256": "ff" * 32,
        "SECONDS": "0.250",
        "REPLY": "226 Done.",
    }


def test_a_failure_says_why_and_what_the_scanner_was_told(caplog: pytest.LogCaptureFixture) -> None:
    failure = Failure(Problem.REFUSED, said="Forbidden extension.", detail="Asked once.")
    journal().not_stored(WHO, "a.exe", 5, failure, Reply(553, "Forbidden extension."), 1.0)
    message = caplog.messages[0]
    assert "Forbidden extension. Asked once." in message
    assert "Reply: 553" in message


@pytest.mark.parametrize("names", ["short", "none"])
def test_file_names_are_hidden_where_the_administrator_wants(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Fatima-Hassan-1984.pdf"
    entries = journal(names)
    entries.stored(WHO, secret, secret, 1, "00", 0, Reply(226, "Done."))
    entries.not_stored(WHO, secret, 1, Failure(Problem.CUT), None, 0)
    entries.not_kept(WHO, secret, "it is empty", Reply(250, "Not kept."))
    entries.second_copy_possible(WHO, secret, secret)
    entries.bare_tls_end(WHO, secret)
    for record in caplog.records:
        assert "Hassan" not in record.getMessage() + str(fields(record))


def test_an_entry_is_always_one_line(caplog: pytest.LogCaptureFixture) -> None:
    journal().warning("first\nsecond\x1b[31m\u2028third")
    assert caplog.messages == ["first?second?[31m?third"]


def test_the_protocol_is_written_only_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    journal(level=logging.INFO).protocol(WHO, "<- NOOP")
    assert not caplog.records
    journal(level=logging.DEBUG).protocol(WHO, "<- NOOP")
    assert caplog.messages == ["clerk at 192.0.2.7 <- NOOP"]
