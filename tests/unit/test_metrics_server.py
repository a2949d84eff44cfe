"""The HTTP server for metrics and health: right answers, and nobody who asks is in the way."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from openspp_ftpd import monitor
from openspp_ftpd.metrics import server
from openspp_ftpd.metrics.server import MOST_CONNECTIONS, MetricsServer, Page, Pages
from openspp_ftpd.monitor import HANGS_AFTER, Shown
from openspp_ftpd.settings import Address
from openspp_ftpd.status.snapshot import Facts, OpenSPP, Snapshot

HELLO: Pages = {"/metrics": lambda: Page(b"hello\n")}


@contextlib.contextmanager
def serving(pages: Pages = HELLO, host: str = "127.0.0.1") -> Iterator[int]:
    """A server; its port."""
    made = MetricsServer(Address(host, 0), pages)
    made.start()
    try:
        yield made.server_address[1]
    finally:
        made.stop()


def ask(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and body."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class TestAnswers:
    @pytest.mark.parametrize("path", ["/metrics", "/metrics?name[]=x"])
    def test_a_page(self, path: str) -> None:
        with serving() as port:
            assert ask(port, path) == (200, "hello\n")

    def test_over_ipv6(self) -> None:
        with serving(host="::1") as port:
            assert ask(port, "/metrics", host="::1") == (200, "hello\n")

    def test_another_path_is_told_which_there_are(self) -> None:
        with serving() as port:
            assert ask(port, "/") == (404, "There are /metrics.\n")

    def test_head_has_no_body(self) -> None:
        with serving() as port:
            assert ask(port, "/metrics", "HEAD") == (200, "")

    @pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
    def test_nothing_can_be_changed(self, method: str) -> None:
        with serving() as port:
            assert ask(port, "/metrics", method)[0] == 501

    def test_a_page_that_fails_costs_its_own_answer_only(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def fail() -> Page:
            raise ZeroDivisionError

        with serving({**HELLO, "/broken": fail}) as port:
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                ask(port, "/broken")
            assert ask(port, "/metrics")[0] == 200
        assert capfd.readouterr().err == ""

    def test_a_port_that_is_taken_is_an_error(self) -> None:
        with serving() as port, pytest.raises(OSError, match="in use"):
            MetricsServer(Address("127.0.0.1", port), HELLO)


class TestManyAndSlow:
    def test_who_asks_slowly_makes_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server._Conversation, "timeout", 600.0)
        with serving() as port, contextlib.ExitStack() as stack:
            slow = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                for _ in range(3 * MOST_CONNECTIONS)
            ]
            for connection in slow:
                connection.settimeout(30)
                with contextlib.suppress(OSError):  # some are cut already
                    connection.sendall(b"GET /metrics HTTP/1.0\r\nX: ")
            assert ask(port, "/metrics") == (200, "hello\n")
            assert slow[0].recv(10) == b""  # the oldest was cut

    def test_one_who_says_nothing_is_cut(self) -> None:
        with serving() as port, socket.create_connection(("127.0.0.1", port)) as silent:
            silent.settimeout(30)
            assert silent.recv(10) == b""

    def test_a_long_request_is_refused(self) -> None:
        with serving() as port:
            assert ask(port, "/" + "a" * 65_536)[0] == 414

    def test_a_thousand_requests_leave_nothing_behind(self) -> None:
        with serving() as port:
            ask(port, "/metrics")
            before = threading.active_count()
            for _ in range(1000):
                assert ask(port, "/metrics") == (200, "hello\n")
            end = time.monotonic() + 30
            while threading.active_count() > before and time.monotonic() < end:
                time.sleep(0.01)
            assert threading.active_count() <= before

    def test_a_stop_waits_for_nobody(self) -> None:
        go_on = threading.Event()
        with serving({"/slow": lambda: Page(b"%d" % go_on.wait(30))}) as port:
            asking = socket.create_connection(("127.0.0.1", port))
            asking.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
            began = time.monotonic()
        assert time.monotonic() - began < 10
        go_on.set()
        asking.close()


SERVING = Snapshot(100.0, 50.0, openspp=OpenSPP(answered_at=90.0))
STOPPING = Snapshot(100.0, 50.0, facts=Facts(state="stopping"))
AWAY = Snapshot(
    100.0, 50.0, openspp=OpenSPP(trouble_at=90.0, trouble_since=90.0, trouble="It is off.")
)


class TestHealth:
    @pytest.mark.parametrize("silent", [0.0, 1.5, HANGS_AFTER - 0.1])
    def test_a_loop_that_takes_its_turns_is_alive(self, silent: float) -> None:
        assert Shown(SERVING, taken=1000.0).health(1000.0 + silent).status == HTTPStatus.OK

    @pytest.mark.parametrize("state", [SERVING, STOPPING, AWAY])
    def test_one_that_hangs_is_neither_alive_nor_ready(self, state: Snapshot) -> None:
        shown = Shown(state, taken=1000.0)
        for page in (shown.health(1000.0 + HANGS_AFTER), shown.readiness(1000.0 + HANGS_AFTER)):
            assert page.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert page.body == b"The event loop hangs since 10 s.\n"

    def test_a_daemon_that_stops_is_alive_and_not_ready(self) -> None:
        shown = Shown(STOPPING, taken=1000.0)
        assert shown.health(1000.0).status == HTTPStatus.OK
        assert shown.readiness(1000.0).status == HTTPStatus.SERVICE_UNAVAILABLE
        assert shown.readiness(1000.0).body.startswith(b"stopping\n")

    def test_without_openspp_it_is_ready_and_says_so(self) -> None:
        page = Shown(AWAY, taken=1000.0).readiness(1000.0)
        assert page.status == HTTPStatus.OK
        assert page.body.startswith(b"ready\nOpenSPP has not answered as it should since ")
        assert page.body.endswith(b": It is off.\n")

    def test_the_pages_are_three(self) -> None:
        assert set(monitor.pages(lambda: Shown(SERVING, 0.0))) == {
            "/metrics",
            "/healthz",
            "/readyz",
        }
