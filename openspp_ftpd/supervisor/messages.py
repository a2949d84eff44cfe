"""What supervisor and workers tell each other, and how it is written. Pure."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

PIECE: Final = 60_000
"""Bytes of a packet at most; a longer message goes in several (the kernel takes about 200 kB)."""

_MORE: Final = b"+"
_LAST: Final = b"."

# -- to a worker


class Begin(NamedTuple):
    """A control connection from `client`, counted in; the connection comes with it.

    `reached` is the address that the client connected to, "" for the connection's own.
    """

    client: str
    implicit_tls: bool
    reached: str = ""


class Data(NamedTuple):
    """A data connection from `client` to a passive port; the connection comes with it."""

    client: str
    port: int


class AreYouThere(NamedTuple):
    """To be answered by the loop itself."""


class Reload(NamedTuple):
    """The text of a configuration that was found good."""

    text: str


class Stop(NamedTuple):
    """Finish the scans under way, then end; a second one: end at once."""


class Lending(NamedTuple):
    """So many more of the requests to OpenSPP are the worker's. It may keep `keep` of all it has
    (None: all), and is to give back `spare` more as soon as it does not need them."""

    lent: int
    keep: int | None
    spare: int


class Ask(NamedTuple):
    """How is it going?"""

    number: int


# -- from a worker


class Ready(NamedTuple):
    """Everything is made; sessions can come."""


class CannotStart(NamedTuple):
    """What the world may mend."""

    why: str


class Here(NamedTuple):
    """The loop turns."""


class Closed(NamedTuple):
    """A session from `client` is over."""

    client: str


class LoginFailed(NamedTuple):
    """OpenSPP refused the user's password."""

    client: str
    user: str


class LoginSucceeded(NamedTuple):
    """The user logged in."""

    client: str
    user: str


class Needs(NamedTuple):
    """The worker could use so many requests to OpenSPP now; some that it was lent it gives back."""

    requests: int
    given_back: int


class Reloaded(NamedTuple):
    """The new configuration is in force, or ("why" is not empty) the old one stays."""

    why: str


class Told(NamedTuple):
    """The answer to `Ask`: status.snapshot.Snapshot as JSON."""

    number: int
    document: str


Message = (
    Begin
    | Data
    | AreYouThere
    | Reload
    | Stop
    | Lending
    | Ask
    | Ready
    | CannotStart
    | Here
    | Closed
    | LoginFailed
    | LoginSucceeded
    | Needs
    | Reloaded
    | Told
)

_KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__: kind
    for kind in (
        *(Begin, Data, AreYouThere, Reload, Stop, Lending, Ask),
        *(Ready, CannotStart, Here, Closed, LoginFailed, LoginSucceeded, Needs, Reloaded, Told),
    )
}


def packets(message: Message) -> list[bytes]:
    """The message as packets, in order; each is of one message."""
    text = json.dumps([type(message).__name__, *message]).encode("ascii")
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return [*(_MORE + piece for piece in pieces[:-1]), _LAST + pieces[-1]]


class Reader:
    """Makes messages of the packets of one sender."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def message(self, packet: bytes) -> Message | None:
        """The message that this packet completes; None where more of it will come."""
        self._pieces.append(packet[1:])
        if packet[:1] == _MORE:
            return None
        kind, *fields = json.loads(b"".join(self._pieces))
        self._pieces.clear()
        return _KINDS[kind](*fields)
