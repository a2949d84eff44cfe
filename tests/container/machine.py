"""A machine for a test: a Debian that boots systemd in a container of its own, without a network.

What it writes goes to a layer in memory above the fresh Debian, so that each machine starts anew;
the layer of one that was halted can be the beginning of others.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT: Final = (f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb")
_BOOT_SECONDS: Final = 120.0
_POWER_OFF: Final = signal.SIGRTMIN + 4  # systemd(1)
_CLONE_NEWNET: Final = 0x40000000
_CGROUPS: Final = Path("/sys/fs/cgroup")

# Mounts are private to this process and go with it. The working folder is the lower layer, for a
# path in an option of mount must not have a comma or colon in it.
_BOOT: Final = """
state=$1 layer=$2 cgroups=$3
shift 3
for procs in $cgroups; do echo $$ > "$procs"; done
mount -t tmpfs -o mode=0755 tmpfs "$state"
mkdir "$state/upper" "$state/work" "$state/root"
[ -z "$layer" ] || tar -x --xattrs --xattrs-include='*' -C "$state/upper" -f "$layer"
mount -t overlay -o "lowerdir=.,upperdir=$state/upper,workdir=$state/work" overlay "$state/root"
cd /
exec systemd-nspawn "--directory=$state/root" "$@"
"""


class NoMachine(Exception):
    """It did not boot; the text says why in one line."""


class Ran(NamedTuple):
    """What became of a command."""

    status: int
    output: str


class Machine:
    """Boots at once.

    Args:
        root: a fresh Debian, see roots.py.
        layer: what another machine wrote before it was halted, see `halt`.
        binds: folders of this machine that it sees, and where.

    Raises:
        NoMachine: it does not boot.
    """

    def __init__(
        self, root: Path, layer: Path | None = None, binds: Mapping[Path, str] | None = None
    ) -> None:
        self._leader = 0
        self._state = Path(tempfile.mkdtemp(prefix="machine-"))
        self._cgroups = _own_cgroups(self._state.name)
        self._console = tempfile.TemporaryFile()  # noqa: SIM115, closed by stop
        command = ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "sh", "-ceu", _BOOT]
        command += ["boot", str(self._state), str(layer or "")]
        command += [" ".join(f"{each}/cgroup.procs" for each in self._cgroups)]
        command += ["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"]
        command += ["--notify-ready=yes"]
        command += [f"--machine={self._state.name.replace('_', '0')}", "--hostname=office"]
        command += ["--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        command += [f"--bind-ro={source}:{target}" for source, target in (binds or {}).items()]
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
        ):
            notified.bind(f"{folder}/notify")
            self._nspawn = subprocess.Popen(
                command,
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=self._console,
                stderr=self._console,
                env={
                    "PATH": _PATH,
                    "NOTIFY_SOCKET": f"{folder}/notify",
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                },
            )
            try:
                self._wait_until_ready(notified)
            except NoMachine:
                self.stop()
                raise

    def _wait_until_ready(self, notified: socket.socket) -> None:
        """Until systemd says so; before that comes its process number (systemd-nspawn(1))."""
        deadline = time.monotonic() + _BOOT_SECONDS
        notified.settimeout(0.2)
        while time.monotonic() < deadline and self._nspawn.poll() is None:
            with contextlib.suppress(TimeoutError):
                for line in notified.recv(4096).decode().splitlines():
                    name, _, value = line.partition("=")
                    if name == "X_NSPAWN_LEADER_PID":
                        self._leader = int(value)
                    if line == "READY=1" and self._leader:
                        return
        self._console.seek(0)
        said = self._console.read().decode(errors="replace").strip().splitlines()
        raise NoMachine(f"systemd-nspawn did not boot: {said[-1] if said else 'it says nothing'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Switch it off; what it wrote is gone."""
        if self._nspawn.poll() is None and self._leader:
            os.kill(self._leader, signal.SIGKILL)  # all others of the machine go with it
        elif self._nspawn.poll() is None:
            self._nspawn.terminate()
        self._nspawn.wait(30)
        self._console.close()
        for cgroup in self._cgroups:
            _remove_cgroup(cgroup)
        with contextlib.suppress(FileNotFoundError):
            self._state.rmdir()

    def halt(self, layer: Path) -> None:
        """Shut it down in order and keep what it wrote in the file `layer`."""
        mounts = os.open(f"/proc/{self._nspawn.pid}/ns/mnt", os.O_RDONLY)
        try:
            os.kill(self._leader, _POWER_OFF)
            self._nspawn.wait(60)
            keep = [
                "tar",
                "-c",
                "--xattrs",
                "--xattrs-include=*",
                "-C",
                f"{self._state}/upper",
                ".",
            ]
            with layer.open("wb") as file:
                subprocess.run(
                    ["nsenter", f"--mount=/proc/self/fd/{mounts}", *keep],
                    pass_fds=[mounts],
                    stdout=file,
                    check=True,
                )
        finally:
            os.close(mounts)

    @property
    def disk(self) -> Path:
        """All that it wrote to its disk, as files."""
        return Path(f"/proc/{self._nspawn.pid}/root{self._state}/upper")

    def attempt(self, *command: str, stdin: str = "", seconds: float = 300) -> Ran:
        """Run a command as root and wait for its end, whatever that is."""
        enter = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net"]
        ran = subprocess.run(
            [*enter, "--pid", "env", "-i", *_ENVIRONMENT, *command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
        return Ran(ran.returncode, ran.stdout)

    def run(self, *command: str, stdin: str = "", seconds: float = 300) -> str:
        """Run a command as root that must end well; what it says on both channels."""
        ran = self.attempt(*command, stdin=stdin, seconds=seconds)
        assert ran.status == 0, f"{shlex.join(command)} ended with {ran.status}:\n{ran.output}"
        return ran.output

    def sh(self, script: str) -> str:
        """Run lines of shell as root that must end well; what they say."""
        return self.run("sh", "-eu", "-c", script)

    def read(self, path: str) -> str:
        """The text of a file."""
        return self.run("cat", path)

    def write(self, path: str, text: str) -> None:
        """Write a file, the folders above it too; one that exists keeps owner and mode."""
        self.run("sh", "-euc", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path, stdin=text)

    def entries(self, *match: str) -> list[dict[str, Any]]:
        """Entries of the journal as it keeps them, oldest first (journalctl(1), -o json)."""
        lines = self.run("journalctl", "--no-pager", "--all", "--output=json", *match).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def journal(self, *match: str) -> str:
        """The journal as an administrator reads it."""
        return self.run("journalctl", "--no-pager", "--no-hostname", *match)

    def journal_s_end(self) -> str:
        """Where it ends now: what comes later is --after-cursor= (journalctl(1))."""
        return str(self.entries("--lines=1")[-1]["__CURSOR"])

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """This thread and what it starts are in the machine's network: 127.0.0.1 is the machine."""
        with (
            Path("/proc/thread-self/ns/net").open() as own,
            Path(f"/proc/{self._leader}/ns/net").open() as machine_s,
        ):
            _enter_network(machine_s.fileno())
            try:
                yield
            finally:
                _enter_network(own.fileno())


def _enter_network(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _own_cgroups(name: str) -> list[Path]:
    """New control groups for a machine; the old hierarchy too where both are in use."""
    both = [_CGROUPS / each for each in ("unified", "systemd")]
    above = [each for each in both if each.is_dir()] or [_CGROUPS]
    made = [each / name for each in above]
    try:
        for each in made:
            each.mkdir()
    except OSError as error:
        raise NoMachine(f"no control group can be made: {error}") from None
    return made


def _remove_cgroup(cgroup: Path) -> None:
    """The kernel takes a moment to see that the last process is gone."""
    deadline = time.monotonic() + 5
    for folder, _, _ in os.walk(cgroup, topdown=False):
        while Path(folder).exists() and time.monotonic() < deadline:
            try:
                Path(folder).rmdir()
            except OSError:
                time.sleep(0.01)
