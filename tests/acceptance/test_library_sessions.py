"""Faults of the library around a session: shown on it as it comes, and not to be found in ours.

Each test bears the number of its fault in `library_map.py`; `the_library` in its name means that it
shows the fault, and would say if a later version had mended it.
"""

from __future__ import annotations

import ast
import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.plain_library import PlainLibrary, begin
from tests.acceptance.promises import until
from tests.acceptance.running import TREE
from tests.acceptance.scanner import end_properly


@pytest.fixture(scope="module")
def library(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[PlainLibrary]:
    """One for all tests that leave it as it was."""
    options = ("--certificate", str(certificate[0]), "--key", str(certificate[1]))
    with PlainLibrary(tmp_path_factory.mktemp("library"), *options) as made:
        yield made


def test_08_a_client_that_is_alone_is_told_and_closed(tmp_path: Path) -> None:
    """pyftpdlib issue 607: nothing else happens that could wake the loop."""
    options = {"limits": {"command_idle": "2s"}}
    with running(tmp_path, options=options) as ground:
        with ground.scanner() as stranger:
            assert stranger.answer().code == 421
        with ground.logged_in() as scanner:
            assert scanner.answer().code == 421
            with pytest.raises(ConnectionError):
                scanner.answer()


def test_12_the_library_obeys_within_tls_what_came_in_clear(library: PlainLibrary) -> None:
    """pyftpdlib issue 315 (the kind of CVE-2011-1575); its mend, 523, was never taken."""
    with library.scanner() as scanner:
        scanner.connection.sendall(b"AUTH TLS\r\nPBSZ 0\r\n")
        assert scanner.answer().code == 234
        scanner.begin_tls()
        assert scanner.answer() == (200, "PBSZ=0 successful.")


def test_12_the_library_joins_half_a_line_in_clear_to_one_within_tls(
    library: PlainLibrary,
) -> None:
    with library.scanner() as scanner:
        scanner.connection.sendall(b"AUTH TLS\r\nUSER ali")
        assert scanner.answer().code == 234
        scanner.begin_tls()
        assert scanner.command("ce").code == 331
        assert scanner.command("PASS scan-alice").code == 230


def test_15_the_library_tells_a_port_that_no_firewall_lets_through(tmp_path: Path) -> None:
    """pyftpdlib issues 40, 176."""
    with (
        PlainLibrary(tmp_path, passive_ports=1) as library,
        library.logged_in() as first,
        library.logged_in() as second,
    ):
        assert first.passive_port() in library.passive_ports
        assert second.passive_port() not in library.passive_ports


def test_19_the_library_counts_sockets_for_sessions(tmp_path: Path) -> None:
    """pyftpdlib issue 436."""
    with PlainLibrary(tmp_path, "--connections", "5") as library, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(library.logged_in()).passive_port()
        assert stack.enter_context(library.scanner()).greeting.code == 421


def test_19_every_session_may_have_its_data_connection(tmp_path: Path) -> None:
    """As many as are allowed, each in the middle of an upload; one more is refused."""
    scans = {f"scan-{number}.pdf": pdf(20_000, number) for number in range(4)}
    options = {"limits": {"sessions": str(len(scans))}}
    with running(tmp_path, options=options) as ground, contextlib.ExitStack() as stack:
        uploads = []
        for name, scan in scans.items():
            scanner = stack.enter_context(ground.logged_in())
            uploads.append((scanner, scanner.begin(name), scan))
        assert stack.enter_context(ground.scanner()).greeting.code == 421
        for scanner, data, scan in uploads:
            data.sendall(scan)
            end_properly(data)
            assert scanner.answer().code == 226
        assert ground.recorded() == expected(scans)


def test_20_the_library_dies_of_sigterm_in_the_middle_of_a_scan(tmp_path: Path) -> None:
    with PlainLibrary(tmp_path) as library, library.logged_in() as scanner:
        begin(scanner, "cut.pdf").sendall(pdf(20_000)[:10_000])
        library.signal(signal.SIGTERM)
        assert library.wait() == -signal.SIGTERM
        with pytest.raises(ConnectionError):
            scanner.answer()


def test_31_the_library_does_not_name_the_key_that_is_missing(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    options = ("--certificate", str(certificate[0]), "--key", str(tmp_path / "missing.key"))
    with pytest.raises(RuntimeError):
        PlainLibrary(tmp_path, *options)
    log = (tmp_path / "library.log").read_text()
    assert "SSL.Error" in log
    assert "missing.key" not in log


def test_33_the_library_refuses_type_a_n(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        assert scanner.command("TYPE A N").code == 504


def test_35_the_library_drops_a_session_for_a_nul(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        scanner.passive_port()
        with pytest.raises(ConnectionError):
            scanner.command(b"STOR a\0b.pdf")


@pytest.mark.parametrize(
    "verb", ["CWD", "DELE", "LIST", "MDTM", "MKD", "MLST", "NLST", "RMD", "RNFR", "SIZE", "USER"]
)
def test_35_a_nul_is_answered(verb: str, ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert 200 <= scanner.command(verb.encode() + b" a\0b.pdf").code < 600
        assert scanner.command("NOOP").code == 200


def test_35_a_scan_with_a_nul_in_its_name_is_stored(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        data = scanner.passive()
        assert scanner.command(b"STOR a\0b.pdf").code == 150
        data.sendall(pdf(2000))
        data.close()
        assert scanner.answer().code == 226
    assert ground.recorded() == expected({"ab.pdf": pdf(2000)})


def test_36_the_library_does_not_see_the_end_of_a_line_that_is_a_bare_lf(
    library: PlainLibrary,
) -> None:
    with library.logged_in() as scanner:
        scanner.connection.sendall(b"NOOP\n")
        assert scanner.command("NOOP").code == 500  # both are one line to it


def test_36_the_library_obeys_the_rest_of_a_line_that_is_too_long(library: PlainLibrary) -> None:
    with library.logged_in() as scanner:
        scanner.connection.sendall(b"x" * 3000)
        assert scanner.answer().code == 500
        assert scanner.command("NOOP").code == 200


def test_36_the_rest_of_a_line_that_is_too_long_is_no_command(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        scanner.connection.sendall(b"x" * 6000)
        with pytest.raises(TimeoutError):  # its end has not come
            scanner.answer(0.5)
        assert scanner.command("QUIT") == (500, "Line too long.")
        assert scanner.command("NOOP").code == 200


def test_38_the_library_keeps_the_password(library: PlainLibrary) -> None:
    with library.logged_in():
        assert until(lambda: "on_login alice whose password is kept" in library.log(), 20)


def _imported() -> set[str]:
    """Every module of the library, and of what it stands on, that ours imports."""
    found: set[str] = set()
    for path in (TREE / "openspp_ftpd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
    return {name for name in found if re.match(r"pyftpdlib|asyncore|asynchat", name)}


def test_21_40_only_its_good_parts_are_used() -> None:
    """No server of it, whose processes and threads share state (pyftpdlib issues 436, 656), and no
    asyncore but through it: Python 3.12 and later have none (637)."""
    bad = ("pyftpdlib.servers", "pyftpdlib.prefork", "asyncore", "asynchat")
    imported = _imported()
    assert "pyftpdlib.handlers" in imported
    assert not [name for name in imported if name.startswith(bad)]
