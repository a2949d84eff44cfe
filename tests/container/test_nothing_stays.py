"""A scan lives in memory that only the daemon sees, and is found nowhere afterwards."""

from __future__ import annotations

import re
import subprocess

from tests.acceptance.promises import SECRETS, at_once, pdf, unique
from tests.acceptance.scanner import Scanner, end_properly, reset
from tests.container.installed import PORT, SPOOL, Installed, until


def on_disk(machine: Installed) -> list[str]:
    """Files on the machine's disk in which a secret of these tests is.

    Not those of the program, for the embedded OpenSPP has its users' passwords in its source.
    """
    patterns = b"\n".join(SECRETS)
    found = subprocess.run(
        ["grep", "-rlaF", "-f", "-", "."], cwd=machine.disk, input=patterns, capture_output=True
    )
    assert found.returncode in (0, 1), found.stderr
    program = "./usr/lib/python3/dist-packages/openspp_ftpd/"
    return [path for path in found.stdout.decode().splitlines() if not path.startswith(program)]


def spool_mounts(machine: Installed) -> list[str]:
    """The lines of all processes' mounts that are the daemon's tmpfs."""
    said = machine.sh(f"grep -hs ' {SPOOL} ' /proc/[0-9]*/mountinfo || true")
    return sorted(set(said.splitlines()))


def open_files(machine: Installed) -> list[str]:
    """What the daemon has open that is a file with or without a name."""
    listed = machine.sh(f"cd /proc/{machine.pid}/fd; readlink * || true").splitlines()
    return [path for path in listed if path.startswith("/") and not path.startswith("/dev/")]


class TestTmpfs:
    def test_nobody_else_sees_it(self, running: Installed) -> None:
        content = pdf(300_000)
        with running.scanner() as scanner:
            data = scanner.begin(unique("private.pdf"))
            data.sendall(content[:200_000])
            assert until(lambda: any(path.startswith(SPOOL) for path in open_files(running)))
            # No name, also where the daemon looks; and nothing at all outside.
            inside = running.in_daemon_s_view("find", SPOOL, "-type", "f")
            outside = running.run("find", SPOOL, "-mindepth", "1")
            assert (inside.output, outside) == ("", "")
            assert SPOOL not in running.read("/proc/1/mountinfo")
            data.sendall(content[200_000:])
            end_properly(data)
            assert scanner.answer().code == 226
        assert until(lambda: not any(path.startswith(SPOOL) for path in open_files(running)))

    def test_a_scan_under_way_is_open_there_and_in_no_other_file(self, running: Installed) -> None:
        before = set(open_files(running))
        with running.scanner("explicit") as scanner:
            data = scanner.begin(unique("open.pdf"))
            data.sendall(pdf(300_000)[:200_000])
            assert until(lambda: set(open_files(running)) > before)
            (only,) = set(open_files(running)) - before
            reset(data)
            assert scanner.answer().code == 426
        assert re.fullmatch(rf"{SPOOL}/.*\(deleted\)", only)

    def test_it_executes_nothing(self, running: Installed) -> None:
        (mount,) = spool_mounts(running)
        assert {"nosuid", "nodev", "noexec"} <= set(mount.split()[5].split(","))
        program = f"{SPOOL}/program"
        assert running.in_daemon_s_view("cp", "/bin/true", program).status == 0
        ran = running.in_daemon_s_view(program)
        running.in_daemon_s_view("rm", program)
        assert "Permission denied" in ran.output

    def test_it_is_limited_and_a_scanner_is_told(self, machine: Installed) -> None:
        example = machine.read("/usr/share/doc/openspp-ftpd/examples/larger-spool.conf")
        machine.drop_in("spool", example.replace("size=4G", "size=4M"))
        machine.systemctl("restart")
        assert machine.send(pdf(6_000_000)).startswith("452 ")
        machine.serves()

    def test_half_of_the_memory_is_what_it_has_at_first(self, running: Installed) -> None:
        size = running.in_daemon_s_view("df", "--output=size", SPOOL).output.split()[-1]
        memory = re.search(r"MemTotal:\s+(\d+)", running.read("/proc/meminfo"))
        assert memory
        assert abs(int(size) / int(memory[1]) - 0.5) < 0.01


class TestAfterwards:
    def test_after_a_stop_it_is_gone(self, machine: Installed) -> None:
        machine.serves()
        assert len(spool_mounts(machine)) == 1
        machine.systemctl("stop")
        assert spool_mounts(machine) == []
        assert machine.run("find", SPOOL, "-mindepth", "1") == ""
        assert machine.attempt("ls", "/run/openspp-ftpd").status != 0

    def test_after_a_kill_in_mid_scan_the_next_one_is_empty(self, machine: Installed) -> None:
        with machine.scanner() as scanner:
            data = scanner.begin("killed.pdf")
            data.sendall(pdf(300_000)[:200_000])
            assert until(lambda: any(path.startswith(SPOOL) for path in open_files(machine)))
            machine.run("kill", "-KILL", str(machine.pid))
        assert until(lambda: machine.show("NRestarts") == "1")
        assert until(lambda: machine.show("ActiveState") == "active")
        assert len(spool_mounts(machine)) == 1
        assert machine.in_daemon_s_view("find", SPOOL, "-type", "f").output == ""
        assert on_disk(machine) == []

    def test_no_document_and_no_password_is_on_the_disk_or_in_the_journal(
        self, machine: Installed
    ) -> None:
        machine.configure(level="debug", answer_within="2s")
        machine.systemctl("reload")
        machine.serves()
        for name in ("a@http=500.pdf", "b@result=400.pdf", "c@garbage.pdf", "d@drop-after.pdf"):
            machine.send(pdf(300_000), name=unique(name))
        with machine.scanner() as scanner:
            reset(scanner.begin("cut.pdf"))
            scanner.answer()

        def cut() -> None:
            with Scanner(PORT, "explicit") as scanner:
                scanner.login()
                data = scanner.begin(unique("lost.pdf"))
                data.sendall(pdf(300_000)[:100_000])

        with machine.network():
            at_once(*[cut] * 4)
        machine.systemctl("stop")
        machine.run("journalctl", "--sync")
        assert on_disk(machine) == []
        # The journal may compress what it has on the disk.
        journal = machine.run("journalctl", "--no-pager", "--all", "--output=export").encode()
        assert b"OPENSPP_EVENT=protocol" in journal
        assert [secret for secret in SECRETS if secret in journal] == []

    def test_the_search_finds_what_is_there(self, fresh: Installed) -> None:
        fresh.write("/var/tmp/left", pdf().decode("latin-1"))
        assert on_disk(fresh) == ["./var/tmp/left"]
