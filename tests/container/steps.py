"""A plugin of pytest: one readable line for each step, in place of dots."""

from __future__ import annotations

import re

import pytest

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # where words begin
_WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


class Steps:
    """Writes the lines."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._preparing = 0.0

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Counted as ever, but no dot."""
        if report.when == "call" or not report.passed:
            return ("error" if report.failed and report.when != "call" else report.outcome, "", "")
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What was done, how that ended, and the seconds with those for its machine."""
        if report.when == "setup":
            self._preparing = report.duration
        if report.when == "call" or not report.passed:
            seconds = self._preparing + (report.duration if report.when == "call" else 0)
            line = f"{sentence(report.nodeid)}: {_WORDS[report.outcome]} ({seconds:.1f} s)"
            self._config.get_terminal_writer().line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.pluginmanager.register(Steps(config))


def sentence(nodeid: str) -> str:
    """`trixie: reload, broken file, mended it is taken` for the name that pytest has for it."""
    path, *names = nodeid.partition("[")[0].split("::")
    release, _, case = nodeid.partition("[")[2].removesuffix("]").partition("-")
    parts = [path.rpartition("/test_")[2].removesuffix(".py"), *names]
    words = [_CAPITALS.sub(" ", each).replace("_", " ") for each in parts]
    plain = [re.sub("^(test|Test) ", "", each) for each in words]
    return f"{release}: {', '.join(plain).lower()}{f' ({case})' if case else ''}"
