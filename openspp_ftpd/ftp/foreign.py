"""Clients on the FTP port that speak something else: browsers, TLS, SSH, scanners of networks.

Told by what they say before they log in, so that they are closed after their first words. Pure.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 9110 section 9, RFC 5789, RFC 4918 section 9.1, RFC 9113 section 3.4
_HTTP: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PRI)\b", re.IGNORECASE
)
_PROXY: Final = b"PROXY "  # the PROXY protocol, section 2.1
_SSH: Final = b"SSH-"  # RFC 4253 section 4.2
_TLS: Final = b"\x16"  # a handshake record, RFC 8446 section 5.1
_TELNET: Final = b"\xff"  # IAC, which FTP allows (RFC 959 section 4.1.3)
_CONTROL_CHARACTER: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_BINARY: Final = "binary data."


def beginning(first: bytes) -> str:
    """What a client speaks whose line begins with these bytes; "" where it may be FTP.

    Binary protocols may send no line end for a long time.
    """
    if first.startswith(_TLS):
        return "TLS. For implicit FTPS set [ftp] listen_implicit, else AUTH TLS in the scanner."
    return _BINARY if _CONTROL_CHARACTER.match(first) else ""


def whole_line(line: bytes) -> str:
    """The same for a line that is no FTP command."""
    if _HTTP.match(line):
        return "HTTP."
    if line.startswith(_SSH):
        return "SSH."
    if line.startswith(_PROXY):
        return "the PROXY protocol. Is it a balancer? Name it in [ftp] proxy_networks."
    if not line.startswith(_TELNET) and _CONTROL_CHARACTER.search(line):
        return _BINARY
    return ""
