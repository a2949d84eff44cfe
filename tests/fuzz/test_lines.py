"""The command reader: fed whole, byte by byte or in any pieces, it gives the same lines.

The real `CommandLines` on one end of a socket pair; what a line means is not known here.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st

from openspp_ftpd import names
from openspp_ftpd.ftp.lines import LONGEST_LINE, WAITING_LINES, CommandLines
from openspp_ftpd.ftp.loop import EventLoop
from tests.fuzz import lines
from tests.fuzz.campaign import Campaign

_TELNET = re.compile(rb"^[\xf2\xf4\xff]+")

PIECES = st.one_of(
    lines.LINES,
    st.binary(max_size=30),
    st.sampled_from(
        [b"\n", b"\r", b"\r\r\n", b"\0\r\n", b"\xff\xf4\xff\xf2", b"ABOR", b" abor \r\n"]
    ),
    st.builds(
        lambda start, length, end: start + b"x" * length + end,
        st.sampled_from([b"", b"NOOP ", b"ABOR", b"\xe9"]),
        st.sampled_from([LONGEST_LINE - 5, LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 9000]),
        st.sampled_from([b"\n", b"\r\n", b""]),
    ),
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)


class Reader(CommandLines):
    """Keeps what it would obey. `aborts`: a transfer runs, so ABOR acts at once."""

    def __init__(self, connection: socket.socket, loop: EventLoop, aborts: bool = False) -> None:
        self.obeyed: list[bytes] = []
        self._aborts = aborts
        super().__init__(connection, _Server, loop)
        self.del_channel()  # the test feeds it

    @staticmethod
    def get_ssl_context() -> None:
        """pyftpdlib would want a certificate."""

    def close(self) -> None:
        """There is no session to end."""

    def abort_transfer(self) -> bool:
        return self._aborts

    def reply(self, code: int, text: str) -> None:
        self.obeyed.append(b"ABOR")

    def handle_line(self, raw: bytes) -> None:
        self.obeyed.append(raw)

    def line_came(self) -> None:
        """Nobody waits for it."""

    def speaks_no_ftp(self, what: str) -> None:
        """The session would end; here its lines go on."""

    def _register(self) -> None:
        """No loop turns."""


class _Server:
    """What pyftpdlib asks of a server."""

    backlog = 1


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """A connection on which nothing comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with theirs, ours:
        ours.setblocking(False)
        yield ours


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    """A loop that never turns."""
    made = EventLoop()
    yield made
    made.close()


def read(reader: Reader, stream: bytes, cuts: list[int], waiting: bool) -> list[bytes]:
    """The lines that are obeyed, where `waiting`, only after all have come."""
    reader.waiting = waiting
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        _collect(reader, stream[start:end])
    reader.waiting = False
    reader.run_lines()
    return reader.obeyed


def _collect(reader: Reader, received: bytes) -> None:
    """As asynchat does with what was received."""
    *lines, rest = received.split(b"\n")
    for line in lines:
        if line:
            reader.collect_incoming_data(line)
        reader.found_terminator()
    if rest:
        reader.collect_incoming_data(rest)


def expected(stream: bytes) -> list[bytes]:
    """The lines of a stream; "" for one that is too long."""
    found = []
    for line in stream.split(b"\n")[:-1]:
        if len(line) > LONGEST_LINE:
            found.append(b"")
        elif _TELNET.sub(b"", line.rstrip(b"\r")).strip()[:4].upper() == b"ABOR":
            found.append(b"ABOR")
        elif line.strip():
            found.append(line.rstrip(b"\r"))
    return found


@pytest.mark.share(1, 3)
def test_the_command_reader(campaign: Campaign, connection: socket.socket, loop: EventLoop) -> None:
    def obeyed(stream: bytes, cuts: list[int], aborts: bool, waiting: bool) -> list[bytes]:
        return read(Reader(connection, loop, aborts), stream, cuts, waiting)

    def check(stream: bytes, cuts: list[float], aborts: bool) -> None:
        places = sorted({int(cut * len(stream)) for cut in cuts} - {0})
        every_byte = list(range(1, len(stream)))
        wanted = expected(stream)
        for pieces in ([], places, every_byte):
            assert obeyed(stream, pieces, aborts, waiting=False) == wanted
        late = obeyed(stream, places, aborts, waiting=True)
        if aborts:  # ABOR comes first, the others keep their order
            aborted = [line for line in wanted if line == b"ABOR"]
            wanted = aborted + [line for line in wanted if line != b"ABOR"]
        assert late == wanted

    campaign.fuzz(check, stream=STREAMS, cuts=lines.CUTS, aborts=st.booleans())


@pytest.mark.share(0.3, 4)
def test_the_command_reader_stops_reading(
    campaign: Campaign, connection: socket.socket, loop: EventLoop
) -> None:
    """What waits is bounded: beyond 8 kB and what was read with them, nothing is taken."""

    def check(count: int, length: int) -> None:
        reader = Reader(connection, loop)
        reader.waiting = True
        for _ in range(count):
            if not reader._reading:
                break
            _collect(reader, b"NOOP " + b"x" * length + b"\n")
        waiting = sum(len(line) + 2 for line in reader.lines)
        assert waiting <= WAITING_LINES + LONGEST_LINE + 2

    campaign.fuzz(check, count=st.integers(0, 3000), length=st.integers(0, LONGEST_LINE - 5))


@pytest.mark.share(0.3, 4)
def test_code_pages(campaign: Campaign) -> None:
    """Whatever bytes come, in whatever code page: text, ASCII stays, UTF-8 is what it says."""

    def check(raw: bytes, page: str) -> None:
        text = names.decode(raw, page)
        if raw.isascii():
            assert text == raw.decode()
        with contextlib.suppress(UnicodeDecodeError):
            assert text == raw.decode("utf-8")
        assert isinstance(names.clean(text), str)

    pages = ["cp1252", "cp1256", "cp932", "gbk", "big5", "euc_kr", "koi8-r", "iso2022_jp", "idna"]
    pages += ["utf-7", "utf-16", "no such page", "punycode", "hz", "cp65001"]
    campaign.fuzz(check, raw=st.binary(max_size=80), page=st.sampled_from(pages))
