"""What goes wrong while scanners upload: each a function that makes it go wrong, some times."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.acceptance.grounds import Ground
from tests.faults.network import Nft, Relay

ANSWER_WITHIN: Final = 6.0


@dataclass(frozen=True)
class Scene:
    """What a scenario can act on."""

    ground: Ground
    nft: Nft
    relay: Relay
    chance: random.Random

    def while_it_lasts(self) -> None:
        """How long something stays wrong."""
        time.sleep(self.chance.uniform(0.3, 1.5))

    def tell_openspp(self, faults: Mapping[str, object]) -> None:
        """Set the embedded OpenSPP's faults, from now on."""
        request = urllib.request.Request(
            f"{self.ground.openspp.url}/sandbox/faults",
            json.dumps(faults).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong. twice: why a scan may be stored twice afterwards, if it may."""

    name: str
    strike: Callable[[Scene], None]
    twice: str = ""
    workers: tuple[int, ...] = (1, 2)


def _openspp_stops(scene: Scene) -> None:
    scene.ground.openspp.signal(signal.SIGTERM)
    scene.ground.openspp.wait()
    scene.while_it_lasts()
    scene.ground.openspp.start()


def _openspp_is_killed(scene: Scene) -> None:
    scene.ground.openspp.kill()
    scene.while_it_lasts()
    scene.ground.openspp.start()


def _openspp_hangs(scene: Scene) -> None:
    scene.ground.openspp.signal(signal.SIGSTOP)
    time.sleep(scene.chance.choice((1.0, ANSWER_WITHIN + 1.5)))
    scene.ground.openspp.signal(signal.SIGCONT)
    scene.while_it_lasts()


def _openspp_is_slow(scene: Scene) -> None:
    seconds = scene.chance.choice((1.0, ANSWER_WITHIN + 1.0))
    scene.tell_openspp({"login": {"slow": 0.5}, "upload": {"slow": seconds}})
    scene.while_it_lasts()
    scene.while_it_lasts()
    scene.tell_openspp({})


def _openspp_talks_nonsense(scene: Scene) -> None:
    for fault in ({"html": True}, {"garbage": True}, {"http": 502}, {"drop-after": True}):
        scene.tell_openspp({"upload": fault})
        time.sleep(0.3)
    scene.tell_openspp({"login": {"garbage": True}, "upload": {"http": 500}})
    time.sleep(0.3)
    scene.tell_openspp({})


def _openspp_is_refused(scene: Scene) -> None:
    with scene.nft.refused(scene.relay.port):
        scene.while_it_lasts()


def _openspp_is_cut_off(scene: Scene) -> None:
    with scene.nft.cut([scene.relay.port]):
        scene.while_it_lasts()


def _the_way_to_openspp_is_slow(scene: Scene) -> None:
    scene.relay.seconds_per_piece = 0.05
    scene.while_it_lasts()
    scene.while_it_lasts()
    scene.relay.seconds_per_piece = 0.0


def _scanners_are_cut_off(scene: Scene) -> None:
    daemon = scene.ground.daemon
    with scene.nft.cut([daemon.port, daemon.implicit_port, *daemon.passive_ports]):
        scene.while_it_lasts()


def _the_tmpfs_is_full(scene: Scene) -> None:
    with _filled(scene.ground.daemon.spool):
        scene.while_it_lasts()


@contextlib.contextmanager
def _filled(spool: Path) -> Iterator[None]:
    ballast = spool / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(64 * 1024)):
                pass
        yield
    finally:
        ballast.unlink()


def _the_daemon_is_killed(scene: Scene) -> None:
    scene.ground.daemon.kill()
    scene.ground.daemon.start()


def _the_daemon_is_restarted(scene: Scene) -> None:
    scene.ground.daemon.signal(signal.SIGTERM)
    assert scene.ground.daemon.wait(60) == 0
    scene.ground.daemon.start()


def _the_daemon_is_reloaded(scene: Scene) -> None:
    daemon = scene.ground.daemon
    good = daemon.configuration.read_text()
    for text in (good, good + "[nonsense]\n", good.replace("level = info", "level = debug"), good):
        daemon.configuration.write_text(text)
        daemon.signal(signal.SIGHUP)
        time.sleep(0.4)


def _a_worker_is_killed(scene: Scene) -> None:
    workers = scene.ground.daemon.workers()
    assert workers
    with contextlib.suppress(ProcessLookupError):
        os.kill(scene.chance.choice(sorted(workers)), signal.SIGKILL)
    scene.while_it_lasts()


_OPEN = "OpenSPP left its answer open"
_KILLED = "the daemon was killed, and with it what it knew of deliveries under way"

SCENARIOS: Final = (
    Scenario("OpenSPP is stopped", _openspp_stops, _OPEN),
    Scenario("OpenSPP is killed", _openspp_is_killed, _OPEN),
    Scenario("OpenSPP hangs", _openspp_hangs, _OPEN),
    Scenario("OpenSPP is slow", _openspp_is_slow, _OPEN),
    Scenario("OpenSPP talks nonsense", _openspp_talks_nonsense, _OPEN),
    Scenario("OpenSPP is refused", _openspp_is_refused, _OPEN),
    Scenario("OpenSPP is cut off", _openspp_is_cut_off, _OPEN),
    Scenario("the way to OpenSPP is slow", _the_way_to_openspp_is_slow, _OPEN),
    Scenario("scanners are cut off", _scanners_are_cut_off),
    Scenario("the tmpfs is full", _the_tmpfs_is_full),
    Scenario("the daemon is killed", _the_daemon_is_killed, _KILLED),
    Scenario("the daemon is restarted", _the_daemon_is_restarted),
    Scenario("the daemon is reloaded", _the_daemon_is_reloaded),
    Scenario("a worker is killed", _a_worker_is_killed, _KILLED, workers=(2,)),
)
