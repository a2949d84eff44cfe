"""Where scanners connect: listeners, passive ports, and the address that a 227 tells them."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from openspp_ftpd.doctor.findings import Finding, failed, fine, warning
from openspp_ftpd.doctor.service import Unit
from openspp_ftpd.port_holder import error_of_listening, holders
from openspp_ftpd.settings import Address, FtpSettings

_PROCESS: Final = re.compile(r"\(process (\d+)\)")
_SOCKET_UNIT: Final = "ports below 1024 want the socket unit: systemctl enable --now {}.socket"


def check_ports(settings: FtpSettings, unit: Unit) -> Iterator[Finding]:
    """Whether each port is free, or the running daemon's."""
    listeners = [*settings.listen, *settings.listen_implicit]
    for port in dict.fromkeys(address.port for address in listeners):
        same = [address for address in listeners if address.port == port]
        yield from _check(f"port {port}", same, unit)
    hosts = sorted({address.host for address in listeners})
    passive = [Address(host, port) for port in settings.passive_ports for host in hosts]
    ports = sorted(settings.passive_ports)
    yield from _check(f"passive ports {ports[0]}-{ports[-1]}", passive, unit)


def check_public_address(settings: FtpSettings) -> Iterator[Finding]:
    """Whether what a 227 tells scanners leads here. IPv4 alone: a 229 tells no address."""
    for public in settings.public_address:
        about = "public_address"
        try:
            found = socket.getaddrinfo(public.host, None, socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            yield failed(
                about,
                f"the name {public.host} cannot be resolved ({error.strerror})",
                "write an address, or have the name server mended; until then scanners are told"
                " the address that they connected to",
            )
            continue
        addresses = sorted({str(each[4][0]) for each in found})
        told = f"{public.host} is {', '.join(addresses)}"
        if all(_is_ours(address) for address in addresses):
            yield fine(about, f"{told}, an address of this machine")
        else:
            yield fine(
                about,
                f"{told}, not this machine's: the router there must pass the control port and the"
                " passive ports on to it",
            )


def _check(about: str, addresses: Sequence[Address], unit: Unit) -> Iterator[Finding]:
    ours = 0
    for address in addresses:
        error = error_of_listening(address)
        if error is None or (error.errno == errno.EAFNOSUPPORT and address.host == "::"):
            continue
        if error.errno == errno.EADDRINUSE:
            known = holders(address.port)
            processes = {found[1] for each in known if (found := _PROCESS.search(each))}
            if unit.runs and (not known or processes & unit.processes):
                ours += 1
                continue
            by = " and ".join(known) or "another program (root sees which)"
            yield failed(
                about,
                f"{address} is held by {by}",
                "stop that program, or choose another port in [ftp]",
            )
        elif error.errno == errno.EADDRNOTAVAIL:
            yield failed(
                about,
                f"this machine has no address {address.host}",
                "write 0.0.0.0 for all it has",
            )
        elif error.errno == errno.EACCES:
            unit_name = "openspp-ftpd" if address.port == 21 else "openspp-ftpd-ftps"
            yield warning(
                about,
                f"{address} is for root alone",
                _SOCKET_UNIT.format(unit_name),
            )
        else:
            yield failed(
                about, f"{address} cannot be listened on: {error.strerror}", "choose another"
            )
        return
    if ours:
        yield fine(about, "the running daemon listens")
    elif unit.runs:
        yield warning(
            about,
            "free, although the daemon runs: it was started with another configuration",
            "systemctl restart openspp-ftpd",
        )
    else:
        yield fine(about, "free")


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
