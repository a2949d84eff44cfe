"""The demonstration's child processes and its folder: neither outlives the demonstration.

A child dies with its parent (prctl(2), PR_SET_PDEATHSIG, through setpriv). The folder is removed by
a process of its own that waits for the parent's end, so that even a kill -9 leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import openspp_ftpd

DYING_WITH_PARENT: Final = ("setpriv", "--pdeathsig", "TERM", "--")
"""What a child's command begins with."""

_MEMORY: Final = Path("/dev/shm")
_SOURCE: Final = Path(openspp_ftpd.__file__).resolve().parents[1]
_LAST_LINES: Final = 12
_STOP_SECONDS: Final = 5.0
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SYSTEMD_VARIABLES: Final = ("JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class DemoError(Exception):
    """The demonstration cannot go on; the text says why and what to do, in one or more lines."""


class MemoryFolder:
    """A private folder in memory (tmpfs), gone when the demonstration is, however it ends."""

    def __init__(self) -> None:
        """Raises DemoError where there is no tmpfs to make it on."""
        # No signal may come between the folder and who removes it, nor ever reach the latter.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            self.path = Path(tempfile.mkdtemp(prefix="openspp-ftpd-demo-", dir=_MEMORY))
            # Only this process holds the other end of the pipe; it closes when this process ends.
            self._remover = subprocess.Popen(
                ["sh", "-c", 'read -r _; rm -rf -- "$1"', "sh", str(self.path)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DemoError(
                f"The demo needs a tmpfs at {_MEMORY}, for scans are kept in memory only:"
                f" {error.strerror}.\nAs root: mount -t tmpfs -o mode=1777 tmpfs {_MEMORY}"
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        assert self._remover.stdin is not None
        self._remover.stdin.close()
        self._remover.wait()


class Child:
    """One of our own programs as a child process, its output in a file."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """name: what the user is told; arguments: of `python3 -m openspp_ftpd`."""
        self.name = name
        self.log = log
        inherited = {k: v for k, v in os.environ.items() if k not in _SYSTEMD_VARIABLES}
        command = [*DYING_WITH_PARENT, sys.executable, "-m", "openspp_ftpd", *arguments]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [word.encode() for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Arguments and output are UTF-8, whatever the locale is.
                env={
                    **inherited,
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONUTF8": "1",
                    **(environment or {}),
                },
                cwd=_SOURCE,
                start_new_session=True,  # a Ctrl-C is ours to handle
            )

    def check(self) -> None:
        """Raise DemoError if it has ended."""
        status = self._process.poll()
        if status is None:
            return
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise DemoError("\n".join((f"The {self.name} {how}. Its last words:", *lines)))

    def wait_for(self, pattern: re.Pattern[str], seconds: float) -> re.Match[str]:
        """Wait until its output holds `pattern`. Raises DemoError if it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while (found := pattern.search(self.log.read_text("utf-8", "replace"))) is None:
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"The {self.name} was not ready after {seconds:.0f} s.")
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        """End it, first asking, then not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ReadySocket:
    """Where a daemon tells that it is ready (sd_notify(3))."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def wait(self, child: Child, seconds: float) -> None:
        """Wait until `child` is ready. Raises DemoError if it ends or takes longer."""
        deadline = time.monotonic() + seconds
        self._socket.settimeout(0.1)
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in self._socket.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                child.check()
        raise DemoError(f"The {child.name} was not ready after {seconds:.0f} s.")


class Interrupted(BaseException):
    """The user or the system wants the demonstration to end; nothing but cleaning up may follow."""

    def __init__(self, number: int) -> None:
        self.exit_status = 128 + number
        super().__init__(signal.Signals(number).name)


def interrupt_on_signals() -> None:
    """Have SIGINT, SIGTERM and SIGHUP raise Interrupted."""

    def interrupt(number: int, frame: object) -> None:
        ignore_signals()
        raise Interrupted(number)

    for number in _ENDING:
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """Let nothing interrupt the cleaning up."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
