"""The scanner of the demonstration: curl, which sends a file by FTPS as a scanner sends it."""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from openspp_ftpd.demo.processes import DYING_WITH_PARENT

SENDING_SECONDS: Final = 1.6
"""How long the sample takes on its way: so slow that the progress can be seen."""

_PIECES: Final = 80
_LOOK_SECONDS: Final = 0.25
_LONGEST_SECONDS: Final = 120
_REPLY: Final = re.compile(r"< (\d{3} .*)")
_COMMAND: Final = re.compile(r"> ([A-Z]{3,4})\b")
_TLS: Final = re.compile(r"\* SSL connection using (TLSv[\d.]+)")
_CURL_ERROR: Final = re.compile(r"curl: \(\d+\) .*")
_ESSENTIAL: Final = ("220", "234", "230", "227", "229", "150", "226", "4", "5")
"""How the replies begin that tell the story."""


class Audience(Protocol):
    """Who watches (the screen)."""

    def detail(self, label: str, words: str) -> None:
        """Show a line of the dialogue."""

    def begin_bar(self) -> None:
        """The transfer begins."""

    def bar(self, sent: int, total: int) -> None:
        """So many bytes of all went out."""


@dataclass(frozen=True, slots=True)
class Login:
    """A scanner's user in OpenSPP."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it: curl's exit status, the replies in order, and curl's words if it failed."""

    status: int
    replies: tuple[str, ...]
    error: str

    @property
    def acknowledged(self) -> bool:
        """The scanner was told 226, and everything before it went well."""
        return self.status == 0 and any(reply.startswith("226 ") for reply in self.replies)


def send(
    content: bytes,
    url: str,
    login: Login,
    certificate: Path,
    folder: Path,
    audience: Audience,
    check: Callable[[], None],
) -> Sent:
    """Send `content` to `url` (ftp://HOST:PORT/NAME) with TLS on both connections.

    certificate: whom to trust; folder: a private one, for the password, which belongs on no command
    line; check: called while nothing is said, raises what makes waiting useless.
    """
    settings = folder / "curl.conf"
    settings.write_text(f'user = "{login.user}:{login.password}"\n')
    process = subprocess.Popen(
        [
            *DYING_WITH_PARENT,
            *("curl", "--disable", "--config", str(settings), "--silent", "--show-error"),
            *("--verbose", "--ssl-reqd", "--cacert", str(certificate), "--noproxy", "*"),
            *("--max-time", str(_LONGEST_SECONDS), "--upload-file", "-", url),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        dialogue = _Dialogue(process.stderr, audience, check)
        if dialogue.follow(until="150"):
            _feed(content, process.stdin, audience)
        _close(process.stdin)
        dialogue.follow(until="")
        return Sent(process.wait(), tuple(dialogue.replies), dialogue.error)
    finally:
        process.kill()
        process.wait()
        _close(process.stdin)


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):  # it is closed all the same
        pipe.close()


def _feed(content: bytes, pipe: IO[bytes], audience: Audience) -> None:
    """Hand the content to curl at the pace of a scanner. A pipe is all curl can be ahead of it."""
    audience.begin_bar()
    total = len(content)
    piece = -(-total // _PIECES)
    began = time.monotonic()
    try:
        for start in range(0, total, piece):
            pipe.write(content[start : start + piece])
            pipe.flush()
            sent = min(start + piece, total)
            audience.bar(sent, total)
            due = began + SENDING_SECONDS * sent / total
            time.sleep(max(0.0, due - time.monotonic()))
    except BrokenPipeError:
        return  # the dialogue tells why curl gave up


class _Dialogue:
    """What curl and the daemon say to each other, as `curl --verbose` tells it."""

    def __init__(self, stream: IO[bytes], audience: Audience, check: Callable[[], None]) -> None:
        self.replies: list[str] = []
        self.error = ""
        self._audience = audience
        self._check = check
        self._command = "connect"
        self._encrypted = False
        self._ended = False
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.decode("utf-8", "replace").strip())
        self._lines.put(None)

    def follow(self, until: str) -> bool:
        """Show what is said up to the reply that begins with `until`; False if that never came."""
        while not self._ended:
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._check()
                continue
            if line is None:
                self._ended = True
            elif said := _COMMAND.match(line):
                self._command = said[1]
            elif said := _TLS.match(line):
                which = "data" if self._encrypted else "control"
                self._encrypted = True
                self._audience.detail("", f"the {which} connection is encrypted, {said[1]}")
            elif said := _CURL_ERROR.match(line):
                self.error = said[0]
            elif said := _REPLY.match(line):
                self.replies.append(said[1])
                if said[1].startswith(_ESSENTIAL):
                    self._audience.detail(self._command, said[1])
                if until and said[1].startswith(until):
                    return True
        return False
