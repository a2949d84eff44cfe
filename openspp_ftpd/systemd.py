"""What systemd is told and gives: readiness, status, watchdog, journal; quiet elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time

from systemd import daemon, journal


def notify(message: str) -> None:
    """Send an sd_notify(3) message; nothing happens where no NOTIFY_SOCKET is given."""
    daemon.notify(message)


def ready(status: str) -> None:
    """The daemon listens and everything is imported."""
    notify(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """A reload begins; `ready` ends it (sd_notify(3), RELOADING=1)."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping(status: str) -> None:
    """The daemon was told to stop."""
    notify(f"STOPPING=1\nSTATUS={status}")


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
                **fields,
            )
        except OSError:
            self.handleError(record)


def log_handler() -> logging.Handler:
    """The journal where stderr goes to it (systemd.exec(5), JOURNAL_STREAM), else stderr."""
    if _stderr_is_the_journal():
        return JournalHandler()
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
