"""The demonstration, step by step: a scan goes from a scanner into an embedded OpenSPP."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openspp_ftpd.demo import ground
from openspp_ftpd.demo.processes import (
    Child,
    DemoError,
    Interrupted,
    MemoryFolder,
    ReadySocket,
    ignore_signals,
    interrupt_on_signals,
)
from openspp_ftpd.demo.record import Arrival, GrowingFile, arrivals
from openspp_ftpd.demo.sample import sample_scan
from openspp_ftpd.demo.scanner import Login, Sent, send
from openspp_ftpd.sandbox.users import RECORDED
from openspp_ftpd.screen import Screen, megabytes, screen_of
from openspp_ftpd.settings import Address

DESCRIPTION: Final = (
    "Shows a scan travel: makes a sample PDF, sends it by FTP with TLS through the daemon into an "
    "embedded OpenSPP, compares what arrived, and stays up for scanners of yours until Ctrl-C. "
    "Everything happens in memory and is gone afterwards."
)
EPILOG: Final = """\
examples:
  openspp-ftpd demo                        try it on this machine alone
  openspp-ftpd demo --once                 stop after the sample
  openspp-ftpd demo --listen 0.0.0.0:8002  let a scanner in the office send
In a checkout: make demo, make demo ONCE=1, make demo LISTEN=0.0.0.0:8002
"""
SAMPLE_NAME: Final = "sample-scan.pdf"

ALICE: Final = Login("alice", "scan-alice")
"""A user that the embedded OpenSPP knows by itself, on loopback."""

_PAGES: Final = 4
_OPENSPP: Final = Address("127.0.0.1", 8069)
_PASSIVE_PORTS: Final = range(3000, 3006)
_READY_SECONDS: Final = 30.0
_ARRIVAL_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.25
_ADDRESS_OF_OPENSPP: Final = re.compile(r"listens on (http://\S+)")
_WARNING: Final = re.compile(r"\S+ \S+ (?:WARNING|ERROR|CRITICAL) +(.*)")
_LEGIBLE: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""What can be told apart on paper and typed on a scanner's keys."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demonstration's options to a parser."""
    parser.add_argument(
        "--once", action="store_true", help="stop after the sample; 0 if it arrived bit for bit"
    )
    parser.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        default="127.0.0.1:8002",
        help="where the daemon listens for scanners (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show it. Returns 0, 1 if the scan did not arrive, or 128 + the number of a signal."""
    try:
        listen = ground.address_of(arguments.listen)
    except ValueError as error:
        print(f"openspp-ftpd demo: --listen: {error}", file=sys.stderr)
        return 2
    screen = screen_of(sys.stdout)
    interrupt_on_signals()
    stack = ExitStack()
    demonstration = Demonstration(screen, listen, stack)
    try:
        demonstration.show_sample()
        if not arguments.once:
            demonstration.stay()
        return 0
    except DemoError as error:
        screen.failed(str(error))
        return 1
    except Interrupted as interrupted:
        screen.break_line()
        stack.close()
        screen.note("Stopped; nothing is left behind.")
        return 0 if demonstration.staying else interrupted.exit_status
    finally:
        ignore_signals()
        stack.close()


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens."""

    scanners: Address  # the daemon's control connections
    passive: range
    openspp: Address  # port 0: any


class Demonstration:
    """One showing. What it starts is registered on `stack`, which ends it."""

    def __init__(self, screen: Screen, listen: Address, stack: ExitStack) -> None:
        self.staying = False
        self._screen = screen
        self._listen = listen
        self._stack = stack
        self._open = not ground.is_loopback(listen.host)
        self._login = Login("demo", _password()) if self._open else ALICE

    def show_sample(self) -> None:
        """Steps 1 to 5. Raises DemoError unless the sample arrived bit for bit."""
        screen = self._screen
        screen.title("openspp-ftpd demo: a scan travels from a scanner into OpenSPP")
        _demand_programs()
        self._ports = self._choose_ports()
        memory = MemoryFolder()
        self._stack.callback(memory.remove)
        self._folder = memory.path
        self._record = GrowingFile(self._folder / "record.jsonl")

        screen.step(1, "An embedded OpenSPP stands in for yours")
        self._start_openspp()
        screen.step(2, "The daemon that scanners send to")
        self._start_daemon()
        screen.step(3, "A sample scan, made just now")
        content = sample_scan(_PAGES)
        sha256 = hashlib.sha256(content).hexdigest()
        screen.done(f"{SAMPLE_NAME}: PDF, {_PAGES} pages, {megabytes(len(content))}")
        screen.detail("SHA-256", sha256)

        screen.step(4, f"curl sends it as a scanner would: FTP with TLS, user {self._login.user}")
        target = Address(ground.reached_by(self._listen.host), self._listen.port)
        sent = send(
            content,
            f"ftp://{target}/{SAMPLE_NAME}",
            self._login,
            self._folder / "certificate.pem",
            self._folder,
            screen,
            self._check_children,
        )
        self._demand_acknowledged(sent)
        screen.done("226 means: OpenSPP has it")

        screen.step(5, "What OpenSPP has")
        self._compare(Arrival(self._login.user, SAMPLE_NAME, len(content), sha256, altered=False))
        screen.detail("look", f"{self._url}/ shows it in a browser")

    def stay(self) -> None:
        """Show the profile for a scanner, then every scan that arrives, until a signal."""
        screen = self._screen
        screen.heading("Now try a scanner. What to enter in its profile for scanning to FTP:")
        screen.table(self._profile())
        self._invite()
        screen.heading("Waiting for scans. Ctrl-C ends the demo.")
        self.staying = True
        journal = GrowingFile(self._daemon.log)
        journal.new_lines()
        while True:
            self._check_children()
            for line in journal.new_lines():
                if found := _WARNING.match(line):
                    screen.warning(found[1])
            for arrived in arrivals(self._record):
                screen.done(f"{arrived.name} of {arrived.user}: {megabytes(arrived.size)}")
                screen.detail("SHA-256", arrived.sha256)
            time.sleep(_LOOK_SECONDS)

    def _choose_ports(self) -> Ports:
        other = self._listen.port + 1000 if self._listen.port < 60000 else 8002
        ground.demand_free(
            self._listen,
            f"Choose another one: make demo LISTEN={Address(self._listen.host, other)}",
        )
        openspp = _OPENSPP
        if self._listen.port == openspp.port or not ground.is_free(openspp):
            self._screen.warning(f"Port {openspp.port} is taken; OpenSPP gets another one.")
            openspp = Address(openspp.host, 0)
        passive = ground.free_range(self._listen.host, _PASSIVE_PORTS, self._listen.port)
        if passive != _PASSIVE_PORTS:
            taken = _shown(_PASSIVE_PORTS)
            self._screen.warning(f"Of the ports {taken} some are taken; {_shown(passive)} it is.")
        return Ports(self._listen, passive, openspp)

    def _start_openspp(self) -> None:
        arguments = ["sandbox", "--listen", str(self._ports.openspp)]
        arguments += ["--record", str(self._folder / "record.jsonl")]
        for login in users(self._login):
            arguments += ["--user", f"{login.user}:{login.password}"]
        self._openspp = Child("embedded OpenSPP", arguments, self._folder / "openspp.log")
        self._stack.callback(self._openspp.stop)
        self._url = self._openspp.wait_for(_ADDRESS_OF_OPENSPP, _READY_SECONDS)[1]
        self._screen.done(f"{self._url} (open it: the page shows what arrives)")

    def _start_daemon(self) -> None:
        hosts = {ground.reached_by(self._listen.host), ground.seen_from_outside(self._listen.host)}
        certificate, key = self._folder / "certificate.pem", self._folder / "key.pem"
        _make_certificate(sorted(hosts - {""}), certificate, key)
        spool = self._folder / "spool"
        spool.mkdir(mode=0o700)
        configuration = self._folder / "openspp-ftpd.conf"
        configuration.write_text(
            f"[openspp]\nurl = {self._url}\n"
            f"[ftp]\nlisten = {self._listen}\npassive_ports = {_shown(self._ports.passive)}\n"
            f"[tls]\nmode = optional\ncertificate = {certificate}\nkey = {key}\n"
            f"[uploads]\ndirectory = {spool}\n"
        )
        with ReadySocket(self._folder / "ready") as ready:
            arguments = ["serve", "--config", str(configuration)]
            log = self._folder / "daemon.log"
            self._daemon = Child("daemon", arguments, log, ready.environment)
            self._stack.callback(self._daemon.stop)
            ready.wait(self._daemon, _READY_SECONDS)
        self._screen.done(f"{self._listen}, FTP and FTP with TLS")
        self._screen.detail("passive", f"ports {_shown(self._ports.passive)} for the data")

    def _check_children(self) -> None:
        self._openspp.check()
        self._daemon.check()

    def _demand_acknowledged(self, sent: Sent) -> None:
        if sent.acknowledged:
            return
        self._check_children()
        last = sent.replies[-1] if sent.replies else "none"
        raise DemoError(
            f"The scan was not acknowledged. The last reply was: {last}\n"
            f"{sent.error or f'curl ended with status {sent.status}'}"
        )

    def _compare(self, expected: Arrival) -> None:
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while not (arrived := arrivals(self._record)):
            self._check_children()
            if time.monotonic() > deadline:
                raise DemoError("OpenSPP has nothing, although the scanner was told 226.")
            time.sleep(0.05)
        screen = self._screen
        screen.detail("sent", expected.sha256)
        for one in arrived:
            screen.detail("stored", one.sha256)
        if arrived != [expected]:
            stored = "\n".join(f"stored: {one}" for one in arrived)
            raise DemoError(f"That is not what was sent.\nsent:   {expected}\n{stored}")
        screen.done(f"The same, bit for bit: {expected}")

    def _profile(self) -> list[tuple[str, str]]:
        host = ground.seen_from_outside(self._listen.host) or "this machine's address"
        tls = "on (explicit), certificate self-signed; off works too"
        return [
            ("Server (host)", host),
            ("Port", str(self._listen.port)),
            ("Passive mode", f"on; data comes on ports {_shown(self._ports.passive)}"),
            ("User", self._login.user),
            ("Scanner password", self._login.password),
            ("TLS (FTPS)", tls),
            ("Directory", "leave it empty"),
        ]

    def _invite(self) -> None:
        if self._open:
            self._screen.note(
                f"Let the firewall pass ports {self._listen.port} and"
                f" {_shown(self._ports.passive)}. The user is made for this demo and gone with it."
                " The newest scans stay in OpenSPP's memory, for its page, and go with it."
            )
        else:
            self._screen.note("Only this machine can connect. For a scanner in the office:")
            self._screen.note(f"make demo LISTEN=0.0.0.0:{self._listen.port}")


def users(login: Login) -> list[Login]:
    """The users that the embedded OpenSPP is given for a demonstration with this login.

    For any but its own alice it gets that one, and its own users new passwords that nobody knows:
    theirs are public, and now the network could use them.
    """
    if login == ALICE:
        return []
    return [login, *(Login(user.login, secrets.token_hex(16)) for user in RECORDED)]


def _demand_programs() -> None:
    missing = [name for name in ("curl", "openssl", "setpriv") if shutil.which(name) is None]
    missing += [
        f"Python's {name}"
        for name in ("pyftpdlib", "OpenSSL", "requests", "systemd")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise DemoError(f"Missing: {', '.join(missing)}. In a checkout `make deps` installs it.")


def _make_certificate(hosts: list[str], certificate: Path, key: Path) -> None:
    """A self-signed certificate for these addresses. Raises DemoError."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=openspp-ftpd demo", "-keyout", str(key), "-out", str(certificate)]
    command += ["-addext", "subjectAltName=" + ",".join(f"IP:{host}" for host in hosts)]
    made = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if made.returncode:
        raise DemoError(f"openssl made no certificate:\n{made.stderr.strip()}")


def _password() -> str:
    return "".join(secrets.choice(_LEGIBLE) for _ in range(10))


def _shown(ports: range) -> str:
    return f"{ports.start}-{ports.stop - 1}"
