"""One scenario from its first scan to the judgement, wherever daemon and OpenSPP run."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground
from tests.acceptance.promises import until
from tests.faults.devices import USERS, Devices
from tests.faults.judgement import Told, judged
from tests.faults.scenarios import ANSWER_WITHIN, SCENARIOS, Scenario, Scene

OPTIONS: Final = {
    "openspp": {"answer_within": f"{ANSWER_WITHIN:g}s", "login_within": "5s"},
    "log": {"level": "info"},
    "limits": {"data_idle": "10s"},
}
"""What the daemon is configured with, by section."""

OPENSPP: Final = tuple(f"--user={user}:scan-{user}" for user in USERS)
"""The embedded OpenSPP's options."""


def _case(scenario: Scenario, workers: int) -> Any:
    """Parameters of a test and their name."""
    return pytest.param(
        scenario, workers, id=f"{scenario.name}, {workers} worker{'s' * (workers > 1)}"
    )


ALL_CASES: Final = [
    _case(scenario, workers) for scenario in SCENARIOS for workers in scenario.workers
]
IN_TURNS: Final = [
    _case(scenario, scenario.workers[number % len(scenario.workers)])
    for number, scenario in enumerate(SCENARIOS)
]
"""Each scenario once, with one worker and with two in turns."""


def play(scenario: Scenario, workers: int, strikes: int, seed: int, scene: Scene) -> Told:
    """Let it go wrong `strikes` times while all devices upload, and hold them to the promises."""
    with Devices(scene.ground, seed) as devices:
        devices.wait_for_more()
        for _ in range(strikes):
            scenario.strike(scene)
            devices.wait_for_more()
    record, log = scene.ground.openspp.record(), scene.ground.daemon.log()
    told = judged(scenario, workers, strikes, devices.books, record, log)
    serves_and_is_clean(scene.ground)
    return told


def serves_and_is_clean(ground: Ground) -> None:
    """The same daemon takes the next scan, keeps nothing of the others and met no fault."""
    with ground.logged_in(USERS[0]) as scanner:
        answer = scanner.store("afterwards.pdf", pdf(2000))
    assert answer.code == 226, f"the next scan is answered {answer}"
    assert until(lambda: ground.daemon.spooled_bytes() == 0, 150), "a scan stays in the spool"
    assert "Traceback" not in ground.daemon.log(), "the daemon met a fault of its own"
