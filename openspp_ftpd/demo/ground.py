"""What the demonstration finds on this machine: its addresses, and ports free and taken."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import Final

from openspp_ftpd.demo.processes import DemoError
from openspp_ftpd.port_holder import error_of_listening, holders
from openspp_ftpd.settings import Address

_SOMEWHERE_ELSE: Final = {4: "192.0.2.1", 6: "2001:db8::1"}  # RFC 5737, RFC 3849


def address_of(text: str) -> Address:
    """The address in ADDRESS:PORT, [IPv6]:PORT or localhost:PORT. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not colon or not re.fullmatch(r"\d{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not ADDRESS:PORT, such as 127.0.0.1:2121 or 0.0.0.0:8002")
    try:
        return Address(str(ipaddress.ip_address(host)), int(port))
    except ValueError:
        raise ValueError(
            f"{host!r} is not an address of this machine, such as 127.0.0.1 or 0.0.0.0 for all"
        ) from None


def is_loopback(host: str) -> bool:
    """Only this machine can connect there."""
    return ipaddress.ip_address(host).is_loopback


def reached_by(host: str) -> str:
    """Where this machine itself reaches a listener on `host` (all addresses: by loopback)."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def seen_from_outside(host: str) -> str:
    """The address to tell a scanner for a listener on `host`; "" if this machine has none."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only chooses the address to send from.
            probe.connect((_SOMEWHERE_ELSE[address.version], 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def demand_free(address: Address, advice: str) -> None:
    """Raise DemoError if nobody can listen on `address`; the text ends with `advice`."""
    error = error_of_listening(address)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        known = " and ".join(holders(address.port))
        holder = (
            f"{known} has it" if known else "another demo or an openspp-ftpd service may have it"
        )
        text = f"Port {address.port} is taken: {holder}."
    elif error.errno == errno.EACCES:
        text = f"Port {address.port} needs root: ports below 1024 are not for everybody."
    elif error.errno == errno.EADDRNOTAVAIL:
        raise DemoError(f"This machine has no address {address.host}; 0.0.0.0 means all it has.")
    else:
        text = f"Nobody can listen on {address}: {error.strerror}."
    raise DemoError(f"{text}\n{advice}")


def is_free(address: Address) -> bool:
    """Somebody could listen on `address` now."""
    return error_of_listening(address) is None


def free_range(host: str, wanted: range, avoided: int) -> range:
    """The wanted port range, or the next of its length that is wholly free and without `avoided`.

    Raises DemoError if there is none.
    """
    for first in range(wanted.start, 65535 - len(wanted), len(wanted)):
        ports = range(first, first + len(wanted))
        if avoided not in ports and all(is_free(Address(host, port)) for port in ports):
            return ports
    raise DemoError(f"No {len(wanted)} neighbouring ports are free for data connections on {host}.")
