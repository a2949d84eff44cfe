"""The status socket: whoever may connect gets the state as one JSON document, and its end.

Here belong the socket's place, mode and protocol, both sides of it. Nothing is read from who
connects, so nothing can be asked of the daemon in this way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Final

from openspp_ftpd.status.snapshot import Snapshot, from_json

PATH: Final = "/run/openspp-ftpd/status"
"""Where the installed daemon's socket is."""

MODE: Final = 0o660
"""Root and the group openspp-ftpd may connect, for users' names and addresses are personal data."""

_BACKLOG: Final = 16
_LONGEST: Final = 4 * 1024 * 1024


class NotRunning(Exception):
    """No daemon listens there."""


class NotAnswering(Exception):
    """A daemon listens there, and does not answer as it should; the text says how."""


def path_for_this_process() -> str:
    """Where systemd wants the socket (RuntimeDirectory=, systemd.exec(5)); "" elsewhere."""
    directory = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return f"{directory}/{Path(PATH).name}" if directory else ""


def open_door(path: str) -> socket.socket:
    """A listening socket at `path`, in place of one that a daemon left behind. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(Path(path).lstat().st_mode) and not _is_listened_on(path):
            Path(path).unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o777 & ~MODE)  # it never has another mode, not even for a moment
        try:
            door.bind(path)
        finally:
            os.umask(before)
        door.listen(_BACKLOG)
        door.setblocking(False)
    except OSError as error:
        door.close()
        raise OSError(error.errno, f"{path} cannot be listened on: {error.strerror}") from error
    return door


def remove(path: str) -> None:
    """Remove a socket that is closed."""
    with contextlib.suppress(OSError):  # systemd removes the whole directory
        Path(path).unlink()


def answer(connection: socket.socket, snapshot: Snapshot) -> None:
    """Write the document and close. It never waits: a document fits into the socket's buffer."""
    with connection, contextlib.suppress(OSError):  # who asked has left
        document = snapshot.to_json().encode()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(document))
        connection.setblocking(False)
        connection.send(document)


def ask(path: str = PATH, seconds: float = 10.0) -> Snapshot:
    """The state of the daemon whose socket is at `path`.

    Raises NotRunning; NotAnswering, also where it takes longer than `seconds`; PermissionError.
    """
    received = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(seconds)
        try:
            asking.connect(path)
            while piece := asking.recv(65536):
                received += piece
                if len(received) > _LONGEST:
                    raise NotAnswering("it answers something else")
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning(path) from None
        except PermissionError:
            raise
        except TimeoutError:
            raise NotAnswering(f"it has not answered within {seconds:g} s") from None
        except OSError as error:
            raise NotAnswering(f"the connection broke: {error.strerror}") from None
    try:
        return from_json(received.decode())
    except ValueError:
        raise NotAnswering("it is of another version than this command: restart it") from None


def _is_listened_on(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) in (0, errno.EAGAIN)  # EAGAIN: its queue is full
