"""All checks, in the order in which a scan meets what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from openspp_ftpd import config
from openspp_ftpd.doctor.findings import Finding, failed, fine, warning
from openspp_ftpd.doctor.firewall import check_firewall
from openspp_ftpd.doctor.machine import check_certificate, check_clock, check_spool
from openspp_ftpd.doctor.openspp import check_keys, check_openspp
from openspp_ftpd.doctor.ports import check_ports, check_public_address
from openspp_ftpd.doctor.service import Unit, check_service
from openspp_ftpd.settings import Settings


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the list: what is being looked at, for who waits, and the look itself."""

    name: str
    look: Callable[[], Iterator[Finding]]


def check_configuration(
    path: str, credentials: str, unit: Unit
) -> tuple[Settings | None, list[Finding]]:
    """The settings, or None where they have mistakes; and what is to be said of them."""
    about = "configuration"
    try:
        loaded = config.load(path, credentials, () if credentials else tuple(unit.tmpfs))
    except config.ConfigurationError as error:
        mend = "correct it; openspp-ftpd.conf(5) explains every option"
        return None, [failed(about, str(mistake), mend) for mistake in error.mistakes]
    findings = [fine(about, f"{path} has no mistakes")]
    findings += [
        warning(about, str(each), "the daemon serves nevertheless") for each in loaded.warnings
    ]
    return loaded.settings, findings


def steps(settings: Settings, unit: Unit) -> Iterator[Step]:
    """What is looked at with a configuration that has no mistakes."""
    ftp = settings.ftp
    every_port = [address.port for address in (*ftp.listen, *ftp.listen_implicit)]
    every_port += ftp.passive_ports
    now = datetime.now(UTC)
    yield Step("certificate", lambda: check_certificate(settings.tls, now))
    yield Step("ports", lambda: check_ports(ftp, unit))
    yield Step("firewall", lambda: check_firewall(every_port))
    yield Step("public address", lambda: check_public_address(ftp))
    yield Step("spool", lambda: check_spool(settings, unit))
    yield Step("clock", check_clock)
    yield Step("OpenSPP", lambda: check_openspp(settings.openspp, datetime.now(UTC)))
    yield Step("service", lambda: check_service(unit))
    if settings.openspp.api == "odoo":
        yield Step("API keys", check_keys)
