"""Load generators as processes of their own, started together and heard to their end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

from tests.acceptance.running import TREE
from tests.bench.jobs import Job, Outcome

MOST: Final = max(1, min(2, os.cpu_count() or 1))
"""Generators that share one job: more than the cores can run would only disturb each other."""


class Broken(Exception):
    """A load generator ended without an outcome; that is a fault of the bench."""


class Generators:
    """One job, by one or several processes."""

    def __init__(self, job: Job, processes: int = 1) -> None:
        count = max(1, min(processes, len(job.clients)))
        parts = [replace(job, clients=job.clients[first::count]) for first in range(count)]
        self._processes = [_start(part) for part in parts]

    def go(self) -> None:
        """Once all are ready, let them begin."""
        self._hear("ready")
        self._say("go")

    def opened(self) -> None:
        """Wait until all idle sessions are open."""
        self._hear("opened")

    def end(self) -> None:
        """Tell idle sessions and probes to end."""
        self._say("end")

    def outcomes(self) -> Sequence[Outcome]:
        """What each of them did. Raises Broken."""
        return [Outcome.from_json(self._line(process)) for process in self._processes]

    def _hear(self, word: str) -> None:
        for process in self._processes:
            if self._line(process).strip() != word:
                raise Broken(f"a load generator did not say {word!r}")

    def _say(self, word: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Broken(f"a load generator ended with {process.wait()}")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            if exception[0] is not None:
                process.kill()
            process.wait()


def _start(job: Job) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TREE,
    )
    assert process.stdin is not None
    process.stdin.write(job.to_json() + "\n")
    process.stdin.flush()
    return process
