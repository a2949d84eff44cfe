"""Plays a scanner: logs in, sends one file by passive mode, and tells what each step brought."""

from __future__ import annotations

import contextlib
import ftplib
import io
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, Protocol

from openspp_ftpd.doctor.trial_advice import advice_for, advice_for_connecting, advice_for_data

Way = Literal["plain", "explicit", "implicit"]

WORDS: Final[dict[Way, str]] = {
    "plain": "FTP",
    "explicit": "FTPS (explicit TLS)",
    "implicit": "FTPS (implicit TLS)",
}
"""The ways as scanners' menus call them."""

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 300.0
"""How long an answer is waited for: above any sensible answer_within."""

_PIECE: Final = 64 * 1024


class Audience(Protocol):
    """Who watches (the screen)."""

    def detail(self, label: str, words: str) -> None:
        """Show one step of the dialogue."""

    def begin_bar(self) -> None:
        """The transfer begins."""

    def bar(self, sent: int, total: int) -> None:
        """So many bytes of all went out."""


@dataclass(frozen=True, slots=True)
class Target:
    """The daemon, and whose scanner is played."""

    host: str
    port: int
    way: Way
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: the final reply, or what broke off in words, with what to do about it."""

    stored: bool
    reply: str
    advice: str = ""


class _Implicit(ftplib.FTP_TLS):
    """TLS that begins with the connection; ftplib knows AUTH TLS alone."""

    def connect(self, host: str = "", port: int = 0, *args: object) -> str:
        self.host, self.port = host, port
        self.sock = self.context.wrap_socket(
            socket.create_connection((host, port), CONNECT_SECONDS), server_hostname=host
        )
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


def attempt(target: Target, name: str, content: bytes, audience: Audience) -> Tried:
    """Send `content` as `name` once. Never raises for what the network or the daemon does."""
    client = _client(target)
    try:
        try:
            _timed(audience, "connect", partial(client.connect, target.host, target.port))
            _show_tls(target, client, audience)
        except (OSError, EOFError, ftplib.Error) as error:
            return Tried(False, _words(error), advice_for_connecting(error, target.port))
        assert client.sock is not None, "connected"
        client.sock.settimeout(ANSWER_SECONDS)
        try:
            return _logged_in(client, target, name, content, audience)
        except (OSError, EOFError, ftplib.Error) as error:
            return Tried(False, _words(error), advice_for(_words(error)))
    finally:
        client.close()


def _logged_in(
    client: ftplib.FTP, target: Target, name: str, content: bytes, audience: Audience
) -> Tried:
    if target.way == "explicit" and isinstance(client, ftplib.FTP_TLS):
        _timed(audience, "AUTH TLS", client.auth)
        _show_tls(target, client, audience)
    _timed(audience, "USER", partial(client.sendcmd, f"USER {target.user}"))
    _timed(audience, "PASS", partial(client.sendcmd, f"PASS {target.password}"))
    if isinstance(client, ftplib.FTP_TLS):
        client.prot_p()
    client.voidcmd("TYPE I")
    began = time.monotonic()
    try:
        data = client.transfercmd(f"STOR {name}")
    except ftplib.Error:
        raise
    except OSError as error:
        return Tried(False, _words(error), advice_for_data())
    audience.detail("STOR", f"data connection to port {data.getpeername()[1]}")
    _send(data, content, audience)
    reply = client.voidresp()
    audience.detail("", f"{reply} ({time.monotonic() - began:.2f} s)")
    with contextlib.suppress(OSError, EOFError, ftplib.Error):  # what counts has been said
        client.quit()
    stored = reply.startswith("226")
    return Tried(stored, reply, "" if stored else advice_for(reply))


def _client(target: Target) -> ftplib.FTP:
    if target.way == "plain":
        return ftplib.FTP(timeout=CONNECT_SECONDS)
    # A scanner seldom looks at the certificate, and `check` tells what is wrong with it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    make = _Implicit if target.way == "implicit" else ftplib.FTP_TLS
    return make(context=context, timeout=CONNECT_SECONDS)


def _send(data: socket.socket, content: bytes, audience: Audience) -> None:
    """Send all and end as scanners do, with close_notify where there is TLS."""
    with data:
        audience.begin_bar()
        source = io.BytesIO(content)
        sent = 0
        while piece := source.read(_PIECE):
            data.sendall(piece)
            sent += len(piece)
            audience.bar(sent, len(content))
        if isinstance(data, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # the final reply tells what was missing
                data.unwrap()


def _show_tls(target: Target, client: ftplib.FTP, audience: Audience) -> None:
    if target.way != "plain" and isinstance(client.sock, ssl.SSLSocket):
        audience.detail("", f"encrypted, {client.sock.version()}")


def _timed(audience: Audience, label: str, ask: Callable[[], str]) -> None:
    began = time.monotonic()
    reply = ask()
    audience.detail(label, f"{reply} ({time.monotonic() - began:.2f} s)")


def _words(error: BaseException) -> str:
    """A reply of the daemon as it came, or the system's words."""
    if isinstance(error, ftplib.Error):
        return str(error)
    if isinstance(error, EOFError):
        return "the connection was closed"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
