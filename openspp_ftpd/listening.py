"""The sockets that scanners connect to: taken from socket units, or opened.

Here belongs what must be so before any connection comes, and what is said to one that is turned
away. Who accepts from these sockets stands elsewhere: `ftp/`, or the supervisor of several workers.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from openspp_ftpd import systemd
from openspp_ftpd.errors import Reply
from openspp_ftpd.settings import Address, Settings

BACKLOG: Final = 256
"""Sessions that may wait to be accepted."""

_PASSIVE_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Door:
    """A listening socket for control connections, and what is spoken on them."""

    listening: socket.socket
    implicit_tls: bool

    def __str__(self) -> str:
        host, port = self.listening.getsockname()[:2]
        return f"{Address(host, port)}{' (implicit TLS)' if self.implicit_tls else ''}"


def open_doors(settings: Settings) -> list[Door]:
    """All doors, or none: those of socket units, the others opened. Raises OSError."""
    passed = systemd.passed_sockets()
    doors = [Door(one.listening, one.name == systemd.FTPS) for one in passed]
    names = {one.name for one in passed}
    wanted: list[tuple[Address, bool]] = []
    if systemd.FTP not in names:
        wanted += [(address, False) for address in settings.ftp.listen]
    if systemd.FTPS not in names:
        wanted += [(address, True) for address in settings.ftp.listen_implicit]
    try:
        for address, implicit_tls in wanted:
            if address.host == "::" and not _has_ipv6():
                continue  # a default for machines that have it
            doors.append(Door(open_socket(address), implicit_tls))
    except OSError:
        for door in doors:
            door.listening.close()
        raise
    return doors


def open_socket(address: Address) -> socket.socket:
    """A listening TCP socket for control connections, IPv6 without IPv4 beside it.

    Raises:
        OSError: the address cannot be listened on.
    """
    try:
        return _listening(address, BACKLOG)
    except OSError as error:
        raise OSError(error.errno, f"{address} cannot be listened on: {error.strerror}") from error


def open_passive_port(address: str, port: int) -> socket.socket:
    """A listening TCP socket for the data connections of one passive port on one address.

    Raises:
        OSError: the port cannot be opened; `strerror` names it.
    """
    try:
        return _listening(Address(address, port), _PASSIVE_BACKLOG)
    except OSError as error:
        raise OSError(
            error.errno, f"passive port {port} on {address} cannot be opened: {error.strerror}"
        ) from error


def passive_addresses(doors: Sequence[Door]) -> list[str]:
    """Where the passive ports are opened: an address that stands for all of its family suffices."""
    found: set[str] = {door.listening.getsockname()[0] for door in doors}
    for everything, sign in (("0.0.0.0", "."), ("::", ":")):
        if everything in found:
            found = {each for each in found if sign not in each} | {everything}
    return sorted(found)


def sentence(doors: Sequence[Door], settings: Settings) -> str:
    """What the journal and `systemctl status` say of a daemon that listens."""
    where = ", ".join(map(str, doors))
    workers = f"; {settings.ftp.workers} workers" if settings.ftp.workers > 1 else ""
    return (
        f"Listening on {where}; TLS {settings.tls.mode}; passive ports "
        f"{_ranges(settings.ftp.passive_ports)}{workers}; scans go to {settings.openspp.url}."
    )


def turn_away(connection: socket.socket, reply: Reply | None) -> None:
    """Close a connection that just came; with a last word, which fits into any socket buffer."""
    with contextlib.suppress(OSError):
        if reply is not None:
            connection.setblocking(False)
            connection.send(f"{reply}\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
    connection.close()


def _listening(address: Address, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address.host, address.port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _ranges(ports: Sequence[int]) -> str:
    """3000-3005, or 3000,3002,3004."""
    ordered = sorted(ports)
    if ordered == list(range(ordered[0], ordered[-1] + 1)) and len(ordered) > 1:
        return f"{ordered[0]}-{ordered[-1]}"
    return ",".join(map(str, ordered))
