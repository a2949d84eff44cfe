"""Faults of the library around a transfer: shown on it as it comes, and not to be found in ours.

Each test bears the number of its fault in `library_map.py`; `the_library` in its name means that it
shows the fault, and would say if a later version had mended it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.plain_library import PlainLibrary, begin, next_answer_is_to_noop
from tests.acceptance.promises import until
from tests.acceptance.running import Process, small_tmpfs
from tests.acceptance.scanner import Scanner, end_bare, reset, tls_context

SCAN = pdf(20_000, 77)
CUT = SCAN[:10_000]


@pytest.fixture(scope="module")
def library(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[PlainLibrary]:
    """One for all tests that leave it as it was."""
    with PlainLibrary(tmp_path_factory.mktemp("library"), *_tls(certificate)) as running:
        yield running


def _tls(certificate: tuple[Path, Path]) -> list[str]:
    return ["--certificate", str(certificate[0]), "--key", str(certificate[1])]


@contextlib.contextmanager
def secured(library: PlainLibrary) -> Iterator[Scanner]:
    """alice under TLS 1.2, which has no tickets that make of a FIN a reset."""
    context = tls_context(ssl.TLSVersion.TLSv1_2)
    with Scanner(library.port, "explicit", context=context) as scanner:
        assert scanner.login().code == 230
        assert scanner.command("TYPE I").code == 200
        yield scanner


def test_01_02_the_library_answers_before_its_callback_and_nobody_meanwhile(
    tmp_path: Path,
) -> None:
    """pyftpdlib issues 326, 79, 557 (1); 197, 212 (2)."""
    with (
        PlainLibrary(tmp_path, "--callback-seconds", "4") as library,
        library.logged_in() as scanner,
    ):
        data = begin(scanner, "scan.pdf")
        data.sendall(SCAN)
        data.close()
        assert scanner.answer().code == 226
        assert "on_file_received" not in library.log()
        with library.scanner() as other:
            assert other.greeting.code == 220
            assert "on_file_received" in library.log()


def test_03_the_library_takes_a_reset_for_the_end(library: PlainLibrary) -> None:
    """pyftpdlib issues 461, 624, 655."""
    with library.logged_in() as scanner:
        data = begin(scanner, "reset.pdf")
        data.sendall(CUT)
        assert until((library.folder / "reset.pdf").read_bytes, 20)  # else it was not accepted yet
        reset(data)
        assert scanner.answer().code == 226
        assert library.told("on_file_received", "reset.pdf")
        assert library.stored()["reset.pdf"] != SCAN


def test_04_the_library_takes_tls_that_ends_bare_for_the_end(library: PlainLibrary) -> None:
    with secured(library) as scanner:
        data = begin(scanner, "bare.pdf")
        data.sendall(CUT)
        end_bare(data)
        assert scanner.answer().code == 226
        assert library.told("on_file_received", "bare.pdf")
        assert library.stored()["bare.pdf"] == CUT


def test_10_the_library_never_answers_where_no_hello_came(library: PlainLibrary) -> None:
    """pyftpdlib issue 614: what was 226 for nothing is now no reply."""
    with secured(library) as scanner:
        data = scanner.passive()
        assert scanner.command("STOR no-hello.pdf").code in (125, 150)
        data.close()
        assert library.told("on_incomplete_file_received", "no-hello.pdf")
        assert next_answer_is_to_noop(scanner)


def test_11_the_library_leaves_a_file_where_the_handshake_failed(library: PlainLibrary) -> None:
    with secured(library) as scanner:
        data = scanner.passive()
        assert scanner.command("STOR clear.pdf").code in (125, 150)
        data.sendall(SCAN)
        assert scanner.answer().code == 522
        data.close()
        assert library.told("on_incomplete_file_received", "clear.pdf")
        assert library.stored()["clear.pdf"] == b""


@pytest.fixture(params=["plain", "TLS"])
def full_library(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: tuple[Path, Path]
) -> Iterator[PlainLibrary]:
    """It stores into a folder without room; with its plain handler, and with the one for TLS."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    options = _tls(certificate) if request.param == "TLS" else []
    with small_tmpfs("64k") as folder:
        with contextlib.suppress(OSError), (folder / "filler").open("wb", 0) as filler:
            while filler.write(bytes(4096)):
                pass
        with PlainLibrary(tmp_path, *options, folder=folder) as running:
            yield running


def test_13_the_library_never_answers_when_it_cannot_close_a_file(
    full_library: PlainLibrary,
) -> None:
    with full_library.logged_in() as scanner:
        data = begin(scanner, "small.pdf")
        data.sendall(bytes(500))  # stays in Python's buffer until then
        data.close()
        assert until(lambda: "No space left on device" in full_library.log(), 20)
        assert next_answer_is_to_noop(scanner)
        assert "on_incomplete_file_received" not in full_library.log()


@pytest.mark.parametrize("full_library", ["plain"], indirect=True)
def test_14_the_library_knows_no_words_for_a_full_disk(full_library: PlainLibrary) -> None:
    with full_library.logged_in() as scanner:
        data = begin(scanner, "large.pdf")
        data.sendall(bytes(100_000))
        assert scanner.answer() == (426, "None; transfer aborted.")


@pytest.mark.parametrize("full_library", ["TLS"], indirect=True)
def test_14_the_library_with_tls_has_no_reply_for_a_full_disk(full_library: PlainLibrary) -> None:
    with full_library.logged_in() as scanner:
        data = begin(scanner, "large.pdf")
        data.sendall(bytes(100_000))
        assert full_library.told("on_incomplete_file_received", "large.pdf")
        assert next_answer_is_to_noop(scanner)


def test_16_the_library_never_answers_stor_when_pasv_comes(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        data = begin(scanner, "pasv.pdf")
        data.sendall(CUT)
        scanner.passive_port()
        with contextlib.suppress(OSError):
            data.sendall(CUT)
            data.close()
        assert library.told("on_incomplete_file_received", "pasv.pdf")
        assert next_answer_is_to_noop(scanner)


def test_16_the_library_gives_a_second_stor_the_data_of_the_first(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        data = begin(scanner, "first.pdf")
        data.sendall(b"of the first, ")
        assert scanner.command("STOR second.pdf").code == 125
        data.sendall(b"of the first too")
        data.close()
        assert scanner.answer().code == 226
        assert library.stored()["second.pdf"].endswith(b"of the first too")


def _send_all_and_close_both(scanner: Scanner, data: socket.socket, server: Process) -> None:
    """Both ends are there before the server looks: the data's first, and more than one read."""
    everyone = (server.pid, *server.workers())
    try:
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        data.sendall(pdf(150_000))
        data.close()
        scanner.close()
        time.sleep(0.1)
    finally:
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)


def test_17_the_library_cuts_a_scan_whose_device_closes_both(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        data = begin(scanner, "both.pdf")
        _send_all_and_close_both(scanner, data, library)
        assert library.told("on_incomplete_file_received", "both.pdf")
        assert library.stored()["both.pdf"] != pdf(150_000)


def test_17_a_scan_whose_device_closes_both_is_stored(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        data = scanner.begin("both.pdf")
        _send_all_and_close_both(scanner, data, ground.daemon)
        assert until(lambda: ground.recorded() == expected({"both.pdf": pdf(150_000)}), 30)


def test_18_the_library_leaves_a_file_for_which_no_data_came(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        scanner.passive_port()
        assert scanner.command("STOR nothing.pdf").code == 150
        ended = library.log().count("FTP session closed")
        scanner.close()
        assert until(lambda: library.log().count("FTP session closed") > ended, 20)
        assert library.stored()["nothing.pdf"] == b""
        assert "nothing.pdf\n" not in library.log()


def test_18_a_file_for_which_no_data_came_leaves_nothing(ground: Ground) -> None:
    """Nor the room that it announced; and the journal tells."""
    with ground.logged_in() as scanner:
        assert scanner.command("ALLO 5000000").code == 200
        scanner.passive_port()
        assert scanner.command("STOR no-data-came.pdf").code == 150
        scanner.close()
        told = "no-data-came.pdf (0 bytes) was not stored: "
        assert until(lambda: told in ground.daemon.log(), 40), ground.daemon.log()[-2000:]
    assert ground.recorded() == []
    assert until(lambda: not ground.daemon.spooled_bytes(), 20)


def test_25_the_library_stores_what_a_neighbour_sent(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        with scanner.connect_data(scanner.passive_port()) as thief:
            thief.sendall(b"EVIL")
        assert scanner.command("STOR stolen.pdf").code in (125, 150)
        assert scanner.answer().code == 226
        assert library.told("on_file_received", "stolen.pdf")
        assert library.stored()["stolen.pdf"] == b"EVIL"


def test_34_the_library_rewrites_line_ends_until_type_i(library: PlainLibrary) -> None:
    with library.scanner() as scanner:
        assert scanner.login().code == 230
        data = begin(scanner, "ascii.pdf")
        data.sendall(b"one\r\ntwo\r")
        data.close()
        assert scanner.answer().code == 226
        assert library.stored()["ascii.pdf"] == b"one\ntwo"
