"""Whether a received file is whole: what makes its end doubtful, and what is done about a doubt.

A FIN is no proof of an end, for a killed client's kernel sends one too; a reset is never an end and
does not come here. A doubtful file is delivered only if its content has its own end.
"""

from __future__ import annotations

import enum
from collections.abc import Set
from typing import Literal

from openspp_ftpd import content


class Doubt(enum.Enum):
    """Why the end of a file may not be one."""

    NO_CLOSE_NOTIFY = "TLS ended without close_notify"
    CONTROL_GONE = "the control connection was gone before the reply"
    SIZE_DIFFERS = "the size differs from the one announced by ALLO"


class Judgement(enum.Enum):
    """What is done with the file."""

    DELIVER = enum.auto()
    DISCARD = enum.auto()
    WAIT = enum.auto()  # a moment, to see whether the control connection ends too


def judge(
    doubts: Set[Doubt],
    end: content.End,
    check_content: Literal["doubtful", "always", "never"],
    close_notify: Literal["ignore", "log", "require"],
    settled: bool,
) -> Judgement:
    """Decide about a file that ended by FIN or close_notify.

    Args:
        doubts: what is known to be wrong with its end.
        end: what its content says.
        check_content: [uploads] check_content.
        close_notify: [tls] close_notify.
        settled: no further doubt can come up (TLS ended properly, or a moment was waited already).
            A killed client's two connections end one after the other, so a file that its content
            does not vouch for waits for the second.
    """
    if Doubt.NO_CLOSE_NOTIFY in doubts and close_notify == "require":
        return Judgement.DISCARD
    if check_content == "never" or end is content.End.WHOLE:
        return Judgement.DELIVER
    if doubts or (end is content.End.CUT and check_content == "always"):
        return Judgement.DISCARD
    return Judgement.DELIVER if settled else Judgement.WAIT
