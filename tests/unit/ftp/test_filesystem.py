"""The view: what a session sent shows, every folder exists, and nothing can be read."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from openspp_ftpd.ftp.filesystem import MAX_ENTRIES, SentFile, View


@pytest.fixture
def view() -> View:
    return View(SimpleNamespace(use_gmt_times=True, encoding="utf-8", unicode_errors="replace"))


def sent(size: int = 10) -> SentFile:
    return SentFile(size, time.time(), "stored.pdf")


def test_every_folder_can_be_entered_and_is_shown_afterwards(view: View) -> None:
    view.enter(view.resolve("a/b"))
    assert view.cwd == "/a/b"
    assert view.listdir("/") == ["a"]
    assert view.listdir("/a") == ["b"]
    assert view.resolve("../x") == "/a/x"


def test_a_name_that_was_never_sent_is_unknown(view: View) -> None:
    assert view.get("/scan.pdf") is None
    assert not view.was_sent("/scan.pdf")
    with pytest.raises(FileNotFoundError):
        view.lstat("/scan.pdf")


def test_a_sent_file_shows_name_size_and_time(view: View) -> None:
    view.add("/scan.pdf", sent(1234))
    line = b"".join(view.list_lines("/")).decode()
    assert line.startswith("-rw-r--r--")
    assert " 1234 " in line and line.endswith(" scan.pdf\r\n")
    facts = b"".join(view.fact_lines("/", ["size", "type"])).decode()
    assert facts == "size=1234;type=file; scan.pdf\r\n"


def test_a_pattern_lists_what_fits_and_never_fails(view: View) -> None:
    view.enter("/jobs")
    view.add("/jobs/a.pdf", sent())
    view.add("/jobs/b.tif", sent())
    assert view.matching("/jobs/*.pdf") == ("/jobs", ["a.pdf"])
    assert view.matching("/jobs/nothing") == ("/jobs", [])
    assert view.matching("/*/*Job.type") == ("/*", [])


def test_deleting_and_renaming_change_only_the_view(view: View) -> None:
    view.add("/a.pdf", sent(5))
    view.rename("/a.pdf", "/b.pdf")
    renamed = view.get("/b.pdf")
    assert renamed is not None and renamed.stored_as == "stored.pdf"
    assert view.get("/a.pdf") is None
    view.forget("/b.pdf")
    assert view.get("/b.pdf") is None


def test_a_cut_file_is_remembered_but_not_shown(view: View) -> None:
    view.add_unfinished("/cut.pdf")
    assert view.was_sent("/cut.pdf")
    assert view.listdir("/") == []
    view.add("/cut.pdf", sent())
    assert view.listdir("/") == ["cut.pdf"]


def test_a_device_cannot_make_the_view_grow_without_end(view: View) -> None:
    for number in range(2 * MAX_ENTRIES):
        view.add(f"/{number}.pdf", sent())
        view.make(f"/folder-{number}")
        view.add_unfinished(f"/cut-{number}")
    assert view.isdir("/")
    assert len(view.listdir("/")) <= 2 * MAX_ENTRIES
    assert view.get("/0.pdf") is None and view.get(f"/{2 * MAX_ENTRIES - 1}.pdf") is not None
