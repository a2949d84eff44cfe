"""A program under measurement: its CPU time, memory, descriptors and threads, descendants too."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from tests.acceptance.running import TREE

_REAPER: Final = Path(__file__).with_name("reaper.py")
_STOP_SECONDS: Final = 40.0


@dataclass(frozen=True)
class Memory:
    """Bytes of processes.

    Attributes:
        total: all, what they share with others in proportion (PSS).
        own: the anonymous part of it. The rest changes with every program that others start, for
            they share its text; what grew is therefore seen here.
    """

    total: int = 0
    own: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.total + other.total, self.own + other.own)


class Program:
    """Runs `command` in the tree, its output in `log`, until the end of the context."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_REAPER), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=TREE,
                env={**os.environ, **(environment or {})},
            )
        self._reaper = psutil.Process(self.process.pid)

    def members(self) -> list[psutil.Process]:
        """All processes of the program that live."""
        return self._reaper.children(recursive=True)

    def cpu_seconds(self) -> float:
        """User and system time of all its processes, those that have ended too."""
        own = self._reaper.cpu_times()
        total = own.children_user + own.children_system
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                times = member.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return float(total)

    def cpu_of_each(self) -> dict[int, float]:
        """User and system time of each process that lives, by its number."""
        found: dict[int, float] = {}
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                times = member.cpu_times()
                found[member.pid] = times.user + times.system
        return found

    def memory(self) -> Memory:
        """That of all its processes."""
        return memory_of(self.members())

    def descriptors(self) -> int:
        """Open descriptors of all its processes."""
        return sum(member.num_fds() for member in self.members())

    def threads(self) -> int:
        """Threads of all its processes."""
        return sum(member.num_threads() for member in self.members())

    def log(self) -> str:
        """The last lines that it wrote."""
        return "; ".join(self._log.read_text(errors="replace").splitlines()[-3:])

    def stop(self) -> None:
        """SIGTERM, and wait until nothing of it is left."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for member in self.members():
                member.kill()
            self.process.wait(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def memory_of(processes: Iterable[psutil.Process]) -> Memory:
    """Of those that have not ended."""
    found = Memory()
    for process in processes:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            sizes = {line.split()[0]: line.split()[1] for line in lines[1:]}
            found += Memory(1024 * int(sizes["Pss:"]), 1024 * int(sizes["Pss_Anon:"]))
    return found


class Sampler:
    """The highest memory of a program, looked at every `interval` seconds."""

    def __init__(self, program: Program, interval: float) -> None:
        self.peak = Memory()
        self._program = program
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        with contextlib.suppress(psutil.Error):
            now = self._program.memory()
            self.peak = Memory(max(self.peak.total, now.total), max(self.peak.own, now.own))

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()


class MachineLoad:
    """How busy the machine's cores are, all programs together."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self) -> float:
        """0 to 1, since this was made."""
        after = psutil.cpu_times()
        total = sum(after[:8]) - sum(self._before[:8])
        idle = after.idle + after.iowait - self._before.idle - self._before.iowait
        return min(1.0, 1.0 - float(idle / total)) if total > 0 else 0.0


def others(machine: float, *cores: float) -> float:
    """What programs other than these took of all cores; `cores`: each one's share of one core."""
    return max(0.0, machine - sum(cores) / (os.cpu_count() or 1))


class Patience:
    """Raises TimeoutError once `seconds` are over."""

    def __init__(self, seconds: float, why: str) -> None:
        self._deadline = time.monotonic() + seconds
        self._why = why

    def pause(self, seconds: float = 0.02) -> None:
        """Wait a little more."""
        if time.monotonic() > self._deadline:
            raise TimeoutError(self._why)
        time.sleep(seconds)
