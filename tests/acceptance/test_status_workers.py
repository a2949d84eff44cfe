"""Several workers tell the administrator as one daemon, also when one of them dies."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.promises import until
from tests.acceptance.running import free_ports, wait_for_port
from tests.acceptance.scanner import Scanner
from tests.acceptance.test_metrics import metric
from tests.acceptance.test_status import SECONDS, Observed, observed

ADDRESSES = [f"127.0.0.{number}" for number in range(1, 13)]
"""Of scanners; a worker has those of some."""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Observed, int]]:
    """A daemon of two workers, and the port of its metrics."""
    port = free_ports(1)[0]
    options = {"ftp": {"workers": "2"}, "metrics": {"listen": f"127.0.0.1:{port}"}}
    with observed(tmp_path, options) as one:
        assert one.daemon.process is not None
        wait_for_port(port, one.daemon.process, SECONDS)
        yield one, port


def children(one: Observed) -> list[int]:
    """The processes of the workers, and behind them that of the metrics."""
    found = Path(f"/proc/{one.daemon.pid}/task/{one.daemon.pid}/children")
    return [int(child) for child in found.read_text().split()]


def sockets(pid: int) -> set[str]:
    """The sockets that a process has."""
    found: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.add(str(link.readlink()))
    return {each for each in found if each.startswith("socket:")}


def send_from_everywhere(one: Observed, name: str) -> None:
    for number, address in enumerate(ADDRESSES):
        with Scanner(one.daemon.port, source=address) as scanner:
            assert scanner.login().code == 230
            assert scanner.store(f"{name}-{number}.pdf", pdf(3000, number)).code == 226
            scanner.quit()


def test_the_counts_are_those_of_all(two: tuple[Observed, int]) -> None:
    one, port = two
    send_from_everywhere(one, "a")
    count = len(ADDRESSES)
    assert until(lambda: one.state().scans["stored"] == count, SECONDS)
    state = one.state()
    assert state.logins["accepted"] == count
    assert state.scan_bytes["stored"] == 3000 * count
    assert {entry.client for entry in state.last_scans} == set(ADDRESSES)
    assert state.facts.listening.startswith(f"Listening on 127.0.0.1:{one.daemon.port}; ")
    assert state.openspp.answers is True
    assert state.openspp.url == one.openspp.url
    assert until(lambda: metric(port, 'scans_total{result="stored"}') == count, SECONDS)
    told = one.command()
    assert told.returncode == 0
    assert f"; {count} scans stored, 0 refused, 0 failed since " in told.stdout


def test_sessions_of_all_are_told(two: tuple[Observed, int]) -> None:
    one, _ = two
    scanners = [Scanner(one.daemon.port, source=address) for address in ADDRESSES]
    assert until(lambda: one.state().facts.sessions_plain == len(ADDRESSES), SECONDS)
    for scanner in scanners:
        scanner.close()
    assert until(lambda: one.state().facts.sessions_plain == 0, SECONDS)


def test_a_worker_that_dies_takes_no_count_with_it(two: tuple[Observed, int]) -> None:
    one, port = two
    send_from_everywhere(one, "a")
    count = len(ADDRESSES)
    assert until(lambda: metric(port, 'scans_total{result="stored"}') == count, SECONDS)
    before = children(one)
    os.kill(before[0], signal.SIGKILL)
    assert until(lambda: len(children(one)) == 3 and children(one) != before, SECONDS)
    send_from_everywhere(one, "b")
    lowest = count

    def all_are_counted() -> bool:
        stored = one.state().scans["stored"]
        assert stored >= lowest
        return stored == 2 * count

    assert until(all_are_counted, SECONDS)
    # A worker that was started anew does not hold the status socket.
    for pid in children(one):
        assert sockets(pid) & sockets(one.daemon.pid) == set()


def test_a_daemon_that_stops_says_so_and_ends(two: tuple[Observed, int]) -> None:
    one, port = two
    with Scanner(one.daemon.port) as scanner:
        assert scanner.login().code == 230
        data = scanner.begin("page@slow=5.pdf")
        data.sendall(pdf(3000))
        data.close()
        one.daemon.signal(signal.SIGTERM)
        assert until(lambda: one.state().facts.state == "stopping", SECONDS)
        assert until(lambda: metric(port, "stopping") == 1, SECONDS)
        assert scanner.answer().code == 226
    assert one.daemon.wait(SECONDS) == 0
    assert not one.socket.exists()
