"""How long each scenario lasts, and what is told at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.acceptance.running import make_certificate


@dataclass
class Told:
    """What came of one scenario."""

    scenario: str
    workers: int
    strikes: int
    sent: int
    acknowledged: int
    stored: int
    twice: int
    reason: str


TOLD = pytest.StashKey[list[Told]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make faults` can be told."""
    group = parser.getgroup("faults under load")
    group.addoption("--strikes", type=int, default=2, help="how often each thing goes wrong")
    group.addoption("--seed", type=int, default=None, help="to repeat an earlier run")


def pytest_configure(config: pytest.Config) -> None:
    """An empty report."""
    config.stash[TOLD] = []


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The table: what was survived, and that nothing acknowledged was lost."""
    told = terminalreporter.config.stash[TOLD]
    if not told:
        return
    terminalreporter.section("faults under load")
    form = "{:<30} {:>7} {:>7} {:>6} {:>12} {:>7} {:>6}  {}"
    head = ("scenario", "workers", "strikes", "sent", "acknowledged", "stored", "twice", "reason")
    terminalreporter.write_line(form.format(*head))
    for one in told:
        reason = one.reason if one.twice else ""
        terminalreporter.write_line(
            form.format(
                one.scenario,
                one.workers,
                one.strikes,
                one.sent,
                one.acknowledged,
                one.stored,
                one.twice,
                reason,
            )
        )
    acknowledged = sum(one.acknowledged for one in told)
    terminalreporter.write_line(
        f"{len(told)} scenarios, {acknowledged} scans acknowledged, none of them lost; "
        f"{sum(one.twice for one in told)} stored twice, each for its reason"
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))
