"""Starting a worker's process, so that it never outlives the supervisor and shares nothing with it.

Linux only: a worker asks the kernel to be killed when its parent ends (prctl(2)). That holds after
kill -9 as well, also for a worker whose loop hangs and does not see the channel's end.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
from collections.abc import Callable
from typing import Final

OBEYED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals of the administrator. Workers ignore them: a terminal's Ctrl-C and systemd's SIGTERM go
to every process, and the supervisor tells the workers what to do."""

_PR_SET_PDEATHSIG: Final = 1

_log = logging.getLogger("openspp_ftpd")


def start(prepare: Callable[[], None], work: Callable[[], None]) -> int:
    """Fork a process in which `work` runs; its number. This process must have no other thread.

    Args:
        prepare: gives up in the child what is the parent's alone.
        work: the child's life; what it raises is logged, and the exit status is then 1.

    Raises OSError: no process can be made.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()
    # A signal that comes now is the parent's and must not be noted in the child too.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*OBEYED, signal.SIGCHLD))
    try:
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            _become_a_worker(libc, parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            prepare()
            work()
            status = 0
        except BaseException:
            _log.exception("A worker ends because of a fault")
        finally:
            logging.shutdown()
            os._exit(status)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _become_a_worker(libc: ctypes.CDLL, parent: int) -> None:
    os.environ.pop("NOTIFY_SOCKET", None)  # systemd hears the supervisor alone
    signal.set_wakeup_fd(-1)
    for number in OBEYED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl: {os.strerror(error)}")
    if os.getppid() != parent:  # it ended before it could be told of
        os._exit(1)


def how_it_ended(status: int) -> str:
    """waitpid(2)'s status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was killed by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with exit status {code}"
