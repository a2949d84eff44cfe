"""A plugin of pytest for faults under load: how long they last, and what is told at the end."""

from __future__ import annotations

import random

import pytest
from _pytest.terminal import TerminalReporter

from tests.faults.judgement import Told

_TOLD = pytest.StashKey[list[Told]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make faults` can be told."""
    group = parser.getgroup("faults under load")
    group.addoption("--strikes", type=int, default=1, help="how often each thing goes wrong")
    group.addoption("--seed", type=int, default=None, help="to repeat an earlier run")


def pytest_configure(config: pytest.Config) -> None:
    """An empty report."""
    config.stash[_TOLD] = []


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The table: what was survived, and that nothing acknowledged was lost."""
    told = terminalreporter.config.stash[_TOLD]
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


@pytest.fixture
def told(pytestconfig: pytest.Config) -> list[Told]:
    """The rows of the table so far; a scenario that was survived adds one."""
    return pytestconfig.stash[_TOLD]


@pytest.fixture
def strikes(pytestconfig: pytest.Config) -> int:
    """How often each thing goes wrong."""
    return int(pytestconfig.getoption("--strikes"))


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """What devices and chance begin with; a test that fails shows it."""
    given = pytestconfig.getoption("--seed")
    number = random.randrange(1_000_000) if given is None else int(given)
    print(f"repeat it with --seed={number}")
    return number
