"""What is stored is in the record, whole and only then; and a document's name is never a path."""

from __future__ import annotations

import hashlib
import json
import resource
import stat
import threading
from pathlib import Path

import pytest

from openspp_ftpd.sandbox.documents import Documents
from tests.unit.sandbox.harness import OK, PDF, openspp
from tests.unit.sandbox.test_rules import DUPLICATE, png


def recorded(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


class TestRecord:
    def test_has_a_line_for_each_stored_document_and_none_for_a_refused_one(
        self, tmp_path: Path
    ) -> None:
        record = tmp_path / "record"
        with openspp(record=record) as server:
            server.upload("a\n🔑.pdf")
            server.upload("a\n🔑.pdf")
            server.upload("b.pdf", user="bob")
            server.upload("c@http=500.pdf")
            server.upload("large.png", png(2480, 3508))
        first, second = recorded(record)
        assert set(first) == {"number", "time", "user", "filename", "size", "sha256"}
        assert (first["user"], first["filename"]) == ("alice", "a\n🔑.pdf")
        assert first["size"] == len(PDF)
        assert first["sha256"] == hashlib.sha256(PDF).hexdigest()
        assert second["altered"] is True

    def test_grows_by_whole_lines_only_before_the_answers(self, tmp_path: Path) -> None:
        record = tmp_path / "record"
        with openspp(record=record) as server:
            for number in range(20):
                assert server.upload(f"{number}.pdf").result == OK
                # Read as a second process would, whatever becomes of the first.
                assert len(recorded(record)) == number + 1

    def test_is_appended_to_and_private(self, tmp_path: Path) -> None:
        record = tmp_path / "record"
        for name in ("a.pdf", "b.pdf"):
            with openspp(record=record) as server:
                server.upload(name)
        assert [line["filename"] for line in recorded(record)] == ["a.pdf", "b.pdf"]
        assert stat.S_IMODE(record.stat().st_mode) == 0o600

    def test_that_takes_no_line_means_that_nothing_is_stored(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with openspp(record=Path("/dev/full"), folder=tmp_path / "kept") as server:
            assert server.upload("a.pdf").status == 500
            assert server.stored() == []
        assert "No space left on device" in capfd.readouterr().err
        assert [path.name for path in (tmp_path / "kept").iterdir()] == ["index.jsonl"]
        assert (tmp_path / "kept" / "index.jsonl").read_bytes() == b""

    def test_line_that_does_not_fit_is_taken_back(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        record = tmp_path / "record"
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        with openspp(record=record) as server:
            assert server.upload("a.pdf").result == OK
            resource.setrlimit(resource.RLIMIT_FSIZE, (record.stat().st_size + 10, before[1]))
            try:
                assert server.upload("b.pdf").status == 500
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert server.upload("b.pdf").result == OK
        assert "not stored: [Errno 28] No space left on device" in capsys.readouterr().err
        assert [line["filename"] for line in recorded(record)] == ["a.pdf", "b.pdf"]


class TestFolder:
    def test_keeps_documents_under_numbers(self, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        names = ["../up.pdf", "/etc.pdf", "..pdf", "000002", "index.jsonl"]
        with openspp(folder=kept) as server:
            for name in names:
                assert server.upload(name, name.encode()).result == OK
        assert [path.name for path in sorted(tmp_path.iterdir())] == ["kept"]
        files = sorted(path.name for path in kept.iterdir())
        assert files == ["000001", "000002", "000003", "000004", "000005", "index.jsonl"]
        for line in recorded(kept / "index.jsonl"):
            content = (kept / f"{line['number']:06}").read_bytes()
            assert content == str(line["filename"]).encode()
            assert hashlib.sha256(content).hexdigest() == line["sha256"]
            assert stat.S_IMODE((kept / f"{line['number']:06}").stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700

    def test_holds_the_altered_bytes_of_an_altered_image(self, tmp_path: Path) -> None:
        with openspp(folder=tmp_path) as server:
            server.upload("a.png", png(2480, 3508))
            (document,) = server.documents.all()
        content = (tmp_path / "000001").read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (
            document.sha256,
            document.size,
        )

    @pytest.mark.parametrize("small", [1_000_000, -1], ids=["at once", "streaming"])
    def test_keeps_nothing_of_what_was_refused_or_cut(self, tmp_path: Path, small: int) -> None:
        with openspp(folder=tmp_path, small=small) as server:
            server.upload("a/b.pdf")
            server.upload("a@http=500.pdf")
            server.ask(
                "POST",
                "/dms/upload",
                b'{"params": {"file": "AAAA", "file": "BBBB',
                Content_Type="application/json",
            )
            server.upload("a.pdf", user="nobody")
        assert [path.name for path in tmp_path.iterdir()] == ["index.jsonl"]

    def test_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        with openspp(folder=tmp_path) as server:
            server.upload("a.pdf")
        with (tmp_path / "index.jsonl").open("a") as index:
            index.write('{"number": 7, "ti')
        (tmp_path / "incoming-left").touch()
        with openspp(folder=tmp_path) as server:
            assert server.stored() == [("alice", "a.pdf")]
            assert server.upload("a.pdf").error == DUPLICATE
            assert server.upload("b.pdf").result == OK
            assert [document.number for document in server.documents.all()] == [1, 2]
        with openspp(folder=tmp_path) as server:
            assert server.stored() == [("alice", "a.pdf"), ("alice", "b.pdf")]
        assert not (tmp_path / "incoming-left").exists()


def test_numbers_are_given_once(tmp_path: Path) -> None:
    with openspp(folder=tmp_path) as server:
        uploads = [
            threading.Thread(target=server.upload, args=(f"{number}.pdf",)) for number in range(20)
        ]
        for upload in uploads:
            upload.start()
        for upload in uploads:
            upload.join()
        assert [document.number for document in server.documents.all()] == [*range(1, 21)]


def test_unknown_folder_is_made_and_an_impossible_one_told(tmp_path: Path) -> None:
    Documents(tmp_path / "a" / "b", None).close()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        Documents(tmp_path / "file", None)
