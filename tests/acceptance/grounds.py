"""A daemon before an embedded OpenSPP, and what its record must hold after a test."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.acceptance.clients import Way
from tests.acceptance.documents import sha256
from tests.acceptance.interfaces import SCANNER, answering, configured
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Scanner

QUICK = 2.5
"""Seconds in which a whole session (login, upload, reply) is done when nothing is slow."""


@dataclass(frozen=True)
class Ground:
    """Both, running."""

    openspp: EmbeddedOpenSPP
    daemon: Daemon
    user: str = "alice"
    api: str = SCANNER
    other_ports: Mapping[str, int] = field(default_factory=dict)  # by address

    def port(self, tls: str = "") -> int:
        """Where a scanner connects that uses `tls` ("", "explicit" or "implicit")."""
        return self.daemon.implicit_port if tls == "implicit" else self.daemon.port

    def scanner(self, tls: str = "", source: str = "127.0.0.1", timeout: float = 30) -> Scanner:
        """A scanner that has connected."""
        return Scanner(self.port(tls), tls, source, timeout)

    def logged_in(self, user: str = "", tls: str = "", source: str = "127.0.0.1") -> Scanner:
        """A scanner that has logged in."""
        scanner = self.scanner(tls, source)
        try:
            assert scanner.login(user or self.user).code == 230
        except BaseException:
            scanner.close()
            raise
        return scanner

    def way(self, tls: str = "", active: bool = False) -> Way:
        """How a real client connects."""
        return Way(tls, active, self.port(tls), self.user, f"scan-{self.user}")

    def recorded(self, user: str = "") -> list[tuple[str, str]]:
        """Name and SHA-256 of every document that OpenSPP has of a user, by name, none altered."""
        record = [one for one in self.openspp.record() if one["user"] == (user or self.user)]
        assert not [document for document in record if document.get("altered")]
        return sorted((document["filename"], document["sha256"]) for document in record)


@contextlib.contextmanager
def running(
    directory: Path,
    certificate: tuple[Path, Path] | None = None,
    options: Mapping[str, Mapping[str, str]] | None = None,
    openspp: Sequence[str] = (),
    passive_ports: int = 6,
    listen_host: str = "127.0.0.1",
    status_socket: Path | None = None,
    api: str = SCANNER,
) -> Iterator[Ground]:
    """Start both; `options` are the daemon's by section, `openspp` the embedded OpenSPP's, which
    answers by the interface `api`."""
    with (
        EmbeddedOpenSPP(directory, *answering(api, directory), *openspp) as embedded,
        Daemon(
            directory,
            embedded.url,
            configured(api, options),
            passive_ports=passive_ports,
            certificate=certificate,
            listen_host=listen_host,
            status_socket=status_socket,
        ) as daemon,
    ):
        yield Ground(embedded, daemon, api=api)


@contextlib.contextmanager
def one_daemon(
    directory: Path,
    certificate: tuple[Path, Path] | None = None,
    options: Mapping[str, Mapping[str, str]] | None = None,
    listen_host: str = "127.0.0.1",
) -> Iterator[Iterator[Ground]]:
    """One daemon for many tests: each takes the next ground, with a user and folder of its own."""
    users = [f"user-{number}" for number in range(400)]
    openspp = [f"--user={user}:scan-{user}" for user in users]
    with running(directory, certificate, options, openspp, listen_host=listen_host) as ground:
        yield (replace(ground, user=user) for user in users)


def expected(documents: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """What `Ground.recorded` says when exactly these have arrived, each once."""
    return sorted((name, sha256(content)) for name, content in documents.items())


def whole_session(ground: Ground, user: str, name: str, content: bytes) -> float:
    """Connect, log in, upload, QUIT, as a device does for each scan; the seconds it took."""
    began = time.monotonic()
    with ground.logged_in(user) as scanner:
        assert scanner.store(name, content).code == 226
        scanner.quit()
    return time.monotonic() - began
