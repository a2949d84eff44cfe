"""The whole daemon under random interleavings of everything that a client and OpenSPP may do.

Several sessions, plain and TLS, from one address and from others, say what they like, split where
they like, and end as they like, while OpenSPP answers well, badly or not at all. After every step:
replies are well-formed and fit their commands, 226 is said exactly where OpenSPP has the bytes, and
nothing cut is stored. At the end the daemon is as it was at the beginning.
"""

from __future__ import annotations

import time
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.acceptance import documents
from tests.fuzz import lines
from tests.fuzz.campaign import Campaign
from tests.fuzz.device import Device
from tests.fuzz.ground import TLS, USERS, Fuzzed, next_scan, openspp

MOST_SESSIONS: Final = 4
MEMORY: Final = 32 * 1024
"""Kilobytes that the daemon may have grown: what the allocator keeps for later."""

UPLOADS: Final[dict[str, Any]] = {
    "index": lines.INDEX,
    "mode": st.sampled_from(["PASV", "EPSV", "PORT"]),
    "first": st.booleans(),
    "content": lines.CONTENTS,
    "verb": lines.VERBS,
    "name": lines.NAMES,
    "parts": st.lists(lines.PARTS, max_size=3),
    "how": st.one_of(st.just("fin"), st.just("fin"), lines.DATA_ENDS),
    "then": st.sampled_from(
        [*[""] * 3, *["settle"] * 6, *("abort", "fin", "reset", "half", "quit", "fin before")]
    ),
}
"""What `Scanners.upload` draws."""


class Scanners(RuleBasedStateMachine):
    """Scanners before one daemon; a fresh set for each input."""

    def __init__(self, daemon: Fuzzed) -> None:
        super().__init__()
        self.daemon = daemon
        self.books = daemon.books
        self.devices: list[Device] = []

    def some(self, index: int) -> Device:
        """One of those that may still speak; where there is none, one is made."""
        speaking = [device for device in self.devices if not (device.gone or device.left)]
        if not speaking:
            self.connect("127.0.0.1", "", USERS[0], "asked", [])
            return self.devices[-1]
        return speaking[index % len(speaking)]

    def any_one(self, index: int) -> Device:
        """One of them, and maybe one whose control connection is gone."""
        return self.devices[index % len(self.devices)] if self.devices else self.some(0)

    @rule(
        source=st.sampled_from(["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3"]),
        tls=st.sampled_from(["", "", "explicit", "implicit"]),
        user=st.sampled_from(USERS),
        login=st.sampled_from(["asked", "asked", "asked", "pipelined", "none"]),
        cuts=lines.CUTS,
    )
    def connect(self, source: str, tls: str, user: str, login: str, cuts: list[float]) -> None:
        if len(self.devices) == MOST_SESSIONS:
            self.devices.pop(0).close()
        device = Device(self.books, self.daemon.ports, source, tls == "implicit")
        self.devices.append(device)
        if tls == "explicit":
            device.say(b"AUTH TLS\r\n", cuts)
            device.settle()
            device.say(b"PBSZ 0\r\nPROT P\r\n", cuts)
        if login != "none":
            device.say(f"USER {user}\r\nPASS scan-{user}\r\n".encode(), cuts)
        if login == "asked":
            device.settle()

    @rule(
        index=lines.INDEX,
        said=st.lists(lines.LINES, min_size=1, max_size=6),
        cuts=lines.CUTS,
        hold=st.booleans(),
    )
    def say(self, index: int, said: list[bytes], cuts: list[float], hold: bool) -> None:
        self.some(index).say(b"".join(said), cuts, hold)

    @rule(index=lines.INDEX, how=st.sampled_from(["PASV", "PASV", "EPSV", "PORT", "EPRT"]))
    def agree(self, index: int, how: str) -> None:
        device = self.some(index)
        order = how
        if how in ("PORT", "EPRT"):
            port = device.listen()
            host = device.source.replace(".", ",")
            order = f"PORT {host},{port >> 8},{port & 255}"
            if how == "EPRT":
                order = f"EPRT |1|{device.source}|{port}|"
        device.say(f"{order}\r\n".encode())
        device.hear(0.05)

    @rule(index=lines.INDEX, content=lines.CONTENTS, secure=lines.MOSTLY)
    def connect_data(self, index: int, content: tuple[str, int], secure: bool) -> None:
        self._connect(self.some(index), content, secure)

    def _connect(self, device: Device, content: tuple[str, int], secure: bool) -> bool:
        kind, size = content
        seed = self.books.number()
        made = documents.pdf(size, seed) if kind == "pdf" else documents.noise(size, seed)
        return device.connect(made, secure)

    @rule(index=lines.INDEX, verb=lines.VERBS, name=lines.NAMES, cuts=lines.CUTS)
    def begin(self, index: int, verb: bytes, name: tuple[bytes, bytes], cuts: list[float]) -> None:
        self._begin(self.some(index), verb, name, cuts)

    def _begin(
        self, device: Device, verb: bytes, name: tuple[bytes, bytes], cuts: list[float]
    ) -> None:
        before, after = name
        device.upload(verb, b"%su%du%s" % (before, self.books.number(), after), cuts)
        device.hear(0.05)

    @rule(index=lines.INDEX, part=lines.PARTS)
    def send(self, index: int, part: float) -> None:
        self.any_one(index).send_data(part)

    @rule(index=lines.INDEX, how=lines.DATA_ENDS)
    def end_data(self, index: int, how: str) -> None:
        self.any_one(index).end_data(how)

    @rule(**UPLOADS)
    def upload(
        self,
        index: int,
        mode: str,
        first: bool,
        content: tuple[str, int],
        verb: bytes,
        name: tuple[bytes, bytes],
        parts: list[float],
        how: str,
        then: str,
    ) -> None:
        """What a device does, up to `then`; `first`: it connects before it says STOR."""
        device = self.some(index)
        self.agree(index, mode)
        if first:
            self._connect(device, content, True)
        self._begin(device, verb, name, [])
        if not first or mode == "PORT":
            self._connect(device, content, True)
        for part in parts:
            device.send_data(part)
        device.send_data(1.0 if how == "fin" else 0.5)
        if then == "abort":
            device.say(b"\xff\xf4\xff\xf2ABOR\r\n")
        elif then == "fin before":
            device.leave("fin")
        device.end_data(how)
        if then == "settle":
            device.settle()
        elif then in ("fin", "reset", "half", "quit"):
            device.leave(then)

    @rule(**UPLOADS)
    def upload_too(self, **drawn: Any) -> None:
        """So that more of the steps are one."""
        self.upload(**drawn)

    @rule(
        index=lines.INDEX,
        mode=st.sampled_from(["PASV", "EPSV", "PORT", "EPRT"]),
        verb=st.sampled_from([b"LIST", b"NLST", b"MLSD"]),
        secure=lines.MOSTLY,
    )
    def list_files(self, index: int, mode: str, verb: bytes, secure: bool) -> None:
        device = self.some(index)
        self.agree(index, mode)
        device.say(verb + b"\r\n")
        device.hear(0.05)
        self._connect(device, ("noise", 700), secure)
        device.hear(0.05)

    @rule(index=lines.INDEX)
    def settle(self, index: int) -> None:
        self.some(index).settle()

    @rule(
        index=lines.INDEX,
        how=st.sampled_from(["quit", "fin", "reset", "half", "notify"]),
        forget=st.booleans(),
    )
    def leave(self, index: int, how: str, forget: bool) -> None:
        device = self.some(index)
        device.leave(how)
        if forget:
            self.devices.remove(device)
            device.close()

    @rule(order=st.sampled_from(lines.ORDERS))
    def misbehave(self, order: dict[str, Any]) -> None:
        openspp(self.daemon.ground, order)

    @invariant()
    def everything_is_as_promised(self) -> None:
        for device in self.devices:
            device.hear()
        self.books.read()

    def teardown(self) -> None:
        try:
            openspp(self.daemon.ground, {})
            for device in self.devices:
                device.settle()
        finally:
            for device in self.devices:
                device.close()
        self.books.read()
        self.daemon.log.check()


@pytest.mark.share(5, 1)
def test_the_whole_daemon(campaign: Campaign, daemon: Fuzzed) -> None:
    before = daemon.memory()
    campaign.play(lambda: Scanners(daemon), steps=40, shrink=False)
    daemon.returned()
    used = daemon.ground.daemon.cpu_seconds()
    time.sleep(2)
    assert daemon.ground.daemon.cpu_seconds() - used < 0.5, "it spins"
    grown = daemon.memory() - before
    campaign.counts["kB of memory more than at the beginning"] += grown
    assert grown < MEMORY
    daemon.books.settle()
    daemon.log.check()
    for tls in TLS:
        assert next_scan(daemon.ground, daemon.books, tls), "the next scan is not served"
