"""The daemon as systemd starts it: when it is READY, and its memory when nobody has come yet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Final

import psutil

from tests.acceptance.running import TREE, free_ports
from tests.bench.peers import CannotStart, Ground, Peer, Wanted, configuration
from tests.bench.programs import MachineLoad, memory_of, others
from tests.bench.results import Run

_READY_WITHIN: Final = 30.0
_SETTLE_SECONDS: Final = 1.0


def rest(ground: Ground, peer: Peer) -> Run:
    """Start it alone, without anything between. Raises CannotStart."""
    port, *passive_ports = free_ports(7)
    path = configuration(ground, Wanted(), port, passive_ports, peer.workers)
    told = ground.folder / "notify"
    log = ground.folder / "rest.log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, log.open("ab") as output:
        told.unlink(missing_ok=True)
        notify.bind(str(told))
        began, machine = time.monotonic(), MachineLoad()
        process = subprocess.Popen(
            [sys.executable, "-m", "openspp_ftpd", "serve", "-c", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=TREE,
            env={**os.environ, "NOTIFY_SOCKET": str(told)},
        )
        try:
            _wait_until_ready(notify, process)
            ready, busy = time.monotonic() - began, machine.share()
            members = [psutil.Process(process.pid)]
            members += members[0].children(recursive=True)
            cpu = sum(sum(member.cpu_times()[:2]) for member in members)
            time.sleep(_SETTLE_SECONDS)
            memory = memory_of(members).total
            resident = sum(member.memory_info().rss for member in members)
        finally:
            process.terminate()
            process.wait(_READY_WITHIN)
    return Run(
        memory / 2**20,
        ready,
        cpu=cpu,
        peak=memory,
        machine=busy,
        others=others(busy, cpu / ready),
        figures={"ready": ready, "ready_cpu": cpu, "resident": float(resident)},
    )


def _wait_until_ready(notify: socket.socket, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    notify.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                return
        except TimeoutError:
            if process.poll() is not None:
                break
    raise CannotStart("it was not READY")
