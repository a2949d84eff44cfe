"""`openspp-ftpd try`: a scanner is played against the running daemon, by each way it offers."""

from __future__ import annotations

import argparse
import getpass
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from openspp_ftpd import config
from openspp_ftpd.config import loading
from openspp_ftpd.demo.ground import reached_by
from openspp_ftpd.doctor.trial import WORDS, Target, Way, attempt
from openspp_ftpd.doctor.trial_page import trial_page
from openspp_ftpd.openspp import Credentials
from openspp_ftpd.openspp.probe import key_expiry
from openspp_ftpd.screen import Screen, megabytes, screen_of
from openspp_ftpd.settings import Address, Settings

DESCRIPTION: Final = (
    "Plays a scanner against the running daemon: logs in with an OpenSPP user and the user's "
    "scanner password, sends a page that says what it is (or FILE), by FTP and by FTPS as the "
    "configuration offers them, and says what each step brought and what an error means. What it "
    "sends stays in the user's directory of OpenSPP."
)
EPILOG: Final = """\
exit status:
  0   every way brought the document to OpenSPP
  1   one did not; what to do is said
  2   nothing could be tried

examples:
  openspp-ftpd try --user alice
  openspp-ftpd try --user alice --password-file scanner-password scan.pdf
  openspp-ftpd try --user alice --host scans.example.org   from another machine
"""

_DEFAULT_PORT: Final = 8002


class _CannotTry(Exception):
    """Nothing can be tried; says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Document:
    name: str
    content: bytes


def add_arguments(parser: argparse.ArgumentParser, configuration: str) -> None:
    """Add the options of `try` to a parser."""
    parser.add_argument("--user", required=True, metavar="NAME", help="the OpenSPP user")
    parser.add_argument(
        "--password-file",
        metavar="PATH",
        help="its first line is the scanner password; without it you are asked",
    )
    parser.add_argument(
        "-c",
        "--config",
        metavar="PATH",
        default=configuration,
        help="the running daemon's configuration (default %(default)s)",
    )
    parser.add_argument(
        "--host",
        metavar="HOST[:PORT]",
        default="",
        help="play it against a daemon elsewhere; the configuration is not read then",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="send this instead of the page of its own"
    )


def run(arguments: argparse.Namespace) -> int:
    """Try every way. Returns 0, 1 or 2."""
    screen = screen_of(sys.stdout)
    try:
        settings = None if arguments.host else _settings(arguments.config)
        ways = list(_ways(settings, arguments.host))
        given = _given(arguments.file)
        now = datetime.now().astimezone()
        name = given.name if given else f"openspp-ftpd-test-{now:%Y%m%d-%H%M%S}.pdf"
        screen.title(f"A scanner of {arguments.user} sends {name}.")
        screen.note(
            "It stays in the user's directory of OpenSPP: delete it there when you have seen it."
        )
        password = _password(arguments.password_file, arguments.user)
    except _CannotTry as error:
        screen.failed(str(error))
        return 2
    failures = 0
    for number, (way, host, port) in enumerate(ways, 1):
        screen.step(number, f"{WORDS[way]} to {Address(host, port)}")
        target = Target(host, port, way, arguments.user, password)
        content = given.content if given else trial_page(arguments.user, WORDS[way], now)
        tried = attempt(target, _named(name, way), content, screen)
        if tried.stored:
            screen.done(f"OpenSPP has it: {_named(name, way)}, {megabytes(len(content))}")
            continue
        failures += 1
        screen.failed(tried.reply, tried.advice)
        if tried.reply.startswith("530") and number < len(ways):
            screen.note("The other ways would say the same; each wrong password makes one wait.")
            break
    if settings is not None and failures < len(ways):
        _tell_expiry(screen, settings, Credentials(arguments.user, password), now)
    return 1 if failures else 0


def _tell_expiry(
    screen: Screen, settings: Settings, credentials: Credentials, now: datetime
) -> None:
    """An API key of OpenSPP 2 ends one day; who tries is told before scanners are."""
    expiry = key_expiry(settings.openspp, credentials)
    if expiry is None:
        return
    if expiry.soon(now):
        screen.attention(expiry.sentence(), "")
    else:
        screen.note(f"The API key is valid until {expiry.at:%Y-%m-%d}.")


def _ways(settings: Settings | None, elsewhere: str) -> Iterator[tuple[Way, str, int]]:
    """How, and where, the daemon takes scans; without settings `elsewhere`. Raises _CannotTry."""
    if settings is None:
        host, port = _host_and_port(elsewhere)
        yield "explicit", host, port
        return
    for address in settings.ftp.listen:
        host = reached_by(address.host)
        if not _can_connect_to(host):
            continue  # [::] on a machine without IPv6
        if settings.tls.mode != "required":
            yield "plain", host, address.port
        if settings.tls.mode != "off":
            yield "explicit", host, address.port
        break  # the others lead to the same daemon
    for address in settings.ftp.listen_implicit[:1]:
        yield "implicit", reached_by(address.host), address.port


def _settings(path: str) -> Settings:
    """What the daemon was told; whether the machine fits it is for `check`. Raises _CannotTry."""
    try:
        understood = loading.understand(loading.read(path))
    except config.ConfigurationError as error:
        raise _CannotTry(f"{error}\nRun it as root, who may read the configuration.") from None
    if understood.mistakes:
        raise _CannotTry(f"{path} has mistakes: openspp-ftpd check names them")
    return understood.settings


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (host.count(":") > 1 and not host.startswith("[")):
        host, port = text, str(_DEFAULT_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise _CannotTry(f"{text} is not HOST or HOST:PORT, such as scans.example.org:8002")
    return host.strip("[]"), int(port)


def _given(path: str | None) -> _Document | None:
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _CannotTry(f"{path} cannot be read: {error.strerror}") from None
    name = Path(path).name
    if not name.isprintable():
        raise _CannotTry(f"{name!r} cannot be the name in an FTP command; rename the file")
    return _Document(name, content)


def _password(path: str | None, user: str) -> str:
    """The scanner password. Raises _CannotTry."""
    if path is not None:
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _CannotTry(f"{path} cannot be read: {error}") from None
        password = lines[0] if lines else ""
    else:
        try:
            password = getpass.getpass(f"Scanner password of {user}: ")
        except EOFError:
            raise _CannotTry("no password came; name a file with --password-file") from None
    if not password or not (user + password).isprintable():
        raise _CannotTry("user and password must not be empty or hold control characters")
    return password


def _named(name: str, way: Way) -> str:
    """The same page by each way is another document each time."""
    if way == "plain":
        return name
    stem, dot, extension = name.rpartition(".")
    marked = f"{stem or name}-{'ftps' if way == 'explicit' else 'implicit'}"
    return marked + dot + extension if stem else marked


def _can_connect_to(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return False
    return True
