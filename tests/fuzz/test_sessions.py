"""Many short sessions with the whole daemon, each with one thing at stake.

Where `test_daemon.py` mixes everything, these come to the point at once: the order and form of
replies, clear text before a TLS handshake, and what a session leaves behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import strategies as st

from tests.fuzz import lines
from tests.fuzz.campaign import Campaign
from tests.fuzz.device import Device
from tests.fuzz.dialogue import Violation
from tests.fuzz.ground import TLS, Fuzzed

LOGIN: Final = b"USER fuzz-0\r\nPASS scan-fuzz-0\r\n"

_USUAL: Final = ((b"PASV\r\n", "quit"), (b"EPSV\r\n", "fin"), (b"NOOP\r\n", "reset"))

MEMORY_OF_A_SESSION: Final = 4.0
"""Kilobytes that a session may leave on the average; one that is kept has more than 20."""

MEMORY_OF_NONE: Final = 6 * 1024
"""Kilobytes that the allocator may keep for later, whatever the number of sessions."""


@contextlib.contextmanager
def session(daemon: Fuzzed, tls: str = "") -> Iterator[Device]:
    """A session from an address of its own; whatever was said in it is answered at the end."""
    device = Device(daemon.books, daemon.ports, daemon.source(), tls == "implicit")
    try:
        if tls == "explicit":
            device.say(b"AUTH TLS\r\n")
            device.settle()
            device.say(b"PBSZ 0\r\nPROT P\r\n")
        yield device
        device.settle()
    except Violation:
        daemon.log.check()  # a traceback tells more than what came of it
        raise
    finally:
        device.close()
    daemon.log.check()


@pytest.mark.share(3, 1)
def test_dialogues(campaign: Campaign, daemon: Fuzzed) -> None:
    """The n-th command gets the n-th reply, well-formed, however they are sent."""

    def check(said: list[bytes], cuts: list[float], tls: str, quits: bool) -> None:
        with session(daemon, tls) as device:
            device.say(LOGIN + b"".join(said), cuts)
            device.settle()
            if quits:
                device.leave("quit")

    campaign.fuzz(
        check,
        examples=500,
        shrink=False,
        said=st.lists(lines.WITHOUT_LOGIN, min_size=1, max_size=12),
        cuts=lines.CUTS,
        tls=st.sampled_from(["", "", *TLS]),
        quits=st.booleans(),
    )
    daemon.returned()


@pytest.mark.share(1.5, 1)
def test_clear_text_behind_auth(campaign: Campaign, daemon: Fuzzed) -> None:
    """Lines and half lines in clear behind AUTH TLS are nothing: neither obeyed inside TLS nor
    put before what is said there."""

    def check(before: list[bytes], auth: bytes, behind: list[bytes], half: bytes) -> None:
        with session(daemon) as device:
            device.settle()  # all that follows is read at once
            device.say(b"".join(before) + auth + b"".join(behind) + half)
            device.settle()
            if not device.is_private:
                raise Violation(f"no TLS came of it: {device.dialogue}")
            device.say(b"P\r\nPWD\r\nNOOP\r\n")
            device.settle()

    campaign.fuzz(
        check,
        examples=80,
        shrink=False,
        before=st.lists(st.sampled_from([b"NOOP\r\n", b"FEAT\r\n", b"USER fuzz-1\r\n", LOGIN])),
        auth=st.sampled_from([b"AUTH TLS\r\n", b"auth tls\n", b"AUTH SSL\r\n", b"AUTH TLS-C\r\n"]),
        behind=st.lists(st.builds(bytes.__add__, lines.BEHIND_AUTH, st.just(b"\r\n")), max_size=4),
        half=st.sampled_from([b"", b"NOO", b"USER fuzz-1", b"x", b"\xff\xf4\xff"]),
    )
    daemon.returned()


@pytest.mark.share(4, 1)
def test_what_sessions_leave(campaign: Campaign, daemon: Fuzzed) -> None:
    """However a session ends, and whatever it had agreed on: memory and descriptors come back."""

    def check(sessions: list[tuple[str, bytes, bool, str]]) -> None:
        for tls, mode, connects, how in sessions:
            with session(daemon, tls) as device:
                device.say(LOGIN)
                device.settle()
                if mode:
                    device.say(mode)
                    device.settle()
                if connects:
                    device.connect(b"")
                device.leave(how)

    for _ in range(20):  # what the allocator and caches take at first is not what sessions leave
        check([(tls, mode, True, how) for tls in TLS for mode, how in _USUAL])
    daemon.returned()
    before, made = daemon.memory(), campaign.counts["sessions"]
    campaign.fuzz(
        check,
        examples=150,
        shrink=False,
        sessions=st.lists(
            st.tuples(
                st.sampled_from(["", "", "", *TLS]),
                st.sampled_from([b"PASV\r\n", b"PASV\r\n", b"EPSV\r\n", b"NOOP\r\n", b""]),
                st.booleans(),
                st.sampled_from(["quit", "fin", "reset", "half", "notify"]),
            ),
            min_size=10,
            max_size=10,
        ),
    )
    daemon.returned()
    sessions, grown = campaign.counts["sessions"] - made, daemon.memory() - before
    campaign.counts["kB of memory that sessions left"] += grown
    if grown > MEMORY_OF_NONE + MEMORY_OF_A_SESSION * sessions:
        raise Violation(f"{sessions} sessions left {grown} kB of memory")
