"""A network of the test's own, which can be cut and slowed; needs root and nft(8).

Namespaces belong to a thread: what it starts, threads, processes and sockets, is in them too, and
nothing else on the machine is touched.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

_TABLE: Final = "scans"
_PIECE: Final = 16 * 1024


class Nft:
    """Rules of this namespace's input chain; loopback traffic passes it once in each direction."""

    def __init__(self) -> None:
        self._run("add", "table", "inet", _TABLE)
        chain = "{ type filter hook input priority 0; }"
        self._run("add", "chain", "inet", _TABLE, "input", chain)

    @contextlib.contextmanager
    def cut(self, ports: Sequence[int]) -> Iterator[None]:
        """Nothing arrives from or at these ports; nobody is told."""
        listed = "{ " + ", ".join(map(str, ports)) + " }"
        with self._rule("tcp", "dport", listed, "drop"), self._rule("tcp", "sport", listed, "drop"):
            yield

    @contextlib.contextmanager
    def cut_off(self, host: str) -> Iterator[None]:
        """Nothing arrives from or at this address; nobody is told."""
        with self._rule("ip", "daddr", host, "drop"), self._rule("ip", "saddr", host, "drop"):
            yield

    @contextlib.contextmanager
    def refused(self, port: int) -> Iterator[None]:
        """Connections to this port are refused, and those that are there are reset."""
        with self._rule("tcp", "dport", str(port), "reject", "with", "tcp", "reset"):
            yield

    @contextlib.contextmanager
    def _rule(self, *rule: str) -> Iterator[None]:
        told = self._run("--echo", "--handle", "add", "rule", "inet", _TABLE, "input", *rule)
        handle = told.rsplit("handle", 1)[1].split()[0]
        try:
            yield
        finally:
            self._run("delete", "rule", "inet", _TABLE, "input", "handle", handle)

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            ["nft", *arguments], check=True, capture_output=True, text=True, timeout=20
        ).stdout


class Relay:
    """Stands between the daemon and OpenSPP, and is as slow as it is told to be."""

    def __init__(self, behind: int) -> None:
        self.seconds_per_piece = 0.0
        """What each 16 kB cost, one after the other."""
        self._behind = behind
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._behind), 30)
            except OSError:
                _reset(near)
                return
            with far:
                back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
                back.start()
                self._pass_on(near, far)
                back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(_PIECE):
                if self.seconds_per_piece:
                    time.sleep(self.seconds_per_piece)
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
