"""Faults under load (tests/faults) against the installed package, and what systemd does then.

With one strike, each thing goes wrong once, with one worker and with two in turns; with more, both.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from tests.container.faulty import Units, ground_on
from tests.container.installed import Installed
from tests.faults.judgement import Told
from tests.faults.network import Nft, Relay
from tests.faults.playing import play
from tests.faults.scenarios import Scenario, Scene


def test_nothing_acknowledged_is_lost(
    struck: Installed,
    scenario: Scenario,
    workers: int,
    strikes: int,
    seed: int,
    told: list[Told],
    tmp_path: Path,
) -> None:
    with struck.network(), contextlib.closing(Relay(8069)) as relay:
        ground = ground_on(struck, relay.url, workers, tmp_path)
        scene = Scene(ground, Units(struck, ground), Nft(), relay, random.Random(seed))
        told.append(play(scenario, workers, strikes, seed, scene))
