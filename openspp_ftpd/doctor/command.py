"""`openspp-ftpd check`: the list of checks as it fills in, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from openspp_ftpd.doctor.checks import check_configuration, steps
from openspp_ftpd.doctor.findings import Finding, Level
from openspp_ftpd.doctor.service import check_service, unit
from openspp_ftpd.screen import Screen, screen_of

STATUSES: Final = {Level.FINE: 0, Level.WARNING: 1, Level.FAILED: 2}
"""The exit status for the worst that was found."""


def check_everything(path: str, credentials: str = "", *, as_json: bool = False) -> int:
    """Look at everything that a scan needs, and print it. Returns 0, 1 (warnings), 2 (failures)."""
    screen = screen_of(sys.stdout)
    found: list[Finding] = []
    for finding in _findings(path, credentials, None if as_json else screen):
        found.append(finding)
        if not as_json:
            _show(screen, finding)
    worst = max((finding.level for finding in found), key=STATUSES.__getitem__)
    if as_json:
        print(json.dumps(_as_json(path, worst, found), indent=2))
    else:
        _conclude(screen, found)
    return STATUSES[worst]


def _findings(path: str, credentials: str, screen: Screen | None) -> Iterator[Finding]:
    systemd_unit = unit()
    settings, said = check_configuration(path, credentials, systemd_unit)
    yield from said
    if settings is None:
        yield from check_service(systemd_unit)
        return
    for step in steps(settings, systemd_unit):
        if screen is not None:
            screen.looking(step.name)
        yield from step.look()


def _show(screen: Screen, finding: Finding) -> None:
    words = f"{finding.about}: {finding.text}"
    if finding.level is Level.FINE:
        screen.done(words)
    elif finding.level is Level.WARNING:
        screen.attention(words, finding.mend)
    else:
        screen.failed(words, finding.mend)


def _conclude(screen: Screen, found: Iterable[Finding]) -> None:
    levels = [finding.level for finding in found]
    wrong, doubtful = levels.count(Level.FAILED), levels.count(Level.WARNING)
    if wrong:
        screen.heading(f"{_counted(wrong, 'thing keeps', 'things keep')} scans from OpenSPP.")
    elif doubtful:
        screen.heading(
            f"Scans go through; {_counted(doubtful, 'thing', 'things')} should be looked at."
        )
    else:
        screen.heading("All is well. Try a scan: openspp-ftpd try --user NAME")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _as_json(path: str, worst: Level, found: Iterable[Finding]) -> dict[str, object]:
    return {
        "configuration": path,
        "result": worst.value,
        "findings": [
            {
                "about": finding.about,
                "level": finding.level.value,
                "text": finding.text,
                "mend": finding.mend,
            }
            for finding in found
        ],
    }
