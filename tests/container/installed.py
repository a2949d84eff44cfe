"""A machine on which an administrator has installed the package, and what he does there."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.acceptance import promises
from tests.acceptance.documents import sha256
from tests.acceptance.promises import pdf, unique
from tests.acceptance.scanner import Scanner
from tests.container.machine import Machine, Ran
from tests.container.packages import Repositories

CONFIGURATION: Final = "/etc/openspp-ftpd.conf"
SPOOL: Final = "/var/spool/openspp-ftpd"
PORT: Final = 8002
_USB_STICK: Final = "/media/usb"
_NEXT_USB_STICK: Final = "/media/next"
_KEY: Final = "/etc/apt/keyrings/openspp-ftpd.asc"
_SOURCE: Final = "/etc/apt/sources.list.d/openspp-ftpd.list"
EMBEDDED: Final = "embedded.service"
RECORD: Final = "/run/record.jsonl"  # in memory, so that nothing of it counts as left on a disk
_EMBEDDED_UNIT: Final = f"""\
[Service]
ExecStart=/usr/bin/openspp-ftpd sandbox --record {RECORD} OPTIONS
[Install]
WantedBy=multi-user.target
"""


def until(condition: Callable[[], Any], seconds: float = 60) -> bool:
    """Whether `condition` became true in time, on a busy machine too."""
    return promises.until(condition, seconds)


class Installed(Machine):
    """The machine, with a word for each thing that is done with it."""

    url = "http://127.0.0.1:8069"

    def apt(self, *arguments: str) -> str:
        """apt-get, asking nothing, as a script or an unattended upgrade calls it."""
        return self.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", *arguments)

    def add_repository(self, stick: str = _USB_STICK) -> str:
        """Trust the key of the repository on a USB stick and have apt read it."""
        self.sh(f"mkdir -p /etc/apt/keyrings; cp {stick}/openspp-ftpd.asc {_KEY}")
        self.write(_SOURCE, f"deb [signed-by={_KEY}] file:{stick} ./\n")
        return self.apt("update")

    def add_next_repository(self) -> str:
        """The same with that of the next version."""
        return self.add_repository(_NEXT_USB_STICK)

    def systemctl(self, *arguments: str, unit: str = "openspp-ftpd") -> str:
        """systemctl COMMAND openspp-ftpd, which must do it."""
        return self.run("systemctl", *arguments, unit)

    def refuses(self, *arguments: str) -> str:
        """The same where it must not; the status afterwards."""
        ran = self.attempt("systemctl", *arguments, "openspp-ftpd")
        assert ran.status != 0, f"systemctl {' '.join(arguments)} did it"
        return self.status()

    def status(self) -> str:
        """What `systemctl status openspp-ftpd` shows."""
        return self.attempt("systemctl", "--no-pager", "--full", "status", "openspp-ftpd").output

    def show(self, name: str) -> str:
        """One property of the unit, see systemctl(1)."""
        return self.systemctl("show", "--value", f"--property={name}").strip()

    @property
    def pid(self) -> int:
        """The daemon's process number within the machine; 0 where it does not run."""
        return int(self.show("MainPID"))

    def in_daemon_s_view(self, *command: str) -> Ran:
        """Run a command as root that sees the files as the daemon does."""
        return self.attempt("nsenter", f"--target={self.pid}", "--mount", *command)

    def drop_in(self, name: str, text: str) -> None:
        """Add settings to the unit."""
        self.write(f"/etc/systemd/system/openspp-ftpd.service.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def configure(self, **options: str) -> None:
        """Set options of the configuration, each in its line of the shipped file."""
        text = self.read(CONFIGURATION)
        for name, value in options.items():
            text, count = re.subn(rf"(?m)^#?{name} =.*$", f"{name} = {value}", text)
            assert count == 1, f"{name} has {count} lines in the configuration"
        self.write(CONFIGURATION, text)

    def line_of(self, option: str) -> str:
        """Where messages say that an option is: FILE:LINE."""
        lines = self.read(CONFIGURATION).splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if line.startswith(f"{option} ="))
        return f"{CONFIGURATION}:{number}"

    def start_openspp(self, *options: str) -> None:
        """Run the embedded OpenSPP, now and after a boot."""
        unit = _EMBEDDED_UNIT.replace("OPTIONS", " ".join(options))
        self.write(f"/etc/systemd/system/{EMBEDDED}", unit)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "enable", "--quiet", EMBEDDED)
        self.run("systemctl", "restart", EMBEDDED)
        self.wait_for_openspp()

    def stop_openspp(self) -> None:
        """End it."""
        self.run("systemctl", "stop", EMBEDDED)

    def wait_for_openspp(self) -> None:
        """Until it listens."""
        assert until(lambda: self.listens(8069)), self.journal(f"--unit={EMBEDDED}")

    def listens(self, port: int) -> bool:
        """Whether something listens on a port."""
        return bool(self.run("ss", "--no-header", "-tln", f"sport = :{port}"))

    def record(self) -> list[dict[str, Any]]:
        """What OpenSPP stored, oldest first."""
        lines = self.attempt("cat", RECORD)
        return [json.loads(line) for line in lines.output.splitlines()] if not lines.status else []

    def stored(self, content: bytes) -> list[str]:
        """The names under which OpenSPP has this document."""
        return [each["filename"] for each in self.record() if each["sha256"] == sha256(content)]

    @contextlib.contextmanager
    def scanner(self, tls: str = "", port: int = PORT) -> Iterator[Scanner]:
        """A scanner that has logged in; this thread is in the machine's network meanwhile."""
        with self.network(), Scanner(port, tls) as scanner:
            assert scanner.login().code == 230
            yield scanner

    def send(self, content: bytes, tls: str = "", port: int = PORT, name: str = "") -> str:
        """Send a scan in a session of its own; the final reply."""
        with self.scanner(tls, port) as scanner:
            answer = scanner.store(name or unique("scan.pdf"), content)
            scanner.quit()
        return f"{answer.code} {answer.text}"

    def serves(self) -> None:
        """A scan by FTP and one by FTPS arrive."""
        for tls in ("", "explicit"):
            content = pdf()
            assert self.send(content, tls) == "226 Transfer complete. OpenSPP has it."
            assert len(self.stored(content)) == 1

    def certificate(self, port: int = PORT) -> bytes:
        """The certificate that scanners are shown, in DER."""
        with self.network(), Scanner(port, "explicit") as scanner:
            assert isinstance(scanner.connection, ssl.SSLSocket)
            return scanner.connection.getpeercert(binary_form=True) or b""


@contextlib.contextmanager
def installed_on(root: Path, repositories: Repositories, layer: Path | None) -> Iterator[Installed]:
    """A machine with the repositories on USB sticks."""
    sticks = {repositories.this: _USB_STICK, repositories.next: _NEXT_USB_STICK}
    with Installed(root, layer, sticks) as machine:
        yield machine


def install(root: Path, repositories: Repositories, layer: Path) -> str:
    """Install the package on a fresh Debian and shut that down; what apt said."""
    with installed_on(root, repositories, None) as machine:
        machine.add_repository()
        said = machine.apt("install", "openspp-ftpd")
        machine.halt(layer)
    return said


def set_up(root: Path, repositories: Repositories, installed: Path, layer: Path) -> None:
    """Boot that, run the embedded OpenSPP, set url, start the daemon, and shut it down."""
    with installed_on(root, repositories, installed) as machine:
        machine.start_openspp()
        machine.configure(url=machine.url)
        started = machine.attempt("systemctl", "start", "openspp-ftpd")
        assert started.status == 0, machine.journal("--unit=openspp-ftpd")
        machine.halt(layer)
