"""What a load generator is told to do and what it tells afterwards: JSON between two processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Manner = Literal["each", "one", "together", "idle", "probe"]
"""each: a session for every scan; one: a session for all scans of a client; together: all clients
are in the middle of a scan at once; idle: sessions that do nothing; probe: greeting and NOOP."""

Fault = Literal["", "cut", "password", "refused"]


@dataclass(frozen=True, slots=True)
class Scan:
    """One file to send; `fault`: how it fails, on purpose."""

    name: str
    fault: Fault = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A scanner: its OpenSPP user and password, its address, and what it sends."""

    user: str
    password: str
    source: str
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """All of one load generator."""

    manner: Manner
    host: str
    port: int
    tls: bool
    content: str = ""  # the file with the bytes that all scans have in common
    folder: str = ""  # what the server wants before each name
    clients: tuple[Client, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        told = json.loads(text)
        clients = tuple(
            Client(**{**each, "scans": tuple(Scan(**scan) for scan in each["scans"])})
            for each in told.pop("clients")
        )
        return Job(**told, clients=clients)


@dataclass(frozen=True, slots=True)
class Sent:
    """A scan that was acknowledged (226), timed from PASV on; `began` is seconds since 1970."""

    user: str
    name: str
    size: int
    sha256: str
    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one load generator did. `failed` has a line for each thing that went wrong unasked."""

    began: float
    seconds: float
    cpu_seconds: float
    sent: tuple[Sent, ...] = ()
    failed: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Outcome:
        told: dict[str, Any] = json.loads(text)
        sent = tuple(Sent(**each) for each in told.pop("sent"))
        return Outcome(**{**told, "failed": tuple(told["failed"])}, sent=sent)
