"""The configuration file that is shipped, written from the schema."""

from __future__ import annotations

import textwrap
from typing import Final

from openspp_ftpd.config.option import Option
from openspp_ftpd.config.schema import OPTIONS, SECTIONS

WIDTH: Final = 78
"""Characters of a comment's line in the shipped file, without its "# "."""

PLACEHOLDER: Final = "https://openspp.example.org"

_HEAD: Final = """\
# openspp-ftpd: scanners send by FTP or FTPS, the scan arrives in OpenSPP.
#
# Every option stands here with its default; take the # away to change it.
# A comment has a line of its own; a line that begins with a blank continues
# the one above.
#
#   check this file:   openspp-ftpd check --config
#   take it into use:  systemctl reload openspp-ftpd
#                      (listeners and ports: systemctl restart openspp-ftpd)
#
# "Original" is the environment variable that set the same in the original
# gateway.
"""


def shipped() -> str:
    """The shipped file: every option, commented out with its default, and the url to fill in."""
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"\n[{section}]\n")
        parts += [_paragraph(each) for each in OPTIONS if each.section == section]
    return "".join(parts)


def _paragraph(described: Option) -> str:
    text = [described.meaning, f"Value: {described.form}"]
    if described.original:
        text.append(f"Original: {described.original}")
    lines = [line for part in text for line in textwrap.wrap(part, WIDTH, break_on_hyphens=False)]
    comment = "".join(f"# {line}\n" for line in lines)
    if described.name == "url":
        return f"\n{comment}url = {PLACEHOLDER}\n"
    return f"\n{comment}#{described.name} = {described.default}".rstrip() + "\n"
