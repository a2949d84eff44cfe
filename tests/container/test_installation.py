"""An administrator installs the package, sets one line, and the first scan arrives."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.clients import Way, curl
from tests.acceptance.documents import sha256
from tests.acceptance.promises import pdf
from tests.container.conftest import Installation
from tests.container.installed import CONFIGURATION, PORT, Installed


class TestAptInstall:
    def test_it_says_what_to_do_next_and_nothing_of_errors(
        self, installation: Installation
    ) -> None:
        said = installation.said
        ours = said[said.index("Setting up openspp-ftpd") :].splitlines()
        assert (
            f"openspp-ftpd: not started yet. Set url in {CONFIGURATION}, then:"
            " systemctl start openspp-ftpd"
        ) in ours
        for word in ("error", "fail", "warning", "unable", "cannot"):
            assert word not in "\n".join(ours).lower()

    def test_it_brings_pyftpdlib_from_the_same_repository(self, untouched: Installed) -> None:
        version = untouched.run("dpkg-query", "-W", "-f", "${Version}", "python3-pyftpdlib")
        assert version == "2.2.0-0openspp1"

    def test_the_service_is_enabled_and_its_sockets_are_not(self, untouched: Installed) -> None:
        assert untouched.systemctl("is-enabled").strip() == "enabled"
        for socket in ("openspp-ftpd.socket", "openspp-ftpd-ftps.socket"):
            assert untouched.attempt("systemctl", "is-enabled", socket).output.strip() == "disabled"

    def test_the_configuration_is_root_s_and_readable_by_the_daemon_alone(
        self, untouched: Installed
    ) -> None:
        stat = untouched.run("stat", "--format=%U:%G %a", CONFIGURATION).strip()
        assert stat == "root:openspp-ftpd 640"

    def test_the_user_cannot_log_in_and_has_no_home(self, untouched: Installed) -> None:
        *_, home, shell = untouched.run("getent", "passwd", "openspp-ftpd").strip().split(":")
        assert (home, shell) == ("/nonexistent", "/usr/sbin/nologin")

    def test_what_apt_unpacked_is_unchanged(self, untouched: Installed) -> None:
        # The configuration's owner was set: ??5?????? would be a changed content.
        said = untouched.attempt("dpkg", "--verify", "openspp-ftpd").output
        assert said == ""

    def test_the_manual_pages_are_there(self, untouched: Installed) -> None:
        page = untouched.run("man", "--pager=cat", "5", "openspp-ftpd.conf")
        assert "answer_within" in page
        assert "journalctl" in untouched.run("man", "--pager=cat", "8", "openspp-ftpd")


class TestUntilUrlIsSet:
    def test_after_a_boot_it_waits_and_says_for_what(self, untouched: Installed) -> None:
        status = untouched.status()
        assert f"{untouched.line_of('url')}: [openspp] url: https://openspp.example.org" in status
        assert untouched.show("ActiveState") == "failed"
        assert untouched.show("NRestarts") == "0"

    def test_a_start_says_the_same(self, untouched: Installed) -> None:
        assert f"{untouched.line_of('url')}: [openspp] url" in untouched.refuses("start")


class TestFirstScan:
    def test_one_line_and_a_start_are_all_it_takes(self, fresh: Installed, tmp_path: Path) -> None:
        fresh.start_openspp()
        fresh.run("sed", "-i", f"s|^url = .*|url = {fresh.url}|", CONFIGURATION)
        fresh.systemctl("start")
        scans = {}
        for tls in ("", "explicit"):
            content = pdf()
            file = tmp_path / f"scan{tls}.pdf"
            file.write_bytes(content)
            with fresh.network():
                sent = curl(Way(tls, False, PORT), [file])
            assert sent.replies.count("226 Transfer complete. OpenSPP has it.") == 1, sent.output
            scans[file.name] = sha256(content)
        assert {each["filename"]: each["sha256"] for each in fresh.record()} == scans

    def test_check_agrees_before_the_start(self, fresh: Installed) -> None:
        fresh.configure(url=fresh.url)
        said = fresh.run("openspp-ftpd", "check", "--config", CONFIGURATION)
        assert said.startswith(f"{CONFIGURATION} is fine")

    def test_check_finds_nothing_that_keeps_scans_away(self, running: Installed) -> None:
        found = json.loads(running.attempt("openspp-ftpd", "check", "--json").output)
        wrong = [each for each in found["findings"] if each["level"] == "failed"]
        assert wrong == []
        assert found["configuration"] == CONFIGURATION

    def test_it_comes_up_with_the_next_boot(self, machine: Installed) -> None:
        assert machine.show("NRestarts") == "0"
        machine.serves()  # booted just now, and nobody started it


class TestRemoval:
    def test_remove_stops_it_and_keeps_the_configuration(self, machine: Installed) -> None:
        machine.apt("remove", "openspp-ftpd")
        assert machine.attempt("pgrep", "--full", "openspp-ftpd serve").output == ""
        assert machine.url in machine.read(CONFIGURATION)
        assert machine.run("systemctl", "--failed", "--no-legend") == ""

    def test_installed_again_it_goes_on_as_before(self, machine: Installed) -> None:
        machine.apt("remove", "openspp-ftpd")
        machine.apt("install", "openspp-ftpd")
        machine.start_openspp()
        machine.serves()

    def test_purge_leaves_nothing(self, machine: Installed) -> None:
        machine.systemctl("stop")
        machine.run("systemctl", "enable", "--now", "openspp-ftpd.socket")
        machine.systemctl("start")
        machine.serves()
        machine.stop_openspp()
        machine.apt("purge", "openspp-ftpd")
        found = machine.sh(
            "find / -xdev -path /media -prune -o -iname '*openspp*' -print;"
            " find /run /tmp -iname '*openspp*'"
        )
        keepers = ("/etc/apt/", "/var/lib/apt/", "/var/cache/apt/")
        assert [path for path in found.splitlines() if not path.startswith(keepers)] == []
        assert machine.attempt("getent", "passwd", "openspp-ftpd").status == 2
        assert machine.attempt("getent", "group", "openspp-ftpd").status == 2
        assert (
            machine.attempt("systemctl", "list-unit-files", "--no-legend", "*openspp*").output == ""
        )
        assert machine.run("systemctl", "--failed", "--no-legend") == ""
