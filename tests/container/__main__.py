"""`python3 -m tests.container` runs the tests of this folder for all releases at the same time.

Files that are named are run alone, and options of pytest are handed on to it.
A line for each step is shown at once, the rest when a release has ended. Where no machine can be
booted (no root, no control groups, no Debian within reach) one line says why, and that is all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from queue import SimpleQueue

from tests.container.packages import repositories_in
from tests.container.ready import NotHere, fresh_root
from tests.container.roots import RELEASES, TREE


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.container")
    parser.add_argument("files", nargs="*", default=["tests/container"])
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        results: SimpleQueue[tuple[bool, str]] = SimpleQueue()
        for release in RELEASES:
            threading.Thread(
                target=lambda release: results.put(
                    _tests_on(release, Path(folder), [*options, *arguments.files])
                ),
                args=(release,),
                daemon=True,
            ).start()
        good = True
        for _ in RELEASES:
            passed, said = results.get()
            print(said, flush=True)
            good = good and passed
    return 0 if good else 1


def _tests_on(release: str, folder: Path, arguments: list[str]) -> tuple[bool, str]:
    """Whether all passed, and what was said that is no step."""
    repositories = folder / "repositories"
    try:
        fresh_root(release)
        repositories_in(repositories)
    except NotHere as reason:
        return True, f"{release}: the installed package is not tested: {reason}"
    except AssertionError as failed:
        return False, f"{release}: the package is not built: {failed}"
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "tests.container.steps"]
    command += [f"--override-ini=cache_dir={folder / release}", "-k", release, *arguments]
    command += ["--override-ini=faulthandler_timeout=900"]  # some steps take minutes
    command += [f"--repositories={repositories}"]
    rest = []
    with subprocess.Popen(
        command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pytest:
        assert pytest.stdout
        for line in pytest.stdout:
            if line.startswith(f"{release}: "):
                print(line, end="", flush=True)
            else:
                rest.append(line)
    return pytest.returncode == 0, f"Of {release}:\n{''.join(rest).strip()}"


if __name__ == "__main__":
    sys.exit(main())
