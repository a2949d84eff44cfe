"""Programs of Debian's packages that are unpacked and not installed: nothing of them is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

PACKAGES: Final = ("vsftpd", "pure-ftpd", "pure-ftpd-common")
_LIBRARIES: Final = ("libwrap0", "libsodium23", "libnsl2", "libcap2", "libtirpc3", "libtirpc3t64")
_APT: Final = ("-o", "APT::Sandbox::User=root")


class NotUnpacked(Exception):
    """The packages could not be had."""


def unpacked(folder: Path) -> Path:
    """The root below which the packages lie, downloaded and unpacked the first time.

    Raises NotUnpacked, with what to do.
    """
    root = folder / "root"
    if root.is_dir():
        return root
    downloads = folder / "packages"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    wanted = [*PACKAGES, *(name for name in _LIBRARIES if not _is_installed(name))]
    known = [name for name in wanted if name in PACKAGES or _is_known(name)]
    try:
        _download(known, downloads)
        new = folder / "root.new"
        shutil.rmtree(new, ignore_errors=True)
        for package in downloads.glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(new)], downloads)
    except (OSError, subprocess.CalledProcessError) as error:
        words = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise NotUnpacked(
            f"{', '.join(PACKAGES)} cannot be had from Debian ({words[-1] if words else error}); "
            "see to the network, or apt-get update"
        ) from error
    new.rename(root)
    return root


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for what is unpacked there."""
    return ":".join(sorted({str(path.parent) for path in root.glob("**/lib/**/*.so*")}))


def _download(packages: list[str], into: Path) -> None:
    download = ["apt-get", "download", *_APT, *packages]
    try:
        _run(download, into)
    except subprocess.CalledProcessError:
        # A machine whose lists are missing or old.
        with contextlib.suppress(subprocess.CalledProcessError):
            _run(["apt-get", "update", "-o", "DPkg::Lock::Timeout=120"], into)
        _run(download, into)


def _is_installed(package: str) -> bool:
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True
    )
    return told.stdout == "installed"


def _is_known(package: str) -> bool:
    told = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True)
    return "Candidate: " in told.stdout and "Candidate: (none)" not in told.stdout


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )
