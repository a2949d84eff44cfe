"""What the fuzzed daemon may have stored: every stream of data that was sent, and OpenSPP's record.

Read from the record alone, so that it does not matter what the daemon thinks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.acceptance.documents import sha256
from tests.fuzz.dialogue import UPLOADS, Reply, Violation

_TOKEN: Final = re.compile(r"u(\d+)u")
_WITHOUT_ANSWER: Final = ("@drop-after", "@reset-after", "@cut-answer")
"""Faults after which OpenSPP has the document and the daemon cannot know."""
_OPEN: Final = (
    "451 OpenSPP did not confirm the scan. Please send it again.",
    "451 OpenSPP did not answer in time. Try again later.",
)


@dataclass
class Stream:
    """What was sent on one data connection. `cut`: why it must never be stored."""

    session: int
    content: bytes
    sent: int = 0
    ended: bool = False
    cut: str = ""

    @property
    def is_whole(self) -> bool:
        """The content is sent to its own end (of a PDF)."""
        return self.sent == len(self.content) and self.content.startswith(b"%PDF-")


@dataclass
class Upload:
    """A STOR, STOU or APPE with a number in its name. `reply`: "" while there is none."""

    name: str
    reply: str = ""
    seconds: float = 0.0


@dataclass
class Books:
    """The record so far, and what it must agree with."""

    record: Path
    answer_within: float
    counts: Counter[str] = field(default_factory=Counter)
    streams: dict[str, Stream] = field(default_factory=dict)  # by SHA-256, once they have ended
    uploads: dict[int, Upload] = field(default_factory=dict)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)  # by SHA-256
    acknowledged: set[str] = field(default_factory=set)  # SHA-256
    _read: int = 0
    _last_number: int = 0

    def number(self) -> int:
        """A number that nothing has yet."""
        self._last_number += 1
        return self._last_number

    def ended(self, stream: Stream) -> None:
        """A data connection was ended; call it before the daemon can know."""
        if stream.ended:
            return
        stream.ended = True
        self.streams[sha256(stream.content[: stream.sent])] = stream
        self.counts["data connections"] += 1
        if stream.cut:
            self.counts["cut, or never an end"] += 1

    def read(self) -> None:
        """Take in what OpenSPP has stored since, and compare."""
        with self.record.open("rb") as record:
            record.seek(self._read)
            text = record.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        for line in text.splitlines():
            self._take(json.loads(line))

    def _take(self, document: dict[str, Any]) -> None:
        digest = document["sha256"]
        stream = self.streams.get(digest)
        if stream is None:
            raise Violation(f"stored, but nobody sent just these bytes: {document}")
        if not stream.sent:
            raise Violation(f"stored nothing at all: {document}")
        if document["size"] != stream.sent:
            raise Violation(f"stored with another size than the {stream.sent} bytes: {document}")
        if stream.cut:
            raise Violation(f"cut ({stream.cut}) and stored: {document}")
        if digest in self.stored:
            raise Violation(f"stored twice: {self.stored[digest]} and {document}")
        self.stored[digest] = document
        self.counts["stored"] += 1

    def answered(self, session: int, users: set[str], reply: Reply, seconds: float) -> None:
        """A session got the final reply to an upload command."""
        command = reply.command
        assert command is not None
        assert command.verb in UPLOADS
        upload = self.uploads.get(command.token)
        if upload is not None:
            upload.reply, upload.seconds = reply.text, seconds
        self.counts["uploads answered"] += 1
        if reply.code != 226:
            return
        self.read()
        for digest, document in self.stored.items():
            stream = self.streams[digest]
            if digest in self.acknowledged or stream.session != session:
                continue
            if command.token and token_of(document["filename"]) != command.token:
                continue
            if document["user"] not in users:
                raise Violation(f"stored for a user who did not log in here: {document}")
            self.acknowledged.add(digest)
            self.counts["uploads acknowledged"] += 1
            return
        raise Violation(f"{command} was answered {reply.text!r}, and OpenSPP has nothing")

    def settle(self) -> None:
        """Nothing is under way any more: what is stored was acknowledged, or nobody could be."""
        self.read()
        for digest, document in self.stored.items():
            upload = self.uploads.get(token_of(document["filename"]))
            if digest in self.acknowledged or upload is None or not upload.reply:
                continue
            slow = upload.seconds > self.answer_within - 1
            unanswered = any(fault in upload.name for fault in _WITHOUT_ANSWER)
            if upload.reply.startswith(_OPEN) and (slow or unanswered):
                self.counts["stored, and OpenSPP's answer was lost"] += 1
                continue
            raise Violation(f"stored, and the scanner was told {upload.reply!r}: {document}")


def token_of(name: str) -> int:
    """The number of an upload that stands in its name, or 0."""
    found = _TOKEN.search(name)
    return int(found[1]) if found else 0
