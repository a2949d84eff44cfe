"""What can go wrong, each with its FTP reply: the one table from a problem to what a scanner shows.

A 4xx reply tells a scanner that the same scan may work later, a 5xx that it will not work like this
(RFC 959 section 4.2). A scanner's display has room for about 70 plain ASCII characters.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

DISPLAY_WIDTH: Final = 70
"""Characters of a reply's text that a scanner can be expected to show."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One FTP reply: its code (RFC 959 section 4.2) and its single line of text."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Problem(enum.Enum):
    """What went wrong: the reply code at login (0: not there) and at upload, and the text."""

    WRONG_PASSWORD = (530, 530, "Wrong OpenSPP user or scanner password.")
    NOT_A_SCANNER_USER = (
        530,
        550,
        "This user is not in OpenSPP's Scanner group. Tell the administrator.",
    )
    UNREACHABLE = (421, 451, "OpenSPP cannot be reached. Not stored. Try again later.")
    OUT_OF_ORDER = (421, 451, "OpenSPP is out of order. Not stored. Try again later.")
    TOO_SLOW = (421, 451, "OpenSPP did not answer in time. Try again later.")
    UNCERTAIN = (421, 451, "OpenSPP did not confirm the scan. Please send it again.")
    CERTIFICATE = (421, 451, "OpenSPP's certificate is not valid. Tell the administrator.")
    REDIRECTED = (421, 451, "OpenSPP's address is wrong (redirect). Tell the administrator.")
    NOT_OPENSPP = (421, 451, "No OpenSPP scanner interface there. Tell the administrator.")
    NO_DIRECTORY = (0, 550, "No active directory for this user. Choose one in OpenSPP.")
    NO_RIGHT = (0, 550, "No right to store in this directory. Tell the administrator.")
    MAY_NOT_STORE = (
        530,
        550,
        "This user may not store documents in OpenSPP. Tell the administrator.",
    )
    DIRECTORY_MISSING = (0, 550, "OpenSPP has no directory for this user. Tell the administrator.")
    TWO_DIRECTORIES = (0, 550, "OpenSPP has this directory twice. Tell the administrator.")
    REFUSED = (0, 553, "OpenSPP refused the scan. Tell the administrator.")
    NAME_TAKEN = (0, 553, "OpenSPP has a file of this name already. Use another name.")
    EXCESSIVE_IMAGE = (0, 553, "Image too large for OpenSPP. Scan as PDF or smaller.")
    TOO_LARGE = (0, 552, "The scan is larger than allowed. Scan fewer pages at once.")
    TOO_LARGE_FOR_PROXY = (0, 552, "Too large for OpenSPP's proxy (HTTP 413). Scan fewer pages.")
    TOO_LARGE_FOR_MEMORY = (0, 552, "OpenSPP has no memory for this scan. Scan fewer pages.")
    SPOOL_FULL = (0, 452, "No room for the scan at the moment. Try again later.")
    SHARE_USED_UP = (0, 452, "Too many scans from this address at once. Send it again later.")
    CUT = (0, 426, "The scan was cut off on its way. Not stored. Send it again.")
    ABORTED = (0, 426, "Transfer aborted. Not stored. Send it again.")
    STALLED = (0, 426, "No data came for too long. Not stored. Send it again.")
    TOO_LONG = (0, 426, "The transfer took too long. Not stored. Scan fewer pages at once.")
    EMPTY = (0, 550, "The file is empty. Nothing was stored.")
    NO_DATA_CONNECTION = (0, 425, "No data connection. Check passive mode and firewall.")
    NO_PASSIVE_PORT = (0, 425, "All passive ports are busy. Try again.")
    TLS_FAILED = (0, 522, "TLS of the data connection failed. Tell the administrator.")
    TLS_NOT_RESUMED = (0, 522, "TLS session reuse is required for data. Switch it on.")
    STOPPING = (421, 421, "The scan gateway is stopping. Try again in a minute.")
    INTERNAL = (421, 451, "Error in the scan gateway. Not stored. Tell the administrator.")

    def __init__(self, login_code: int, upload_code: int, text: str) -> None:
        self.login_code = login_code
        self.upload_code = upload_code
        self.text = text


OPENSPP_NOT_WELL: Final = frozenset(
    {
        Problem.UNREACHABLE,
        Problem.OUT_OF_ORDER,
        Problem.TOO_SLOW,
        Problem.UNCERTAIN,
        Problem.CERTIFICATE,
        Problem.REDIRECTED,
        Problem.NOT_OPENSPP,
    }
)
"""Problems that say nothing of a user or scan: OpenSPP, or the way to it, is not well."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A problem that happened.

    `said` are OpenSPP's own words for the scanner's display (only ever a ValidationError's or
    AccessError's message). `detail` is for the journal: what happened, where, what to do; it never
    holds a password or content.
    """

    problem: Problem
    said: str = field(default="")
    detail: str = field(default="")

    def login_reply(self) -> Reply:
        """The reply to PASS."""
        text = self._text().replace(" Not stored.", "")
        return Reply(self.problem.login_code or self.problem.upload_code, text)

    def upload_reply(self) -> Reply:
        """The final reply to STOR, STOU or APPE."""
        return Reply(self.problem.upload_code, self._text())

    def _text(self) -> str:
        return displayable(self.said) or self.problem.text


def displayable(text: str) -> str:
    """The first line of `text` in plain ASCII, cut to what a scanner's display shows."""
    first = text.strip().split("\n", 1)[0]
    plain = "".join(c if " " <= c <= "~" else "?" for c in first)
    return plain if len(plain) <= DISPLAY_WIDTH else plain[: DISPLAY_WIDTH - 3].rstrip() + "..."
