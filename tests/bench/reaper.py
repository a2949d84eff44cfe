"""Runs a program so that nothing of it is lost: the CPU time of all its descendants is counted
here when they end, orphans too, and none outlives it. Needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_STOP_SECONDS: Final = 20.0


def main(command: list[str]) -> int:
    """Run `command`; SIGTERM ends it, and then what it left behind. Returns its exit status."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    program = os.posix_spawnp(command[0], command, os.environ)

    def end(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, _STOP_SECONDS)

    def end_now(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end_now)
    ended, status = 0, 0
    while ended != program:
        ended, status = os.waitpid(-1, 0)
    while _end_orphans():
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(status)


def _end_orphans() -> bool:
    """Whether there was one."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
