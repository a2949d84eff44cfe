"""Who is measured: our daemon and what an administrator would use in its place, started alike.

Same addresses, same certificate, same tmpfs. None listens on port 21, none needs to be installed.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.acceptance.interfaces import ODOO, SCANNER, configured
from tests.acceptance.running import EmbeddedOpenSPP, free_ports
from tests.bench.programs import Patience, Program
from tests.bench.scanner import HOST, Refused, Session
from tests.bench.unpacked import NotUnpacked, library_path, unpacked

PASSWORD: Final = "scan-of-the-bench"
USERS: Final = tuple(f"scanner-{number:03}" for number in range(64))

_NOBODY: Final = 65534
_ANONYMOUS: Final = "daemon"
"""Who stores for vsftpd: a user that every Debian has, with a home that exists."""

_START_SECONDS: Final = 30.0


class CannotStart(Exception):
    """This peer cannot run here; the message says why."""


def password_of(user: str, api: str = SCANNER) -> str:
    """A key of Odoo's own API belongs to one user, and tells who that is; others have one word."""
    return f"{PASSWORD}-{user}" if api in ODOO else PASSWORD


@dataclass(frozen=True)
class Ground:
    """What all peers have in common.

    Attributes:
        folder: in a tmpfs, of this run alone.
        build: where unpacked packages stay for the next time.
        openspp: where scans go.
        certificate: of every peer; then its key.
    """

    folder: Path
    build: Path
    openspp: EmbeddedOpenSPP
    certificate: tuple[Path, Path]

    def both(self) -> Path:
        """Certificate and key in one file."""
        path = self.folder / "both.pem"
        path.write_text(self.certificate[1].read_text() + self.certificate[0].read_text())
        return path


@dataclass(frozen=True)
class Wanted:
    """What a work needs of a server."""

    tls: bool = False
    sessions: int = 256
    parallel_requests: int = 8
    api: str = SCANNER


@dataclass(frozen=True)
class Serving:
    """A peer that runs; `store` is where files lie that it only stores.

    Where a balancer stands before its nodes, `host` and `port` are the balancer's.
    """

    program: Program
    port: int
    store: Path
    host: str = HOST
    balancer: Program | None = None

    def stop(self) -> None:
        """End it and remove its files."""
        if self.balancer is not None:
            self.balancer.stop()
        self.program.stop()
        shutil.rmtree(self.store, ignore_errors=True)


@dataclass(frozen=True)
class Peer:
    """One that can be measured.

    Attributes:
        name: as PEER= and the table have it.
        title: what it is.
        delivers: when a scan is in OpenSPP: before its 226, later, or never (it is stored only).
        start: starts it; raises CannotStart.
        folder: what is written before a file's name in STOR.
        user: the one who logs in, where it knows no others.
        workers: our daemon's.
        forks: whether it has processes for each session.
    """

    name: str
    title: str
    delivers: Literal["before", "later", "never"]
    start: Callable[[Ground, Wanted], Serving]
    folder: str = ""
    user: str = ""
    workers: int = 1
    forks: bool = False


def configuration(
    ground: Ground,
    wanted: Wanted,
    port: int,
    passive_ports: list[int],
    workers: int = 1,
    host: str = HOST,
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Our daemon's, as it is installed but for addresses and limits; its spool is made.

    `more`: options by section, beside those.
    """
    spool = ground.folder / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    sections: dict[str, dict[str, str]] = {
        "openspp": {
            "url": ground.openspp.url,
            "parallel_requests": str(wanted.parallel_requests),
        },
        "ftp": {
            "listen": f"{host}:{port}",
            "passive_ports": f"{passive_ports[0]}-{passive_ports[-1]}",
            "workers": str(workers),
        },
        "tls": {"certificate": str(ground.certificate[0]), "key": str(ground.certificate[1])},
        "uploads": {"directory": str(spool), "max_size": "1G"},
        "limits": {"sessions": str(wanted.sessions)},
    }
    for section, values in (more or {}).items():
        sections.setdefault(section, {}).update(values)
    sections = configured(wanted.api, sections)
    path = ground.folder / "openspp-ftpd.conf"
    path.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
            for section, values in sections.items()
        )
    )
    return path


def _ours(workers: int) -> Callable[[Ground, Wanted], Serving]:
    def start(ground: Ground, wanted: Wanted) -> Serving:
        port, *passive_ports = free_ports(7)
        path = configuration(ground, wanted, port, passive_ports, workers)
        command = [sys.executable, "-m", "openspp_ftpd", "serve", "-c", str(path)]
        program = Program(command, ground.folder / "ours.log")
        return once_it_greets(Serving(program, port, ground.folder / "spool"))

    return start


def _plain_pyftpdlib(ground: Ground, wanted: Wanted) -> Serving:
    port = free_ports(1)[0]
    store = _new_folder(ground.folder / "pyftpdlib")
    certificate = str(ground.both()) if wanted.tls else ""
    command = [sys.executable, "-m", "tests.bench.plain_pyftpdlib", str(port), str(store)]
    command += [certificate, PASSWORD, *USERS]
    program = Program(command, ground.folder / "pyftpdlib.log")
    return once_it_greets(Serving(program, port, store))


def _vsftpd(ground: Ground, wanted: Wanted) -> Serving:
    """Anonymous, for its users would need PAM's files in /etc; a login costs it less like this."""
    root = _unpacked(ground)
    port = free_ports(1)[0]
    home = _new_folder(ground.folder / "vsftpd")
    store = _new_folder(home / "in")
    os.chown(store, *_owner(_ANONYMOUS))
    empty = _new_folder(ground.folder / "empty")
    options = {
        "listen": "YES",
        "listen_address": HOST,
        "listen_port": str(port),
        "background": "NO",
        "local_enable": "NO",
        "anonymous_enable": "YES",
        "no_anon_password": "NO",
        "anon_root": str(home),
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_umask": "077",
        "ftp_username": _ANONYMOUS,
        "nopriv_user": "nobody",
        "secure_chroot_dir": str(empty),
        "xferlog_enable": "NO",
        "max_clients": "0",
        "ssl_enable": "YES" if wanted.tls else "NO",
        "allow_anon_ssl": "YES",
        "require_ssl_reuse": "NO",
        "rsa_cert_file": str(ground.certificate[0]),
        "rsa_private_key_file": str(ground.certificate[1]),
    }
    path = ground.folder / "vsftpd.conf"
    path.write_text("".join(f"{name}={value}\n" for name, value in options.items()))
    command = [str(root / "usr/sbin/vsftpd"), str(path)]
    log = ground.folder / "vsftpd.log"
    return once_it_greets(Serving(Program(command, log, _libraries(root)), port, home))


_UPLOAD_SCRIPT: Final = """\
#!/bin/sh
# What an administrator would write: the scan as JSON by curl, and away with it.
set -eu
trap 'rm -f "$1"' EXIT
{
    printf '{"jsonrpc":"2.0","method":"call","id":1,"params":{"username":"%%s",' "$UPLOAD_VUSER"
    printf '"password":"%%s","filename":"%%s","file":"' %(password)s "${1##*/}"
    base64 --wrap=0 "$1"
    printf '"}}'
} | curl --silent --show-error --fail --output %(answer)s --request POST --upload-file - \\
    --header 'Content-Type: application/json' --header 'Expect:' %(url)s
"""


def _pure_ftpd(ground: Ground, wanted: Wanted) -> Serving:
    """With virtual users and its upload script; /run is one of its own, where its pipe lies."""
    root = _unpacked(ground)
    port = free_ports(1)[0]
    home = _new_folder(ground.folder / "pure-ftpd")
    os.chown(home, _NOBODY, _NOBODY)
    script = ground.folder / "upload-script"
    script.write_text(
        _UPLOAD_SCRIPT
        % {"password": PASSWORD, "answer": "/dev/null", "url": f"{ground.openspp.url}/dms/upload"}
    )
    script.chmod(0o755)
    environment = _libraries(root)
    command = [str(root / "usr/sbin/pure-ftpd"), "--ipv4only", "--dontresolve", "--noanonymous"]
    command += ["--bind", f"{HOST},{port}", "--maxclientsnumber", str(wanted.sessions)]
    command += ["--maxclientsperip", str(wanted.sessions), "--uploadscript", "--minuid", "1"]
    command += ["--login", f"puredb:{_users_of_pure_ftpd(ground, root, home, environment)}"]
    if wanted.tls:
        command += ["--tls", "1", "--certfile", str(ground.both())]
    uploads = [str(root / "usr/sbin/pure-uploadscript"), "-r", str(script)]
    lines = [
        "mount -t tmpfs tmpfs /run && mkdir /run/pure-ftpd || exit 1",
        f"{{ sleep 0.3; exec {shlex.join(uploads)}; }} &",
        f"exec {shlex.join(command)}",
    ]
    whole = ["unshare", "--mount", "sh", "-c", "\n".join(lines)]
    program = Program(whole, ground.folder / "pure-ftpd.log", environment)
    return once_it_greets(Serving(program, port, home))


def _users_of_pure_ftpd(
    ground: Ground, root: Path, home: Path, environment: Mapping[str, str]
) -> Path:
    """All with one password, whose hash is a quick one: a login must not cost more than ours."""
    told = subprocess.run(
        ["openssl", "passwd", "-1", "-salt", "bench", PASSWORD],
        check=True,
        capture_output=True,
        text=True,
    )
    hashed = told.stdout.strip()
    users, database = ground.folder / "pure-ftpd.passwd", ground.folder / "pure-ftpd.pdb"
    users.write_text(
        "".join(f"{user}:{hashed}:{_NOBODY}:{_NOBODY}::{home}::::::::::::\n" for user in USERS)
    )
    subprocess.run(
        [str(root / "usr/bin/pure-pw"), "mkdb", str(database), "-f", str(users)],
        check=True,
        env={**os.environ, **environment},
    )
    return database


def _unpacked(ground: Ground) -> Path:
    if os.geteuid() != 0:
        raise CannotStart("needs root")
    try:
        return unpacked(ground.build)
    except NotUnpacked as error:
        raise CannotStart(str(error)) from error


def _owner(user: str) -> tuple[int, int]:
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def _libraries(root: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": library_path(root)}


def _new_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def once_it_greets(serving: Serving) -> Serving:
    """The same; ends it when it does not. Raises CannotStart."""
    programs = [one for one in (serving.program, serving.balancer) if one is not None]
    patience = Patience(_START_SECONDS, "no greeting")
    try:
        while True:
            for program in programs:
                if program.process.poll() is not None:
                    raise CannotStart(f"it ended at once: {program.log()}")
            try:
                Session(serving.port, HOST, None, serving.host).quit()
                return serving
            except (OSError, Refused):
                patience.pause()
    except BaseException as error:
        serving.stop()
        if isinstance(error, TimeoutError):
            told = "; ".join(program.log() for program in programs)
            raise CannotStart(f"it does not greet: {told}") from error
        raise


PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer("ours-1", "openspp-ftpd, one worker", "before", _ours(1)),
        Peer("ours-2", "openspp-ftpd, two workers", "before", _ours(2), workers=2),
        Peer("pure-ftpd", "pure-ftpd, pure-uploadscript, curl", "later", _pure_ftpd, forks=True),
        Peer("vsftpd", "vsftpd, storing only", "never", _vsftpd, "in/", "anonymous", forks=True),
        Peer("pyftpdlib", "plain pyftpdlib, storing only", "never", _plain_pyftpdlib),
    )
}
"""By name; the limits (`curl`, `core`) are no servers and are measured apart."""
