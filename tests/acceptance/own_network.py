"""A network of its own for a test, with a name server that the test controls; needs root.

Namespaces belong to a thread: what the thread starts, processes and sockets, is in them too, and
nothing else on the machine is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.acceptance.promises import at_once

HOST: Final = "openspp.ministry.test"
"""A name that the name server knows, as 127.0.0.1."""

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWNET: Final = 0x40000000
_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x40000
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1


class NameServer:
    """Answers every question with 127.0.0.1, or with silence, or that there is no such name."""

    def __init__(self) -> None:
        self.behaviour = "answers"  # or "silent", "unknown"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # not connected, but the waiting thread wakes
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            if self.behaviour != "silent":
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        """RFC 1035 section 4.1."""
        name_end = question.index(b"\0", 12) + 1
        asked = question[12 : name_end + 4]
        is_for_ipv4 = asked[-4:-2] == b"\0\x01"
        found = is_for_ipv4 and self.behaviour == "answers"
        flags = 0x8180 if self.behaviour == "answers" else 0x8183
        head = struct.pack(">2sHHHHH", question[:2], flags, 1, int(found), 0, 0)
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01" if found else b""
        return head + asked + record


def in_a_network_of_its_own(test: Callable[[NameServer], None]) -> None:
    """Call `test` in a thread whose network is a loopback interface and a name server."""

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        _check(libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS))
        _check(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
        with tempfile.NamedTemporaryFile("w") as resolver:
            resolver.write("nameserver 127.0.0.1\n")
            resolver.flush()
            _check(
                libc.mount(
                    resolver.name.encode(),
                    str(Path("/etc/resolv.conf").resolve()).encode(),
                    None,
                    _MS_BIND,
                    None,
                )
            )
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        with contextlib.closing(NameServer()) as name_server:
            test(name_server)

    at_once(run)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
