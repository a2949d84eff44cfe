"""Whatever goes wrong while 32 scanners upload: every 226 that was read is kept, byte for byte.

A scan is stored twice only where nobody could know better, and then the journal says so.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground
from tests.acceptance.own_network import in_a_network_of_its_own
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, small_tmpfs
from tests.faults.conftest import TOLD, Told
from tests.faults.devices import USERS, Books, Devices
from tests.faults.network import Nft, Relay
from tests.faults.scenarios import ANSWER_WITHIN, SCENARIOS, Scenario, Scene

CASES = [
    pytest.param(scenario, workers, id=f"{scenario.name}, {workers} worker{'s' * (workers > 1)}")
    for scenario in SCENARIOS
    for workers in scenario.workers
]

OPTIONS = {
    "openspp": {"answer_within": f"{ANSWER_WITHIN:g}s", "login_within": "5s"},
    "log": {"level": "info"},
    "limits": {"data_idle": "10s"},
}


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin") is None,
    reason="a network of one's own needs root and nft(8)",
)
@pytest.mark.parametrize(("scenario", "workers"), CASES)
def test_nothing_acknowledged_is_lost(
    scenario: Scenario,
    workers: int,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    request: pytest.FixtureRequest,
) -> None:
    strikes = int(request.config.getoption("--strikes"))
    given = request.config.getoption("--seed")
    seed = random.randrange(1_000_000) if given is None else int(given)
    options = {**OPTIONS, "ftp": {"workers": str(workers)}}

    def play(_: object) -> None:
        with contextlib.ExitStack() as closing:
            spool = closing.enter_context(small_tmpfs("64M"))
            users = [f"--user={user}:scan-{user}" for user in USERS]
            openspp = closing.enter_context(EmbeddedOpenSPP(tmp_path, *users))
            relay = closing.enter_context(contextlib.closing(Relay(openspp.port)))
            daemon = closing.enter_context(
                Daemon(tmp_path, relay.url, options, spool=spool, certificate=certificate)
            )
            scene = Scene(Ground(openspp, daemon), Nft(), relay, random.Random(seed))
            with Devices(scene.ground, seed) as devices:
                devices.wait_for_more()
                for _ in range(strikes):
                    scenario.strike(scene)
                    devices.wait_for_more()
            told = judged(scenario, workers, strikes, scene.ground, devices.books)
            request.config.stash[TOLD].append(told)
            serves_and_is_clean(scene.ground)

    try:
        in_a_network_of_its_own(play)
    except BaseException:
        print(f"repeat it with --seed={seed}")
        raise


def judged(scenario: Scenario, workers: int, strikes: int, ground: Ground, books: Books) -> Told:
    """Hold the record against what the devices were told."""
    record = ground.openspp.record()
    stored = Counter(document["sha256"] for document in record)
    assert not [document for document in record if document.get("altered")]
    lost = [name for digest, name in books.acknowledged.items() if digest not in stored]
    assert not lost, f"acknowledged and lost: {lost}"
    cut = [document["filename"] for document in record if document["sha256"] not in books.sent]
    assert not cut, f"stored, and no whole scan: {cut}"
    twice = {digest: count for digest, count in stored.items() if count > 1}
    log = ground.daemon.log()
    for digest in twice:
        name = books.sent[digest]
        assert scenario.twice, f"{name} is stored {twice[digest]} times"
        assert books.sendings[digest] > 1, f"{name} was sent once and is stored twice"
    if twice and "killed" not in scenario.twice:
        for digest in twice:
            said = f"{books.sent[digest]} was sent before and OpenSPP did not confirm it"
            assert said in log, f"the journal does not say that {books.sent[digest]} is there twice"
    return Told(
        scenario.name,
        workers,
        strikes,
        len(books.sent),
        len(books.acknowledged),
        len(stored),
        len(twice),
        scenario.twice,
    )


def serves_and_is_clean(ground: Ground) -> None:
    """The same daemon takes the next scan, keeps nothing of the others and met no fault."""
    with ground.logged_in(USERS[0]) as scanner:
        assert scanner.store("afterwards.pdf", pdf(2000)).code == 226
    assert until(lambda: ground.daemon.spooled_bytes() == 0, 150)
    assert "Traceback" not in ground.daemon.log()
