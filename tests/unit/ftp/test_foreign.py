"""What speaks something else is told from what a scanner may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openspp_ftpd.ftp import foreign
from openspp_ftpd.ftp.commands import COMMANDS

ARGUMENTS = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cc", "Cs"]))
FTP = [
    b"USER alice",
    b"user alice",
    b"GETX",
    b"HOST scans",
    b"\tNOOP",
    b"\xff\xf4\xff\xf2ABOR",
    b"\xff\xfb\x1f\xff\xfb\x20",
    b"P\xc3\xa4SS",
    b"",
]


@pytest.mark.parametrize("line", FTP)
def test_what_may_be_ftp(line: bytes) -> None:
    assert foreign.beginning(line) == foreign.whole_line(line) == ""


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"GET / HTTP/1.1", "HTTP."),
        (b"PRI * HTTP/2.0", "HTTP."),
        (b"SSH-2.0-OpenSSH_9.2", "SSH."),
        (b"noise \x01", "binary data."),
    ],
)
def test_other_lines(line: bytes, named: str) -> None:
    assert foreign.whole_line(line) == named


@pytest.mark.parametrize(
    ("first", "named"),
    [
        (b"\x16\x03\x01", "TLS."),
        (b"\0\0\0\x85\xffSMB", "binary data."),
        (b"\x03\0", "binary data."),
    ],
)
def test_what_may_send_no_line_end(first: bytes, named: str) -> None:
    assert foreign.beginning(first).startswith(named)


@given(st.sampled_from(sorted(COMMANDS)), ARGUMENTS)
def test_no_command_of_ours_is_another_protocol(verb: str, argument: str) -> None:
    line = f"{verb} {argument}".encode()
    assert foreign.beginning(line) == foreign.whole_line(line) == ""
