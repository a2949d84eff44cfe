"""The library as it comes, run as a process for tests that show a fault of it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from tests.acceptance.promises import until
from tests.acceptance.running import Process, free_ports, wait_for_port
from tests.acceptance.scanner import Scanner


class PlainLibrary(Process):
    """pyftpdlib's FTPServer in a process of its own, storing what alice sends into `folder`.

    Args:
        directory: where its log goes.
        options: of `plain_pyftpdlib.py`.
        passive_ports: how many.
        folder: another than one of its own in memory.
    """

    module = "tests.acceptance.plain_pyftpdlib"

    def __init__(
        self,
        directory: Path,
        *options: str,
        passive_ports: int = 6,
        folder: Path | None = None,
    ) -> None:
        ports = free_ports(1 + passive_ports)
        self.port, *self.passive_ports = ports
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(dir="/dev/shm"))
        super().__init__(
            directory / "library.log",
            [
                *(str(self.port), str(self.folder), *options),
                *("--passive-ports", str(ports[1]), str(ports[-1])),
            ],
        )
        try:
            wait_for_port(self.port, self.start_process())
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def scanner(self, tls: str = "") -> Scanner:
        """A scanner that has connected."""
        return Scanner(self.port, tls)

    def logged_in(self, tls: str = "") -> Scanner:
        """alice, logged in."""
        scanner = self.scanner(tls)
        try:
            assert scanner.login().code == 230
            assert scanner.command("TYPE I").code == 200
        except BaseException:
            scanner.close()
            raise
        return scanner

    def told(self, callback: str, name: str) -> bool:
        """Whether the library called back about this file, or does soon."""
        return until(lambda: f"{callback} {self.folder / name}\n" in self.log(), 20)

    def stored(self) -> dict[str, bytes]:
        """What lies in its folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


def begin(scanner: Scanner, name: str) -> socket.socket:
    """PASV, connect, STOR: the data connection, ready to be written to (`Scanner.begin` wants the
    150 that our daemon always says)."""
    data = scanner.passive()
    assert scanner.command(f"STOR {name}").code in (125, 150)
    return scanner.secured(data)


def next_answer_is_to_noop(scanner: Scanner) -> bool:
    """No reply is on its way: the next one is that to a NOOP."""
    answer = scanner.command("NOOP")
    return answer.code == 200 and "successful" in answer.text
