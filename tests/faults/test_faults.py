"""Whatever goes wrong while 32 scanners upload: every 226 that was read is kept, byte for byte.

A scan is stored twice only where nobody could know better, and then the journal says so. The same
against the installed package is in tests/container/test_faults.py.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest

from tests.acceptance.grounds import Ground
from tests.acceptance.own_network import in_a_network_of_its_own
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, small_tmpfs
from tests.faults.judgement import Told
from tests.faults.network import Nft, Relay
from tests.faults.playing import ALL_CASES, OPENSPP, OPTIONS, play
from tests.faults.processes import Processes
from tests.faults.scenarios import Scenario, Scene


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin") is None,
    reason="a network of one's own needs root and nft(8)",
)
@pytest.mark.parametrize(("scenario", "workers"), ALL_CASES)
def test_nothing_acknowledged_is_lost(
    scenario: Scenario,
    workers: int,
    strikes: int,
    seed: int,
    told: list[Told],
    tmp_path: Path,
    certificate: tuple[Path, Path],
) -> None:
    options = {**OPTIONS, "ftp": {"workers": str(workers)}}

    def run(_: object) -> None:
        with contextlib.ExitStack() as closing:
            spool = closing.enter_context(small_tmpfs("64M"))
            openspp = closing.enter_context(EmbeddedOpenSPP(tmp_path, *OPENSPP))
            relay = closing.enter_context(contextlib.closing(Relay(openspp.port)))
            daemon = closing.enter_context(
                Daemon(tmp_path, relay.url, options, spool=spool, certificate=certificate)
            )
            ground = Ground(openspp, daemon)
            scene = Scene(ground, Processes(ground), Nft(), relay, random.Random(seed))
            told.append(play(scenario, workers, strikes, seed, scene))

    in_a_network_of_its_own(run)
