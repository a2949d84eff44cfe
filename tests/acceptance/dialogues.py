"""Dialogues of devices, played against the real daemon as the device speaks them.

A dialogue is a line of tests/data/dialogues.jsonl; a new one needs no code. What was recorded:

    id, vendor, model, source, evidence, notes
    tls       none, explicit or implicit
    mode      active, passive or epsv; unknown is played both ways
    commands  as they were seen; what begins with < is an annotation

and what the device expects:

    stores     the documents that OpenSPP has afterwards, in order; ? and * as in a shell
    completed  the whole job, where `commands` are a part of it only
    replies    codes that the device takes, by command or verb, where they are not the usual ones
    waits      the seconds that it waits for a reply (15, the least that is known)
    data       how the data come: seconds of silence at first ("after"), the number of "pieces" and
               the "pause" between them, and "end": "bare" for TLS without close_notify
    variables  what stands for $PATH, $DIR and so on
    daemon     options that the administrator sets for this device, by section
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from tests.acceptance import documents
from tests.acceptance.grounds import Ground
from tests.acceptance.interfaces import SCANNER, answering, configured
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Answer, Scanner, end_bare, end_properly

FILE: Final = Path(__file__).resolve().parents[1] / "data" / "dialogues.jsonl"

USUAL: Final[Mapping[str, Sequence[int]]] = {
    "USER": [331],
    "PASS": [230],
    "AUTH": [234],
    "QUIT": [221],
    "PASV": [227],
    "EPSV": [229],
    "PWD": [257],
    "XPWD": [257],
    "MKD": [257],
    "XMKD": [257],
    "CWD": [250],
    "XCWD": [250],
    "CDUP": [250],
    "RMD": [250],
    "DELE": [250],
    "RNFR": [350],
    "RNTO": [250],
    "SIZE": [213],
    "MDTM": [213],
    "MFMT": [213],
    "MLST": [250],
    "FEAT": [211],
    "SYST": [215],
    "STOR": [226],
    "STOU": [226],
    "APPE": [226],
    "LIST": [226],
    "NLST": [226],
    "MLSD": [226],
}
"""The only codes that every device takes (RFC 959 section 5.4, RFC 3659, RFC 4217); 200 else."""

UPLOADS: Final = frozenset({"STOR", "STOU", "APPE"})
LISTINGS: Final = frozenset({"LIST", "NLST", "MLSD"})


class GaveUp(AssertionError):
    """The device was answered something that ends its job."""


class NotStored(AssertionError):
    """The device was content, but OpenSPP has other documents than it sent."""


@dataclass(frozen=True)
class Dialogue:
    """One line of the file."""

    id: str
    tls: str
    mode: str
    commands: Sequence[str]
    stores: Sequence[str]
    completed: Sequence[str] = ()
    replies: Mapping[str, Sequence[int]] = field(default_factory=dict)
    waits: float = 15.0
    data: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    daemon: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    vendor: str = ""
    model: str = ""
    source: str = ""
    evidence: str = ""
    notes: str = ""

    @property
    def job(self) -> list[str]:
        """Every command in order."""
        return [line for line in self.completed or self.commands if not line.startswith("<")]

    @property
    def modes(self) -> Sequence[str]:
        """The modes it is played in."""
        return ("passive", "active") if self.mode == "unknown" else (self.mode,)


def read(path: Path = FILE) -> list[Dialogue]:
    """The dialogues of a file; raises TypeError where a line has an unknown field or lacks one."""
    return [Dialogue(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def user_of(dialogue: Dialogue, mode: str) -> tuple[str, str]:
    """User and password, which are the dialogue's own unless it names others."""
    named = {line.partition(" ")[0]: line.partition(" ")[2] for line in dialogue.job}
    own = f"{dialogue.id}-{mode}"
    return (
        named["USER"].replace("$USER", own),
        named["PASS"].replace("$PASS", f"scan-{own}"),
    )


class Stage:
    """One embedded OpenSPP for all dialogues, and a daemon for each set of options."""

    def __init__(
        self,
        directory: Path,
        certificate: tuple[Path, Path],
        dialogues: Sequence[Dialogue],
        api: str = SCANNER,
    ) -> None:
        self._api = api
        self._directory = directory
        self._certificate = certificate
        self._running = contextlib.ExitStack()
        self._grounds: dict[str, Ground] = {}
        users = {":".join(user_of(each, mode)) for each in dialogues for mode in each.modes}
        options = [*answering(api, directory), *(f"--user={user}" for user in sorted(users))]
        self.openspp = self._running.enter_context(EmbeddedOpenSPP(directory, *options))

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exception: object) -> None:
        self._running.close()

    def ground(self, dialogue: Dialogue) -> Ground:
        """The daemon whose administrator has this device."""
        key = json.dumps(dialogue.daemon, sort_keys=True)
        if key not in self._grounds:
            directory = self._directory / f"daemon-{len(self._grounds)}"
            directory.mkdir()
            off = dialogue.daemon.get("tls", {}).get("mode") == "off"
            certificate = None if off else self._certificate
            options = configured(self._api, dialogue.daemon)
            daemon = Daemon(directory, self.openspp.url, options, certificate=certificate)
            self._running.enter_context(daemon)
            self._grounds[key] = Ground(self.openspp, daemon)
        return self._grounds[key]

    def play(self, dialogue: Dialogue, mode: str) -> None:
        """Play it from beginning to end.

        Raises:
            GaveUp: a reply that the device does not take, or none in time.
            NotStored: OpenSPP has not exactly what the device was told 226 for.
        """
        before = len(self.openspp.record())
        user, password = user_of(dialogue, mode)
        with Device(self.ground(dialogue), dialogue, mode, user, password) as device:
            for line in dialogue.job:
                device.do(line)
        record = [one for one in self.openspp.record()[before:] if one["user"] == user]
        stored = [(one["sha256"], bool(one.get("altered"))) for one in record]
        sent = [(documents.sha256(content), False) for content in device.acknowledged]
        names = [one["filename"] for one in record]
        patterns = [device.filled(pattern) for pattern in dialogue.stores]
        if stored != sent:
            raise NotStored(f"{dialogue.id}: OpenSPP has {record}, acknowledged were {sent}")
        if len(names) != len(patterns) or not all(map(fnmatchcase, names, patterns)):
            raise NotStored(f"{dialogue.id}: OpenSPP has {names} instead of {patterns}")


class Device:
    """What speaks a dialogue: it believes every address it is told, and takes nothing amiss twice.

    Args:
        ground: the daemon.
        dialogue: what it does and what it expects.
        mode: passive, active or epsv.
        user, password: for $USER and $PASS.
    """

    def __init__(
        self, ground: Ground, dialogue: Dialogue, mode: str, user: str, password: str
    ) -> None:
        self.acknowledged: list[bytes] = []
        self._ground = ground
        self._dialogue = dialogue
        self._mode = mode
        self._sockets = contextlib.ExitStack()
        self._data: socket.socket | None = None
        self._listening: socket.socket | None = None
        self._content = b""
        self._values = {
            "USER": user,
            "PASS": password,
            "NAME": "scan0001",
            "IP": "127,0,0,1",
            "PATH": "/scans/in",
            "DIR": "box",
            "SUB": "today",
            **dialogue.variables,
        }
        self._connect()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self._sockets.close()

    def _connect(self) -> None:
        implicit = "implicit" if self._dialogue.tls == "implicit" else ""
        self._protected = False
        self._scanner = Scanner(self._ground.port(implicit), implicit, "127.0.0.1", 30)
        self._sockets.enter_context(self._scanner)
        self._expect("(greeting)", self._scanner.greeting, [220])
        self._connected = True

    def do(self, line: str) -> None:
        """Send one command, do what belongs to it, and judge the reply."""
        if not self._connected:
            self._connect()
        line = self._in_this_mode(line)
        verb = line.split(" ")[0].upper()
        self._agree(verb, line)
        if verb in UPLOADS:
            self._content = self._next_content(line)
        takes = self._dialogue.replies.get(line) or self._dialogue.replies.get(verb)
        takes = takes or USUAL.get(verb, [200])
        self._scanner.send(self.filled(line))
        answer = self._answer(line)
        if verb in UPLOADS | LISTINGS and answer.code == 150:
            self._transfer(verb)
            answer = self._answer(line)
        self._expect(line, answer, takes)
        self._follow(verb, line, answer)

    def filled(self, text: str) -> str:
        """`text` with its variables."""
        return re.sub(r"\$([A-Z]+)", lambda found: self._values[found[1]], text)

    def _in_this_mode(self, line: str) -> str:
        if self._dialogue.mode == "unknown":
            if self._mode == "active" and line == "PASV":
                return "PORT $IP,$PORT"
            if self._mode == "passive" and line.startswith("PORT "):
                return "PASV"
        return line

    def _agree(self, verb: str, line: str) -> None:
        """What stands for the variables of a command, and a listener where it names its port."""
        if verb == "ALLO":
            uploads = [each for each in self._dialogue.job if each.split(" ")[0] in UPLOADS]
            announced = self._next_content(uploads[len(self.acknowledged)])
            self._values["SIZE"] = str(len(announced))
        if verb not in ("PORT", "EPRT"):
            return
        self._forget_data()
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self._values["CLOSED"] = _two_bytes(closed.getsockname()[1])
        if "$CLOSED" in line:
            return
        written = re.search(r",(\d+),(\d+)$", line)
        port = int(written[1]) * 256 + int(written[2]) if written else 0
        self._listening = socket.create_server(("127.0.0.1", port))
        self._sockets.enter_context(self._listening)
        port = self._listening.getsockname()[1]
        self._values["PORT"] = str(port) if verb == "EPRT" else _two_bytes(port)
        self._values["HI"], self._values["LO"] = _two_bytes(port).split(",")

    def _next_content(self, line: str) -> bytes:
        """A document that no other upload has, of the kind that the name in the command says."""
        number = crc32(f"{self._values['USER']} {len(self.acknowledged)}".encode())
        kind = line.rpartition(".")[2].lower()
        if kind in ("jpg", "jpeg"):
            return documents.jpeg(320, 240, number)
        if kind in ("tif", "tiff"):
            return documents.tiff(200, 100, number)
        if kind in ("pdf", "tmp"):
            return documents.pdf(20_000, number)
        return documents.noise(2_000, number)

    def _answer(self, line: str) -> Answer:
        """The next reply, in the time that the device has for it."""
        try:
            return self._scanner.answer(self._dialogue.waits)
        except (OSError, TimeoutError) as error:
            raise GaveUp(f"{self._dialogue.id}: no reply to {line}: {error!r}") from error

    def _expect(self, line: str, answer: Answer, takes: Sequence[int]) -> None:
        if answer.code not in takes:
            told = f"{answer.code} {answer.text}"
            raise GaveUp(f"{self._dialogue.id}: {line} was answered {told!r}; it takes {takes}")

    def _follow(self, verb: str, line: str, answer: Answer) -> None:
        """What the device does after the reply."""
        if verb == "AUTH" and answer.code == 234:
            self._scanner.begin_tls()
        elif verb == "PROT":
            self._protected = line.endswith("P")
        elif verb == "PASV" and answer.code == 227:
            # Real devices connect to the address that they are told, unlike curl, lftp and ftplib.
            numbers = re.search(r"\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)", answer.text)
            assert numbers, answer
            host = ".".join(numbers.groups()[:4])
            self._connect_data(host, int(numbers[5]) * 256 + int(numbers[6]))
        elif verb == "EPSV" and answer.code == 229:
            self._connect_data("127.0.0.1", int(answer.text.split("|")[3]))
        elif verb in UPLOADS and answer.code == 226:
            self.acknowledged.append(self._content)
        elif verb == "SIZE" and answer.code == 213 and int(answer.text) != len(self._content):
            raise GaveUp(f"{self._dialogue.id}: {line} is {answer.text}, not {len(self._content)}")
        elif verb == "QUIT":
            self._scanner.close()
            self._connected = False

    def _connect_data(self, host: str, port: int) -> None:
        self._forget_data()
        self._data = socket.create_connection((host, port), self._dialogue.waits)
        self._sockets.enter_context(self._data)

    def _forget_data(self) -> None:
        for connection in (self._data, self._listening):
            if connection is not None:
                connection.close()
        self._data = self._listening = None

    def _transfer(self, verb: str) -> None:
        data = self._data
        if self._listening is not None:
            self._listening.settimeout(self._dialogue.waits)
            data = self._listening.accept()[0]
        if data is None:
            return
        if self._protected:
            data = self._scanner.context.wrap_socket(data)
        self._sockets.enter_context(data)
        if verb in LISTINGS:
            while data.recv(4096):
                pass
            data.close()
        else:
            self._send(data)
        self._forget_data()

    def _send(self, data: socket.socket) -> None:
        manner = self._dialogue.data
        time.sleep(manner.get("after", 0))
        count = manner.get("pieces", 1)
        size = -(-len(self._content) // count)
        for number in range(count):
            time.sleep(manner.get("pause", 0) if number else 0)
            data.sendall(self._content[number * size : (number + 1) * size])
        if manner.get("end") == "bare":
            end_bare(data)
        else:
            end_properly(data)


def _two_bytes(port: int) -> str:
    return f"{port >> 8},{port & 255}"


def plays(dialogues: Sequence[Dialogue]) -> Iterator[tuple[Dialogue, str]]:
    """Each dialogue with each of its modes."""
    for dialogue in dialogues:
        for mode in dialogue.modes:
            yield dialogue, mode
