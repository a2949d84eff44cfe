"""A load generator, `python3 -m tests.bench.load`: a process, so that its own share is known.

It reads a job, says "ready", works when told "go", and writes its outcome. Idle sessions and probes
go on until "end".
"""

from __future__ import annotations

import hashlib
import mmap
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from tests.bench.contents import STAMP, stamp_of
from tests.bench.jobs import Client, Job, Outcome, Scan, Sent
from tests.bench.scanner import Content, Refused, Session, client_context, end, reset, send

_PROBE_PAUSE = 0.02
_OPENERS = 8
_MEETING_SECONDS = 60.0


class Generator:
    """Does a job and remembers what came of it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._context = client_context() if job.tls else None
        self._content = _content(job.content) if job.content else None
        self._hashes = {
            scan.name: self._hash(scan.name)
            for client in job.clients
            for scan in client.scans
            if not scan.fault
        }
        self._sent: list[Sent] = []
        self._failed: list[str] = []
        self._figures: dict[str, float] = {}
        self._meeting = threading.Barrier(max(1, len(job.clients)), self._all_are_there)

    def run(self) -> Outcome:
        """All of it."""
        began, started, cpu = time.time(), time.monotonic(), time.process_time()
        {
            "each": self._clients,
            "one": self._clients,
            "together": self._clients,
            "idle": self._idle,
            "probe": self._probe,
        }[self._job.manner]()
        return Outcome(
            began,
            time.monotonic() - started,
            time.process_time() - cpu,
            tuple(self._sent),
            tuple(self._failed),
            self._figures,
        )

    def _clients(self) -> None:
        manner: dict[str, Callable[[Client], None]] = {
            "each": self._each,
            "one": self._one,
            "together": self._together,
        }
        _in_threads([(manner[self._job.manner], client) for client in self._job.clients])

    def _each(self, client: Client) -> None:
        for scan in client.scans:
            try:
                self._whole_session(client, scan)
            except (OSError, Refused) as error:
                self._failed.append(f"{scan.name}: {error!r}")

    def _whole_session(self, client: Client, scan: Scan) -> None:
        with self._session(client) as session:
            if scan.fault == "password":
                _refused(530, lambda: session.login(client.user, "no-such-password"))
                return
            session.login(client.user, client.password)
            if scan.fault == "cut":
                self._cut(session, scan)
            elif scan.fault == "refused":
                _refused(553, lambda: self._store(session, client, scan))
            else:
                self._store(session, client, scan)
            session.quit()

    def _one(self, client: Client) -> None:
        try:
            with self._logged_in(client) as session:
                for scan in client.scans:
                    self._store(session, client, scan)
                session.quit()
        except (OSError, Refused) as error:
            self._failed.append(f"{client.user}: {error!r}")

    def _together(self, client: Client) -> None:
        """Half of the scan, wait until all others are there too, the other half."""
        try:
            with self._logged_in(client) as session:
                for scan in client.scans:
                    self._store(session, client, scan, self._meet)
                session.quit()
        except (OSError, Refused, threading.BrokenBarrierError) as error:
            self._meeting.abort()
            self._failed.append(f"{client.user}: {error!r}")

    def _all_are_there(self) -> None:
        self._figures["at_once"] = len(self._job.clients)

    def _meet(self) -> None:
        self._meeting.wait(_MEETING_SECONDS)

    def _session(self, client: Client) -> Session:
        return Session(self._job.port, client.source, self._context, self._job.host)

    def _logged_in(self, client: Client) -> Session:
        session = self._session(client)
        try:
            session.login(client.user, client.password)
        except BaseException:
            session.close()
            raise
        return session

    def _store(
        self,
        session: Session,
        client: Client,
        scan: Scan,
        halfway: Callable[[], None] | None = None,
    ) -> None:
        assert self._content is not None
        began, started = time.time(), time.monotonic()
        data = session.begin(self._job.folder + scan.name)
        stamp, size = stamp_of(scan.name), len(self._content)
        try:
            if halfway is not None:
                send(data, stamp, self._content, 0, size // 2)
                halfway()
            send(data, stamp, self._content, size // 2 if halfway is not None else 0, size)
        finally:
            end(data)
        session.expect("STOR", 226)
        seconds = time.monotonic() - started
        sha256 = self._hashes.get(scan.name, "")
        self._sent.append(Sent(client.user, scan.name, size, sha256, began, seconds))

    def _cut(self, session: Session, scan: Scan) -> None:
        assert self._content is not None
        data = session.begin(self._job.folder + scan.name)
        send(data, stamp_of(scan.name), self._content, 0, len(self._content) // 2)
        reset(data)
        session.expect("STOR", 426)

    def _hash(self, name: str) -> str:
        assert self._content is not None
        digest = hashlib.sha256(stamp_of(name))
        digest.update(self._content.view[STAMP:])
        return digest.hexdigest()

    def _idle(self) -> None:
        """Sessions that are logged in; at the end each must still answer."""
        sessions: list[Session] = []

        def opened(clients: tuple[Client, ...]) -> None:
            for client in clients:
                try:
                    sessions.append(self._logged_in(client))
                except (OSError, Refused) as error:
                    self._failed.append(f"idle session: {error!r}")

        clients = self._job.clients
        _in_threads([(opened, clients[first::_OPENERS]) for first in range(_OPENERS)])
        print("opened", flush=True)
        sys.stdin.readline()
        with ExitStack() as stack:
            for session in sessions:
                stack.enter_context(session)
            answered = 0
            for session in sessions:
                try:
                    session.command("NOOP", 200)
                    answered += 1
                except (OSError, Refused) as error:
                    self._failed.append(f"idle session: {error!r}")
        self._figures["answered"] = answered

    def _probe(self) -> None:
        """A new scanner every few milliseconds: how long greeting and NOOP take."""
        ended = threading.Event()

        def wait_for_the_end() -> None:
            sys.stdin.readline()
            ended.set()

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        greetings: list[float] = []
        answers: list[float] = []
        while not ended.wait(_PROBE_PAUSE):
            try:
                started = time.monotonic()
                with self._session(self._job.clients[0]) as session:
                    greeted = time.monotonic()
                    session.command("NOOP", 200)
                    answers.append(time.monotonic() - greeted)
                    greetings.append(greeted - started)
                    session.quit()
            except (OSError, Refused) as error:
                self._failed.append(f"new scanner: {error!r}")
        for name, values in (("greeting", greetings), ("noop", answers)):
            if len(values) > 1:
                self._figures[f"{name}_p50"] = statistics.median(values)
                self._figures[f"{name}_p99"] = statistics.quantiles(values, n=100)[98]
        self._figures["probes"] = len(greetings)


def _refused(code: int, action: Callable[[], None]) -> None:
    """That the server refuses with this code. Raises Refused when it does not."""
    try:
        action()
    except Refused as refusal:
        if refusal.code == code:
            return
        raise
    raise Refused("accepted", code, "what must be refused")


def _content(path: str) -> Content:
    descriptor = os.open(path, os.O_RDONLY)
    return Content(descriptor, memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)))


def _in_threads(calls: list[tuple[Callable[..., None], object]]) -> None:
    threads = [threading.Thread(target=call, args=(argument,)) for call, argument in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """One job."""
    generator = Generator(Job.from_json(sys.stdin.readline()))
    print("ready", flush=True)
    if sys.stdin.readline().strip() != "go":
        return
    with suppress(BrokenPipeError):
        print(generator.run().to_json(), flush=True)


if __name__ == "__main__":
    main()
