"""The installed daemon for faults under load, and what is done to its unit and to OpenSPP's."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.acceptance.grounds import Ground
from tests.container.gateways import InstalledDaemon, InstalledOpenSPP
from tests.container.installed import CONFIGURATION, EMBEDDED, RECORD, SPOOL, Installed, until
from tests.faults.playing import OPENSPP, OPTIONS

IMPLICIT_PORT: Final = 8990
PASSIVE_PORTS: Final = range(3000, 3006)  # the shipped ones

_TMPFS: Final = "64M"


class JournalledDaemon(InstalledDaemon):
    """The installed daemon, and of its journal what came since this object was made."""

    def __init__(self, machine: Installed, journal: Path) -> None:
        super().__init__(machine, journal)
        self.implicit_port = IMPLICIT_PORT
        self.passive_ports = list(PASSIVE_PORTS)
        self._since = machine.journal_s_end()

    def log(self) -> str:
        """What it and systemd wrote about it since."""
        self._machine.run("journalctl", "--sync")
        since = f"--after-cursor={self._since}"
        return self._machine.journal("--output=cat", "--unit=openspp-ftpd", since)


def ground_on(machine: Installed, url: str, workers: int, folder: Path) -> Ground:
    """The daemon before `url`, started anew, and an OpenSPP that has no document yet."""
    machine.systemctl("stop")
    machine.stop_openspp()
    machine.run("rm", "--force", RECORD)
    machine.start_openspp(*OPENSPP)
    example = machine.read("/usr/share/doc/openspp-ftpd/examples/larger-spool.conf")
    machine.drop_in("spool", example.replace("size=4G", f"size={_TMPFS}"))
    options = {name: value for section in OPTIONS.values() for name, value in section.items()}
    listen_implicit = f"127.0.0.1:{IMPLICIT_PORT}"
    machine.configure(url=url, workers=str(workers), listen_implicit=listen_implicit, **options)
    daemon = JournalledDaemon(machine, folder / "journal")
    machine.systemctl("start")
    return Ground(InstalledOpenSPP(machine), daemon)


class Units:
    """The operator of a machine (tests.faults.scenarios.Operator): systemd does it all."""

    def __init__(self, machine: Installed, ground: Ground) -> None:
        self._machine = machine
        self._daemon = ground.daemon
        # All of its processes, or as a fault of the kernel's or its own does it, the first alone.
        self._killed = itertools.cycle(("all", "main"))

    def stop_openspp(self) -> None:
        self._machine.stop_openspp()

    def kill_openspp(self) -> None:
        self.signal_openspp(signal.SIGKILL)
        assert until(lambda: self._openspp_is() == "failed"), "OpenSPP was not killed"

    def signal_openspp(self, number: signal.Signals) -> None:
        self._machine.systemctl("kill", f"--signal={number.name}", unit=EMBEDDED)

    def start_openspp(self) -> None:
        # A unit without StartLimitIntervalSec= may be started five times in ten seconds.
        self._machine.attempt("systemctl", "reset-failed", EMBEDDED)
        self._machine.systemctl("start", unit=EMBEDDED)
        self._machine.wait_for_openspp()

    def _openspp_is(self) -> str:
        return self._machine.systemctl(
            "show", "--value", "--property=ActiveState", unit=EMBEDDED
        ).strip()

    def kill_daemon(self) -> None:
        """It is systemd that starts it again."""
        machine, killed = self._machine, self._machine.pid
        machine.systemctl("kill", "--signal=SIGKILL", f"--kill-whom={next(self._killed)}")
        assert until(lambda: machine.pid not in (0, killed), 120), "systemd did not start it again"
        assert until(lambda: machine.show("ActiveState") == "active", 120), machine.status()

    def restart_daemon(self) -> None:
        """systemd would say where its end was none in order."""
        self._machine.systemctl("restart")
        assert "Failed with result" not in self._daemon.log()

    def configuration(self) -> str:
        return self._machine.read(CONFIGURATION)

    def reload_daemon(self, configuration: str, good: bool) -> None:
        self._machine.write(CONFIGURATION, configuration)
        ran = self._machine.attempt("systemctl", "reload", "openspp-ftpd")
        assert (ran.status == 0) == good, f"reloaded with status {ran.status}: {ran.output}"

    def kill_a_worker(self, chance: random.Random) -> None:
        workers = self._daemon.workers()
        assert workers, "there are no workers"
        self._machine.attempt("kill", "-KILL", str(chance.choice(sorted(workers))))

    @contextlib.contextmanager
    def filled_tmpfs(self) -> Iterator[None]:
        """In the daemon's own view, for nobody else sees it."""
        view, ballast = self._machine.in_daemon_s_view, f"{SPOOL}/ballast"
        filling = view("dd", "if=/dev/zero", f"of={ballast}", "bs=64K")
        try:
            assert "No space left on device" in filling.output, filling.output
            yield
        finally:
            removed = view("rm", ballast)
            assert removed.status == 0, removed.output
