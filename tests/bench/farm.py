"""Our daemon on one to three nodes behind a real HAProxy, set up as the shipped example says."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.acceptance.haproxy import BALANCER, NODES, PROGRAM, configured, is_ready
from tests.acceptance.running import free_ports
from tests.bench.peers import (
    CannotStart,
    Ground,
    Peer,
    Serving,
    Wanted,
    configuration,
    once_it_greets,
)
from tests.bench.programs import Patience, Program

_READY_SECONDS: Final = 30.0


def _behind_haproxy(nodes: int) -> Callable[[Ground, Wanted], Serving]:
    def start(ground: Ground, wanted: Wanted) -> Serving:
        if PROGRAM is None:
            raise CannotStart("haproxy is not installed; make deps installs it")
        store = ground.folder / "farm"
        shutil.rmtree(store, ignore_errors=True)
        metrics = free_ports(nodes)
        ports = [free_ports(7) for _ in range(nodes)]
        commands = []
        for number in range(nodes):
            folder = store / f"node{number}"
            folder.mkdir(parents=True)
            path = configuration(
                replace(ground, folder=folder),
                wanted,
                ports[number][0],
                ports[number][1:],
                host=NODES[number],
                more={
                    "ftp": {"proxy_networks": BALANCER},
                    "metrics": {"listen": f"{NODES[number]}:{metrics[number]}"},
                },
            )
            commands.append([sys.executable, "-m", "openspp_ftpd", "serve", "-c", str(path)])
        port = free_ports(1)[0]
        path = store / "haproxy.cfg"
        passive_ports = [each[1:] for each in ports]
        path.write_text(configured({port: [each[0] for each in ports]}, passive_ports, metrics))
        program = _together(commands, ground)
        try:
            _wait_until_ready(program, metrics)
            balancer = Program([PROGRAM, "-db", "-f", str(path)], ground.folder / "haproxy.log")
        except BaseException:
            program.stop()
            raise
        return once_it_greets(Serving(program, port, store, BALANCER, balancer))

    return start


def _together(commands: list[list[str]], ground: Ground) -> Program:
    """All nodes as one program, whose CPU time and memory are theirs in sum."""
    lines = [f"{shlex.join(command)} &" for command in commands]
    return Program(["sh", "-c", "\n".join([*lines, "wait"])], ground.folder / "farm.log")


def _wait_until_ready(program: Program, metrics: list[int]) -> None:
    """Raises CannotStart."""
    patience = Patience(_READY_SECONDS, "")
    try:
        while not all(is_ready(number, port) for number, port in enumerate(metrics)):
            patience.pause()
    except TimeoutError as error:
        raise CannotStart(f"not all nodes are ready: {program.log()}") from error


def _farm(nodes: int) -> Peer:
    title = f"{nodes} of openspp-ftpd, one worker each, behind HAProxy"
    return Peer(f"ours-haproxy-{nodes}", title, "before", _behind_haproxy(nodes))


FARMS: Final = {peer.name: peer for peer in map(_farm, range(1, len(NODES) + 1))}
"""By name, as peers are."""
