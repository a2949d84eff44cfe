"""`apt upgrade` to the next version: scans under way arrive, the administrator's file stays."""

from __future__ import annotations

from tests.acceptance.promises import STORED, at_once, pdf
from tests.acceptance.scanner import Scanner
from tests.container.installed import CONFIGURATION, PORT, Installed
from tests.container.packages import NEW_COMMENT, NEXT_VERSION, VERSION

KEEP_CHANGED = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")


def version(machine: Installed) -> str:
    """The installed one."""
    return machine.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "openspp-ftpd")


class TestConfigured:
    def test_the_scan_under_way_arrives_and_the_file_stays(self, machine: Installed) -> None:
        machine.start_openspp("--slow-upload", "4")
        machine.add_next_repository()
        ours, pid, content = machine.read(CONFIGURATION), machine.pid, pdf()

        def scan() -> str:
            with Scanner(PORT, "explicit") as scanner:
                scanner.login()
                answer = scanner.store("under-way.pdf", content)
                return f"{answer.code} {answer.text}"

        with machine.network():
            reply, _ = at_once(scan, lambda: machine.apt(*KEEP_CHANGED, "dist-upgrade"))
        assert reply == STORED
        assert machine.stored(content) == ["under-way.pdf"]
        assert version(machine) == f"installed {NEXT_VERSION}"
        assert machine.run("openspp-ftpd", "--version").split()[-1] == NEXT_VERSION
        assert machine.read(CONFIGURATION) == ours
        assert NEW_COMMENT in machine.read(f"{CONFIGURATION}.dpkg-dist")
        stat = machine.run("stat", "--format=%U:%G %a", CONFIGURATION).strip()
        assert stat == "root:openspp-ftpd 640"
        assert machine.show("ActiveState") == "active"
        assert machine.pid != pid
        machine.serves()

    def test_with_mistakes_in_the_file_the_old_one_goes_on(self, machine: Installed) -> None:
        machine.add_next_repository()
        machine.configure(answer_within="soon")
        pid = machine.pid
        said = machine.apt(*KEEP_CHANGED, "dist-upgrade")
        assert "openspp-ftpd: left as it was, for its configuration has mistakes:" in said
        assert f"{machine.line_of('answer_within')}: [openspp] answer_within" in said
        assert version(machine) == f"installed {NEXT_VERSION}"
        assert machine.pid == pid
        machine.configure(answer_within="45s")
        machine.systemctl("restart")
        machine.serves()


class TestUnconfigured:
    def test_the_new_file_comes_and_nothing_is_started(self, fresh: Installed) -> None:
        assert version(fresh) == f"installed {VERSION}"
        fresh.add_next_repository()
        said = fresh.apt("dist-upgrade")
        assert "openspp-ftpd: not started yet. Set url in" in said
        assert NEW_COMMENT in fresh.read(CONFIGURATION)
        stat = fresh.run("stat", "--format=%U:%G %a", CONFIGURATION).strip()
        assert stat == "root:openspp-ftpd 640"
        assert fresh.pid == 0
