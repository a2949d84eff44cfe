"""Certificate, spool, swap, clock and service: what is said of each state."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openspp_ftpd.doctor import machine
from openspp_ftpd.doctor.findings import Finding, Level
from openspp_ftpd.doctor.service import Unit, check_service
from openspp_ftpd.settings import (
    MIB,
    LimitSettings,
    OpenSPPSettings,
    Settings,
    TlsSettings,
    UploadSettings,
)
from tests.unit import certificates

NOW = datetime.now(UTC)
RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "StatusText": "Listening on 0.0.0.0:8002.",
    "TemporaryFileSystem": "/var/spool/openspp-ftpd:size=50%,mode=1777",
    "MemorySwapMax": "0",
}


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


class TestCertificate:
    def certificate(self, folder: Path, days: int) -> TlsSettings:
        made = certificates.make(
            folder,
            valid_from=NOW - timedelta(days=30),
            valid_for=timedelta(days=30 + days, hours=1),
        )
        return TlsSettings(certificate=made.certificate, key=made.key)

    @pytest.mark.parametrize(
        ("days", "level", "words"),
        [
            (300, Level.FINE, "300 days left"),
            (9, Level.WARNING, "9 days left"),
            (-2, Level.WARNING, "expired on"),
        ],
    )
    def test_its_days_are_counted(
        self, days: int, level: Level, words: str, tmp_path: Path
    ) -> None:
        finding = only(list(machine.check_certificate(self.certificate(tmp_path, days), NOW)))
        assert finding.level is level
        assert words in finding.text

    def test_one_of_the_future_hints_at_the_clock(self, tmp_path: Path) -> None:
        settings = self.certificate(tmp_path, 300)
        early = NOW - timedelta(days=60)
        finding = only(list(machine.check_certificate(settings, early)))
        assert finding.level is Level.WARNING
        assert "clock" in finding.mend

    def test_a_missing_one_is_named_with_its_option(self, tmp_path: Path) -> None:
        settings = TlsSettings(certificate=str(tmp_path / "none.pem"), key=str(tmp_path / "k.pem"))
        finding = only(list(machine.check_certificate(settings, NOW)))
        assert finding.level is Level.FAILED
        assert "none.pem" in finding.text

    def test_tls_off_is_warned_of(self) -> None:
        finding = only(list(machine.check_certificate(TlsSettings(mode="off"), NOW)))
        assert finding.level is Level.WARNING


class TestSpool:
    def settings(self, max_size: int = 25 * MIB, sessions: int = 256) -> Settings:
        return Settings(
            OpenSPPSettings("https://openspp"),
            uploads=UploadSettings(directory="/var/spool/openspp-ftpd", max_size=max_size),
            limits=LimitSettings(sessions=sessions),
        )

    def unit(self, options: str, **more: str) -> Unit:
        mount = f"/var/spool/openspp-ftpd:{options}"
        return Unit({**RUNNING, "TemporaryFileSystem": mount, **more})

    @pytest.mark.parametrize(
        ("options", "level", "words"),
        [
            ("size=1G,mode=1777", Level.FINE, "1024 MiB, 40 scans"),
            ("size=51200k", Level.WARNING, "50 MiB, 2 scans"),
            ("size=16m", Level.FAILED, "16 MiB, 0 scans"),
            ("mode=1777", Level.FINE, "1000 MiB, 40 scans"),
            ("size=25%", Level.FINE, "500 MiB, 20 scans"),
            ("size=104857600", Level.FINE, "100 MiB, 4 scans"),
        ],
    )
    def test_the_units_tmpfs_is_counted_in_scans(
        self, options: str, level: Level, words: str, tmp_path: Path
    ) -> None:
        meminfo = tmp_path / "meminfo"
        meminfo.write_text(f"MemTotal:       {2000 * 1024} kB\nMemFree: 1 kB\n")
        found = list(machine.check_spool(self.settings(), self.unit(options), meminfo))
        assert found[0].level is level
        assert words in found[0].text

    def test_few_sessions_need_no_room_for_four(self, tmp_path: Path) -> None:
        found = list(machine.check_spool(self.settings(sessions=2), self.unit("size=50m")))
        assert found[0].level is Level.FINE

    def test_a_directory_elsewhere_is_looked_at_itself(self) -> None:
        settings = Settings(
            OpenSPPSettings("https://openspp"), uploads=UploadSettings(directory="/nowhere")
        )
        finding = next(machine.check_spool(settings, Unit({})))
        assert finding.level is Level.FAILED

    def test_memory_that_may_be_swapped_is_warned_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine, "_swap_is_on", lambda: True)
        unit = self.unit("size=1G", MemorySwapMax="infinity")
        _, finding = machine.check_spool(self.settings(), unit)
        assert (finding.about, finding.level) == ("swap", Level.WARNING)
        _, finding = machine.check_spool(self.settings(), self.unit("size=1G"))
        assert (finding.about, finding.level) == ("swap", Level.FINE)


class TestClock:
    @pytest.mark.parametrize(("said", "level"), [("yes", Level.FINE), ("no", Level.WARNING)])
    def test_whether_it_is_kept_right(self, said: str, level: Level, tmp_path: Path) -> None:
        program = tmp_path / "timedatectl"
        program.write_text(f"#!/bin/sh\necho {said}\n")
        program.chmod(0o755)
        assert only(list(machine.check_clock(str(program)))).level is level

    def test_elsewhere_nothing_is_said(self, tmp_path: Path) -> None:
        assert list(machine.check_clock(str(tmp_path / "none"))) == []


class TestService:
    def test_one_that_runs_says_its_own_sentence(self) -> None:
        finding = only(list(check_service(Unit(RUNNING))))
        assert finding.level is Level.FINE
        assert finding.text == "Listening on 0.0.0.0:8002."

    @pytest.mark.parametrize(
        ("state", "level", "mend"),
        [
            ({"ActiveState": "inactive"}, Level.WARNING, "systemctl start"),
            ({"ActiveState": "failed", "ExecMainStatus": "78"}, Level.FAILED, "journalctl"),
            ({"ActiveState": "failed", "ExecMainStatus": "1"}, Level.FAILED, "journalctl"),
            ({"ActiveState": "activating"}, Level.WARNING, "look again"),
            ({"UnitFileState": "disabled"}, Level.WARNING, "systemctl enable"),
        ],
        ids=["stopped", "mistakes", "failed", "starting", "disabled"],
    )
    def test_any_other_says_what_to_do(
        self, state: dict[str, str], level: Level, mend: str
    ) -> None:
        finding = list(check_service(Unit({**RUNNING, **state})))[-1]
        assert finding.level is level
        assert mend in finding.mend

    def test_no_unit_at_all(self) -> None:
        assert only(list(check_service(Unit({})))).level is Level.WARNING
