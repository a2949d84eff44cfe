"""Daemon and embedded OpenSPP as processes of the test, and what is done to them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator

from tests.acceptance.grounds import Ground
from tests.acceptance.promises import until


class Processes:
    """The operator of the checkout's own daemon (scenarios.Operator)."""

    def __init__(self, ground: Ground) -> None:
        self._daemon = ground.daemon
        self._openspp = ground.openspp

    def stop_openspp(self) -> None:
        self._openspp.signal(signal.SIGTERM)
        self._openspp.wait()

    def kill_openspp(self) -> None:
        self._openspp.kill()

    def signal_openspp(self, number: signal.Signals) -> None:
        self._openspp.signal(number)

    def start_openspp(self) -> None:
        self._openspp.start()

    def kill_daemon(self) -> None:
        self._daemon.kill()
        self._daemon.start()

    def restart_daemon(self) -> None:
        self._daemon.signal(signal.SIGTERM)
        status = self._daemon.wait(60)
        assert status == 0, f"the daemon ended with {status}"
        self._daemon.start()

    def configuration(self) -> str:
        return self._daemon.configuration.read_text()

    def reload_daemon(self, configuration: str, good: bool) -> None:
        said = "Configuration reloaded" if good else "Configuration not reloaded"
        count = self._daemon.log().count(said)
        self._daemon.configuration.write_text(configuration)
        self._daemon.signal(signal.SIGHUP)
        assert until(lambda: self._daemon.log().count(said) > count, 30), f"no word of {said}"

    def kill_a_worker(self, chance: random.Random) -> None:
        workers = self._daemon.workers()
        assert workers, "there are no workers"
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(sorted(workers)), signal.SIGKILL)

    @contextlib.contextmanager
    def filled_tmpfs(self) -> Iterator[None]:
        ballast = self._daemon.spool / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(64 * 1024)):
                    pass
            yield
        finally:
            ballast.unlink()
