"""Does the machine fit the settings: certificate, key, authorities and the upload directory.

Looks and changes nothing. What may come by itself (an address, a name server, a free port) is not
asked for here.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from openspp_ftpd import tls
from openspp_ftpd.settings import (
    MetricsSettings,
    OpenSPPSettings,
    Settings,
    TlsSettings,
    UploadSettings,
)

MOUNTS: Final = "/proc/self/mountinfo"

_A_TMPFS: Final = (
    "under systemd the unit has one at /var/spool/openspp-ftpd, elsewhere make a directory below"
    " /dev/shm or /run"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit an option, and how it is mended. With a warning the daemon still serves."""

    section: str
    option: str
    text: str
    is_warning: bool = False


def check_world(
    settings: Settings, now: datetime, mounts: str = MOUNTS, tmpfs_of_unit: Collection[str] = ()
) -> list[Finding]:
    """Everything that does not fit. `now` has a time zone; `mounts` is a file as in proc(5).

    `tmpfs_of_unit` are directories that need no look: the unit mounts a tmpfs on them.
    """
    findings = [*_authorities(settings.openspp), *check_certificate(settings.tls, now)]
    if settings.uploads.directory.rstrip("/") not in tmpfs_of_unit:
        findings += _directory(settings.uploads, mounts)
    return [*findings, *_metrics(settings.metrics)]


def file_system(path: str, mounts: str = MOUNTS) -> str:
    """The type of the file system that `path` is on ("tmpfs"), "" where the mounts do not tell.

    Told by the device, so that links and mounts on top of mounts do not matter. Raises OSError.
    """
    device = Path(path).stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path(mounts).read_text("utf-8", "surrogateescape").splitlines():
        # As in proc(5): the third field is the device, the type follows a hyphen (from the 7th on).
        fields = line.split(" ")
        if fields[2] == number:
            return fields[fields.index("-", 6) + 1]
    return ""


def _authorities(settings: OpenSPPSettings) -> Iterator[Finding]:
    path = settings.ca_file
    if not path:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        text = "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    except FileNotFoundError:
        text = "does not exist; name the file of your authority, or nothing for the system's own"
    except PermissionError:
        text = "cannot be read by the user of this process; let everybody read it"
    except OSError as error:
        text = f"cannot be read ({error.strerror}); name a file in PEM form"
    else:
        return
    yield Finding("openspp", "ca_file", f"{path} {text}")


def check_certificate(settings: TlsSettings, now: datetime) -> Iterator[Finding]:
    """What is wrong with certificate and key. `now` has a time zone."""
    if settings.mode == "off":
        return
    problems = []
    try:
        tls.read_chain(settings.certificate)
    except tls.CertificateProblem as problem:
        problems.append(problem)
    try:
        tls.read_key(settings.key)
    except tls.CertificateProblem as problem:
        problems.append(problem)
    if not problems:
        try:
            tls.contexts(settings)
        except tls.CertificateProblem as problem:
            problems.append(problem)
    if problems:
        yield from (Finding("tls", problem.option, str(problem)) for problem in problems)
        return
    facts = tls.examine_certificate(settings.certificate, settings.key)
    text = ""
    if now > facts.not_after:
        text = (
            f"expired on {facts.not_after:%Y-%m-%d}; it is still served, but a scanner that looks"
            " refuses it: renew it and reload, or set this machine's clock right"
        )
    elif now < facts.not_before:
        text = (
            f"is valid only from {facts.not_before:%Y-%m-%d} on; it is served, but a scanner that"
            " looks refuses it: set this machine's clock right"
        )
    if text:
        yield Finding("tls", "certificate", f"{settings.certificate} {text}", is_warning=True)


def _metrics(settings: MetricsSettings) -> Iterator[Finding]:
    if settings.listen and importlib.util.find_spec("prometheus_client") is None:
        said = "needs a library that is missing: apt install python3-prometheus-client"
        yield Finding("metrics", "listen", said)
    for address in settings.listen:
        if not ipaddress.ip_address(address.host).is_loopback:
            said = (
                f"{address} can be asked by everybody who reaches it, and asks for no password;"
                " write 127.0.0.1, or let the firewall pass Prometheus only"
            )
            yield Finding("metrics", "listen", said, is_warning=True)


def _directory(settings: UploadSettings, mounts: str) -> Iterator[Finding]:
    path = settings.directory
    try:
        text = _unfit_directory(path, mounts)
        room = os.statvfs(path)
    except FileNotFoundError:
        text = f"does not exist; {_A_TMPFS}"
    except OSError as error:
        text = f"cannot be used ({error.strerror}); {_A_TMPFS}"
    if text:
        yield Finding("uploads", "directory", f"{path} {text}")
    elif room.f_blocks * room.f_frsize < settings.max_size:
        mib = room.f_blocks * room.f_frsize // 1024**2
        text = (
            f"{path} holds {mib} MiB in all, less than one scan of max_size; make the tmpfs larger"
            " or max_size smaller"
        )
        yield Finding("uploads", "directory", text, is_warning=True)


def _unfit_directory(path: str, mounts: str) -> str:
    """Why scans cannot be kept there; "" where they can. Raises OSError."""
    if not stat.S_ISDIR(Path(path).stat().st_mode):
        return f"is no directory; {_A_TMPFS}"
    kind = file_system(path, mounts)
    if kind != "tmpfs":
        where = f"is on {kind}" if kind else "is on an unknown file system"
        return f"{where}, not on a tmpfs: scans would reach a disk; {_A_TMPFS}"
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        return "cannot be written by the user of this process; make it its owner"
    return ""
