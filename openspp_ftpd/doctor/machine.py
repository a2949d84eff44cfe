"""The machine that the daemon runs on: certificate, spool, swap and clock."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from openspp_ftpd import tls
from openspp_ftpd.doctor.findings import Finding, failed, fine, warning
from openspp_ftpd.doctor.service import Unit
from openspp_ftpd.settings import MIB, Settings, TlsSettings, UploadSettings

DAYS_LEFT: Final = 21
"""A certificate that ends sooner is warned of: Let's Encrypt renews a month before the end."""


def check_certificate(settings: TlsSettings, now: datetime) -> Iterator[Finding]:
    """Whose certificate it is, and how long it is valid. `now` has a time zone."""
    about = "certificate"
    if settings.mode == "off":
        yield warning(
            about,
            "TLS is off: passwords and scans cross the network readable for everybody",
            "set mode = optional in [tls], and FTPS in the scanner's profile",
        )
        return
    try:
        facts = tls.examine_certificate(settings.certificate, settings.key)
    except tls.CertificateProblem as problem:
        yield failed(about, str(problem), f"[tls] {problem.option} names it")
        return
    days = (facts.not_after - now).days
    issuer = "itself" if facts.self_signed else facts.issuer
    text = f"{facts.subject or settings.certificate}, signed by {issuer}, {days} days left"
    if now > facts.not_after:
        mend = "renew it, then: systemctl reload openspp-ftpd"
        yield warning(about, f"{facts.subject} expired on {facts.not_after:%Y-%m-%d}", mend)
    elif now < facts.not_before:
        yield warning(
            about,
            f"{facts.subject} is valid only from {facts.not_before:%Y-%m-%d} on",
            "set this machine's clock right",
        )
    elif days < DAYS_LEFT:
        yield warning(about, text, "renew it, then: systemctl reload openspp-ftpd")
    else:
        yield fine(about, text)


def check_spool(
    settings: Settings, unit: Unit, meminfo: Path = Path("/proc/meminfo")
) -> Iterator[Finding]:
    """The tmpfs in which a scan is while it is handed on: its size, and that no disk sees it."""
    about = "spool"
    uploads = settings.uploads
    options = unit.tmpfs.get(uploads.directory.rstrip("/")) if unit.known else None
    try:
        size = _size_of_tmpfs(options, meminfo) if options is not None else _size(uploads)
    except (OSError, ValueError) as error:
        yield failed(about, f"{uploads.directory}: {error}", "name a tmpfs in [uploads] directory")
        return
    held = size // uploads.max_size
    text = (
        f"{uploads.directory} is a tmpfs of {size // MIB} MiB,"
        f" {held} scans of max_size ({uploads.max_size // MIB} MiB) at once"
    )
    larger = (
        "make the tmpfs larger (a drop-in with TemporaryFileSystem=, see"
        " /usr/share/doc/openspp-ftpd/examples), or lower max_size in [uploads]"
    )
    if held < 1:
        yield failed(about, f"{text}: a scan of max_size finds no room", larger)
    elif held < min(4, settings.limits.sessions):
        yield warning(about, f"{text}: more than that are told 452 to try again", larger)
    else:
        yield fine(about, text)
    if _swap_is_on() and (options is None or unit.may_be_swapped):
        yield warning(
            "swap",
            "this machine swaps, so that a scan in the tmpfs may reach a disk",
            "run the daemon by its systemd unit (MemorySwapMax=0), or mount the tmpfs with noswap",
        )
    elif options is not None:
        yield fine("swap", "the unit's memory is never swapped")


def check_clock(timedatectl: str = "timedatectl") -> Iterator[Finding]:
    """Whether this machine's clock is kept right; OpenSPP's is compared where it answers."""
    command = (timedatectl, "show", "--property=NTPSynchronized", "--value")
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return  # no systemd: OpenSPP's clock tells
    if asked.stdout.strip() == "yes":
        yield fine("clock", "it is kept right by the network's time")
    else:
        yield warning(
            "clock",
            "it is not kept right by the network's time; certificates and log entries depend on it",
            "apt install systemd-timesyncd; timedatectl set-ntp true",
        )


def _size(settings: UploadSettings) -> int:
    room = os.statvfs(settings.directory)
    return room.f_blocks * room.f_frsize


def _size_of_tmpfs(options: str, meminfo: Path) -> int:
    """Bytes of a tmpfs with these mount options (tmpfs(5)). Raises OSError, ValueError."""
    size = "50%"
    for option in options.split(","):
        name, _, value = option.partition("=")
        size = value if name == "size" else size
    if size.endswith("%"):
        total = next(
            line for line in meminfo.read_text("ascii").splitlines() if line.startswith("MemTotal:")
        )
        return int(total.split()[1]) * 1024 * int(size[:-1]) // 100
    factors = {"k": 1024, "m": 1024**2, "g": 1024**3}
    factor = factors.get(size[-1:].lower(), 1)
    return int(size[:-1] if factor > 1 else size) * factor


def _swap_is_on(swaps: Path = Path("/proc/swaps")) -> bool:
    try:
        return len(swaps.read_text("utf-8", "replace").splitlines()) > 1
    except OSError:
        return False
