"""The benchmark measures what it says, and a lost scan spoils it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.acceptance.haproxy import BALANCER
from tests.acceptance.running import TREE
from tests.bench.__main__ import as_object, bench, failed, main
from tests.bench.checking import Lost, check_count, check_files
from tests.bench.farm import FARMS
from tests.bench.goals import goals
from tests.bench.jobs import Sent
from tests.bench.peers import PEERS, CannotStart, Ground, Serving, Wanted
from tests.bench.programs import Patience, Program
from tests.bench.results import Row, Run
from tests.bench.table import table, verdicts
from tests.bench.works import CORE, CURL, WORKS, Work, soak

OURS = "ours-1"
TINY = Work(
    *("tiny", "2 x 2 scans of 20 kB", "scans/s", (OURS, "pyftpdlib", CURL)),
    clients=2,
    scans=2,
    size=20_000,
)


def only(rows: list[Row]) -> Row:
    """The one row, which has been measured."""
    (row,) = rows
    assert row.problem == ""
    return row


class TestAWorkIsMeasured:
    def test_scans_are_counted_and_the_shares_of_all_are_told(self) -> None:
        work = replace(TINY, scans=15, size=200_000)  # CPU time is told in hundredths of a second
        row = only(bench([work], [OURS], PEERS, 2))
        assert len(row.runs) == 2
        for run in row.runs:
            assert run.scans == 30
            assert run.value == pytest.approx(30 / run.seconds)
            assert run.cpu > 0
            assert run.peak > 10 * 2**20  # a Python process
            assert run.load > 0
            assert run.openspp > 0
            assert 0 < run.machine <= 1

    def test_one_scan_over_tls_is_timed_from_stor_to_226(self) -> None:
        work = replace(TINY, unit="MB/s", clients=1, scans=1, size=3_000_001, tls=True)
        run = only(bench([work], [OURS], PEERS, 1)).runs[0]
        assert run.value == pytest.approx(3.000001 / run.seconds)

    def test_the_limits_are_measured_over_the_same_bytes(self) -> None:
        work = replace(TINY, peers=(CURL, CORE))
        curl, core = bench([work], [CURL, CORE], PEERS, 1)
        assert curl.problem == core.problem == ""
        assert curl.runs[0].scans == 4
        assert core.figure("base64") > 0
        assert core.figure("sha256") > 0

    def test_all_can_be_in_the_middle_of_a_scan_at_once(self) -> None:
        work = replace(TINY, manner="together", clients=12, scans=1, unit="MB")
        row = only(bench([work], [OURS], PEERS, 1))
        assert row.runs[0].scans == 12
        assert row.figure("at_once") == 12

    def test_idle_sessions_and_a_crowd_between_them_are_served(self) -> None:
        idle = replace(TINY, kind="idle", idle=20, unit="kB")
        assert only(bench([idle], [OURS], PEERS, 1)).figure("sessions") == 20
        crowd = replace(TINY, kind="crowd", manner="together", scans=1, idle=20, unit="s")
        row = only(bench([crowd], [OURS], PEERS, 1))
        assert (row.figure("uploading"), row.figure("idle")) == (2, 20)

    def test_a_slow_openspp_has_an_ideal_and_new_scanners_meanwhile(self) -> None:
        row = only(bench([replace(TINY, slow=True, unit="s")], [OURS], PEERS, 1))
        assert row.figure("ideal") == pytest.approx(1.2)
        assert row.value >= 1.2
        assert row.figure("probes") > 1
        assert row.figure("noop_p99") > 0

    def test_a_soak_compares_before_and_after(self) -> None:
        row = only(bench([soak(80)], [OURS], PEERS, 1))
        assert row.runs[0].scans == 80
        assert row.figure("descriptors_after") > 0
        assert row.figure("threads_after") > 0
        assert {goal.name for goal in goals([row]) if goal.value is not None} == {
            "memory grown by the soak",
            "descriptors grown by the soak",
            "threads grown by the soak",
        }

    def test_at_rest_ready_is_awaited(self) -> None:
        row = only(bench([WORKS["rest"]], [OURS], PEERS, 1))
        assert row.value > 10
        assert row.figure("ready") > 0.05


class TestAFarmIsMeasured:
    NODE = "ours-haproxy-1"
    WORK = replace(TINY, kind="farm", peers=(OURS, NODE), size=200_000)

    def test_scanners_reach_the_node_with_their_own_addresses(self) -> None:
        logs: list[str] = []

        def start(ground: Ground, wanted: Wanted) -> Serving:
            serving = FARMS[self.NODE].start(ground, wanted)
            assert serving.host == BALANCER
            return _Logging(**vars(serving), path=ground.folder / "farm.log", logs=logs)

        peers = {self.NODE: replace(FARMS[self.NODE], start=start)}
        row = only(bench([replace(self.WORK, scans=1)], [self.NODE], peers, 1))
        assert row.runs[0].scans == 2
        (log,) = logs
        for address in ("127.0.1.1", "127.0.1.2"):
            assert f"at {address} logged in" in log
        assert f"at {BALANCER}" not in log

    def test_what_the_balancer_takes_is_told_beside_none(self) -> None:
        work = replace(self.WORK, scans=30)  # CPU time is told in hundredths of a second
        direct, balanced = bench([work], [OURS, self.NODE], {**PEERS, **FARMS}, 1)
        assert direct.problem == balanced.problem == ""
        assert direct.figure("cpu_balancer") == 0
        assert balanced.figure("cpu_balancer") > 0
        assert balanced.figure("busiest_node") > 0
        assert f"{self.NODE}: CPU ms/scan: gateway " in table([direct, balanced])


class TestALostScanSpoilsIt:
    def test_one_that_was_acknowledged_and_is_not_in_openspp(self) -> None:
        liar = replace(PEERS["pyftpdlib"], delivers="before")
        rows = bench([TINY], ["pyftpdlib"], {"pyftpdlib": liar}, 1)
        assert rows[0].problem.startswith("LOST: ")
        assert failed(rows)
        assert "NOT MEASURED: 2 x 2 scans of 20 kB, pyftpdlib: LOST" in table(rows)

    @pytest.mark.parametrize("stored", [None, b"some other", b"cut"])
    def test_one_that_is_stored_otherwise(self, tmp_path: Path, stored: bytes | None) -> None:
        if stored is not None:
            (tmp_path / "scan.pdf").write_bytes(stored)
        digest = "a0a5f4ad0d3ab8cd8ea0f1d4e2e6e1c2ba0ae0fbf9aa9c7d1f9f9b3c4e9d2a11"
        with pytest.raises(Lost):
            check_files(tmp_path, [Sent("alice", "scan.pdf", 10, digest, 0.0, 0.0)])

    def test_one_that_arrives_and_was_not_acknowledged(self, tmp_path: Path) -> None:
        record = tmp_path / "record.jsonl"
        check_count(record, 0, 0)
        record.write_text("{}\n" * 5)
        check_count(record, 2, 3)
        with pytest.raises(Lost):
            check_count(record, 2, 2)

    def test_what_ours_refuses_is_a_failure_too(self) -> None:
        work = replace(TINY, size=2_000_000)
        small = replace(PEERS[OURS], start=_with_small_limit)
        rows = bench([work], [OURS], {OURS: small}, 1)
        assert "0 of 4 scans acknowledged" in rows[0].problem
        assert "552" in rows[0].problem
        assert failed(rows)

    def test_a_peer_that_cannot_run_here_is_named_and_no_failure(self) -> None:
        away = replace(PEERS["pyftpdlib"], start=_away)
        rows = bench([TINY], ["pyftpdlib"], {"pyftpdlib": away}, 1)
        assert rows[0].problem == "needs root"
        assert not failed(rows)


@dataclass(frozen=True)
class _Logging(Serving):
    """Keeps what its nodes wrote."""

    path: Path = Path()
    logs: list[str] = field(default_factory=list)

    def stop(self) -> None:
        super().stop()
        self.logs.append(self.path.read_text())


def _away(ground: Ground, wanted: Wanted) -> Serving:
    raise CannotStart("needs root")


def _with_small_limit(ground: Ground, wanted: Wanted) -> Serving:
    """Ours, reloaded with a limit below the scans of the work."""
    serving = PEERS[OURS].start(ground, wanted)
    path = ground.folder / "openspp-ftpd.conf"
    path.write_text(path.read_text().replace("max_size = 1G", "max_size = 1M"))
    serving.program.members()[0].send_signal(1)
    patience = Patience(30, "no reload")
    while "reloaded" not in serving.program.log():
        patience.pause()
    return serving


class TestWhatIsPrinted:
    @staticmethod
    def row(work: str, peer: str, run: Run) -> Row:
        return Row(WORKS[work], peer, (run,))

    def test_the_table_has_a_line_for_each_and_names_what_limited_it(self) -> None:
        run = Run(123.4, 5.0, 640, 200_000, 2.56, 41 << 20, 11 << 20, 0.1, 0.95, 0.8)
        text = table([self.row("many", OURS, run)])
        line = next(line for line in text.splitlines() if OURS in line)
        told = line.partition(OURS)[2]
        figures = ["123", "scans/s", "4.00", "20.0", "41.0", "11.0", "10%", "95%", "80%", "0%"]
        assert told.split() == [*figures, "OpenSPP"]

    def test_ratios_are_computed_from_the_rows_of_the_run(self) -> None:
        rows = [
            self.row("scan", OURS, Run(0, 2.6)),
            self.row("scan", "vsftpd", Run(0, 0.5)),
            self.row("scan", CORE, Run(0, 0.5)),
            self.row("scan", CURL, Run(0, 1.0)),
            self.row("many", OURS, Run(100, 1, 100, 200_000, cpu=0.5, openspp=1.0)),
            self.row("many", "pure-ftpd", Run(25, 1)),
        ]
        text = verdicts(goals(rows))
        assert "met     256 MB, plain: STOR to 226 / (vsftpd + one core + curl): 1.30" in text
        assert "MISSED  32 x 20, plain: scans/s, ours / pure-ftpd: 4.00 (at least 5)" in text
        assert "limited by OpenSPP" in text
        assert "CPU of the daemon per scan: 5.00 ms (at most 4 ms)" in text
        assert "TLS" not in text  # nothing of it was measured

    def test_a_row_with_a_problem_is_in_no_ratio(self) -> None:
        rows = [
            self.row("many", OURS, Run(100, 1, 1, 1)),
            replace(self.row("many", "pure-ftpd", Run(1, 1)), problem="LOST: one"),
        ]
        assert "pure-ftpd" not in verdicts(goals(rows))

    def test_json_holds_all_figures(self) -> None:
        told = json.loads(json.dumps(as_object([self.row("many", OURS, Run(9, 1, 1, 1))], 1, 2.0)))
        (row,) = told["rows"]
        assert (row["work"], row["peer"], row["median"]) == ("many", OURS, 9)
        assert row["runs"][0]["seconds"] == 1
        assert {"name", "value", "limit", "met"} <= set(told["goals"][0])


class TestTheCommandLine:
    def test_one_work_of_one_peer_is_printed_and_written(self, tmp_path: Path) -> None:
        path = tmp_path / "figures.json"
        options = ["--work=rest", f"--peer={OURS}", "--runs=1", f"--json={path}"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench", *options],
            cwd=TREE,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "memory at rest, one worker" in done.stdout
        assert [row["peer"] for row in json.loads(path.read_text())["rows"]] == [OURS]

    @pytest.mark.parametrize("option", ["--work", "--peer"])
    def test_an_unknown_name_is_answered_with_those_that_are(
        self, option: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([option, "nonesuch"]) == 2
        told = capsys.readouterr().err
        assert "nonesuch is not known" in told
        assert ("many-tls" if option == "--work" else "pure-ftpd") in told


class TestAProgramsTree:
    BUSY = "import time\nwhile time.process_time() < 0.3: pass"

    def test_cpu_of_orphans_that_have_ended_counts(self, tmp_path: Path) -> None:
        script = f"( {sys.executable} -c '{self.BUSY}' & ) ; sleep 60"
        with Program(["sh", "-c", script], tmp_path / "log") as program:
            patience = Patience(30, "the orphan's time is not counted")
            while program.cpu_seconds() < 0.25 or len(program.members()) > 2:
                patience.pause()

    def test_nothing_outlives_it(self, tmp_path: Path) -> None:
        with Program(["sh", "-c", "( sleep 61 & ) ; sleep 60"], tmp_path / "log") as program:
            patience = Patience(30, "two of them do not run")
            while len(members := [one for one in program.members() if one.name() == "sleep"]) < 2:
                patience.pause()
        assert not [one for one in members if one.is_running()]
