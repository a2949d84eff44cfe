"""What one control connection may say: a model of the lines sent and of the replies that fit them.

It knows the rules of the dialogue and nothing of sockets. Whatever breaks a rule is a `Violation`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from openspp_ftpd import names

LONGEST_LINE: Final = 4096
READ_TOGETHER: Final = 8000
"""Bytes sent at once that the daemon reads at once, where it has read all that came before."""

UPLOADS: Final = frozenset({"STOR", "STOU", "APPE"})
LISTINGS: Final = frozenset({"LIST", "NLST", "MLSD"})

_TRANSFER: Final = {425, 426, 521, 522}

_REPLIES: Final[dict[str, set[int]]] = {
    "STOR STOU APPE": {226, 250, 451, 452, 550, 552, 553} | _TRANSFER,
    # RFC 959 section 5.4 would allow 250 as well, but rclone, which lists before it stores, takes
    # 226 alone. `_is_true` holds that it is never taken for a stored document's.
    "LIST NLST MLSD": {226} | _TRANSFER,
    "CWD XCWD CDUP XCUP RMD XRMD DELE MLST": {250, 550},
    "MKD XMKD": {257, 550},
    "PWD XPWD": {257},
    "NOOP CLNT ALLO": {200},
    "TYPE MODE STRU": {200, 504},
    "SIZE MDTM": {213, 550},
    "MFMT": {213, 501, 550},
    "USER": {331},
    "PASS": {230, 503, 530},
    "ACCT": {202},
    "REIN": {220},
    "QUIT": {221},
    "AUTH": {234, 502, 503, 504},
    "PBSZ": {200, 503},
    "PROT": {200, 503, 536},
    "REST": {350, 504},
    "PASV": {227, 425, 501},
    "EPSV": {220, 229, 425, 501, 522},
    "PORT EPRT": {200, 501, 522},
    "ABOR": {225},
    "RETR": {550},
    "RNFR": {350, 550},
    "RNTO": {250, 503, 553},
    "FEAT": {211},
    "OPTS": {200, 501},
    "STAT": {211, 213},
    "SYST": {215},
    "HELP": {214, 501},
    "SITE": {502},
}
REPLIES: Final = {"": {500}} | {
    verb: codes for verbs, codes in _REPLIES.items() for verb in verbs.split()
}
"""The final replies that each command may get; "": it is unknown or too long."""

_LISTED: Final = "226 Transfer complete."
_NOT_KEPT: Final = "250 Not kept: "
_ALWAYS: Final = {421, 501, 530}
_SINGLE: Final = re.compile(r"([1-5]\d\d) (?!\s)[^\x00-\x1f\x7f-\x9f]+")
_FIRST: Final = re.compile(r"([1-5]\d\d)-[^\x00-\x1f\x7f-\x9f]+")
_FURTHER: Final = re.compile(r"(?!\d\d\d )[^\x00-\x1f\x7f-\x9f]+")
_TOKEN: Final = re.compile(r"u(\d+)u")


class Violation(AssertionError):
    """Something that must never happen did."""


@dataclass(frozen=True)
class Command:
    """A line that was sent. `token`: the number of an upload that stands in its name, or 0."""

    verb: str
    argument: str
    end: int = 0  # bytes that were sent up to its end
    together: int = 0  # bytes that were sent up to the end of the piece that its end came in

    @property
    def token(self) -> int:
        found = _TOKEN.search(self.argument)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Reply:
    """A reply, with the command that it answers where there is one."""

    code: int
    text: str
    command: Command | None


_ABOR: Final = Command("ABOR", "")


class Dialogue:
    """The lines of one connection in order, and what of them was answered."""

    def __init__(self) -> None:
        self.unanswered: deque[Command] = deque()
        self.commands = 0
        self.greeted = False
        self.closing = False  # QUIT was said, or the daemon said 421
        self.failed_logins = 0
        self.transcript: deque[str] = deque(maxlen=20)
        self.users: set[str] = set()
        self._sent = 0
        self._read = 0  # bytes sent that the daemon certainly read: nothing was owed after them
        self._half_line = b""
        self._received = b""
        self._several: list[str] = []
        self._aborted = False  # the last reply was 426
        self._aborts = 0  # ABORs that are owed their 225, one was obeyed and who knows which
        self._begun = False  # the first of `unanswered` had its 150

    def __repr__(self) -> str:
        said = "\n  ".join(self.transcript)
        return f"greeted: {self.greeted}, unanswered: {list(self.unanswered)}\n  {said}"

    @property
    def owed(self) -> int:
        """Replies that must still come."""
        return len(self.unanswered) + self._aborts + (not self.greeted)

    @property
    def transferring(self) -> bool:
        """A transfer was begun and not ended."""
        return self._begun

    def say(self, raw: bytes) -> None:
        """These bytes were sent."""
        self.transcript.append(f"> {raw!r}")
        if not self.owed:
            self._read = self._sent - len(self._half_line)
        end = self._sent - len(self._half_line)
        self._sent += len(raw)
        *lines, self._half_line = (self._half_line + raw).split(b"\n")
        for line in lines:
            end += len(line) + 1
            self._line(line, end)

    def _line(self, line: bytes, end: int) -> None:
        overlong = len(line) > LONGEST_LINE
        bare = line.rstrip(b"\r")
        if not overlong and bare.lstrip(b"\xf2\xf4\xff").strip()[:4].upper() == b"ABOR":
            self.commands += 1
            self.unanswered.append(Command("ABOR", "", end, self._sent))
            return
        if not overlong and not bare.strip():
            return
        self.commands += 1
        verb, argument = ("", "") if overlong else _understood(bare)
        command = Command(verb, argument, end, self._sent)
        self.unanswered.append(command)
        if command.verb == "USER":
            self.users.add(command.argument)
        self.closing = self.closing or command.verb == "QUIT"

    def hear(self, raw: bytes) -> list[Reply]:
        """These bytes came; the replies that are whole now."""
        self.transcript.append(f"< {raw!r}")
        found = []
        *lines, self._received = (self._received + raw).split(b"\n")
        for line in lines:
            if not line.endswith(b"\r") or b"\r" in line[:-1]:
                raise Violation(f"a reply line does not end in one CR LF: {line!r}")
            try:
                text = line[:-1].decode()
            except UnicodeDecodeError:
                raise Violation(f"a reply is not UTF-8: {line!r}") from None
            reply = self._reply_line(text)
            if reply is not None:
                found.append(reply)
        return found

    def _reply_line(self, line: str) -> Reply | None:
        single = _SINGLE.fullmatch(line)
        if self._several:
            code = self._several[0][:3]
            self._several.append(line)
            if single and single[1] == code:
                text, self._several = "\n".join(self._several), []
                return self._reply(int(code), text)
            if not _FURTHER.fullmatch(line):
                raise Violation(f"a line that does not belong into a reply of several: {line!r}")
            return None
        if single:
            return self._reply(int(single[1]), line)
        if not _FIRST.fullmatch(line):
            raise Violation(f"not a line of three digits and text: {line!r}")
        self._several = [line]
        return None

    def _reply(self, code: int, text: str) -> Reply:
        if not self.greeted:
            if code not in (220, 421):
                raise Violation(f"the greeting is {text!r}")
            self.greeted = True
            self.closing = self.closing or code == 421
            return Reply(code, text, None)
        aborted, self._aborted = self._aborted, code == 426
        if code == 225 and aborted:
            return Reply(code, text, self._abort())
        if code == 421:
            self.closing = True
        if code == 225 and self._aborts and self._next_verb != "ABOR":
            self._aborts -= 1
            return Reply(code, text, _ABOR)
        if not self.unanswered:
            if code != 421:
                raise Violation(f"a reply that answers nothing: {text!r}")
            return Reply(code, text, None)
        command = self.unanswered[0]
        if code < 200:
            if command.verb not in UPLOADS | LISTINGS or self._begun or code != 150:
                raise Violation(f"{command} was answered {text!r}")
            self._begun = True
            return Reply(code, text, command)
        self.unanswered.popleft()
        begun, self._begun = self._begun, False
        if code not in REPLIES[command.verb] | _ALWAYS or not _is_true(command, text, begun):
            raise Violation(f"{command} was answered {text!r}")
        if (command.verb, code) == ("PASS", 530):
            self.failed_logins += 1
        return Reply(code, text, command)

    @property
    def _next_verb(self) -> str:
        return self.unanswered[0].verb if self.unanswered else ""

    def _abort(self) -> Command:
        """ABOR was obeyed before the lines that waited: the first that came during the transfer.
        One that waited since before keeps its turn, and what came when is not known here."""
        aborts = [command for command in self.unanswered if command.verb == "ABOR"]
        if not aborts and not self._aborts:
            raise Violation("a transfer was aborted, and nobody said ABOR")
        self._aborts += len(aborts) - 1
        for command in aborts:
            self.unanswered.remove(command)
        return _ABOR

    def tls_begins(self, auth: Command) -> bool:
        """234 was read: what was sent behind AUTH is nothing, and who logged in before is nobody.

        True: the handshake may fail, since some of it may have come after the daemon began it.
        """
        if self._received or self._several:
            raise Violation(f"something in clear behind the answer to AUTH: {self._received!r}")
        late = self._sent > auth.together or auth.together - self._read > READ_TOGETHER
        self.unanswered.clear()
        self._aborts = 0
        self.users.clear()
        self._half_line = b""
        self.closing = False  # a QUIT behind AUTH is nothing either
        return late and self._sent > auth.end


def _is_true(command: Command, text: str, begun: bool) -> bool:
    """A reply that tells of files fits what was asked; `begun`: it had its 150."""
    if command.verb in LISTINGS and text.startswith("226"):
        return begun and text == _LISTED
    if command.verb in UPLOADS and text.startswith("226"):
        return begun and text != _LISTED
    if command.verb in UPLOADS and text.startswith("250"):
        return begun and text.startswith(_NOT_KEPT)
    return True


def _understood(line: bytes) -> tuple[str, str]:
    verb, _, argument = names.decode(line, "cp1252").lstrip(" ").partition(" ")
    verb = verb.upper()
    if verb not in REPLIES and verb[-4:] in ("QUIT", "STAT"):
        verb = verb[-4:]
    return verb if verb in REPLIES else "", argument
