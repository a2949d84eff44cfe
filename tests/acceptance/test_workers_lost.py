"""What happens to workers, and to the one who minds them, happens to no acknowledged scan."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.promises import until
from tests.acceptance.running import Daemon
from tests.acceptance.scanner import end_properly
from tests.acceptance.test_sudden_death import SEED, Load
from tests.acceptance.test_workers import addresses, served_by

LONG = 60.0
"""Seconds to wait at most for what comes at once on an idle machine."""


@pytest.fixture
def ground(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[Ground]:
    with served_by(2, tmp_path, certificate, {"log": {"level": "info"}}) as made:
        yield made


def replaced(daemon: Daemon, before: list[int]) -> bool:
    """Whether as many serve as before, and not the same ones."""

    def others() -> bool:
        now = daemon.workers()
        return len(now) == len(before) and set(now) != set(before)

    return until(others, LONG)


def is_gone(process: int) -> bool:
    """Whether the process has ended (a zombie has: it waits for whoever inherits it)."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def refuses(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


class TestAWorkerThatIsKilled:
    def test_under_load_no_acknowledged_scan_is_lost(self, ground: Ground) -> None:
        chance = random.Random(SEED)
        with Load(ground) as load:
            for _ in range(4):
                load.wait_for_more()
                time.sleep(chance.uniform(0.1, 0.8))
                before = ground.daemon.workers()
                os.kill(chance.choice(before), signal.SIGKILL)
                assert replaced(ground.daemon, before)
            load.wait_for_more()
        load.check()
        log = ground.daemon.log()
        assert log.count("was killed by signal 9 (Killed)") == 4
        assert "Traceback" not in log
        assert until(lambda: ground.daemon.spooled_bytes() == 0)

    def test_its_scanners_see_an_end_and_the_others_nothing(self, ground: Ground) -> None:
        ours, theirs = next(addresses(0, 2)), next(addresses(1, 2))
        with ground.logged_in(source=ours) as lost, ground.logged_in(source=theirs) as other:
            for scanner in (lost, other):
                scanner.begin("page.pdf").sendall(pdf(200_000)[:100_000])
            before = ground.daemon.workers()
            os.kill(before[0], signal.SIGKILL)
            with pytest.raises(ConnectionError):
                lost.answer()
            data = other._data[0]
            data.sendall(pdf(200_000)[100_000:])
            data.close()
            assert other.answer().code == 226
            assert replaced(ground.daemon, before)
            with ground.logged_in(source=ours) as again:
                assert again.store("again.pdf", pdf(2000)).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(200_000), "again.pdf": pdf(2000)})
        assert "; 1 session of it ended. Another takes its place at once." in ground.daemon.log()

    def test_its_sessions_are_counted_out(self, tmp_path: Path) -> None:
        options = {"limits": {"sessions": "4"}}
        with (
            served_by(2, tmp_path, options=options) as ground,
            contextlib.ExitStack() as closing,
        ):

            def greeting(address: str) -> int:
                return closing.enter_context(ground.scanner(source=address)).greeting.code

            ours, theirs = addresses(0, 2), addresses(1, 2)
            assert [greeting(next(ours)) for _ in range(3)] == [220] * 3
            assert greeting(next(theirs)) == 220
            assert greeting(next(theirs)) == 421
            before = ground.daemon.workers()
            os.kill(before[0], signal.SIGKILL)
            assert replaced(ground.daemon, before)
            assert [greeting(next(theirs)) for _ in range(4)] == [220] * 3 + [421]

    def test_again_and_again_it_is_replaced_later(self, ground: Ground) -> None:
        """Nobody is kept waiting meanwhile, and nothing turns without end."""
        ours, theirs = next(addresses(0, 2)), next(addresses(1, 2))
        for wait in ("at once", "in 1 s", "in 2 s"):
            before = ground.daemon.workers()
            (victim,) = set(before) - {self.serving(ground, theirs)}
            os.kill(victim, signal.SIGKILL)
            assert until(partial(self.told, ground, f"takes its place {wait}."), LONG)
            if wait == "in 2 s":
                with ground.scanner(source=ours) as refused:
                    assert refused.greeting.code == 421
                with ground.logged_in(source=theirs) as other:
                    assert other.store("page.pdf", pdf(2000)).code == 226
            assert replaced(ground.daemon, before)
        before_cpu = ground.daemon.cpu_seconds()
        time.sleep(1)
        assert ground.daemon.cpu_seconds() - before_cpu < 0.5

    def told(self, ground: Ground, words: str) -> bool:
        return words in ground.daemon.log()

    def serving(self, ground: Ground, address: str) -> int:
        """The worker that serves this address: the one whose end a session of it would see."""
        with ground.scanner(source=address) as scanner:
            local = f"{scanner.connection.getsockname()[1]:04X}"
            for process in ground.daemon.workers():
                descriptors = list(Path(f"/proc/{process}/fd").iterdir())
                inodes = {str(each.readlink()) for each in descriptors if each.is_symlink()}
                for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
                    fields = line.split()
                    mine = fields[2].endswith(f":{local}")
                    if mine and f"socket:[{fields[9]}]" in inodes:
                        return process
        raise AssertionError("nobody serves it")


class TestAWorkerThatHangs:
    def test_it_is_killed_and_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WATCHDOG_USEC", "6000000")  # as WatchdogSec=6s would
        with served_by(2, tmp_path) as ground:
            ours, theirs = next(addresses(0, 2)), next(addresses(1, 2))
            before = ground.daemon.workers()
            with ground.logged_in(source=ours) as lost, ground.logged_in(source=theirs) as other:
                os.kill(before[0], signal.SIGSTOP)
                assert replaced(ground.daemon, before)
                with pytest.raises(ConnectionError):
                    lost.command("NOOP")
                assert other.store("page.pdf", pdf(2000)).code == 226
            log = ground.daemon.log()
            assert f"Worker 1 (process {before[0]}) did not answer for 6 s and was killed" in log
            assert "Worker 2" not in log
            with ground.logged_in(source=ours) as again:
                assert again.store("again.pdf", pdf(2000)).code == 226

    def test_one_that_is_only_slow_to_answer_scanners_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WATCHDOG_USEC", "3000000")
        with served_by(2, tmp_path) as ground, ground.logged_in() as scanner:
            before = ground.daemon.workers()
            assert scanner.store("page@slow=7.pdf", pdf(2000)).code == 226
            assert ground.daemon.workers() == before


class TestTheParent:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
    def test_after_its_sudden_end_no_process_is_left(
        self, number: signal.Signals, ground: Ground
    ) -> None:
        workers = ground.daemon.workers()
        os.kill(workers[0], signal.SIGSTOP)  # one that hangs is gone as well
        with ground.logged_in(source=next(addresses(1, 2))) as scanner:
            scanner.begin("page.pdf").sendall(pdf(2000)[:1000])
            ground.daemon.signal(number)
            ground.daemon.wait(30)
            assert until(lambda: all(is_gone(worker) for worker in workers), 30)
            with contextlib.suppress(ConnectionError):
                assert scanner.answer().code == 426  # it was quick to see that it is alone
        ground.daemon.start()
        with ground.logged_in() as scanner:
            assert scanner.store("afterwards.pdf", pdf(2000)).code == 226

    def test_a_signal_to_all_processes_is_one_signal(self, ground: Ground) -> None:
        """As systemd and a terminal send it: a scan under way is still finished."""
        for number in (signal.SIGHUP, signal.SIGINT):
            with ground.logged_in(source=next(addresses(1, 2))) as scanner:
                data = scanner.begin(f"{number.name}.pdf")
                data.sendall(pdf(100_000)[:50_000])
                for process in (ground.daemon.pid, *ground.daemon.workers()):
                    os.kill(process, number)
                time.sleep(1)
                data.sendall(pdf(100_000)[50_000:])
                data.close()
                assert scanner.answer().code == 226
        assert ground.daemon.wait(30) == 0
        log = ground.daemon.log()
        assert (log.count("Configuration reloaded"), log.count("Stopping:")) == (1, 1)
        assert "Traceback" not in log
        assert "was killed" not in log  # both ended by themselves

    def test_sigterm_under_load_cuts_nobody_off(self, ground: Ground) -> None:
        with Load(ground) as load:
            for _ in range(2):
                load.wait_for_more()
                workers = ground.daemon.workers()
                ground.daemon.signal(signal.SIGTERM)
                assert ground.daemon.wait(30) == 0
                assert all(is_gone(worker) for worker in workers)
                ground.daemon.start()
            load.wait_for_more()
        load.check()
        assert set(load.replies) == {226}

    def test_a_second_sigterm_ends_at_once(self, ground: Ground) -> None:
        with contextlib.ExitStack() as closing:
            for number in range(2):
                source = next(addresses(number, 2))
                scanner = closing.enter_context(ground.logged_in(source=source))
                scanner.begin(f"{number}.pdf").sendall(pdf(2000)[:1000])
            ground.daemon.signal(signal.SIGTERM)
            assert until(lambda: "Stopping:" in ground.daemon.log(), 30)
            assert until(partial(refuses, ground.daemon.port), 30)  # no worker listens either
            assert ground.daemon.process is not None
            assert ground.daemon.process.poll() is None
            ground.daemon.signal(signal.SIGTERM)
            assert ground.daemon.wait(8) == 0  # drain_within is 20 s

    def test_a_worker_that_hangs_does_not_hold_up_the_stop(self, tmp_path: Path) -> None:
        options = {"ftp": {"drain_within": "1s"}, "openspp": {"answer_within": "1s"}}
        with served_by(2, tmp_path, options=options) as ground:
            os.kill(ground.daemon.workers()[0], signal.SIGSTOP)
            ground.daemon.signal(signal.SIGTERM)
            assert ground.daemon.wait(40) == 0


class TestReload:
    def test_it_holds_for_new_sessions_in_every_worker(self, ground: Ground) -> None:
        every = [next(addresses(number, 2)) for number in range(2)]
        self.reload(ground, "uploads", {"max_size": "10K"}, "Configuration reloaded")
        for address in every:
            with ground.logged_in(source=address) as scanner:
                scanner.begin(f"{address}.bin").sendall(noise(20_000))
                assert scanner.answer().code == 552
        self.reload(ground, "limits", {"sessions_per_address": "1"}, "Configuration reloaded")
        for address in every:
            with ground.scanner(source=address) as first, ground.scanner(source=address) as second:
                assert (first.greeting.code, second.greeting.code) == (220, 421)

    def test_a_worker_that_comes_later_has_it_too(self, ground: Ground) -> None:
        self.reload(ground, "uploads", {"max_size": "10K"}, "Configuration reloaded")
        before = ground.daemon.workers()
        os.kill(before[0], signal.SIGKILL)
        assert replaced(ground.daemon, before)
        with ground.logged_in(source=next(addresses(0, 2))) as scanner:
            scanner.begin("page.bin").sendall(noise(20_000))
            assert scanner.answer().code == 552

    @pytest.mark.parametrize(
        ("section", "wrong"),
        [("ftp", {"listen": "?"}), ("tls", {"certificate": "/nowhere.pem"})],
    )
    def test_a_bad_file_changes_nothing_and_is_told_once(
        self, section: str, wrong: dict[str, str], ground: Ground
    ) -> None:
        before = ground.daemon.workers()
        self.reload(ground, section, wrong, "Configuration not reloaded")
        assert ground.daemon.log().count("Configuration not reloaded") == 1
        assert ground.daemon.workers() == before
        for number in range(2):
            source = next(addresses(number, 2))
            with ground.logged_in(tls="explicit", source=source) as scanner:
                name = f"{source}.pdf"
                data = scanner.begin(name)
                data.sendall(pdf(20_000))
                end_properly(data)
                assert scanner.answer().code == 226

    def test_another_number_of_workers_waits_for_a_restart(self, ground: Ground) -> None:
        self.reload(ground, "ftp", {"workers": "3"}, "Configuration reloaded")
        assert "[ftp] workers was changed; it takes effect with the next restart." in (
            ground.daemon.log()
        )
        for number in range(2):
            ours = addresses(number, 2)
            for count in range(5):
                with ground.logged_in(source=next(ours)) as scanner:
                    assert scanner.store(f"{number}-{count}.pdf", pdf(2000)).code == 226
        assert len(ground.daemon.workers()) == 2

    def reload(self, ground: Ground, section: str, values: dict[str, str], said: str) -> None:
        """Change options, send SIGHUP, and wait until the journal says what came of it."""
        sections = ground.daemon.sections
        changed = {**sections, section: {**sections.get(section, {}), **values}}
        ground.daemon.write_configuration(changed)
        count = ground.daemon.log().count(said)
        ground.daemon.signal(signal.SIGHUP)
        assert until(lambda: ground.daemon.log().count(said) == count + 1, 30)
