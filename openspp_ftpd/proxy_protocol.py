"""The PROXY protocol, versions 1 and 2: who connected to a load balancer, and where. Pure.

A balancer that passes connections on writes one header before the client's first byte. The source
of every rule is "The PROXY protocol" by Willy Tarreau (haproxy.org, doc/proxy-protocol.txt), whose
sections are named. A receiver that expects a header never guesses: what is none is refused
(section 2).
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 4096
"""Bytes of a header that are waited for: version 2 may carry extensions (section 2.2)."""

_LONGEST_LINE: Final = 107  # section 2.1: with CR LF
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"  # section 2.2
_HEAD: Final = 16
_LINE: Final = re.compile(
    rb"PROXY (?:(?P<family>TCP4|TCP6)"
    rb" (?P<source>[0-9A-Fa-f:.]{2,39}) (?P<target>[0-9A-Fa-f:.]{2,39})"
    rb" (?P<source_port>0|[1-9][0-9]{0,4}) (?P<target_port>0|[1-9][0-9]{0,4})"
    rb"|UNKNOWN(?: .*)?)",
    re.DOTALL,
)
_LOCAL: Final = 0x20
_PROXIED: Final = 0x21
_TCP: Final = {0x11: 4, 0x21: 16}  # address family and protocol -> bytes of an address


class NotProxied(ValueError):
    """What came is no header of the PROXY protocol, or one that cannot be right; says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A numeric address and its port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    `source` is the client and `target` the balancer's address that it connected to; both None where
    the balancer speaks for itself (its health checks) or does not know. `length` is in bytes: what
    follows is the client's own.
    """

    source: Endpoint | None
    target: Endpoint | None
    length: int


def parse(data: bytes) -> Header | None:
    """The header at the beginning of `data`; None while more of it must come.

    Raises NotProxied.
    """
    if data[:1] == b"P":
        return _version_1(data)
    if data.startswith(_SIGNATURE):
        return _version_2(data)
    if _SIGNATURE.startswith(data):
        return None
    raise NotProxied("it does not begin with a header of the PROXY protocol")


def _version_1(data: bytes) -> Header | None:
    """The line that people can read (section 2.1)."""
    line, end, _ = data[:_LONGEST_LINE].partition(b"\r\n")
    if not end:
        if not (b"PROXY ".startswith(data[:6]) or data.startswith(b"PROXY ")):
            raise NotProxied("it does not begin with a header of the PROXY protocol")
        if len(data) >= _LONGEST_LINE:
            raise NotProxied("its first line is longer than a header of version 1 may be")
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotProxied("its first line is no header of version 1")
    length = len(line) + 2
    if found["family"] is None:
        return Header(None, None, length)
    version = 4 if found["family"] == b"TCP4" else 6
    return Header(
        _endpoint(found["source"], found["source_port"], version),
        _endpoint(found["target"], found["target_port"], version),
        length,
    )


def _endpoint(host: bytes, port: bytes, version: int) -> Endpoint:
    try:
        address = ipaddress.ip_address(host.decode("ascii"))
    except ValueError:
        raise NotProxied("an address in its header is none") from None
    if address.version != version:
        raise NotProxied("an address in its header is of another family")
    if int(port) > 65535:
        raise NotProxied("a port in its header is none")
    return Endpoint(str(address), int(port))


def _version_2(data: bytes) -> Header | None:
    """The binary form (section 2.2)."""
    if len(data) < _HEAD:
        return None
    command, family, size = struct.unpack_from("!BBH", data, len(_SIGNATURE))
    length = _HEAD + size
    if command not in (_LOCAL, _PROXIED):
        raise NotProxied("its header is of a version or command that is unknown")
    if length > LONGEST:
        raise NotProxied("its header is too long")
    if len(data) < length:
        return None
    if command == _LOCAL:  # the addresses, if any, are to be ignored
        return Header(None, None, length)
    if family not in _TCP:  # UNSPEC, UDP and UNIX: nothing that a scanner could be
        return Header(None, None, length)
    width = _TCP[family]
    if size < 2 * width + 4:
        raise NotProxied("its header is too short for its addresses")
    source, target = data[_HEAD : _HEAD + width], data[_HEAD + width : _HEAD + 2 * width]
    ports = struct.unpack_from("!HH", data, _HEAD + 2 * width)
    return Header(
        Endpoint(str(ipaddress.ip_address(source)), ports[0]),
        Endpoint(str(ipaddress.ip_address(target)), ports[1]),
        length,
    )
