"""What answers where OpenSPP should be: is it OpenSPP, does it take scans, how quickly."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from openspp_ftpd.doctor.findings import Finding, failed, fine, warning
from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp.probe import Probe, probe
from openspp_ftpd.settings import OpenSPPSettings
from openspp_ftpd.status import door

SLOW_SECONDS: Final = 2.0
"""An OpenSPP that takes longer for an empty request keeps scanners waiting."""

CLOCK_SECONDS: Final = 120.0
"""Clocks further apart than this make certificates and log entries disagree."""

_OF_ODOO_API: Final = 17
"""The first Odoo whose OpenSPP has a document store, and no scanner interface (WIRE17.md)."""


def check_openspp(settings: OpenSPPSettings, now: datetime) -> Iterator[Finding]:
    """Everything about the other side, asked without a password. `now` has a time zone."""
    about = "OpenSPP"
    if not _is_private(settings.url):
        yield warning(
            about,
            f"{settings.url} is not encrypted: passwords and scans cross the network readable",
            "write https:// in [openspp] url, if OpenSPP's proxy has a certificate",
        )
    try:
        found = probe(settings)
    except OSError as error:
        yield failed(about, f"ca_file cannot be used: {error}", "see ca_file in [openspp]")
        return
    yield from judge(settings, found)
    if found.clock is not None:
        apart = abs((found.clock - now).total_seconds())
        if apart > CLOCK_SECONDS:
            yield warning(
                "OpenSPP's clock",
                f"it and this machine's are {apart:.0f} s apart",
                "have both set by the network's time",
            )
        else:
            yield fine("OpenSPP's clock", "it agrees with this machine's")


def check_keys(socket: str = door.PATH) -> Iterator[Finding]:
    """The API keys of which the running daemon knows that they expire soon: a key tells only its
    own user, at a login. A daemon that cannot be asked has another line in the list."""
    with contextlib.suppress(door.NotRunning, door.NotAnswering, PermissionError):
        for _, said in sorted(door.ask(socket).openspp.expiring_keys.items()):
            text, _, mend = said.rpartition(". ")
            yield warning("API key", text, mend)


def judge(settings: OpenSPPSettings, found: Probe) -> Iterator[Finding]:
    """What a probe's result means for the administrator."""
    about = "OpenSPP"
    odoo = f"Odoo {found.version}" if found.version else "OpenSPP"
    if found.failure is None:
        text = f"{settings.url}: {odoo}, takes scans, answered in {found.seconds:.2f} s"
        if found.seconds > SLOW_SECONDS:
            yield warning(about, text, "that is slow; see the load of the OpenSPP server")
        else:
            yield fine(about, text)
        return
    problem, detail = found.failure.problem, found.failure.detail
    if found.scanner_interface:
        text = f"{settings.url} is {odoo}, with the scanner interface of OpenSPP 15"
        yield failed(about, text, "write api = scanner in [openspp]")
    elif settings.api == "odoo" and problem is Problem.NOT_OPENSPP:
        yield failed(about, f"Odoo's own API does not answer at {settings.url}", detail)
    elif problem is Problem.NOT_OPENSPP and _major(found.version) >= _OF_ODOO_API:
        text = f"{settings.url} is {odoo}, whose OpenSPP has no scanner interface"
        yield failed(about, text, "write api = odoo in [openspp]")
    elif problem is Problem.NOT_OPENSPP and found.version:
        text = f"{settings.url} is {odoo}, but it has no scanner interface in this database"
        yield failed(about, text, detail)
    else:
        yield failed(about, problem.text.replace(" Not stored.", ""), detail)


def _major(version: str) -> int:
    """The first number of an Odoo's version ("17.0", "saas~18.2"); 0 where there is none."""
    first = version.removeprefix("saas~").partition(".")[0]
    return int(first) if first.isdecimal() else 0


def _is_private(url: str) -> bool:
    """Whether nobody else can read what is sent there."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
