"""The signed repository that `make repo` makes, of this version and of a next one."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import openspp_ftpd
from tests.acceptance.promises import at_once
from tests.container.roots import TREE

VERSION: Final = openspp_ftpd.__version__
NEXT_VERSION: Final = f"{VERSION}+next"
NEW_COMMENT: Final = "# What the next version says of it."
"""A line that is in the configuration of the next version and not in this one's."""

_OWNER: Final = "OpenSPP packaging <packaging@openspp.invalid>"


@dataclass(frozen=True, slots=True)
class Repositories:
    """Folders as `make repo` makes them."""

    this: Path
    next: Path


def repositories_in(folder: Path) -> Repositories:
    """Both, built in this folder unless they are there.

    What is in the tree now is built, whatever is edited meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    this, following = folder / "this", folder / "next"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            for outdated in (this, following):
                shutil.rmtree(outdated, ignore_errors=True)
            _make(TREE, "build/pyftpdlib")  # kept there, for it takes a download
            shutil.copytree(TREE, this, symlinks=True, ignore=_made_by_tools)
            shutil.copytree(this, following, symlinks=True)
            _become_next(following)
            at_once(*(partial(_make, each, "repo", "nocheck") for each in (this, following)))
            (folder / "made").touch()
    return Repositories(this / "dist/repo", following / "dist/repo")


def _become_next(tree: Path) -> None:
    changelog = tree / "debian/changelog"
    entry = f"openspp-ftpd ({NEXT_VERSION}) unstable; urgency=medium\n\n  * The next one.\n\n"
    entry += f" -- {_OWNER}  Mon, 23 Nov 2026 12:00:00 +0000\n\n"
    changelog.write_text(entry + changelog.read_text("utf-8"), "utf-8")
    module = tree / "openspp_ftpd/__init__.py"
    module.write_text(module.read_text("utf-8").replace(f'"{VERSION}"', f'"{NEXT_VERSION}"'))
    shipped = tree / "etc/openspp-ftpd.conf"
    shipped.write_text(shipped.read_text("utf-8") + f"\n{NEW_COMMENT}\n", "utf-8")


def _make(tree: Path, target: str, build_options: str = "") -> None:
    made = subprocess.run(
        # What it needs was installed by who runs these tests, and apt serves one at a time.
        ["make", "--no-print-directory", "--old-file=deps", target],
        cwd=tree,
        env={**os.environ, "DEB_BUILD_OPTIONS": build_options},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert made.returncode == 0, f"make {target}:\n{made.stdout}"


def _made_by_tools(folder: str, names: list[str]) -> set[str]:
    """What a copy of the tree does not need; the built pyftpdlib it does."""
    unwanted = {"__pycache__"}
    if Path(folder) == TREE:
        unwanted |= {".git", "dist", ".repository-key", ".hypothesis"}
        unwanted |= {name for name in names if name.endswith("cache")}
    if Path(folder) == TREE / "build":
        unwanted |= set(names) - {"pyftpdlib"}
    return unwanted.intersection(names)
