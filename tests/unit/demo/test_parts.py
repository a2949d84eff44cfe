"""The demonstration's users, its record, and what it takes for an acknowledged scan."""

from pathlib import Path

import pytest

from openspp_ftpd.demo.command import ALICE, users
from openspp_ftpd.demo.record import Arrival, GrowingFile, arrivals
from openspp_ftpd.demo.scanner import Login, Sent
from openspp_ftpd.sandbox.users import RECORDED, User, Users

LINE = (
    '{"number": 1, "time": "t", "user": "alice", "filename": "a.pdf", "size": 3, "sha256": "12"}\n'
)
ARRIVAL = Arrival(user="alice", name="a.pdf", size=3, sha256="12", altered=False)


class TestUsers:
    def test_on_loopback_the_embedded_openspp_has_its_own(self) -> None:
        assert users(ALICE) == []
        assert Users(RECORDED).find(ALICE.user, ALICE.password) is not None

    def test_beyond_loopback_only_the_one_that_is_shown_can_log_in(self) -> None:
        given = users(Login("demo", "shown"))
        known = Users([*RECORDED, *(User(login.user, login.password) for login in given)])
        assert known.find("demo", "shown") is not None
        for public in RECORDED:
            assert known.find(public.login, public.password) is None

    def test_their_passwords_are_not_guessable(self) -> None:
        passwords = [login.password for login in users(Login("demo", "shown"))[1:]]
        assert len(set(passwords)) == len(passwords)
        assert min(map(len, passwords)) >= 32

    def test_a_password_is_in_no_repr(self) -> None:
        assert "secret" not in repr(Login("demo", "secret"))


class TestRecord:
    def test_each_document_is_seen_once(self, tmp_path: Path) -> None:
        path = tmp_path / "record.jsonl"
        record = GrowingFile(path)
        assert arrivals(record) == []
        path.write_text(LINE)
        assert arrivals(record) == [ARRIVAL]
        assert arrivals(record) == []

    def test_a_line_that_is_being_written_waits(self, tmp_path: Path) -> None:
        path = tmp_path / "record.jsonl"
        record = GrowingFile(path)
        path.write_text(LINE + LINE[:20])
        assert arrivals(record) == [ARRIVAL]
        path.write_text(LINE + LINE)
        assert arrivals(record) == [ARRIVAL]

    def test_an_altered_document_is_told_from_a_faithful_one(self, tmp_path: Path) -> None:
        path = tmp_path / "record.jsonl"
        path.write_text(LINE.replace("}", ', "altered": true}'))
        assert arrivals(GrowingFile(path)) != [ARRIVAL]


@pytest.mark.parametrize(
    ("status", "replies", "acknowledged"),
    [
        (0, ("220 Hello.", "226 Stored."), True),
        (0, ("220 Hello.", "226 Stored.", "221 Goodbye."), True),
        (0, ("220 Hello.", "250 Not kept."), False),
        (18, ("220 Hello.", "226 Stored."), False),
        (25, ("220 Hello.", "451 Not stored."), False),
        (7, (), False),
    ],
)
def test_only_226_and_a_content_client_mean_that_a_scan_was_acknowledged(
    status: int, replies: tuple[str, ...], acknowledged: bool
) -> None:
    assert Sent(status, replies, "").acknowledged is acknowledged
