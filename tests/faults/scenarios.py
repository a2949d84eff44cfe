"""What goes wrong while scanners upload: each a function that makes it go wrong, some times."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from tests.acceptance.grounds import Ground
from tests.faults.network import Nft, Relay

ANSWER_WITHIN: Final = 6.0


class Operator(Protocol):
    """Who starts and ends daemon and OpenSPP where they run; each call returns when it is done."""

    def stop_openspp(self) -> None:
        """End it in order."""

    def kill_openspp(self) -> None:
        """kill -9."""

    def signal_openspp(self, number: signal.Signals) -> None:
        """SIGSTOP and SIGCONT."""

    def start_openspp(self) -> None:
        """Until it listens."""

    def kill_daemon(self) -> None:
        """kill -9; afterwards it serves again."""

    def restart_daemon(self) -> None:
        """It ends in order, and serves again."""

    def configuration(self) -> str:
        """The text of the daemon's configuration."""

    def reload_daemon(self, configuration: str, good: bool) -> None:
        """Write a configuration and have it read, which is refused unless it is good."""

    def kill_a_worker(self, chance: random.Random) -> None:
        """kill -9 one of the daemon's workers."""

    def filled_tmpfs(self) -> AbstractContextManager[None]:
        """No room for scans meanwhile."""


@dataclass(frozen=True)
class Scene:
    """What a scenario can act on."""

    ground: Ground
    operator: Operator
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
    scene.operator.stop_openspp()
    scene.while_it_lasts()
    scene.operator.start_openspp()


def _openspp_is_killed(scene: Scene) -> None:
    scene.operator.kill_openspp()
    scene.while_it_lasts()
    scene.operator.start_openspp()


def _openspp_hangs(scene: Scene) -> None:
    scene.operator.signal_openspp(signal.SIGSTOP)
    time.sleep(scene.chance.choice((1.0, ANSWER_WITHIN + 1.5)))
    scene.operator.signal_openspp(signal.SIGCONT)
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
    with scene.operator.filled_tmpfs():
        scene.while_it_lasts()


def _the_daemon_is_killed(scene: Scene) -> None:
    scene.operator.kill_daemon()


def _the_daemon_is_restarted(scene: Scene) -> None:
    scene.operator.restart_daemon()


def _the_daemon_is_reloaded(scene: Scene) -> None:
    good = scene.operator.configuration()
    more = good.replace("\nlevel = info\n", "\nlevel = debug\n")
    assert more != good
    for text in (good, good + "[nonsense]\n", more, good):
        scene.operator.reload_daemon(text, "[nonsense]" not in text)
        time.sleep(0.4)


def _a_worker_is_killed(scene: Scene) -> None:
    scene.operator.kill_a_worker(scene.chance)
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
