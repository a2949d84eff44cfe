"""One slow thing never slows another, and an office full of scanners gets through."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import QUICK, Ground, expected, running, whole_session
from tests.acceptance.promises import at_once
from tests.acceptance.running import Daemon
from tests.acceptance.scanner import Answer, Scanner


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with running(tmp_path) as made:
        yield made


class TestASlowOpenSPP:
    def test_another_scanner_gets_its_226_first(self, ground: Ground) -> None:
        with ground.logged_in("alice") as slow:
            data = slow.begin("first@slow=5.pdf")
            data.sendall(pdf(2000, 1))
            data.close()
            time.sleep(0.3)
            assert whole_session(ground, "frank", "second.pdf", pdf(2000, 2)) < QUICK
            with pytest.raises(TimeoutError):
                slow.answer(timeout=0.5)
            assert slow.answer().code == 226
        names = [document["filename"] for document in ground.openspp.record()]
        assert names == ["second.pdf", "first@slow=5.pdf"]

    def test_a_slow_login_holds_only_itself_up(self, tmp_path: Path) -> None:
        openspp = ["--user", "late@slow=3:scan-late"]
        with running(tmp_path, openspp=openspp) as ground, ground.scanner() as slow:
            slow.command("USER late@slow=3")
            began = time.monotonic()
            slow.send("PASS scan-late")
            assert whole_session(ground, "frank", "page.pdf", pdf(2000)) < QUICK
            assert slow.answer().code == 230
            assert time.monotonic() - began > 2.9

    def test_twenty_scans_of_one_user_hold_nobody_else_up(self, ground: Ground) -> None:
        def scan(number: int) -> Answer:
            with ground.logged_in("alice") as scanner:
                return scanner.store(f"pile-{number}@slow=5.pdf", pdf(2000, number))

        with ThreadPoolExecutor(20) as pool:
            began = time.monotonic()
            pile = [pool.submit(scan, number) for number in range(20)]
            time.sleep(1)
            others: list[float] = []
            while any(not one.done() for one in pile):
                name = f"other-{len(others)}.pdf"
                others.append(whole_session(ground, "frank", name, pdf(2000, 100 + len(others))))
                time.sleep(1)
            took = time.monotonic() - began
        assert [one.result().code for one in pile] == [226] * 20
        assert max(others) < QUICK
        assert len(others) >= 10
        # Half of eight parallel requests are one user's: five rounds of 5 s.
        assert 24 < took < 35
        assert len(ground.recorded("alice")) == 20
        assert len(ground.recorded("frank")) == len(others)


class TestManyScannersThroughSixPorts:
    def uploads(self, ground: Ground, sources: list[str], tls: str = "") -> None:
        """One session from each address at the same time, each with two scans."""
        documents = {
            f"scan-{number}-{page}.bin": noise(100_000, number * 2 + page)
            for number in range(len(sources))
            for page in range(2)
        }

        def send(number: int) -> list[Answer]:
            with ground.logged_in(tls=tls, source=sources[number]) as scanner:
                ready.wait(60)
                names = [f"scan-{number}-{page}.bin" for page in range(2)]
                return [scanner.store(name, documents[name]) for name in names]

        ready = threading.Barrier(len(sources))
        with ThreadPoolExecutor(len(sources)) as pool:
            answers = list(pool.map(send, range(len(sources))))
        refused = [pair for pair in answers if [answer.code for answer in pair] != [226, 226]]
        assert not refused
        assert ground.recorded() == expected(documents)

    def test_64_sessions_from_64_addresses(self, ground: Ground) -> None:
        self.uploads(ground, [f"127.0.0.{last}" for last in range(2, 66)])

    @pytest.mark.parametrize("tls", ["", "explicit"])
    def test_16_sessions_from_one_address(
        self, tls: str, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        with running(tmp_path, certificate) as ground:
            self.uploads(ground, ["127.0.0.9"] * 16, tls)

    def test_six_that_ask_for_pasv_and_stay_silent_stop_nobody(self, ground: Ground) -> None:
        with contextlib.ExitStack() as closing:
            for _ in range(6):
                silent = closing.enter_context(ground.logged_in(source="127.0.0.7"))
                silent.passive_port()
            other = closing.enter_context(ground.logged_in(source="127.0.0.8"))
            began = time.monotonic()
            assert other.store("elsewhere.pdf", pdf(2000, 1)).code == 226
            assert time.monotonic() - began < QUICK
            same = closing.enter_context(ground.logged_in(source="127.0.0.7"))
            began = time.monotonic()
            assert same.store("same.pdf", pdf(2000, 2)).code == 226
            assert time.monotonic() - began < 5
            # A silent one that wakes up after all is told, and not given another's data.
            assert silent.command("STOR late.pdf").code in (150, 425)
        assert len(ground.recorded()) == 2

    def test_a_data_connection_from_another_address_is_not_taken(self, ground: Ground) -> None:
        with ground.logged_in(source="127.0.0.7") as scanner, ground.scanner() as stranger:
            port = scanner.passive_port()
            assert scanner.command("STOR page.pdf").code == 150
            thief = stranger.connect_data(port)
            with contextlib.suppress(ConnectionError):
                thief.sendall(noise(1000))
                assert thief.recv(1) == b""
            data = scanner.connect_data(port)
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})


class CountingOpenSPP:
    """Lets everybody in, takes its time for every scan, and counts how many it has at once."""

    def __init__(self, seconds: float) -> None:
        self.uploads: list[tuple[str, str]] = []
        self.most: Counter[tuple[str, ...]] = Counter()
        self._now: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/dms/upload":
                    counting.take(body["params"], seconds)
                answer = {"jsonrpc": "2.0", "id": body["id"], "result": OK}
                raw = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, params: dict[str, str], seconds: float) -> None:
        """One upload, from its last byte to its answer."""
        user, name = params["username"], params["filename"]
        keys: list[tuple[str, ...]] = [(), (user,), (user, name)]
        with self._lock:
            self.uploads.append((user, name))
            for key in keys:
                self._now[key] += 1
                self.most[key] = max(self.most[key], self._now[key])
        time.sleep(seconds)
        with self._lock:
            self._now.subtract(keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


OK = "<Response 7 bytes [200 OK]>"


class TestParallelRequests:
    def send(self, daemon: Daemon, user: str, name: str, content: bytes) -> Answer:
        with Scanner(daemon.port) as scanner:
            assert scanner.login(user).code == 230
            return scanner.store(name, content)

    @pytest.mark.parametrize("parallel", [1, 4])
    def test_never_more_at_once_and_half_of_them_for_one_user(
        self, parallel: int, tmp_path: Path
    ) -> None:
        options = {"openspp": {"parallel_requests": str(parallel)}}
        with CountingOpenSPP(0.15) as openspp, Daemon(tmp_path, openspp.url, options) as daemon:
            with ThreadPoolExecutor(24) as pool:
                sent: list[Future[Answer]] = [
                    pool.submit(self.send, daemon, user, f"{number}.pdf", pdf(2000, number))
                    for number in range(8)
                    for user in ("alice", "bob", "carol")
                ]
            assert [one.result().code for one in sent] == [226] * 24
        assert openspp.most[()] == parallel
        assert openspp.most[("alice",)] == max(1, parallel // 2)
        assert len(openspp.uploads) == 24

    def test_two_of_one_user_under_one_name_never_side_by_side(self, tmp_path: Path) -> None:
        with CountingOpenSPP(0.3) as openspp, Daemon(tmp_path, openspp.url) as daemon:
            answers = at_once(
                *(
                    partial(self.send, daemon, user, "page.pdf", pdf(2000, seed))
                    for seed, user in enumerate(("alice", "alice", "alice", "bob"))
                )
            )
            assert [answer.code for answer in answers] == [226] * 4
        assert openspp.most[("alice", "page.pdf")] == 1
        assert openspp.most[()] == 2  # bob's did not wait
        assert Counter(openspp.uploads)[("alice", "page.pdf")] == 3

    def test_the_same_scan_in_two_sessions_at_once(self, tmp_path: Path) -> None:
        """OpenSPP would take both of one name if they came side by side."""
        with running(tmp_path) as ground:

            def send() -> Answer:
                with ground.logged_in() as scanner:
                    return scanner.store("page@slow=1.pdf", pdf(2000))

            codes = [answer.code for answer in at_once(send, send)]
            assert codes == [226, 226]
            names = [name for name, _ in ground.recorded()]
            assert names.count("page@slow=1.pdf") == 1
