"""The systemd unit: what it is doing, and what it gives the daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from openspp_ftpd.doctor.findings import Finding, failed, fine, warning
from openspp_ftpd.systemd import UNIT

_PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "Result",
    "ExecMainStatus",
    "MainPID",
    "StatusText",
    "TriggeredBy",
    "TemporaryFileSystem",
    "MemorySwapMax",
)
_MISTAKES: Final = "78"  # sysexits.h, EX_CONFIG
_JOURNAL: Final = f"journalctl -x -n 20 -u {UNIT}"


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd says of the daemon's unit; `known` is False where there is none."""

    properties: Mapping[str, str]

    @property
    def known(self) -> bool:
        """There is such a unit."""
        return self.properties.get("LoadState") == "loaded"

    @property
    def runs(self) -> bool:
        """The daemon is up, or on its way up or down."""
        return self.known and self.properties.get("ActiveState") in (
            "active",
            "reloading",
            "deactivating",
        )

    @property
    def processes(self) -> frozenset[str]:
        """The numbers of the processes that may listen for it: its own, and systemd for sockets."""
        own = {self.properties.get("MainPID", "0")} - {"0"}
        return frozenset(own | {"1"} if self.properties.get("TriggeredBy") else own)

    @property
    def tmpfs(self) -> Mapping[str, str]:
        """The directories on which the unit mounts a tmpfs, with their mount options."""
        mounts = self.properties.get("TemporaryFileSystem", "").split()
        return {path: options for path, _, options in (each.partition(":") for each in mounts)}

    @property
    def may_be_swapped(self) -> bool:
        """Its memory, tmpfs included, may reach a disk."""
        return self.properties.get("MemorySwapMax") != "0"


def unit() -> Unit:
    """Ask systemd; elsewhere the unit is not known."""
    command = ("systemctl", "show", f"--property={','.join(_PROPERTIES)}", UNIT)
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return Unit({})
    lines = (line.partition("=") for line in asked.stdout.splitlines())
    return Unit({name: value for name, _, value in lines})


def check_service(unit: Unit) -> Iterator[Finding]:
    """Whether the daemon runs, and starts with the machine."""
    about = "service"
    if not unit.known:
        yield warning(
            about,
            "there is no systemd unit of openspp-ftpd on this machine",
            "install the package, or run: openspp-ftpd serve -c FILE",
        )
        return
    state = unit.properties["ActiveState"]
    status = unit.properties.get("ExecMainStatus", "")
    if state == "active":
        yield fine(about, unit.properties.get("StatusText") or "it runs")
    elif state in ("activating", "reloading", "deactivating"):
        yield warning(about, f"it is {state} at this moment", "look again in a few seconds")
    elif state == "failed" or (state == "inactive" and status == _MISTAKES):
        why = "its configuration has mistakes" if status == _MISTAKES else "it failed"
        yield failed(about, f"{why} (exit status {status})", f"{_JOURNAL} says why")
    else:
        yield warning(about, "it does not run", f"systemctl start {UNIT.removesuffix('.service')}")
    if unit.properties.get("UnitFileState") == "disabled":
        yield warning(
            about,
            "it does not start with the machine",
            f"systemctl enable {UNIT.removesuffix('.service')}",
        )
