"""An installed daemon and the OpenSPP behind it, as the tests of the checkout know them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.promises import OPTIONS, Gateway
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.container.installed import PORT, SPOOL, Installed


class InstalledOpenSPP(EmbeddedOpenSPP):
    """The embedded OpenSPP that runs on the machine."""

    def __init__(self, machine: Installed) -> None:
        self._machine = machine
        self.port = 8069
        self.secure = False

    def record(self) -> list[dict[str, Any]]:
        """What it stored, oldest first."""
        return self._machine.record()


class InstalledDaemon(Daemon):
    """The daemon that systemd runs; `journal` is where a copy of its journal is put."""

    def __init__(self, machine: Installed, journal: Path) -> None:
        self._machine = machine
        self._journal = journal
        self.port = PORT
        self.sections = {"tls": {"certificate": "Debian's own"}}

    @property
    def log_path(self) -> Path:  # type: ignore[override]
        """All fields of all entries so far."""
        entries = self._machine.run(
            "journalctl", "--no-pager", "--all", "--output=export", "--unit=openspp-ftpd"
        )
        self._journal.write_text(entries)
        return self._journal

    def log(self) -> str:
        """All it wrote so far."""
        return self._machine.journal("--output=cat", "--unit=openspp-ftpd")

    def spooled_bytes(self) -> int:
        """What its tmpfs holds, of whichever worker."""
        used = self._machine.in_daemon_s_view("df", "--block-size=1", "--output=used", SPOOL)
        return int(used.output.split()[-1])

    def workers(self) -> list[int]:
        """The numbers, in the machine, of the processes that it has started."""
        pid = self._machine.pid
        children = self._machine.read(f"/proc/{pid}/task/{pid}/children")
        return [int(each) for each in children.split()]


def gateway_on(machine: Installed, url: str, folder: Path) -> Gateway:
    """The machine's daemon before `url`, set up as the table wants it; for use in its network."""
    options = {name: value for section in OPTIONS.values() for name, value in section.items()}
    machine.configure(url=url, **options)
    machine.systemctl("restart")
    return Gateway(InstalledDaemon(machine, folder / "journal"), InstalledOpenSPP(machine))
