"""Prometheus and a load balancer ask a daemon that real scanners send to, and disturb nobody."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, running
from tests.acceptance.promises import at_once, until
from tests.acceptance.running import TREE, free_ports, wait_for_port
from tests.acceptance.scanner import Scanner, end_properly, reset

SECONDS = 30.0


@dataclass(frozen=True)
class Monitored:
    """A daemon with metrics, and their port."""

    ground: Ground
    port: int

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body."""
        return ask(self.port, path)

    def metric(self, name: str) -> float | None:
        """A value of the page, None where it is not there."""
        return metric(self.port, name)

    def shows(self, **expected: float) -> bool:
        """Whether scans of these results, and no others, come to be shown."""
        results = ("stored", "refused", "failed", "cut", "not_kept")
        wanted = {result: float(expected.get(result, 0)) for result in results}
        return until(
            lambda: wanted == {r: self.metric(f'scans_total{{result="{r}"}}') for r in results},
            SECONDS,
        )


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body of what is answered on a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def metric(port: int, name: str) -> float | None:
    """A value of the page on a port, None where it is not there."""
    for line in ask(port, "/metrics")[1].splitlines():
        found, _, value = line.rpartition(" ")
        if found == f"openspp_ftpd_{name}":
            return float(value)
    return None


@contextlib.contextmanager
def monitored(
    directory: Path,
    certificate: tuple[Path, Path] | None = None,
    options: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Monitored]:
    """Start a daemon whose metrics are on."""
    port = free_ports(1)[0]
    metrics = {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with running(directory, certificate, {**(options or {}), **metrics}) as ground:
        assert ground.daemon.process is not None
        wait_for_port(port, ground.daemon.process, SECONDS)
        yield Monitored(ground, port)


class TestPage:
    def test_counts_follow_what_becomes_of_scans(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        with monitored(tmp_path, certificate, {"uploads": {"max_size": "100K"}}) as one:
            with one.ground.logged_in(tls="explicit") as scanner:
                assert scanner.store("a.pdf", pdf(5000)).code == 226
                assert one.shows(stored=1)
                assert one.metric('sessions{protection="tls"}') == 1
                assert scanner.store("b.pdf", pdf(200_000)).code == 552
                assert one.shows(stored=1, refused=1)
                data = scanner.begin("c.pdf")
                data.sendall(pdf(5000)[:700])
                reset(data)
                assert scanner.answer().code == 426
                assert one.shows(stored=1, refused=1, cut=1)
            assert one.metric('scan_bytes_total{result="stored"}') == 5000
            assert one.metric("store_seconds_count") == 1
            assert one.metric('openspp_requests_total{request="upload",result="answered"}') == 1
            expires = one.metric("certificate_expiry_time_seconds")
            assert expires is not None
            assert 28 < (expires - time.time()) / 86400 < 31

    def test_openspp_that_stops_is_seen_and_scanners_still_hear_our_sentence(
        self, tmp_path: Path
    ) -> None:
        with monitored(tmp_path) as one:
            assert until(lambda: one.metric("openspp_up") == 1, SECONDS)
            one.ground.openspp.kill()
            with one.ground.scanner() as scanner:
                assert scanner.login().code == 421
            assert until(lambda: one.metric("openspp_up") == 0, SECONDS)
            status, said = one.ask("/readyz")
            assert status == 200
            assert said.startswith("ready\nOpenSPP has not answered as it should since ")
            assert "Connection refused" in said
            one.ground.openspp.start()
            one.ground.logged_in().quit()
            assert until(lambda: one.metric("openspp_up") == 1, SECONDS)

    def test_it_names_nobody_and_no_password(self, tmp_path: Path) -> None:
        with monitored(tmp_path) as one:
            with one.ground.logged_in() as scanner:
                assert scanner.store("Fatima-Hassan.pdf", pdf(3000)).code == 226
            assert one.shows(stored=1)
            page = one.ask("/metrics")[1]
            for word in ("alice", "Fatima", "Hassan", "scan-alice"):
                assert word not in page

    def test_it_is_off_by_default(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground:
            threads = Path(f"/proc/{ground.daemon.pid}/task")
            assert until(lambda: len(list(threads.iterdir())) == 1, SECONDS)
            maps = Path(f"/proc/{ground.daemon.pid}/maps").read_text()
            assert "prometheus" not in maps


class TestReadiness:
    def test_while_a_scan_is_finished_no_new_ones_are_wanted(self, tmp_path: Path) -> None:
        with monitored(tmp_path) as one, one.ground.logged_in() as scanner:
            assert one.ask("/readyz")[0] == one.ask("/healthz")[0] == 200
            data = scanner.begin("page@slow=6.pdf")
            data.sendall(pdf(5000))
            end_properly(data)
            one.ground.daemon.signal(signal.SIGTERM)
            assert until(lambda: one.ask("/readyz")[0] == 503, SECONDS)
            assert one.ask("/readyz")[1].startswith("stopping\n")
            assert one.ask("/healthz") == (200, "alive\n")
            assert one.metric("stopping") == 1
            assert scanner.answer().code == 226
            assert one.ground.daemon.wait(SECONDS) == 0
            with pytest.raises(ConnectionRefusedError):
                one.ask("/healthz")


class TestNobodyIsDisturbed:
    def test_thousand_quick_scrapes_cost_no_scan_its_time(self, tmp_path: Path) -> None:
        with monitored(tmp_path) as one, one.ground.logged_in() as scanner:
            done = threading.Event()

            def scrape() -> int:
                count = 0
                while count < 250 or (not done.is_set() and count < 20_000):
                    assert one.ask("/metrics")[0] == 200
                    count += 1
                return count

            def scan() -> int:
                try:
                    for number in range(20):
                        assert scanner.store(f"{number}.pdf", pdf(20_000, number)).code == 226
                finally:
                    done.set()
                return 0

            assert sum(at_once(scrape, scrape, scrape, scrape, scan)) >= 1000
            assert one.shows(stored=20)
            slowest = one.metric('store_seconds_bucket{le="5.0"}')
            assert slowest == 20

    def test_clients_that_never_finish_their_request(self, tmp_path: Path) -> None:
        with monitored(tmp_path) as one, contextlib.ExitStack() as stack:
            for _ in range(50):
                slow = stack.enter_context(socket.create_connection(("127.0.0.1", one.port), 30))
                with contextlib.suppress(OSError):  # cut already, for another has its place
                    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
            with one.ground.logged_in() as scanner:
                assert scanner.store("a.pdf", pdf(5000)).code == 226
            assert one.ask("/healthz")[0] == 200
            assert one.shows(stored=1)
            task = Path(f"/proc/{one.ground.daemon.pid}/task")
            assert until(lambda: len(list(task.iterdir())) < 12, SECONDS)


class TestConfiguration:
    def test_a_port_in_use_costs_the_metrics_and_no_scan(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            options = {"metrics": {"listen": f"127.0.0.1:{port}"}}
            with running(tmp_path, options=options) as ground:
                said = f"No metrics on 127.0.0.1:{port}: Address already in use"
                assert until(lambda: said in ground.daemon.log(), SECONDS)
                with ground.logged_in() as scanner:
                    assert scanner.store("a.pdf", pdf(5000)).code == 226

    def test_without_the_library_it_is_a_mistake_with_what_to_install(self, tmp_path: Path) -> None:
        """Isolated from the packages of the machine; what the daemon needs to start is found."""
        path = tmp_path / "openspp-ftpd.conf"
        path.write_text(
            "[openspp]\nurl = https://openspp.gov.iq\n[tls]\nmode = off\n"
            "[uploads]\ndirectory = /dev/shm\n[metrics]\nlisten = 127.0.0.1:9464\n"
        )
        hide = (
            "import sys; sys.modules['prometheus_client'] = None\n"
            "from openspp_ftpd import cli; sys.exit(cli.main(['serve', '-c', sys.argv[1]]))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", hide, str(path)],
            cwd=TREE, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 78
        assert ran.stderr == (
            f"{path}:8: [metrics] listen: needs a library that is missing:"
            " apt install python3-prometheus-client\n"
        )

    def test_a_scanner_is_served_where_prometheus_may_ask_from_everywhere(
        self, tmp_path: Path
    ) -> None:
        port = free_ports(1)[0]
        with running(tmp_path, options={"metrics": {"listen": f"0.0.0.0:{port}"}}) as ground:
            assert "can be asked by everybody who reaches it" in ground.daemon.log()
            with Scanner(ground.daemon.port) as scanner:
                assert scanner.login().code == 230
