"""The real daemon and the embedded OpenSPP, run as processes for a test."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

TREE = Path(__file__).resolve().parents[2]
WORKERS = os.environ.get("TEST_WORKERS", "1")
"""[ftp] workers of every daemon whose test names none: TEST_WORKERS=2 pytest tests/acceptance"""

_FIRST = random.randrange(21000, 29000)  # test runs beside each other do not meet
_PORTS = itertools.cycle([*range(_FIRST, 29000), *range(21000, _FIRST)])


def free_ports(count: int) -> list[int]:
    """Consecutive TCP ports that nobody listens on."""
    found: list[int] = []
    for _ in range(20000):
        port = next(_PORTS)
        if found and port != found[-1] + 1:
            found = []
        if _is_free(port):
            found.append(port)
            if len(found) == count:
                return found
        else:
            found = []
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def wait_for_port(
    port: int,
    process: subprocess.Popen[bytes],
    seconds: float = 30.0,
    host: str = "127.0.0.1",
) -> None:
    """Until something listens there; fails when `process` ends before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


class Process:
    """A program of ours, its output in a file."""

    module = "openspp_ftpd"

    def __init__(self, log: Path, arguments: list[str]) -> None:
        self.log_path = log
        self._arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    def start_process(self) -> subprocess.Popen[bytes]:
        """Start it (again)."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=TREE,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        return self.process

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        """All it wrote so far."""
        return self.log_path.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30.0) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def workers(self) -> list[int]:
        """The numbers of the processes that it has started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cpu_seconds(self) -> float:
        """User and system time that it and its workers used."""
        ticks = 0
        for pid in (self.pid, *self.workers()):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class EmbeddedOpenSPP(Process):
    """`openspp-ftpd sandbox` with options, and the record of what it stored."""

    def __init__(self, directory: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_ports(1)[0]
        self.record_path = directory / "record.jsonl"
        super().__init__(
            directory / "openspp.log",
            [
                "sandbox",
                "--listen",
                f"127.0.0.1:{self.port}",
                "--record",
                str(self.record_path),
                *options,
            ],
        )
        self.secure = "--certificate" in options
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start (again) and wait until it listens."""
        wait_for_port(self.port, self.start_process())

    def record(self) -> list[dict[str, Any]]:
        """What it stored, oldest first."""
        if not self.record_path.exists():
            return []
        return [json.loads(line) for line in self.record_path.read_text().splitlines()]


class Daemon(Process):
    """`openspp-ftpd serve` with a configuration of its own.

    `options` are by section: {"limits": {"sessions": "64"}}.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        options: Mapping[str, Mapping[str, str]] | None = None,
        passive_ports: int = 6,
        spool: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        listen_host: str = "127.0.0.1",
        status_socket: Path | None = None,
    ) -> None:
        self.host = listen_host.rpartition(" ")[2]
        """The last address that it listens on, where this machine reaches it."""
        ports = free_ports(2 + passive_ports)
        self.port, self.implicit_port, *self.passive_ports = ports
        self._own_spool = spool is None
        self.spool = spool or Path(tempfile.mkdtemp(dir="/dev/shm"))
        sections: dict[str, dict[str, str]] = {
            "openspp": {"url": url},
            "ftp": {
                "listen": f"{listen_host}:{self.port}",
                "passive_ports": f"{self.passive_ports[0]}-{self.passive_ports[-1]}",
                "workers": WORKERS,
            },
            "uploads": {"directory": str(self.spool)},
            "log": {"level": "debug"},
        }
        if certificate:
            sections["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
            sections["ftp"]["listen_implicit"] = f"{listen_host}:{self.implicit_port}"
        else:
            sections["tls"] = {"mode": "off"}
        for section, values in (options or {}).items():
            sections.setdefault(section, {}).update(values)
        self.configuration = directory / "openspp-ftpd.conf"
        self.write_configuration(sections)
        arguments = ["serve", "-c", str(self.configuration)]
        if status_socket:
            arguments += ["--status-socket", str(status_socket)]
        super().__init__(directory / "daemon.log", arguments)
        self.sections = sections
        self.start()

    def write_configuration(self, sections: Mapping[str, Mapping[str, str]]) -> None:
        """Replace the configuration file (a reload reads it)."""
        text = "".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
            for section, values in sections.items()
        )
        self.configuration.write_text(text)

    def start(self) -> None:
        """Start (again) and wait until it listens."""
        try:
            wait_for_port(self.port, self.start_process(), host=self.host)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.log()}") from error

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self._own_spool:
            shutil.rmtree(self.spool, ignore_errors=True)

    def spooled_bytes(self) -> int:
        """Bytes of all spool files that are open (they have no name)."""
        total = 0
        for pid in (self.pid, *self.workers()):
            with contextlib.suppress(OSError):  # it has ended, or closed a file
                for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = str(descriptor.readlink())
                        if target.startswith(str(self.spool)):
                            total += descriptor.stat().st_size
        return total


@contextlib.contextmanager
def small_tmpfs(size: str) -> Iterator[Path]:
    """A tmpfs of its own, for running out of room; needs root."""
    directory = Path(tempfile.mkdtemp())
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", str(directory)],
        check=True,
    )
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()


def make_certificate(
    directory: Path, name: str = "scans.example.org", address: str = "127.0.0.1"
) -> tuple[Path, Path]:
    """A self-signed certificate for this name and address, and its key, by openssl."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:{address}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
