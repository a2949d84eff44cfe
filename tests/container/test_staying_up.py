"""Restarts, hangs and kills: the daemon comes back, and no acknowledged scan is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.acceptance.documents import sha256
from tests.acceptance.promises import STORED, at_once, pdf, unique
from tests.acceptance.scanner import Scanner, end_properly
from tests.container.installed import PORT, Installed, until

GREETED_WITHIN = 25.0  # seconds that scanners wait for a greeting
RESTARTS = 3
SENDERS = 4


@dataclass
class Load:
    """What scanners saw that send one scan after the other."""

    acknowledged: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """One scanner, until `stop`."""
        while not self.stop.is_set():
            content, began = pdf(), time.monotonic()
            try:
                scanner = Scanner(PORT, timeout=60)
            except ConnectionRefusedError:
                self.ends["refused"] += 1
                time.sleep(0.05)
                continue
            except OSError:
                self.ends["not greeted"] += 1
                continue
            self.waits.append(time.monotonic() - began)
            self.ends["greeted" if scanner.greeting.code == 220 else "turned away"] += 1
            # A restart may end a session: a 421 in place of a reply, or the end of the connection.
            with scanner, contextlib.suppress(OSError, AssertionError):
                scanner.login()
                if scanner.store(unique("load.pdf"), content).code == 226:
                    self.acknowledged.add(sha256(content))

    def wait_for_some(self) -> None:
        """Until more scans are acknowledged."""
        enough = len(self.acknowledged) + 6
        assert until(lambda: len(self.acknowledged) >= enough), f"too few arrive: {self.ends}"

    def restarts(self, machine: Installed) -> None:
        """Restart the daemon several times while scanners send."""

        def restart() -> None:
            try:
                self.wait_for_some()
                for _ in range(RESTARTS):
                    machine.systemctl("restart")
                    self.wait_for_some()
            finally:
                self.stop.set()

        with machine.network():
            at_once(restart, *[self.send] * SENDERS)


class TestRestartUnderLoad:
    def test_no_acknowledged_scan_is_lost(self, machine: Installed) -> None:
        load = Load()
        load.restarts(machine)
        assert load.acknowledged <= {each["sha256"] for each in machine.record()}
        assert load.ends["refused"] > 0, "without the socket unit there is a moment without a port"

    def test_with_the_socket_unit_nobody_is_refused(self, machine: Installed) -> None:
        machine.systemctl("stop")
        machine.run("systemctl", "enable", "--now", "openspp-ftpd.socket")
        machine.systemctl("start")
        load = Load()
        load.restarts(machine)
        assert load.acknowledged <= {each["sha256"] for each in machine.record()}
        assert set(load.ends) == {"greeted"}, load.ends
        assert max(load.waits) < GREETED_WITHIN
        assert machine.show("NRestarts") == "0"

    def test_ports_21_and_990_need_no_privilege(self, machine: Installed) -> None:
        examples = "/usr/share/doc/openspp-ftpd/examples"
        folder = "/etc/systemd/system/openspp-ftpd.socket.d"
        machine.sh(f"mkdir {folder}; cp {examples}/ports-21-and-990.conf {folder}")
        machine.systemctl("stop")
        units = ("openspp-ftpd.socket", "openspp-ftpd-ftps.socket")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", *units)
        machine.systemctl("start")
        for port, tls in ((21, ""), (21, "explicit"), (990, "implicit")):
            content = pdf()
            assert machine.send(content, tls, port) == STORED
            assert len(machine.stored(content)) == 1
        capabilities = machine.read(f"/proc/{machine.pid}/status")
        assert "CapEff:\t0000000000000000" in capabilities


class TestScansUnderWay:
    def test_one_that_is_handed_on_arrives_before_a_restart(self, machine: Installed) -> None:
        machine.start_openspp("--slow-upload", "2")
        content = pdf()
        with machine.scanner() as scanner:
            data = scanner.begin("handed-on.pdf")
            data.sendall(content)
            end_properly(data)
            pid = machine.pid
            machine.systemctl("restart")
            answer = scanner.answer()
        assert f"{answer.code} {answer.text}" == STORED
        assert machine.stored(content) == ["handed-on.pdf"]
        assert machine.pid != pid

    def test_one_that_is_being_received_too(self, machine: Installed) -> None:
        content = pdf(300_000)
        with machine.scanner("explicit") as scanner:
            data = scanner.begin("received.pdf")
            data.sendall(content[:150_000])
            machine.systemctl("restart", "--no-block")
            assert until(lambda: machine.show("ActiveState") == "deactivating")
            time.sleep(0.5)
            data.sendall(content[150_000:])
            end_properly(data)
            answer = scanner.answer()
        assert f"{answer.code} {answer.text}" == STORED
        assert machine.stored(content) == ["received.pdf"]
        assert until(lambda: machine.show("ActiveState") == "active")
        machine.serves()


# The daemon, whose event loop hangs after SIGUSR1; its other threads go on.
HANGS_AT_SIGUSR1 = """\
[Service]
WatchdogSec=6s
ExecStart=
ExecStart=/usr/bin/python3 -c "import signal, sys, time; \
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(600)); \
    from openspp_ftpd.cli import main; sys.exit(main())" serve --credentials /run/openspp-ftpd-tls
"""


class TestWatchdog:
    def test_a_loop_that_hangs_is_started_anew(self, machine: Installed) -> None:
        machine.drop_in("watchdog", HANGS_AT_SIGUSR1)
        machine.systemctl("restart")
        machine.serves()
        time.sleep(8)  # longer than the watchdog's time: the loop feeds it
        assert machine.show("NRestarts") == "0"
        pid = machine.pid
        machine.run("kill", "-USR1", str(pid))
        assert until(lambda: machine.show("NRestarts") == "1")
        assert until(lambda: machine.show("ActiveState") == "active")
        assert machine.pid != pid
        assert "Watchdog timeout" in machine.journal("--unit=openspp-ftpd")
        machine.serves()


class TestKilled:
    def test_it_comes_back_and_keeps_nothing(self, machine: Installed) -> None:
        machine.run("kill", "-KILL", str(machine.pid))
        assert until(lambda: machine.show("NRestarts") == "1")
        assert until(lambda: machine.show("ActiveState") == "active")
        machine.serves()
