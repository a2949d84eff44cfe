"""Headers of the PROXY protocol are read by the book, and nothing else is taken for one."""

import contextlib
import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openspp_ftpd.proxy_protocol import LONGEST, Endpoint, Header, NotProxied, parse

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
SCANNER = Endpoint("192.0.2.7", 50001)
BALANCER = Endpoint("198.51.100.1", 8002)


def version_2(command: int, family: int, addresses: bytes) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


IPV4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack("!HH", 50001, 8002)
IPV6 = bytes(15) + b"\x01" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\x07" + struct.pack("!HH", 1, 2)
TLV = b"\x04\x00\x03abc"

GOOD = {
    "v1, IPv4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 8002\r\n", SCANNER, BALANCER),
    "v1, IPv6": (
        b"PROXY TCP6 2001:db8::7 2001:DB8:0:0::1 50001 8002\r\n",
        Endpoint("2001:db8::7", 50001),
        Endpoint("2001:db8::1", 8002),
    ),
    "v1, the longest line": (
        b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        Endpoint("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
        Endpoint("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
    ),
    "v1, unknown": (b"PROXY UNKNOWN\r\n", None, None),
    "v1, unknown, the longest line": (
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        None,
        None,
    ),
    "v2, IPv4": (version_2(0x21, 0x11, IPV4), SCANNER, BALANCER),
    "v2, IPv4 with an extension": (version_2(0x21, 0x11, IPV4 + TLV), SCANNER, BALANCER),
    "v2, IPv6": (
        version_2(0x21, 0x21, IPV6),
        Endpoint("::1", 1),
        Endpoint("2001:db8::7", 2),
    ),
    "v2, local": (version_2(0x20, 0x00, b""), None, None),
    "v2, local with addresses": (version_2(0x20, 0x11, IPV4), None, None),
    "v2, a UNIX socket": (version_2(0x21, 0x31, bytes(216)), None, None),
    "v2, unspecified": (version_2(0x21, 0x00, b""), None, None),
}


@pytest.mark.parametrize(("data", "source", "target"), GOOD.values(), ids=list(GOOD))
class TestHeaders:
    def test_say_who_connected_where(
        self, data: bytes, source: Endpoint | None, target: Endpoint | None
    ) -> None:
        assert parse(data) == Header(source, target, len(data))

    def test_end_where_the_clients_own_bytes_begin(
        self, data: bytes, source: Endpoint | None, target: Endpoint | None
    ) -> None:
        assert parse(data + b"USER alice\r\nPROXY") == Header(source, target, len(data))

    def test_may_come_byte_by_byte(
        self, data: bytes, source: Endpoint | None, target: Endpoint | None
    ) -> None:
        assert {parse(data[:end]) for end in range(len(data))} == {None}


@pytest.mark.parametrize(
    "data",
    [
        b"USER alice\r\n",
        b"PASS secret\r\n",
        b"PROXY\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 65536\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 08002\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 +802\r\n",
        b"PROXY TCP4 192.0.2.700 198.51.100.1 50001 8002\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 50001 8002\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 50001 8002\r\n",
        b"PROXY TCP4  192.0.2.7 198.51.100.1 50001 8002\r\n",
        b"PROXY tcp4 192.0.2.7 198.51.100.1 50001 8002\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 50001 8002\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 50001 8002\r\n",
        b"PROXY UNKNOWNN\r\n",
        b"PROXY UNKNOWN" + b"x" * 200,
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 8002 \r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 8002\nUSER\r\n",
        b"\r\n\r\n\x00\r\nQUIT\r",
        version_2(0x31, 0x11, IPV4),
        version_2(0x11, 0x11, IPV4),
        version_2(0x22, 0x11, IPV4),
        version_2(0x21, 0x11, IPV4[:-1]),
        version_2(0x21, 0x21, IPV4),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, LONGEST),
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NotProxied):
        parse(data)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: SIGNATURE + tail))
def test_whatever_comes_it_is_a_header_or_refused_and_bounded(data: bytes) -> None:
    with contextlib.suppress(NotProxied):
        header = parse(data)
        if header is not None:
            assert 0 < header.length <= len(data)
            assert parse(data[: header.length]) == header
        else:
            assert len(data) < LONGEST


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
def test_both_versions_say_the_same(
    source: IPv4Address, target: IPv4Address, source_port: int, target_port: int
) -> None:
    line = f"PROXY TCP4 {source} {target} {source_port} {target_port}\r\n".encode()
    packed = source.packed + target.packed
    binary = version_2(0x21, 0x11, packed + struct.pack("!HH", source_port, target_port))
    first, second = parse(line), parse(binary)
    assert first is not None
    assert second is not None
    assert (first.source, first.target) == (second.source, second.target)
