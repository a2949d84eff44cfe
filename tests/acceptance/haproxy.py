"""Three gateways behind a real HAProxy, set up as the shipped example says."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.acceptance.promises import until
from tests.acceptance.running import TREE, Daemon, EmbeddedOpenSPP, free_ports, wait_for_port

EXAMPLE: Final = TREE / "debian" / "examples" / "haproxy.cfg"
BALANCER: Final = "127.0.7.1"
NODES: Final = ("127.0.7.11", "127.0.7.12", "127.0.7.13")
UNREADY_FOR: Final = 5
PROGRAM: Final = shutil.which("haproxy", path="/usr/sbin:/usr/bin")


@dataclass(frozen=True)
class Farm:
    """HAProxy on BALANCER, a daemon on each of NODES, and the OpenSPP that they all store in."""

    port: int
    implicit_port: int
    nodes: tuple[Daemon, ...]
    openspp: EmbeddedOpenSPP
    balancer: subprocess.Popen[bytes]
    metrics: tuple[int, ...]

    def recorded(self, user: str = "alice") -> list[tuple[str, str]]:
        """Name and SHA-256 of every document of a user, by name."""
        record = [one for one in self.openspp.record() if one["user"] == user]
        return sorted((document["filename"], document["sha256"]) for document in record)

    def is_ready(self, number: int) -> bool:
        """What a node's /readyz says."""
        return is_ready(number, self.metrics[number])

    def is_unready(self, number: int) -> bool:
        """The same, the other way round."""
        return not self.is_ready(number)


def is_ready(number: int, port: int) -> bool:
    """What the /readyz of this one of NODES says, whose metrics are on that port."""
    url = f"http://{NODES[number]}:{port}/readyz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@contextlib.contextmanager
def farm(
    directory: Path, certificate: tuple[Path, Path], workers: int = 1, nodes: int = 3
) -> Iterator[Farm]:
    """Start everything."""
    with contextlib.ExitStack() as closing:
        openspp = closing.enter_context(EmbeddedOpenSPP(directory))
        metrics = free_ports(nodes)
        daemons = []
        for number in range(nodes):
            folder = directory / f"node{number}"
            folder.mkdir()
            options = {
                "ftp": {
                    "proxy_networks": BALANCER,
                    "unready_for": f"{UNREADY_FOR}s",
                    "workers": str(workers),
                },
                "metrics": {"listen": f"{NODES[number]}:{metrics[number]}"},
                "log": {"level": "info"},
            }
            daemons.append(
                closing.enter_context(_node(folder, openspp, options, certificate, number))
            )
        port, implicit_port = free_ports(2)
        configuration = directory / "haproxy.cfg"
        listening = {
            port: [daemon.port for daemon in daemons],
            implicit_port: [daemon.implicit_port for daemon in daemons],
        }
        passive_ports = [daemon.passive_ports for daemon in daemons]
        configuration.write_text(configured(listening, passive_ports, metrics))
        balancer = closing.enter_context(_haproxy(configuration, directory / "haproxy.log"))
        made = Farm(port, implicit_port, tuple(daemons), openspp, balancer, tuple(metrics))
        wait_for_port(port, balancer, host=BALANCER)
        assert until(lambda: all(made.is_ready(number) for number in range(nodes)), 20)
        yield made


@contextlib.contextmanager
def _node(
    folder: Path,
    openspp: EmbeddedOpenSPP,
    options: dict[str, dict[str, str]],
    certificate: tuple[Path, Path],
    number: int,
) -> Iterator[Daemon]:
    with Daemon(
        folder, openspp.url, options, certificate=certificate, listen_host=NODES[number]
    ) as daemon:
        yield daemon


def configured(
    listening: Mapping[int, Sequence[int]],
    passive_ports: Sequence[Sequence[int]],
    metrics: Sequence[int],
) -> str:
    """The shipped example, its addresses and ports replaced.

    Args:
        listening: for each control port of the balancer that of every node.
        passive_ports: the range of every node.
        metrics: the port of every node's metrics.
    """
    text = EXAMPLE.read_text().split("# By the scanner's address", 1)[0]
    for line in ("    log /dev/log local0\n", "    log global\n", "    option tcplog\n"):
        text = text.replace(line, "")
    text = text.replace("maxconn 20000", "maxconn 500")  # a test's limit of descriptors is low
    text += f"    source {BALANCER}\n"  # else it would be 127.0.0.1, as for all on the loopback net
    for bind, ports in listening.items():
        servers = "\n".join(
            f"    server node{number} {NODES[number]}:{target} check port {metrics[number]}"
            for number, target in enumerate(ports)
        )
        text += f"""
frontend scanners_{bind}
    bind {BALANCER}:{bind}
    default_backend control_{bind}
backend control_{bind}
    balance source
    hash-type consistent
    option httpchk GET /readyz
    default-server send-proxy-v2 inter 1s fall 2 rise 1
{servers}
"""
    for number, ports in enumerate(passive_ports):
        text += f"""
listen passive_of_node{number}
    bind {BALANCER}:{ports[0]}-{ports[-1]}
    server node{number} {NODES[number]} send-proxy-v2
"""
    return text


@contextlib.contextmanager
def _haproxy(configuration: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    assert PROGRAM, "haproxy is one of the tests' tools"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "-db", "-f", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        time.sleep(0.2)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()
