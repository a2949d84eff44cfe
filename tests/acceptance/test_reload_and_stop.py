"""What the administrator tells the running daemon: read the configuration again, or stop."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon, free_ports
from tests.acceptance.scanner import Scanner, end_properly
from tests.acceptance.test_abuse import cpu_share, unread_session

RELOADED = "Configuration reloaded"


def reload(daemon: Daemon, **options: str) -> None:
    """Change options (section_name="value"), send SIGHUP and wait until it is done."""
    for option, value in options.items():
        section, _, name = option.partition("_")
        daemon.sections.setdefault(section, {})[name] = value
    daemon.write_configuration(daemon.sections)
    count = daemon.log().count(RELOADED)
    daemon.signal(signal.SIGHUP)
    assert until(lambda: daemon.log().count(RELOADED) == count + 1)


def begin_delivery(scanner: Scanner, name: str) -> None:
    """Send a whole scan; its final reply is not waited for."""
    data = scanner.begin(name)
    data.sendall(pdf(5000))
    end_properly(data)


def told(daemon: Daemon, name: str) -> list[str]:
    """The journal's lines on what became of a scan."""
    return [line for line in daemon.log().splitlines() if f": {name} (" in line]


class TestReload:
    def test_the_level_debug_takes_effect_at_once(self, tmp_path: Path) -> None:
        with running(tmp_path, options={"log": {"level": "info"}}) as ground:
            for level, commands in (("debug", 1), ("info", 1), ("debug", 2)):
                reload(ground.daemon, log_level=level)
                with ground.scanner() as scanner:
                    assert scanner.command("NOOP").code == 200
                assert ground.daemon.log().count("<- NOOP") == commands

    def test_a_reload_that_is_refused_changes_no_level(self, tmp_path: Path) -> None:
        with running(tmp_path, options={"log": {"level": "info"}}) as ground:
            wrong = {**ground.daemon.sections, "log": {"level": "debug"}, "ftp": {"listen": "?"}}
            ground.daemon.write_configuration(wrong)
            ground.daemon.signal(signal.SIGHUP)
            assert until(lambda: "Configuration not reloaded" in ground.daemon.log())
            with ground.scanner() as scanner:
                assert scanner.command("NOOP").code == 200
            assert "<- NOOP" not in ground.daemon.log()

    def test_thirty_reloads_with_changes_leave_no_descriptors_behind(self, tmp_path: Path) -> None:
        def opened(daemon: Daemon) -> tuple[int, int]:
            """Descriptors and threads."""
            process = Path(f"/proc/{daemon.pid}")
            return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))

        with running(tmp_path) as ground, ground.logged_in() as scanner:
            begin_delivery(scanner, "page@slow=2.pdf")
            for seconds in range(30, 60):
                reload(ground.daemon, openspp_answer_within=f"{seconds}s")
            # The session that began before goes on with what it has.
            assert scanner.answer().code == 226
            assert scanner.store("next.pdf", pdf(2000)).code == 226
            scanner.quit()
            with ground.logged_in() as first:
                assert first.store("first.pdf", pdf(2000)).code == 226
                before = opened(ground.daemon)
            for seconds in range(60, 65):
                reload(ground.daemon, openspp_answer_within=f"{seconds}s")
                with ground.logged_in() as another:
                    assert another.store(f"{seconds}.pdf", pdf(2000)).code == 226
            assert until(lambda: opened(ground.daemon) <= before)
            assert before[0] < 30

    def test_a_reload_while_the_daemon_stops_is_nothing(self, tmp_path: Path) -> None:
        with running(tmp_path) as ground, ground.logged_in() as scanner:
            begin_delivery(scanner, "page@slow=2.pdf")
            ground.daemon.signal(signal.SIGTERM)
            assert until(lambda: "Stopping" in ground.daemon.log())
            ground.daemon.signal(signal.SIGHUP)
            assert scanner.answer().code == 226
            assert ground.daemon.wait(5) == 0
            assert RELOADED not in ground.daemon.log()
            assert "Traceback" not in ground.daemon.log()


class TestStop:
    def test_a_second_signal_answers_every_scan_that_is_under_way(self, tmp_path: Path) -> None:
        with (
            running(tmp_path) as ground,
            ground.logged_in() as receiving,
            ground.logged_in() as connecting,
            ground.logged_in() as delivering,
        ):
            data = receiving.begin("receiving.pdf")
            data.sendall(pdf(5000)[:3000])
            connecting.passive_port()
            assert connecting.command("STOR connecting.pdf").code == 150
            begin_delivery(delivering, "delivering@slow=20.pdf")
            time.sleep(0.5)
            ground.daemon.signal(signal.SIGTERM)
            assert until(lambda: "Stopping" in ground.daemon.log())
            ground.daemon.signal(signal.SIGTERM)
            assert receiving.answer(5).code == 426
            assert connecting.answer(5).code == 426
            assert delivering.answer(5).code == 451
            assert ground.daemon.wait(5) == 0
            log = ground.daemon.log()
            for name in ("receiving.pdf", "connecting.pdf", "delivering@slow=20.pdf"):
                (line,) = told(ground.daemon, name)
                assert "was not stored" in line
            assert log.index("delivering@slow=20.pdf (") < log.index("Stopped.")
            assert "Traceback" not in log

    def test_a_client_that_does_not_read_does_not_hold_it_up(self, tmp_path: Path) -> None:
        options = {"log": {"level": "info"}}
        with running(tmp_path, options=options) as ground, unread_session(ground):
            ground.daemon.signal(signal.SIGTERM)
            assert ground.daemon.wait(8) == 0

    def test_a_tls_handshake_does_not_hold_it_up(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        with (
            running(tmp_path, certificate) as ground,
            socket.create_connection(("127.0.0.1", ground.daemon.implicit_port)),
            ground.scanner() as scanner,
        ):
            assert scanner.command("AUTH TLS").code == 234
            assert cpu_share(ground.daemon, 0.5) < 0.3
            ground.daemon.signal(signal.SIGTERM)
            assert ground.daemon.wait(3) == 0
            assert "Traceback" not in ground.daemon.log()


class TestStart:
    def test_an_address_that_all_addresses_include_is_listened_on_once(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        """The passive ports of 0.0.0.0 serve 127.0.0.1 too, and cannot be opened for both."""
        (port,) = free_ports(1)
        options = {"ftp": {"listen_implicit": f"127.0.0.1:{port}"}}
        with running(tmp_path, certificate, options, listen_host="0.0.0.0") as ground:
            sent = {}
            for number, tls in ((ground.daemon.port, "explicit"), (port, "implicit")):
                with Scanner(number, tls) as scanner:
                    assert scanner.login().code == 230
                    sent[f"{tls}.pdf"] = pdf(2000, number)
                    assert scanner.store(f"{tls}.pdf", sent[f"{tls}.pdf"]).code == 226
            self.has_exactly(ground, sent)

    @staticmethod
    def has_exactly(ground: Ground, sent: dict[str, bytes]) -> None:
        assert ground.recorded() == expected(sent)
