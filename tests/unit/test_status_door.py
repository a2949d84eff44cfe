"""The status socket: who may connect, what is answered, and what the command makes of it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from openspp_ftpd import cli
from openspp_ftpd.doctor.findings import Level
from openspp_ftpd.doctor.openspp import check_keys
from openspp_ftpd.openspp.odoo_keys import Expiry
from openspp_ftpd.status import door
from openspp_ftpd.status.snapshot import KEPT, Entry, Facts, OpenSPP, Snapshot

TREE = Path(__file__).resolve().parents[2]
NOBODY = 65534
STATE = Snapshot(1.0, 2.0, openspp=OpenSPP(answered_at=1.0), facts=Facts(listening="Listening."))


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a socket may be: a short path that every user can reach."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "status"


@contextmanager
def answering(path: Path, state: Snapshot = STATE) -> Iterator[None]:
    """A daemon that answers there."""
    listening = door.open_door(str(path))
    listening.setblocking(True)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            door.answer(connection, state)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()


class TestCheckOfApiKeys:
    def test_tells_what_the_daemon_knows(self, place: Path) -> None:
        expiry = Expiry("Dr. Alice", datetime(2026, 11, 25, 9, 0), certain=True)
        state = replace(STATE, openspp=OpenSPP(expiring_keys={"Dr. Alice": expiry.sentence()}))
        with answering(place, state):
            (finding,) = check_keys(str(place))
        assert finding.level is Level.WARNING
        assert finding.text == (
            "The API key of Dr. Alice in OpenSPP expires on 2026-11-25 at 09:00 UTC; after that the"
            " scanner cannot log in"
        )
        assert finding.mend.startswith("Make a new one in OpenSPP")

    def test_says_nothing_where_all_is_well_or_nobody_can_be_asked(self, place: Path) -> None:
        with answering(place):
            assert list(check_keys(str(place))) == []
        assert list(check_keys(str(place))) == []


class TestDoor:
    def test_who_connects_gets_the_state(self, place: Path) -> None:
        with answering(place):
            assert door.ask(str(place)) == STATE

    def test_only_owner_and_group_may(self, place: Path) -> None:
        before = os.umask(0)
        try:
            listening = door.open_door(str(place))
        finally:
            os.umask(before)
        with listening:
            assert stat.S_IMODE(place.stat().st_mode) == 0o660
            assert os.umask(before) == before

    def test_one_that_a_killed_daemon_left_is_replaced(self, place: Path) -> None:
        door.open_door(str(place)).close()
        with answering(place):
            assert door.ask(str(place)) == STATE

    def test_a_daemon_that_lives_is_not_robbed(self, place: Path) -> None:
        with answering(place):
            with pytest.raises(OSError, match="cannot be listened on: Address already in use"):
                door.open_door(str(place))
            assert door.ask(str(place)) == STATE

    def test_a_file_of_another_kind_is_left_alone(self, place: Path) -> None:
        place.write_text("mine")
        with pytest.raises(OSError, match="cannot be listened on"):
            door.open_door(str(place))
        assert place.read_text() == "mine"

    def test_the_longest_state_is_answered_in_one_go(self, place: Path) -> None:
        long = Entry(1.0, "ü" * 255, "2001:db8::1", "文" * 255, 1, "stored", "文" * 255)
        state = replace(STATE, last_scans=(long,) * KEPT, last_failures=(long,) * KEPT)
        listening = door.open_door(str(place))
        with listening, socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(place))
            door.answer(listening.accept()[0], state)  # nobody reads meanwhile
            asking.settimeout(5)
            received = b""
            while piece := asking.recv(65536):
                received += piece
        assert received.decode() == state.to_json()

    def test_who_left_already_disturbs_nobody(self, place: Path) -> None:
        listening = door.open_door(str(place))
        with listening:
            asking = socket.socket(socket.AF_UNIX)
            asking.connect(str(place))
            connection = listening.accept()[0]
            asking.close()
            door.answer(connection, STATE)
            assert connection.fileno() == -1

    def test_systemd_says_where(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/openspp-ftpd")
        assert door.path_for_this_process() == door.PATH
        monkeypatch.delenv("RUNTIME_DIRECTORY")
        assert door.path_for_this_process() == ""


def status(place: Path, *more: str) -> int:
    """The exit status of the command."""
    return cli.main(["status", "--socket", str(place), *more])


class TestCommand:
    def test_all_is_well(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with answering(place):
            assert status(place) == 0
        assert capsys.readouterr().out.startswith("Listening; 0 sessions; ")

    def test_as_json_it_is_what_the_daemon_answers(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with answering(place):
            assert status(place, "--json") == 0
        assert capsys.readouterr().out == STATE.to_json() + "\n"

    @pytest.mark.parametrize(
        "state",
        [
            replace(STATE, openspp=OpenSPP(answered_at=1.0, trouble_at=2.0, trouble_since=2.0)),
            replace(STATE, facts=Facts(state="stopping")),
        ],
        ids=["OpenSPP away", "stopping"],
    )
    def test_trouble_is_1(self, place: Path, state: Snapshot) -> None:
        with answering(place, state):
            assert status(place) == 1

    @pytest.mark.parametrize("left_behind", [False, True])
    def test_no_daemon_is_3_and_what_to_do(
        self, place: Path, left_behind: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if left_behind:
            door.open_door(str(place)).close()
        assert status(place) == 3
        said = capsys.readouterr().err
        assert "is not running" in said
        assert "systemctl start openspp-ftpd" in said
        assert "journalctl -x -u openspp-ftpd" in said

    @pytest.mark.parametrize("answer", [b"", b"{", b'{"taken": 1.0}', b"\xff"])
    def test_a_daemon_of_another_version_is_1(
        self, place: Path, answer: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with door.open_door(str(place)) as listening:
            listening.setblocking(True)

            def serve() -> None:
                with listening.accept()[0] as connection:
                    connection.sendall(answer)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            assert status(place) == 1
            thread.join()
        assert "restart" in capsys.readouterr().err

    def test_a_daemon_that_hangs_is_not_waited_for_without_end(self, place: Path) -> None:
        with (
            door.open_door(str(place)),
            pytest.raises(door.NotAnswering, match=r"not answered within 0\.2 s"),
        ):
            door.ask(str(place), seconds=0.2)

    @pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
    def test_who_may_not_ask_is_told_who_may(self, place: Path) -> None:
        command = [sys.executable, "-m", "openspp_ftpd", "status", "--socket", str(place)]
        with answering(place):
            asked = subprocess.run(
                command, cwd=TREE, user=NOBODY, group=NOBODY, extra_groups=[],
                capture_output=True, text=True, timeout=60, env={"PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        assert (asked.returncode, asked.stdout) == (4, "")
        assert "sudo openspp-ftpd status" in asked.stderr
