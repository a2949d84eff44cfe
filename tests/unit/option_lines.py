"""One line of a configuration, read as if all else were right."""

from __future__ import annotations

from openspp_ftpd.config import loading
from openspp_ftpd.settings import Settings

URL = "url = https://dms.gov.iq"


def read(section: str, line: str) -> loading.Understood:
    head = "[openspp]\n" if section == "openspp" else f"[openspp]\n{URL}\n[{section}]\n"
    url = "" if "url" in line else URL
    return loading.understand(f"{head}{line}\n" + (f"{url}\n" if section == "openspp" else ""))


def good(section: str, line: str) -> Settings:
    understood = read(section, line)
    assert understood.mistakes == ()
    return understood.settings


def bad(section: str, line: str) -> str:
    """The one mistake, without its place."""
    ((_, text),) = read(section, line).mistakes
    name = line.split(" ")[0]
    assert text.startswith(f"[{section}] {name}: ")
    return text.removeprefix(f"[{section}] {name}: ")
