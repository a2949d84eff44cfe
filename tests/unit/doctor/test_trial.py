"""The document of `try`, and what each reply is said to mean."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openspp_ftpd import content
from openspp_ftpd.doctor.trial_advice import advice_for, advice_for_connecting
from openspp_ftpd.doctor.trial_command import _host_and_port, _named
from openspp_ftpd.doctor.trial_page import trial_page
from openspp_ftpd.errors import Failure, Problem

WHEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class TestThePage:
    def test_it_is_a_whole_pdf_that_says_what_it_is(self, tmp_path: Path) -> None:
        page = trial_page("alice", "FTPS (explicit TLS)", WHEN)
        examined = content.examine(lambda place, size: page[place : place + size], len(page))
        assert examined.end is content.End.WHOLE
        file = tmp_path / "page.pdf"
        file.write_bytes(page)
        assert shutil.which("pdftotext"), "poppler-utils is one of the tests' tools"
        shown = subprocess.run(
            ["pdftotext", file, "-"], capture_output=True, text=True, check=True
        ).stdout
        assert "It is no scan and may be deleted." in shown
        assert "Sent for: alice" in shown
        assert "FTPS (explicit TLS)" in shown

    def test_any_user_name_can_be_written_on_it(self, tmp_path: Path) -> None:
        file = tmp_path / "page.pdf"
        file.write_bytes(trial_page("a(b\\c) نور", "FTP", WHEN))
        shown = subprocess.run(
            ["pdftotext", file, "-"], capture_output=True, text=True, check=True
        ).stdout
        assert "a(b\\c) ???" in shown


class TestAdvice:
    @pytest.mark.parametrize("problem", [each for each in Problem if each.login_code])
    def test_every_refused_login_is_explained(self, problem: Problem) -> None:
        assert len(advice_for(str(Failure(problem).login_reply()))) > 20

    @pytest.mark.parametrize("problem", list(Problem))
    def test_every_refused_scan_is_explained(self, problem: Problem) -> None:
        assert len(advice_for(str(Failure(problem).upload_reply()))) > 10

    def test_the_wrong_password_is_told_from_the_wrong_group(self) -> None:
        wrong = advice_for("530 Wrong OpenSPP user or scanner password.")
        group = advice_for(
            "530 This user is not in OpenSPP's Scanner group. Tell the administrator."
        )
        assert "scanner password" in wrong
        assert "group Scanner" in group

    def test_what_openspp_said_falls_back_to_the_code(self) -> None:
        assert "refused" in advice_for("553 A file of this kind is forbidden.")

    def test_nobody_listens(self) -> None:
        advice = advice_for_connecting(ConnectionRefusedError(), 8002)
        assert "port 8002" in advice
        assert "systemctl start" in advice


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("scans.example.org", ("scans.example.org", 8002)),
        ("scans.example.org:21", ("scans.example.org", 21)),
        ("10.1.2.3:2121", ("10.1.2.3", 2121)),
        ("[2001:db8::7]:21", ("2001:db8::7", 21)),
        ("[2001:db8::7]", ("2001:db8::7", 8002)),
        ("2001:db8::7", ("2001:db8::7", 8002)),
    ],
)
def test_hosts(text: str, place: tuple[str, int]) -> None:
    assert _host_and_port(text) == place


def test_each_way_sends_another_document() -> None:
    assert _named("page.pdf", "plain") == "page.pdf"
    assert _named("page.pdf", "explicit") == "page-ftps.pdf"
    assert _named("page", "implicit") == "page-implicit"
    assert _named(".hidden", "explicit") == ".hidden-ftps"
