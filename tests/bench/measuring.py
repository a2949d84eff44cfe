"""Does a work once with one peer and measures it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.bench import limits, resting
from tests.bench.checking import (
    check_count,
    check_files,
    check_record,
    recorded,
    wait_until_recorded,
)
from tests.bench.contents import content
from tests.bench.generators import MOST, Generators
from tests.bench.jobs import Client, Fault, Job, Outcome, Scan, Sent
from tests.bench.load import Generator
from tests.bench.peers import USERS, Ground, Peer, Serving, Wanted, password_of
from tests.bench.programs import MachineLoad, Memory, Patience, Sampler, others
from tests.bench.results import Run
from tests.bench.works import CORE, CURL, Work

_ADDRESSES: Final = 200
_WARM_SIZE: Final = 20_000
_SPARE_SESSIONS: Final = 100
_DELIVERED_WITHIN: Final = 600.0
_SETTLE_SECONDS: Final = 0.5
_FORKING_SESSIONS: Final = 50
"""Idle sessions of a peer that has processes for each: enough to divide by."""

_FAULTS: Final[tuple[Fault, ...]] = ("cut", "refused", "password")


class Failed(Exception):
    """Something that must work did not: a scan was refused, a session was not served."""


def measure(work: Work, peer: str, peers: Mapping[str, Peer], ground: Ground, tag: str) -> Run:
    """Do it once; `tag` makes names of its own.

    Raises Lost, Failed, CannotStart, TimeoutError.
    """
    if peer == CORE:
        return limits.core(work, ground)
    if peer == CURL:
        return limits.curl(work, ground, tag)
    if work.kind == "rest":
        return resting.rest(ground, peers[peer])
    one = _Measurement(work, peers[peer], ground, tag)
    how: dict[str, Callable[[Serving], Run]] = {
        "uploads": one.uploads,
        "farm": one.uploads,
        "idle": one.idle,
        "crowd": one.crowd,
        "soak": one.soak,
    }
    sessions = work.idle + work.clients + _SPARE_SESSIONS
    wanted = Wanted(work.tls, sessions, work.parallel_requests, work.api)
    serving = peers[peer].start(ground, wanted)
    try:
        return how[work.kind](serving)
    finally:
        serving.stop()


@dataclass
class _Watch:
    """What was used while something ran."""

    cpu: float = 0.0
    openspp: float = 0.0
    machine: float = 0.0
    seconds: float = 0.0
    own: float = 0.0
    peak: int = 0
    added: int = 0
    balancer: float = 0.0
    busiest: float = 0.0


class _Measurement:
    def __init__(self, work: Work, peer: Peer, ground: Ground, tag: str) -> None:
        self._work = work
        self._peer = peer
        self._ground = ground
        self._tag = tag
        self._record = ground.openspp.record_path

    def uploads(self, serving: Serving) -> Run:
        """Clients that send scans; where OpenSPP is slow, new scanners come meanwhile."""
        rest = self._warm(serving)
        before = recorded(self._record)
        job = self._job(serving, self._clients())
        parallel = job.manner in ("each", "one")
        with contextlib.ExitStack() as stack:
            generators = stack.enter_context(Generators(job, MOST if parallel else 1))
            probe = stack.enter_context(self._probe(serving)) if self._work.slow else None
            with self._watched(serving, rest) as watch:
                generators.go()
                outcomes = generators.outcomes()
                if self._peer.delivers == "later":
                    count = before + self._work.total
                    wait_until_recorded(self._record, count, _DELIVERED_WITHIN)
            figures = _probed(probe) if probe is not None else {}
        return self._uploaded(serving, outcomes, watch, figures)

    def _uploaded(
        self,
        serving: Serving,
        outcomes: Sequence[Outcome],
        watch: _Watch,
        figures: dict[str, float],
    ) -> Run:
        work = self._work
        sent = _sent(outcomes, work.total)
        stored = self._check(serving, sent)
        began = min(outcome.began for outcome in outcomes)
        seconds = max(outcome.began + outcome.seconds for outcome in outcomes) - began
        took = sent[0].seconds
        if self._peer.delivers == "later":
            seconds = max(seconds, stored - began)
            took = stored - sent[0].began
        if work.slow:
            figures["ideal"] = work.ideal
        if work.manner == "together":
            figures["at_once"] = outcomes[0].figures["at_once"]
        load = sum(outcome.cpu_seconds for outcome in outcomes)
        used = watch.cpu + watch.balancer + watch.own + load
        if work.kind == "farm":
            figures |= {
                "cpu_balancer": watch.balancer,
                "cpu_openspp": watch.openspp * watch.seconds,
                "cpu_load": load,
                "busiest_node": watch.busiest,
            }
        value = {
            "MB/s": work.size / 1e6 / took,
            "scans/s": len(sent) / seconds,
            "s": seconds,
            "MB": watch.added / 2**20,
        }[work.unit]
        return Run(
            value,
            took if work.unit == "MB/s" else seconds,
            scans=len(sent),
            size=work.size,
            cpu=watch.cpu,
            peak=watch.peak,
            added=watch.added,
            load=max(outcome.cpu_seconds / outcome.seconds for outcome in outcomes),
            openspp=watch.openspp,
            machine=watch.machine,
            others=others(watch.machine, watch.openspp, used / watch.seconds),
            figures=figures,
        )

    def idle(self, serving: Serving) -> Run:
        """Sessions that have logged in and do nothing."""
        self._warm(serving)
        count = _FORKING_SESSIONS if self._peer.forks else self._work.idle
        began = time.monotonic()
        before = serving.program.memory()
        with Generators(self._idle_job(serving, count)) as generators:
            generators.go()
            generators.opened()
            time.sleep(_SETTLE_SECONDS)
            after = serving.program.memory()
            generators.end()
            _answered(generators.outcomes(), count)
        added = after.own - before.own
        seconds = time.monotonic() - began
        return Run(
            added / count / 1024,
            seconds,
            peak=after.total,
            added=added,
            figures={"sessions": count},
        )

    def crowd(self, serving: Serving) -> Run:
        """Idle sessions, and between them many that upload at the same time."""
        rest = self._warm(serving)
        with Generators(self._idle_job(serving, self._work.idle)) as idle:
            idle.go()
            idle.opened()
            with (
                Generators(self._job(serving, self._clients())) as generators,
                self._watched(serving, rest) as watch,
            ):
                generators.go()
                outcomes = generators.outcomes()
            idle.end()
            _answered(idle.outcomes(), self._work.idle)
        served = {"uploading": outcomes[0].figures["at_once"], "idle": float(self._work.idle)}
        return self._uploaded(serving, outcomes, watch, served)

    def soak(self, serving: Serving) -> Run:
        """Many scans, one in eleven fails; afterwards all must be as before."""
        warm = replace(self._work, scans=-(-self._work.scans // 10))
        warming = _Measurement(warm, self._peer, self._ground, f"{self._tag}-warm")
        warming.work_through(serving)
        program = serving.program
        time.sleep(_SETTLE_SECONDS)
        rest = program.memory()
        before = {
            "memory_before": float(rest.own),
            "descriptors_before": program.descriptors(),
            "threads_before": program.threads(),
        }
        arrived = recorded(self._record)
        with self._watched(serving, rest) as watch:
            outcomes = self.work_through(serving)
        check_count(self._record, arrived, self._work.total)
        patience = Patience(20.0, "")
        with contextlib.suppress(TimeoutError):
            while (
                program.descriptors() > before["descriptors_before"]
                or program.threads() > before["threads_before"]
            ):
                patience.pause(0.2)
        after = {
            "memory_after": float(program.memory().own),
            "descriptors_after": program.descriptors(),
            "threads_after": program.threads(),
        }
        return self._uploaded(serving, outcomes, watch, {**before, **after})

    def work_through(self, serving: Serving) -> Sequence[Outcome]:
        """All scans of a soak and the failing ones between them."""
        clients = tuple(
            replace(client, scans=tuple(_with_faults(client.scans, number)))
            for number, client in enumerate(self._clients())
        )
        with Generators(self._job(serving, clients), MOST) as generators:
            generators.go()
            return generators.outcomes()

    def _clients(self) -> tuple[Client, ...]:
        return tuple(
            self._client(
                number,
                tuple(Scan(f"{self._tag}-{number}-{scan}.pdf") for scan in range(self._work.scans)),
            )
            for number in range(self._work.clients)
        )

    def _client(self, number: int, scans: tuple[Scan, ...] = ()) -> Client:
        user = self._peer.user or USERS[number % len(USERS)]
        address = _address(number % _ADDRESSES)
        return Client(user, password_of(user, self._work.api), address, scans)

    def _job(self, serving: Serving, clients: tuple[Client, ...]) -> Job:
        return Job(
            self._work.manner,
            serving.host,
            serving.port,
            self._work.tls,
            str(content(self._ground.folder, self._work.size)),
            self._peer.folder,
            clients,
        )

    def _idle_job(self, serving: Serving, count: int) -> Job:
        clients = tuple(self._client(number) for number in range(count))
        return Job("idle", serving.host, serving.port, self._work.tls, clients=clients)

    def _warm(self, serving: Serving) -> Memory:
        """One small scan, so that all is loaded; the memory before it, at rest.

        In a farm one from each address that will come, so that each node has its own.
        """
        rest = serving.program.memory()
        before = recorded(self._record)
        count = self._work.clients if self._work.kind == "farm" else 1
        user = self._peer.user or USERS[-1]
        password = password_of(user, self._work.api)
        clients = tuple(
            Client(user, password, _address(number), (Scan(f"{self._tag}-warm-{number}.pdf"),))
            for number in range(count)
        )
        job = self._job(serving, clients)
        path = str(content(self._ground.folder, _WARM_SIZE))
        outcome = Generator(replace(job, manner="each", content=path)).run()
        sent = _sent([outcome], count)
        if self._peer.delivers == "later":
            wait_until_recorded(self._record, before + count, _DELIVERED_WITHIN)
        self._check(serving, sent)
        return rest

    @contextlib.contextmanager
    def _probe(self, serving: Serving) -> Iterator[Generators]:
        client = replace(self._client(0), source="127.0.99.99")
        job = Job("probe", serving.host, serving.port, False, clients=(client,))
        with Generators(job) as probe:
            probe.go()
            yield probe

    @contextlib.contextmanager
    def _watched(self, serving: Serving, rest: Memory) -> Iterator[_Watch]:
        watch = _Watch()
        openspp = self._ground.openspp
        began, own, machine = time.monotonic(), time.process_time(), MachineLoad()
        cpu, of_openspp = serving.program.cpu_seconds(), openspp.cpu_seconds()
        of_each, balancer = serving.program.cpu_of_each(), serving.balancer
        of_balancer = balancer.cpu_seconds() if balancer is not None else 0.0
        with Sampler(serving.program, self._work.interval) as sampler:
            yield watch
            watch.seconds = time.monotonic() - began
            watch.machine = machine.share()
            watch.own = time.process_time() - own
            watch.cpu = serving.program.cpu_seconds() - cpu
            watch.openspp = (openspp.cpu_seconds() - of_openspp) / watch.seconds
            watch.balancer = balancer.cpu_seconds() - of_balancer if balancer is not None else 0.0
            used = [
                now - of_each.get(number, 0.0)
                for number, now in serving.program.cpu_of_each().items()
            ]
            watch.busiest = max(used, default=0.0) / watch.seconds
        watch.peak = sampler.peak.total
        watch.added = sampler.peak.own - rest.own

    def _check(self, serving: Serving, sent: Sequence[Sent]) -> float:
        if self._peer.delivers == "never":
            check_files(serving.store / self._peer.folder, sent)
            return 0.0
        return check_record(self._ground.openspp, sent)


def _with_faults(scans: Sequence[Scan], number: int) -> Iterator[Scan]:
    for index, scan in enumerate(scans):
        yield scan
        if index % 10 == 9:
            fault = _FAULTS[(index // 10 + number) % len(_FAULTS)]
            ending = ".exe" if fault == "refused" else ".pdf"
            yield Scan(f"{scan.name.removesuffix('.pdf')}-{fault}{ending}", fault)


def _address(number: int) -> str:
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


def _sent(outcomes: Sequence[Outcome], count: int) -> list[Sent]:
    """All that was acknowledged. Raises Failed unless it is all."""
    failed = [line for outcome in outcomes for line in outcome.failed]
    sent = [one for outcome in outcomes for one in outcome.sent]
    if failed or len(sent) != count:
        raise Failed(f"{len(sent)} of {count} scans acknowledged; {'; '.join(failed[:3])}")
    return sent


def _answered(outcomes: Sequence[Outcome], count: int) -> None:
    failed = [line for outcome in outcomes for line in outcome.failed]
    if failed or sum(outcome.figures["answered"] for outcome in outcomes) != count:
        raise Failed(f"not all of {count} idle sessions were served; {'; '.join(failed[:3])}")


def _probed(probe: Generators) -> dict[str, float]:
    probe.end()
    (outcome,) = probe.outcomes()
    if outcome.failed:
        raise Failed(f"a new scanner was not served: {outcome.failed[0]}")
    return dict(outcome.figures)
