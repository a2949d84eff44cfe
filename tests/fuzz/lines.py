"""What a client may say and do, as strategies: every command, unknown ones, malformed ones."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

_TEMPLATES: Final = (
    *("USER fuzz-1", "USER", "USER \udcff", "PASS scan-fuzz-1", "PASS", "PASS  ", "ACCT x"),
    *("PASV", "EPSV", "EPSV 1", "EPSV 2", "EPSV ALL", "EPSV x", "PORT 127,0,0,1,0,1"),
    *("PORT 127,0,0,1,255,255", "PORT ,,,,,", "PORT 1", "PORT 0,0,0,0,200,10", "EPRT |", "EPRT x"),
    *("EPRT |1|127.0.0.1|1|", "EPRT |2|::1|51234|", "EPRT |3|x|5|", "EPRT |1|10.0.0.1|65534|"),
    *("STOR", "STOU", "APPE", "LIST", "LIST -la", "LIST *[", "LIST nothing", "NLST", "NLST *"),
    *("MLSD", "MLSD [", "MLST", "MLST x", "ABOR", "abor", "\udcff\udcf4\udcff\udcf2ABOR", "ABORx"),
    *("CWD a/b", "CWD ..", "CWD \\x\\y", 'CWD "q"', "CWD", "XCWD é", "CDUP", "XCUP", "PWD", "XPWD"),
    *("CWD a\x07\x85b", "MKD \udc9b\x1b[2J", "MKD x\r250 y", "MLST \x0b"),
    *("MKD q", "XMKD e", "RMD q", "XRMD /", "SIZE x.pdf", "MDTM x.pdf", "MFMT 20200101000000 x"),
    *("MFMT 99999999999999 x", "MFMT", "DELE x.pdf", "RNFR x.pdf", "RNFR /", "RNTO z", "RETR a"),
    *("FEAT", "OPTS UTF8 ON", "OPTS MLST size;type;", "OPTS MLST", "OPTS", "STAT", "STAT *"),
    *(
        "STAT [" + "*a" * 100,
        "NOOP",
        "noop",
        "  NOOP",
        "NOOP x",
        "CLNT x",
        "SITE CHMOD 1 a",
        "SITE",
    ),
    *("HELP", "HELP STOR", "HELP x", "SYST", "ALLO 5000", "ALLO 0 R 5", "ALLO x", "ALLO 999999999"),
    *("TYPE A", "TYPE I", "TYPE L 8", "TYPE x", "TYPE", "MODE S", "MODE B", "STRU F", "STRU R"),
    *("REST 0", "REST 5", "AUTH TLS", "AUTH SSL", "AUTH x", "AUTH", "PBSZ 0", "PROT P", "PROT C"),
    *("PROT X", "REIN", "\udcff\udcf4QUIT", "", " ", "\0", "\0NOOP", "NO\0OP", "\tNOOP", "XXXX"),
    *("GET / HTTP/1.0", "PA\udcdf x", "é", "\u2028", "NOOP\rNOOP", "CCC", "SMNT /", "MIC x"),
    *("NOOP " + "x" * 4091, "NOOP " + "x" * 4092, "NOOP " + "x" * 9000, "LIST " + "a/" * 1500),
)
COMMANDS: Final = tuple(text.encode("utf-8", "surrogateescape") for text in _TEMPLATES)
_ENDS: Final = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n", b"\r\n\r\n")

LINES: Final = st.one_of(
    st.builds(bytes.__add__, st.sampled_from(COMMANDS), st.sampled_from(_ENDS)),
    st.builds(bytes.__add__, st.sampled_from(COMMANDS), st.sampled_from(_ENDS)),
    st.builds(bytes.__add__, st.sampled_from(COMMANDS), st.sampled_from(_ENDS)),
    st.builds(bytes.__add__, st.binary(max_size=20), st.just(b"\r\n")),
    st.sampled_from(COMMANDS),
)
"""A line with its end, or a piece of one."""

WITHOUT_LOGIN: Final = st.builds(
    bytes.__add__,
    st.sampled_from(
        [line for line in COMMANDS if not line.startswith((b"USER", b"PASS", b"REIN"))]
    ),
    st.sampled_from(_ENDS),
)
"""Lines after which nobody waits because of failed logins."""

BEHIND_AUTH: Final = st.one_of(
    st.sampled_from([b"USER fuzz-1\r\nPASS scan-fuzz-1", b"USER fuzz-1", b"NOOP", b"QUIT", b"PWD"]),
    st.sampled_from(COMMANDS),
)
"""What an attacker puts into the clear text before a TLS handshake."""

CUTS: Final = st.lists(st.floats(0, 1, exclude_max=True), max_size=3)
"""Where a message is split, as parts of its length."""

INDEX: Final = st.integers(0, 11)
PARTS: Final = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, 1.0])
MOSTLY: Final = st.sampled_from([True] * 7 + [False])
VERBS: Final = st.sampled_from([b"STOR", b"STOR", b"STOR", b"APPE", b"STOU", b"stor"])
CONTENTS: Final = st.tuples(
    st.sampled_from(["pdf", "pdf", "noise"]), st.sampled_from([700, 5_000, 70_000, 200_000])
)
DATA_ENDS: Final = st.sampled_from(["fin", "bare", "bare", "reset", "both"])

FAULTS: Final = (
    *("@drop-after", "@reset-after", "@cut-answer", "@drop-before", "@reset-before"),
    *("@drop-in-body", "@reset-in-body", "@early=413", "@slow=0.2", "@late=0.3"),
    *("@trickle-head=0.2", "@trickle-body=0.2", "@stop-reading=0.2", "@http=500-once"),
    *("@http=503-twice", "@http=502", "@http=504", "@html=200", "@not-found-once", "@garbage"),
    *("@empty", "@redirect", "@error=ValidationError:No.", "@error=AccessError:No right."),
    *("@error=AccessDenied-once", "@error=MemoryError", "@error=ValueError:x"),
    *("@result=401", "@result=403", "@result=400", "@result=406", "@result=500", "@result=OK"),
    *("@drop-before-once", "@drop-after-once", "@http=413", "@slow=0.2@drop-after"),
)
"""What OpenSPP can be told by a name to do wrong."""
_BEFORE: Final = (b"", b"", b"", b"", b"a/b/", b"\\x\\", b'"', b" ", b"/", b"tmp.", b"..", b"-la ")
_AFTER: Final = (
    *([b".pdf"] * 6),
    b".xst",
    b"",
    b".",
    b".part",
    b".tif",
    b" ",
    b"\0.pdf",
    b"\xe9.pdf",
)
_MORE: Final = ("é.pdf", "سند.pdf", "👩‍👩‍👧.pdf", "x" * 300 + ".pdf", "\u202e.pdf", "'\".pdf")

NAMES: Final = st.tuples(
    st.sampled_from(_BEFORE),
    st.builds(
        bytes.__add__,
        st.sampled_from([fault.encode() for fault in ("",) * 14 + FAULTS]),
        st.sampled_from([*_AFTER, *(name.encode() for name in _MORE)]),
    ),
)
"""What stands before and behind the number of an upload in its name; a fault for OpenSPP first."""

ORDERS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {},
    {"login": {"slow": 0.2}, "times": 2},
    {"login": {"http": "500"}, "times": 1},
    {"login": {"drop-before": ""}, "times": 1},
    {"login": {"garbage": ""}, "times": 1},
    {"login": {"result": "403"}, "times": 1},
    {"upload": {"http": "503"}, "times": 1},
    {"upload": {"slow": 0.3}, "times": 2},
    {"down": 0.3},
)
"""What OpenSPP does from now on, whatever the names say."""
