"""The options of [scanners]: what old or odd devices need, kept few."""

from __future__ import annotations

from typing import Final

from openspp_ftpd.config import values
from openspp_ftpd.config.option import Option

OPTIONS: Final = (
    Option(
        "scanners",
        "code_page",
        values.code_page,
        "cp1252",
        "How to read file names that are not UTF-8: cp1252 (Western), cp1256 (Arabic), cp932"
        " (Japanese) and so on.",
        "a code page that Python knows",
    ),
    Option(
        "scanners",
        "temporary_names",
        values.name_patterns,
        ".in.*, tmp.*, *.part, *.filepart, *.tmp",
        "Names that devices give a file until it is sent. The scan is stored under what stands"
        " for the *.",
        "a list with commas",
        is_list=True,
    ),
    Option(
        "scanners",
        "side_files",
        values.side_files,
        "",
        "Files that devices send beside a document and that OpenSPP need not have (*.xst, *.dat or"
        " *.lck of Xerox, *.xml with HP's data about the job). They are taken, answered 250 Not"
        " kept, named in the journal and never stored. * stands for any characters, ? for one;"
        " capitals do not matter.",
        "a list with commas, or empty: every file is stored",
        is_list=True,
    ),
    Option(
        "scanners",
        "epsv_eprt",
        values.choice("on", "off"),
        "on",
        "Whether EPSV and EPRT are offered. off answers 502, so that a device whose firmware stops"
        " there takes PASV or PORT. Over IPv6 they stay on, for nothing else works there.",
        "on or off",
    ),
    Option(
        "scanners",
        "feat",
        values.choice("full", "short"),
        "full",
        "How much FEAT tells. short names nothing but UTF8 and TLS, for firmware that a long list"
        " confuses; what is not named works all the same.",
        "full or short",
    ),
)
