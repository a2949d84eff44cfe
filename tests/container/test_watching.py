"""The administrator always knows: systemctl status, the journal, its fields and explanations."""

from __future__ import annotations

from typing import Any

import pytest

from openspp_ftpd.events import Event
from tests.acceptance.documents import sha256
from tests.acceptance.promises import SECRETS, pdf, unique
from tests.container.installed import PORT, Installed


def entry(machine: Installed, event: Event, **fields: str) -> dict[str, Any]:
    """The last entry of this kind in the daemon's journal."""
    match = [f"{name}={value}" for name, value in fields.items()]
    return machine.entries(
        "--unit=openspp-ftpd", f"MESSAGE_ID={event.message_id.replace('-', '')}", *match
    )[-1]


class TestStatus:
    def test_it_says_in_a_sentence_what_the_daemon_does(self, running: Installed) -> None:
        assert (
            f'Status: "Listening on 0.0.0.0:{PORT}, [::]:{PORT}; TLS optional; passive ports'
            f" 3000-3005; scans go to {running.url}; 0 sessions; "
        ) in running.status()

    def test_it_shows_the_last_scan(self, running: Installed) -> None:
        content, name = pdf(), unique("shown.pdf")
        running.send(content, name=name)
        assert (
            f"alice at 127.0.0.1: {name} ({len(content)} bytes) is in OpenSPP" in running.status()
        )


class TestJournalFields:
    def test_of_a_scan_that_is_stored(self, running: Installed) -> None:
        content, name = pdf(), unique("fields.pdf")
        reply = running.send(content, "explicit", name=name)
        found = entry(running, Event.STORED, FILE=name)
        assert found["OPENSPP_EVENT"] == "stored"
        assert found["CLIENT"] == "127.0.0.1"
        assert found["USER"] == "alice"
        assert found["BYTES"] == str(len(content))
        assert found["SHA256"] == sha256(content)
        assert found["REPLY"] == reply
        assert 0 < float(found["SECONDS"]) < 30
        assert found["PRIORITY"] == "6"
        assert found["SYSLOG_IDENTIFIER"] == "openspp-ftpd"
        assert found["_SYSTEMD_UNIT"] == "openspp-ftpd.service"
        assert found["_PID"] == str(running.pid)
        assert "CODE_ARGS" not in found
        login = entry(running, Event.LOGGED_IN, SESSION=found["SESSION"])
        assert login["MESSAGE"] == "alice at 127.0.0.1 logged in with TLS."

    def test_of_a_wrong_password(self, running: Installed) -> None:
        with running.scanner() as scanner:
            answer = scanner.login("carol", "a-wrong-password")
        found = entry(running, Event.LOGIN_FAILED, USER="carol")
        assert found["REPLY"] == f"{answer.code} {answer.text}"
        assert found["PRIORITY"] == "4"

    def test_of_a_scan_that_is_refused(self, running: Installed) -> None:
        name = unique("refused@result=400.pdf")
        reply = running.send(pdf(), name=name)
        found = entry(running, Event.NOT_STORED, FILE=name)
        assert reply.startswith("550 ")
        assert found["REPLY"] == reply
        assert found["PRIORITY"] == "4"


class TestExplanations:
    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (Event.STARTED, "the firewall must let the"),
            (Event.STORED, "OpenSPP confirmed"),
            (Event.LOGGED_IN, "OpenSPP accepted user and scanner password"),
        ],
    )
    def test_journalctl_x_explains_and_names_the_manual(
        self, running: Installed, event: Event, words: str
    ) -> None:
        running.send(pdf())
        said = running.journal("--catalog", "--lines=1", f"MESSAGE_ID={event.message_id}")
        assert "Defined-By: openspp-ftpd" in said
        assert words in said
        assert "@" not in said.replace("\n", " ")  # every field has its value


class TestSecrets:
    def test_no_password_and_no_content_is_in_any_field(self, running: Installed) -> None:
        running.serves()
        with running.scanner() as scanner:
            scanner.login("alice", "scan-bob")
        running.send(pdf(), name=unique("scan@error=UserError.pdf"))
        journal = running.run("journalctl", "--no-pager", "--all", "--output=export").encode()
        assert b"OPENSPP_EVENT=stored" in journal
        for secret in SECRETS:
            assert secret not in journal
