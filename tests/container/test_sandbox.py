"""What systemd, and the tests that Debian would run, say of the installed package."""

from __future__ import annotations

import re

from tests.container.installed import Installed

UNITS = ("openspp-ftpd.service", "openspp-ftpd.socket", "openspp-ftpd-ftps.socket")


class TestSystemd:
    def test_verify_is_silent(self, running: Installed) -> None:
        assert running.run("systemd-analyze", "verify", *UNITS) == ""

    def test_security_is_1_1_at_most(self, running: Installed) -> None:
        said = running.run("systemd-analyze", "security", "--threshold=11", UNITS[0])
        exposure = re.search(r"exposure level for \S+ ([\d.]+)", said)
        assert exposure
        assert float(exposure[1]) <= 1.1

    def test_the_daemon_has_no_capability_no_core_and_a_filter(self, running: Installed) -> None:
        status = running.read(f"/proc/{running.pid}/status")
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"):
            assert line in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        limits = running.read(f"/proc/{running.pid}/limits")
        assert re.search(r"Max core file size +0 +0 ", limits)

    def test_the_journal_has_no_complaint_of_systemd_about_it(self, running: Installed) -> None:
        found = running.entries("--priority=warning", "_PID=1", "UNIT=openspp-ftpd.service")
        said = [each["MESSAGE"] for each in found]
        # It was not configured yet when the machine booted.
        assert [
            text for text in said if "'exit-code'" not in text and "Failed to start" not in text
        ] == []
