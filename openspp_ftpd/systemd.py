"""What systemd is told and gives: readiness, status, watchdog, journal; quiet elsewhere."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from systemd import daemon, journal

UNIT: Final = "openspp-ftpd.service"
"""The name of the daemon's unit."""

FTP: Final = "ftp"
FTPS: Final = "ftps"
"""The names (FileDescriptorName=) of passed sockets: FTP, and FTP with implicit TLS."""


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A listening socket of a socket unit, and its name: FTP or FTPS."""

    name: str
    listening: socket.socket


def passed_sockets() -> tuple[PassedSocket, ...]:
    """The sockets that socket units gave to this process; none elsewhere (sd_listen_fds(3)).

    Raises OSError for one that the daemon cannot serve; the text says what to write in the unit.
    """
    passed = daemon.listen_fds_with_names()
    taken = [(name, socket.socket(fileno=descriptor)) for descriptor, name in passed.items()]
    try:
        return tuple(PassedSocket(name, _served(name, listening)) for name, listening in taken)
    except OSError:
        for _, listening in taken:
            listening.close()
        raise


def tmpfs_of_unit() -> tuple[str, ...]:
    """The directories on which the unit mounts a tmpfs that only the daemon sees.

    None where there is no systemd or no such unit.
    """
    command = ("systemctl", "show", "--property=TemporaryFileSystem", "--value", UNIT)
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(mount.partition(":")[0] for mount in asked.stdout.split())


def notify(message: str) -> None:
    """Send an sd_notify(3) message; nothing happens where no NOTIFY_SOCKET is given."""
    daemon.notify(message)


def ready(status: str) -> None:
    """The daemon listens and everything is imported."""
    notify(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """A reload begins; `ready` ends it (sd_notify(3), RELOADING=1)."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


UNREADY: Final = "Stopping; scanners are served until a load balancer has noticed."
"""STATUS= while the daemon is unready and not yet draining."""


def stopping(status: str, seconds: float) -> None:
    """The daemon was told to stop and needs up to `seconds`, whatever TimeoutStopSec= says."""
    notify(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round(seconds * 1e6)}\nSTATUS={status}")


def status(sentence: str) -> None:
    """What the daemon does, for `systemctl status`."""
    notify(f"STATUS={sentence}")


def failing(status: str) -> None:
    """The daemon cannot start; `systemctl status` shows why (the first line)."""
    notify(f"STATUS={status.partition(chr(10))[0]}")


def watchdog_interval() -> float | None:
    """Seconds between WATCHDOG=1 messages (half of WatchdogSec), None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or owner != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


class JournalHandler(logging.Handler):
    """Sends each record to the journal with the fields that `events.py` gave it.

    python-systemd's own handler also sends the record's arguments (CODE_ARGS); this one sends only
    what an event names.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record (logging.Handler.emit)."""
        fields: dict[str, str] = getattr(record, "journal_fields", {})
        try:
            journal.send(
                self.format(record),
                PRIORITY=_priority(record.levelno),
                LOGGER=record.name,
                SYSLOG_IDENTIFIER="openspp-ftpd",
                **fields,
            )
        except OSError:
            self.handleError(record)


def log_handler() -> logging.Handler:
    """The journal where stderr goes to it (systemd.exec(5), JOURNAL_STREAM), else stderr."""
    handler: logging.Handler
    if _stderr_is_the_journal():
        handler = JournalHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))  # the journal has time and level
        return handler
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    return handler


def _stderr_is_the_journal() -> bool:
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def _priority(level: int) -> str:
    if level >= logging.ERROR:
        return "3"
    if level >= logging.WARNING:
        return "4"
    return "6" if level >= logging.INFO else "7"


def _served(name: str, listening: socket.socket) -> socket.socket:
    if name not in (FTP, FTPS):
        what = f"its name is {name}: write FileDescriptorName={FTP} or {FTPS}"
    elif not any(
        daemon.is_socket_inet(listening.fileno(), family, socket.SOCK_STREAM, 1)
        for family in (socket.AF_INET, socket.AF_INET6)
    ):
        what = "it is no listening TCP socket: write ListenStream=ADDRESS:PORT and Accept=no"
    elif listening.family == socket.AF_INET6 and not listening.getsockopt(
        socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
    ):
        what = (
            "it is for IPv6 and IPv4 at once: write BindIPv6Only=ipv6-only and two lines,"
            " ListenStream=0.0.0.0:PORT and ListenStream=[::]:PORT"
        )
    else:
        return listening
    raise OSError(errno.EINVAL, f"A socket that systemd passed cannot be served, {what}")
