"""Real FTP clients run as processes, curl and lftp, and the replies that they were given."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CURL_REPLY = re.compile(r"^< (\d{3} .*?)\r?$", re.MULTILINE)
_LFTP_REPLY = re.compile(r"^<--- (\d{3} .*?)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of it."""

    status: int
    replies: tuple[str, ...]
    output: str

    def count(self, code: int) -> int:
        """How many replies had this code."""
        return sum(reply.startswith(f"{code} ") for reply in self.replies)


@dataclass(frozen=True, slots=True)
class Way:
    """How a client connects: `tls` is "", "explicit" or "implicit"."""

    tls: str
    active: bool
    port: int
    user: str = "alice"
    password: str = "scan-alice"
    folder: str = ""

    @property
    def url(self) -> str:
        return (
            f"{'ftps' if self.tls == 'implicit' else 'ftp'}://127.0.0.1:{self.port}/{self.folder}"
        )


def curl(way: Way, files: Sequence[Path], *options: str, seconds: float = 60) -> Run:
    """Upload files in one session of curl, each under its own name."""
    command = ["curl", "--disable", "--silent", "--show-error", "--verbose", "--noproxy", "*"]
    command += ["--user", f"{way.user}:{way.password}", "--insecure"]
    if way.tls == "explicit":
        command += ["--ssl-reqd"]
    if way.active:
        command += ["--ftp-port", "127.0.0.1"]
    command += options
    for file in files:
        command += ["--upload-file", str(file), way.url]
    return _run(command, _CURL_REPLY, files[0].parent, seconds)


def curl_version() -> tuple[int, int]:
    """Major and minor."""
    output = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True)
    major, minor = output.stdout.split()[1].split(".")[:2]
    return int(major), int(minor)


def lftp(way: Way, files: Sequence[Path], *settings: str, seconds: float = 60) -> Run:
    """Upload files in one session of lftp, each under its own name.

    settings: what `set` takes, for instance "xfer:use-temp-file yes".
    """
    lines = [
        "debug 9",
        "set cmd:fail-exit yes",
        "set net:max-retries 1",
        f"set net:timeout {seconds:g}",
        "set ssl:verify-certificate no",
        f"set ftp:passive-mode {'no' if way.active else 'yes'}",
        f"set ftp:ssl-allow {'yes' if way.tls else 'no'}",
        f"set ftp:ssl-force {'yes' if way.tls else 'no'}",
        "set ftp:ssl-protect-data yes",
        *(f"set {setting}" for setting in settings),
        f"open -u {way.user},{way.password} {way.url}",
        *(f"put {file}" for file in files),
        "bye",
    ]
    return _run(["lftp", "--norc", "-c", "\n".join(lines)], _LFTP_REPLY, files[0].parent, seconds)


def _run(command: list[str], reply: re.Pattern[str], directory: Path, seconds: float) -> Run:
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env={**os.environ, "HOME": str(directory), "LC_ALL": "C.UTF-8"},
        timeout=seconds,
        check=False,
    )
    output = ended.stdout.decode(errors="replace")
    return Run(ended.returncode, tuple(reply.findall(output)), output)
