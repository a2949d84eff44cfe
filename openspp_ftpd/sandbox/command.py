"""The command line of the embedded OpenSPP: its options, its start and its stop."""

from __future__ import annotations

import argparse
import ipaddress
import re
import secrets
import signal
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Final

from openspp_ftpd.sandbox.assembly import INTERFACES, Design, site_of
from openspp_ftpd.sandbox.databases import Setup
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults, described
from openspp_ftpd.sandbox.scanner_interface import Rules
from openspp_ftpd.sandbox.server import SandboxServer
from openspp_ftpd.sandbox.users import User

DESCRIPTION: Final = (
    "An embedded OpenSPP for trying: it answers as recorded ones do, by OpenSPP 15's scanner "
    "interface or by Odoo's own API of OpenSPP 17 and OpenSPP 2, and shows on a page what arrived."
)
EPILOG: Final = f"""\
interfaces: an OpenSPP has one version, and clients ask for it, so that each has a port of its own.
--api all listens on three successive ports: scanner, odoo17, odoo19; what arrives is on one page.

users on loopback, by the scanner interface: alice (active directory), bob (none), carol (not in the
Scanner group), dave and erin (no rights), frank, gina (20 000 files), dbuser; the password is
scan-NAME. By Odoo's own API, where scan-NAME is the API key, in database spp17 or spp19: alice
(directory Scans / alice), bob (no rights), carol (may only read), dave (two factors), erin
(archived), frank. Elsewhere than on loopback there are none but those given by --user, each with a
directory Scans / NAME.

faults, written in the name of an uploaded file (scan@slow=5.pdf), or for a login in the name given
to --user (slow@slow=5); with -once or -twice at the end only the first times this name comes:
{described()}

control, on loopback only:
  POST /sandbox/faults   {{"login": {{"slow": 5}}, "upload": {{"http": 503}}, "times": 2}}
                         {{"down": 5}} closes every connection for 5 s, {{}} ends all faults;
                         Odoo's own API has "search" and {{"database_down": 5}} too
  POST /sandbox/archive  {{"user": "alice", "filename": "scan.pdf"}}
  POST /sandbox/key      {{"user": "alice", "removed": true}} or "expires": "2026-12-01T00:00:00"
  GET  /sandbox/documents
"""
_ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_NGINX_KEEP_ALIVE: Final = 75.0
_ALL: Final = "all"


class _Wrong(Exception):
    """The command line asks for something that cannot be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the embedded OpenSPP to a parser."""
    add = parser.add_argument
    add(
        "--listen",
        metavar="ADDRESS:PORT",
        default="127.0.0.1:8069",
        help="default %(default)s; port 0: any",
    )
    add(
        "--api",
        choices=[*INTERFACES, _ALL],
        default="scanner",
        help="the interface (default %(default)s)",
    )
    add(
        "--user",
        metavar="NAME:PASSWORD",
        action="append",
        default=[],
        help="a user; may be repeated",
    )
    add("--store", metavar="DIR", type=Path, help="keep the documents there, under numbers")
    add("--record", metavar="FILE", type=Path, help="append one JSON line for each stored document")
    add(
        "--max-size",
        metavar="MIB",
        type=_count,
        default=25,
        help="largest document by the scanner interface (default %(default)s)",
    )
    add("--forbidden-extensions", metavar="LIST", default="", help='for instance "exe, msi"')
    add(
        "--databases",
        metavar="LIST",
        default="",
        help='for instance "devel,other": one must be chosen',
    )
    add("--no-database-list", action="store_true", help="as list_db = False, by Odoo's own API")
    add("--database-filter", metavar="REGEX", default="", help="as dbfilter, by Odoo's own API")
    add(
        "--change-requests",
        action="store_true",
        help="as with the module spp_change_request, by Odoo's own API",
    )
    add("--slow-login", metavar="S", type=_seconds, default=0.0, help="each login takes S seconds")
    add(
        "--slow-upload", metavar="S", type=_seconds, default=0.0, help="each upload takes S seconds"
    )
    add(
        "--fail-rate",
        metavar="P",
        type=_share,
        default=0.0,
        help="share of uploads answered HTTP 500, 0 to 1",
    )
    add(
        "--drop-rate",
        metavar="P",
        type=_share,
        default=0.0,
        help="share of uploads whose connection closes without an answer, half of them stored",
    )
    add("--seed", metavar="N", type=int, help="makes these shares repeat themselves")
    add(
        "--keep-alive",
        action="store_true",
        help="speak HTTP/1.1 with keep-alive, as nginx before OpenSPP",
    )
    add(
        "--keep-alive-timeout",
        metavar="S",
        type=_seconds,
        default=_NGINX_KEEP_ALIVE,
        help="an idle connection stays open (default %(default)s)",
    )
    add(
        "--socket-timeout",
        metavar="S",
        type=_seconds,
        default=0.0,
        help="end a request after S seconds without a byte, as OpenSPP with workers does after 2",
    )
    add("--certificate", metavar="FILE", type=Path, help="speak https with this certificate (PEM)")
    add("--key", metavar="FILE", type=Path, help="its private key, if it is not in the same file")


def run(arguments: argparse.Namespace) -> int:
    """Run the embedded OpenSPP until SIGTERM or SIGINT. Returns the exit status."""
    try:
        servers, banner = _start(arguments)
    except _Wrong as wrong:
        print(f"openspp-ftpd sandbox: {wrong}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"openspp-ftpd sandbox: {_told(error, arguments)}", file=sys.stderr)
        return 1
    # Waited for, not handled: a handler that sets an Event can come while the Event is locked.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    print(banner, flush=True)
    signal.sigwait(_ENDING)
    for server in servers:
        server.shutdown()
    for server in servers:
        server.stop()
    return 0


def _start(arguments: argparse.Namespace) -> tuple[list[SandboxServer], str]:
    address, family = _address(arguments.listen)
    loopback = ipaddress.ip_address(address[0]).is_loopback
    if not loopback and not arguments.user:
        raise _Wrong(
            f"{arguments.listen} is no loopback address: name a user by --user NAME:PASSWORD"
        )
    key = "" if loopback else secrets.token_urlsafe(16)
    documents = Documents(arguments.store, arguments.record)
    tls = _tls(arguments.certificate, arguments.key)
    setup = _setup(arguments)
    users = [_user(text) for text in arguments.user]
    rules = Rules(
        arguments.max_size,
        arguments.forbidden_extensions,
        arguments.slow_login,
        arguments.slow_upload,
    )
    servers: list[SandboxServer] = []
    for interface in INTERFACES if arguments.api == _ALL else [arguments.api]:
        design = Design(interface, users, loopback, rules, setup, key)
        faults = Faults(arguments.fail_rate, arguments.drop_rate, arguments.seed)
        site = site_of(design, documents, faults, kept=arguments.store is not None)
        host, port = address
        servers.append(
            SandboxServer(
                (host, port + len(servers) if port else 0),
                family,
                site,
                keep_alive=arguments.keep_alive_timeout if arguments.keep_alive else 0.0,
                socket_timeout=arguments.socket_timeout,
                tls=tls,
            )
        )
    return servers, _banner(servers, arguments, key)


def _setup(arguments: argparse.Namespace) -> Setup:
    names = [name.strip() for name in arguments.databases.split(",") if name.strip()]
    try:
        re.compile(arguments.database_filter)
    except re.error as error:
        raise _Wrong(f"--database-filter: {error}") from None
    return Setup(
        names,
        not arguments.no_database_list,
        arguments.database_filter,
        arguments.change_requests,
    )


def _banner(servers: list[SandboxServer], arguments: argparse.Namespace, key: str) -> str:
    urls = [_url(server) for server in servers]
    store: Path | None = arguments.store
    kept = f"documents are kept in {store}" if store else "the newest documents stay in memory"
    lines = [f"Embedded OpenSPP listens on {urls[0]} (for trying only; {kept})"]
    if arguments.api == _ALL:
        pairs = zip(INTERFACES.items(), urls, strict=True)
        lines += [f"{url} --api {name}: {what}" for (name, what), url in pairs]
    if key:
        lines.append(f"What arrives is shown at {urls[0]}/{key}/")
    return "\n".join(lines)


def _url(server: SandboxServer) -> str:
    host, port = server.server_address[:2]
    shown = f"[{host!s}]" if ":" in str(host) else str(host)
    return f"{'https' if server.tls else 'http'}://{shown}:{port}"


def _address(text: str) -> tuple[tuple[str, int], socket.AddressFamily]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise _Wrong(f"--listen {text}: ADDRESS:PORT is wanted, for instance 127.0.0.1:8069")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise _Wrong(f"--listen {text}: {error.strerror or error}") from None
    family, _, _, _, resolved = found[0]
    return (str(resolved[0]), int(resolved[1])), family


def _user(text: str) -> User:
    name, colon, password = text.partition(":")
    if not name or not colon or not password:
        raise _Wrong("--user: NAME:PASSWORD is wanted")
    return User(name, password)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise _Wrong("--key is of no use without --certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise _Wrong(f"--certificate {certificate}: {error.reason or error}") from None
    except OSError as error:
        raise _Wrong(f"--certificate {certificate}: {error.strerror}") from None
    return context


def _told(error: OSError, arguments: argparse.Namespace) -> str:
    where = error.filename or arguments.listen
    if error.filename is None and error.errno is not None:
        return f"cannot listen on {where}: {error.strerror}; another port can be given by --listen"
    return f"{where}: {error.strerror or error}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("seconds from 0 to 86400 are wanted")
    return seconds


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("a share from 0 to 1 is wanted")
    return share


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("a number from 1 on is wanted")
    return count
