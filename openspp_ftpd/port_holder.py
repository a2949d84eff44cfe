"""Whether a port can be listened on, and which program holds it where it cannot.

Root sees every program, others their own only; the unit therefore asks as root when a start failed
(ExecStopPost=+), with `python3 -I -m openspp_ftpd.port_holder CONFIGURATION`.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from openspp_ftpd.config import loading
from openspp_ftpd.settings import Address

_LISTEN: Final = "0A"  # the state's number in /proc/net/tcp (proc(5), TCP_LISTEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Say on stderr who holds the ports of a configuration. Returns 0."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    with contextlib.suppress(loading.ConfigurationError):  # the daemon says so
        ftp = loading.understand(loading.read(path)).settings.ftp
        listening = {address.port for address in (*ftp.listen, *ftp.listen_implicit)}
        for port in sorted(listening | set(ftp.passive_ports)):
            for holder in holders(port):
                print(f"Port {port} is held by {holder}.", file=sys.stderr)
    return 0


def holders(port: int, proc: Path = Path("/proc")) -> list[str]:
    """The programs that listen on a TCP port, as `name (process number)`; none that are hidden."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    found: list[str] = []
    if wanted:
        for process in proc.glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                if any(str(each.readlink()) in wanted for each in (process / "fd").iterdir()):
                    name = (process / "comm").read_text("utf-8", "replace").strip()
                    found.append(f"{name} (process {process.name})")
    return sorted(found)


def error_of_listening(address: Address) -> OSError | None:
    """Why nobody can listen on `address` now; None: somebody could."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the daemon does: a port that is only waiting for old packets is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address.host, address.port))
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _inodes(port: int, proc: Path) -> Iterator[str]:
    """The numbers of the sockets that listen on the port."""
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):  # there is no IPv6
            for line in (proc / table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


if __name__ == "__main__":
    sys.exit(main())
