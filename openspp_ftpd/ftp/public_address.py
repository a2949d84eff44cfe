"""The address that a 227 reply tells: the configured public one, resolved off the loop.

Names are looked up by a thread of their own, at start and every minute, since a name server that
does not answer must not stop the event loop. Until a name is known, and where nothing is
configured, the address that the scanner connected to is told.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Sequence
from typing import Final

from openspp_ftpd.settings import PublicAddress

REFRESH_SECONDS: Final = 60.0

_log = logging.getLogger("openspp_ftpd")


class PublicAddresses:
    """Tells each client network its address.

    Args:
        entries: [ftp] public_address; the first whose network holds the client counts.
    """

    def __init__(self, entries: Sequence[PublicAddress]) -> None:
        self._entries = tuple(entries)
        self._known: dict[str, str] = {}
        self._stop = threading.Event()
        named = [entry.host for entry in entries if not _is_ipv4(entry.host)]
        if named:
            threading.Thread(target=self._keep_resolving, args=(named,), daemon=True).start()

    def told_to(self, client: str, local: str) -> str:
        """The IPv4 address for a client's 227; `local` is where it connected to."""
        client_address = ipaddress.ip_address(client.partition("%")[0])
        for entry in self._entries:
            if entry.network is None or client_address in entry.network:
                if _is_ipv4(entry.host):
                    return entry.host
                return self._known.get(entry.host, local)
        return local

    def close(self) -> None:
        """Stop looking names up."""
        self._stop.set()

    def _keep_resolving(self, hosts: list[str]) -> None:
        while not self._stop.is_set():
            for host in hosts:
                self._resolve(host)
            self._stop.wait(REFRESH_SECONDS)

    def _resolve(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            _log.warning(
                "public_address %s cannot be resolved (%s); scanners are told %s until it can.",
                host,
                error.strerror,
                self._known.get(host, "the address they connected to"),
            )
        else:
            self._known[host] = str(found[0][4][0])


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
