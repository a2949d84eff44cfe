"""Real clients get every scan through: curl, lftp and Python's ftplib, on every way there is."""

from __future__ import annotations

import ftplib
import io
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.clients import Run, Way, curl, curl_version, lftp
from tests.acceptance.documents import jpeg, noise, pdf, png
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.scanner import tls_context

SIZE = 200_000
UPLOADS = 20
IN_ONE_SESSION = 5
"""The last of them, one after the other in one session; each other has a session of its own."""

WAYS = [(tls, active) for tls in ("", "explicit", "implicit") for active in (False, True)]
CURL_SENDS_CLEAR = curl_version() < (8, 0)
"""In active mode curl before 8.0 sends FTPS data in the clear."""

Client = Callable[[Way, Sequence[Path]], Run]


def written(directory: Path, documents: dict[str, bytes]) -> list[Path]:
    """The documents as files."""
    folder = directory / "outbox"
    folder.mkdir(exist_ok=True)
    for name, content in documents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in documents]


def scans(count: int = UPLOADS) -> dict[str, bytes]:
    """Half of them with an end of their own, half of noise that nothing vouches for."""
    return {
        f"scan-{number}.{'pdf' if number % 2 else 'bin'}": (
            pdf(SIZE, number) if number % 2 else noise(SIZE, number)
        )
        for number in range(count)
    }


def send_all(client: Client, way: Way, files: list[Path]) -> list[Run]:
    """Two sessions at a time, then several scans in one session."""
    alone, together = files[:-IN_ONE_SESSION], files[-IN_ONE_SESSION:]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda file: client(way, [file]), alone))
    return [*runs, client(way, together)]


class TestEveryUploadArrivesWholeAndOnce:
    @pytest.mark.parametrize(("tls", "active"), WAYS)
    @pytest.mark.parametrize("client", [curl, lftp])
    def test_twenty_uploads(
        self, client: Client, tls: str, active: bool, ground: Ground, tmp_path: Path
    ) -> None:
        documents = scans()
        files = written(tmp_path, documents)
        runs = send_all(client, ground.way(tls, active), files)
        if client is curl and tls and active and CURL_SENDS_CLEAR:
            # Often curl meets the end of its connection before it reads the reply.
            assert all(run.status != 0 and run.count(226) == 0 for run in runs)
            assert ground.daemon.log().count(f"{ground.user} at 127.0.0.1 -> 522 ") == UPLOADS
            assert ground.recorded() == []
            return
        assert [run.status for run in runs] == [0] * 16, runs
        assert [run.count(226) for run in runs] == [1] * 15 + [5]
        assert ground.recorded() == expected(documents)

    @pytest.mark.parametrize("tls", [False, True])
    def test_ftplib(self, tls: bool, ground: Ground) -> None:
        documents = scans()
        context = tls_context()
        for names in (list(documents)[:10], list(documents)[10:]):
            with ftplib.FTP_TLS(context=context) if tls else ftplib.FTP() as client:
                client.connect("127.0.0.1", ground.daemon.port, 30)
                client.login(ground.user, f"scan-{ground.user}")
                if isinstance(client, ftplib.FTP_TLS):
                    client.prot_p()
                for name in names:
                    answer = client.storbinary(f"STOR {name}", io.BytesIO(documents[name]))
                    assert answer == "226 Transfer complete. OpenSPP has it."
        assert ground.recorded() == expected(documents)

    @pytest.mark.parametrize("tls", ["", "explicit"])
    def test_lftp_with_temporary_names(self, tls: str, ground: Ground, tmp_path: Path) -> None:
        documents = scans(6)
        run = lftp(ground.way(tls), written(tmp_path, documents), "xfer:use-temp-file yes")
        assert "STOR .in.scan-1.pdf" in run.output
        assert (run.status, run.count(226), run.count(350)) == (0, 6, 6), run.output
        assert ground.recorded() == expected(documents)

    def test_curl_into_folders_that_it_makes(self, ground: Ground, tmp_path: Path) -> None:
        documents = scans(1)
        way = ground.way()
        files = written(tmp_path, documents)
        deep = replace(way, folder="office/2026/november/")
        run = curl(deep, files, "--ftp-create-dirs")
        assert (run.status, run.count(226)) == (0, 1), run.output
        assert ground.recorded() == expected(documents)


class TestLargeScans:
    @pytest.mark.parametrize("tls", ["", "explicit"])
    def test_images_of_a4_at_300_dpi_arrive_byte_for_byte(self, tls: str, ground: Ground) -> None:
        documents = {"page.jpg": jpeg(2480, 3508), "page.png": png(2480, 3508)}
        with ground.logged_in(tls=tls) as scanner:
            for name, content in documents.items():
                assert scanner.store(name, content).code == 226
        assert ground.recorded() == expected(documents)

    @pytest.mark.parametrize("tls", ["", "explicit"])
    def test_memory_does_not_grow_with_the_size(
        self, tls: str, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        block = noise(1 << 20)
        large, small = block * 256, block[:SIZE]
        options = {"uploads": {"max_size": "300M"}, "openspp": {"answer_within": "3min"}}
        with running(tmp_path, certificate, options, ["--max-size", "300"]) as ground:
            with ground.logged_in(tls=tls) as scanner:
                assert scanner.store("small.bin", small).code == 226
                before = highest_memory(ground.daemon.pid)
                scanner.timeout = 200
                assert scanner.store("large.bin", large).code == 226
                grown = highest_memory(ground.daemon.pid) - before
            assert ground.recorded() == expected({"small.bin": small, "large.bin": large})
        assert grown < 8 << 20, f"{grown >> 20} MB"


def highest_memory(pid: int) -> int:
    """The most memory that a process had so far (VmHWM of proc(5)), in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
