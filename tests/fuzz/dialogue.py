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

UPLOADS: Final = frozenset({"STOR", "STOU", "APPE"})
LISTINGS: Final = frozenset({"LIST", "NLST", "MLSD"})

_TRANSFER: Final = {425, 426, 521, 522}

_REPLIES: Final[dict[str, set[int]]] = {
    "STOR STOU APPE": {226, 451, 452, 550, 552, 553} | _TRANSFER,
    # RFC 959 ends a listing so too; it promises no document.
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
        self._half_line = b""
        self._received = b""
        self._several: list[str] = []
        self._aborted = False  # the last reply was 426
        self._begun = False  # the first of `unanswered` had its 150

    def __repr__(self) -> str:
        said = "\n  ".join(self.transcript)
        return f"greeted: {self.greeted}, unanswered: {list(self.unanswered)}\n  {said}"

    @property
    def owed(self) -> int:
        """Replies that must still come."""
        return len(self.unanswered) + (not self.greeted)

    @property
    def transferring(self) -> bool:
        """A transfer was begun and not ended."""
        return self._begun

    def say(self, raw: bytes) -> None:
        """These bytes were sent."""
        self.transcript.append(f"> {raw!r}")
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
            self.unanswered.append(Command("ABOR", "", end))
            return
        if not overlong and not bare.strip():
            return
        self.commands += 1
        command = Command("", "", end) if overlong else _understood(bare, end)
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
        self._begun = False
        if code not in REPLIES[command.verb] | _ALWAYS:
            raise Violation(f"{command} was answered {text!r}")
        if (command.verb, code) == ("PASS", 530):
            self.failed_logins += 1
        return Reply(code, text, command)

    def _abort(self) -> Command:
        """ABOR was obeyed before the lines that waited."""
        for command in self.unanswered:
            if command.verb == "ABOR":
                self.unanswered.remove(command)
                return command
        raise Violation("a transfer was aborted, and nobody said ABOR")

    def tls_begins(self, auth: Command) -> bool:
        """234 was read: what was sent behind AUTH is nothing. True: there was something."""
        if self._received or self._several:
            raise Violation(f"something in clear behind the answer to AUTH: {self._received!r}")
        behind = self._sent > auth.end
        self.unanswered.clear()
        self._half_line = b""
        return behind


def _understood(line: bytes, end: int) -> Command:
    verb, _, argument = names.decode(line, "cp1252").lstrip(" ").partition(" ")
    verb = verb.upper()
    if verb not in REPLIES and verb[-4:] in ("QUIT", "STAT"):
        verb = verb[-4:]
    return Command(verb if verb in REPLIES else "", argument, end)
