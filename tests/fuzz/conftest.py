"""How long is fuzzed and with which inputs, and the report at the end.

Plain pytest takes about a minute and always the same inputs; `--fuzz-seconds` takes as long as it
is told, and ever new ones.
"""

from __future__ import annotations

import importlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import configuration

from tests.fuzz.campaign import Campaign, Result
from tests.fuzz.ground import Fuzzed, fuzzed

# Before pyftpdlib's handlers: its loop alone is silent about asyncore, which Python 3.11 has for
# the last time and Debian goes on to ship.
importlib.import_module("openspp_ftpd.ftp.loop")

_BUILD: Final = Path(__file__).resolve().parents[2] / "build" / "fuzz"
_MINUTE: Final = 70.0
_KNOWN_SEED: Final = 1
_SHARES: Final = pytest.StashKey[float]()
_SEED: Final = pytest.StashKey[int]()
_RESULTS: Final = pytest.StashKey[list[Result]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-seconds", type=float, help="fuzz for so long, with ever new inputs")
    group.addoption("--fuzz-seed", type=int, help="the seed of the first round of each target")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "share(part, rounds): of the time; rounds in the short run")
    # What hypothesis keeps on disk (tables of characters) is built, not source.
    keep_in: Any = configuration.set_hypothesis_home_dir
    keep_in(str(_BUILD / "hypothesis"))
    seed: int | None = config.getoption("--fuzz-seed")
    if seed is None:
        long = config.getoption("--fuzz-seconds") is not None
        seed = random.SystemRandom().randrange(10**6) if long else _KNOWN_SEED
    config.stash[_SEED] = seed
    config.stash[_RESULTS] = []
    config.stash[_SHARES] = 0.0


def _share(item: pytest.Item) -> tuple[float, int]:
    marker = item.get_closest_marker("share")
    assert marker is not None, f"{item.name} has no share of the time"
    part, rounds = marker.args
    return float(part), int(rounds)


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_SHARES] = sum(
        _share(item)[0] for item in session.items if "campaign" in getattr(item, "fixturenames", ())
    )


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Campaign:
    """The test's share of the time."""
    config = request.config
    part, rounds = _share(request.node)
    seconds: float | None = config.getoption("--fuzz-seconds")
    result = Result(request.node.name.removeprefix("test_"))
    config.stash[_RESULTS].append(result)
    return Campaign(
        result,
        (seconds or _MINUTE) * part / config.stash[_SHARES],
        config.stash[_SEED],
        None if seconds is not None else rounds,
    )


@pytest.fixture(scope="session")
def _one_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed(tmp_path_factory.mktemp("fuzzed")) as made:
        yield made


@pytest.fixture
def daemon(_one_daemon: Fuzzed, campaign: Campaign) -> Fuzzed:
    """The one daemon; what is done to it counts for this test."""
    _one_daemon.books.counts = campaign.counts
    return _one_daemon


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    config = terminalreporter.config
    results = config.stash[_RESULTS]
    if not results:
        return
    write = terminalreporter.write_line
    terminalreporter.section(f"fuzzed, beginning with SEED={config.stash[_SEED]}")
    for result in results:
        write(f"{result.target:<45} {result.inputs:>8} inputs  {result.seconds:>6.0f} s")
    write(f"{'in all':<45} {sum(result.inputs for result in results):>8} inputs")
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.counts)
    for what, count in counts.items():
        write(f"{what:<45} {count:>8}")
    for result in results:
        if result.failure:
            write(result.failure)
            seconds = 10 + 2 * int(result.failed_after)
            again = f"TARGET={result.target} SEED={result.failed_seed} SECONDS={seconds}"
            write(f"Play it again: make fuzz {again}")
