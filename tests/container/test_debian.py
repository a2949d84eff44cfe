"""What Debian's own tools for testing a package say: autopkgtest and piuparts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.container.installed import Installed
from tests.container.packages import Repositories
from tests.container.roots import TREE

SOURCE = "/usr/local/src/openspp-ftpd"


class TestAutopkgtest:
    def test_the_package_s_own_tests_pass_on_a_fresh_machine(self, bare: Installed) -> None:
        bare.apt("install", "--no-install-recommends", "autopkgtest")
        for name in ("changelog", "control", "tests/control", "tests/upload"):
            bare.write(f"{SOURCE}/debian/{name}", (TREE / "debian" / name).read_text("utf-8"))
        bare.write(f"{SOURCE}/debian/files", "")  # the source was built, on another machine
        # This machine is the isolated one that the tests want.
        command = "autopkgtest --ignore-restrictions=isolation-container --no-built-binaries"
        command += f" /media/usb/openspp-ftpd_*.deb {SOURCE}/ -- null"
        ran = bare.attempt("sh", "-c", command, seconds=900)
        assert ran.status == 0, ran.output
        assert re.search(r"(?m)^upload +PASS$", ran.output), ran.output


class TestPiuparts:
    def test_install_upgrade_and_purge_leave_what_was_there(
        self, root: Path, repositories: Repositories, tmp_path: Path
    ) -> None:
        chroot = tmp_path / "chroot"
        subprocess.run(["cp", "--archive", root, chroot], check=True)
        inside = ["chroot", str(chroot), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        # Its certificates stay after a purge, so they are there before.
        for command in (["update"], ["install", "--yes", "ssl-cert"]):
            subprocess.run([*inside, *command], check=True, capture_output=True)
        source = chroot / "etc/apt/sources.list.d/openspp-ftpd.list"
        source.write_text(f"deb [trusted=yes] file:{repositories.this} ./\n")
        (package,) = repositories.next.glob("openspp-ftpd_*_all.deb")
        release = root.name.partition("-")[0]
        ran = subprocess.run(
            [
                *("piuparts", "--tmpdir", tmp_path, "--existing-chroot", chroot),
                *("--distribution", release, "--keep-sources-list", "--no-eatmydata"),
                # debconf's passing file is left where piuparts is older than the release.
                *("--ignore-regex", r"/var/cache/debconf/tmp\.ci"),
                *("--bindmount", repositories.this, package),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
        told = "\n".join(line for line in ran.stdout.splitlines() if " DEBUG: " not in line)[-9000:]
        assert ran.returncode == 0, told
        for test in ("Installation and purging test", "Installation, upgrade and purging tests"):
            assert f"PASS: {test}." in ran.stdout, told
