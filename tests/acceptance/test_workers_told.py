"""To systemd, to whoever looks, and to Prometheus, several workers are one daemon."""

from __future__ import annotations

import array
import contextlib
import os
import signal
import socket
import struct
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from openspp_ftpd.status import door
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground
from tests.acceptance.promises import until
from tests.acceptance.running import Process, free_ports
from tests.acceptance.test_workers import addresses, served_by
from tests.acceptance.test_workers_lost import replaced


class Systemd:
    """Hears what sd_notify(3) sends, and from which process."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[int, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def lines(self, start: str) -> list[str]:
        """Everything heard so far that begins like this."""
        messages = [message for _, message in self.heard]
        every = [line for message in messages for line in message.splitlines()]
        return [line for line in every if line.startswith(start)]

    def close(self) -> None:
        """Hear no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._socket.close()

    def _listen(self) -> None:
        while True:
            room = socket.CMSG_SPACE(3 * array.array("i").itemsize)
            message, ancillary, _, _ = self._socket.recvmsg(65536, room)
            if not message:
                return
            ((_, _, credentials),) = ancillary
            pid, _, _ = struct.unpack("3i", credentials)
            self.heard.append((pid, message.decode()))


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    path = tmp_path / "notify"
    systemd = Systemd(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    yield systemd
    systemd.close()


def test_systemd_hears_one_voice(tmp_path: Path, systemd: Systemd) -> None:
    with served_by(3, tmp_path) as ground:
        assert until(lambda: systemd.lines("READY=1"), 30)
        assert "3 workers" in systemd.lines("STATUS=")[0]
        assert until(lambda: len(systemd.lines("WATCHDOG=1")) >= 2, 60)
        before = ground.daemon.workers()
        os.kill(before[1], signal.SIGKILL)
        assert replaced(ground.daemon, before)
        ground.daemon.signal(signal.SIGHUP)
        assert until(lambda: len(systemd.lines("READY=1")) == 2, 30)
        assert len(systemd.lines("RELOADING=1")) == 1
        ground.daemon.signal(signal.SIGTERM)
        assert ground.daemon.wait(30) == 0
        assert len(systemd.lines("STOPPING=1")) == 1
        assert {pid for pid, _ in systemd.heard} == {ground.daemon.pid}


def test_it_is_never_ready_where_it_cannot_start(tmp_path: Path, systemd: Systemd) -> None:
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as spool,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        port = taken.getsockname()[1]
        configuration = tmp_path / "openspp-ftpd.conf"
        configuration.write_text(
            "[openspp]\nurl = http://127.0.0.1:9\n[tls]\nmode = off\n"
            f"[ftp]\nlisten = 127.0.0.1:{free_ports(1)[0]}\npassive_ports = {port}\nworkers = 2\n"
            f"[uploads]\ndirectory = {spool}\n"
        )
        with Process(tmp_path / "log", ["serve", "-c", str(configuration)]) as daemon:
            daemon.start_process()
            assert daemon.wait(30) == 1
    assert not systemd.lines("READY")
    why = f"Cannot start: passive port {port} on 127.0.0.1 cannot be opened"
    assert until(lambda: systemd.lines(f"STATUS={why}"), 30)
    assert why in daemon.log()


def test_what_all_have_counted_is_told_as_one_whoever_ends(tmp_path: Path) -> None:
    (metrics,) = free_ports(1)
    options = {"metrics": {"listen": f"127.0.0.1:{metrics}"}}

    def stored() -> tuple[int, int]:
        """Scans, as the status socket and as the metrics have them."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=30) as page:
                lines = page.read().decode().splitlines()
        except urllib.error.URLError:  # its process starts beside those that serve
            return -1, -1
        (line,) = [line for line in lines if "scans_total" in line and 'result="stored"' in line]
        return door.ask(str(path)).scans["stored"], int(float(line.split()[-1]))

    path = tmp_path / "status"
    with served_by(2, tmp_path, options=options, status_socket=path) as ground:
        send_from_every_worker(ground, "first")
        assert until(lambda: stored() == (2, 2), 30)
        before = ground.daemon.workers()
        os.kill(before[0], signal.SIGKILL)
        assert replaced(ground.daemon, before)
        assert until(lambda: stored() == (2, 2), 30)
        send_from_every_worker(ground, "second")
        assert until(lambda: stored() == (4, 4), 30)


def test_the_process_that_forks_has_no_other_thread(tmp_path: Path) -> None:
    (metrics,) = free_ports(1)
    options = {"metrics": {"listen": f"127.0.0.1:{metrics}"}}
    with served_by(2, tmp_path, options=options) as ground:

        def answers() -> bool:
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{metrics}/readyz"
                with urllib.request.urlopen(url, timeout=30) as page:
                    return bool(page.read().startswith(b"ready"))
            return False

        assert until(answers, 30)
        # What serves the metrics is minded like a worker.
        process = ground.daemon.workers()[-1]
        os.kill(process, signal.SIGKILL)
        assert until(lambda: process not in ground.daemon.workers(), 30)
        assert until(answers, 30)
        send_from_every_worker(ground, "page")
        assert len(list(Path(f"/proc/{ground.daemon.pid}/task").iterdir())) == 1
        assert "Traceback" not in ground.daemon.log()


def send_from_every_worker(ground: Ground, name: str) -> None:
    """One scan through each of two workers."""
    for number in range(2):
        with ground.logged_in(source=next(addresses(number, 2))) as scanner:
            assert scanner.store(f"{name}-{number}.pdf", pdf(2000)).code == 226
