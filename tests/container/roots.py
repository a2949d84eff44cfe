"""A fresh Debian of each release as a folder, made once by mmdebstrap and used again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

TREE: Final = Path(__file__).resolve().parents[2]
CACHE: Final = TREE / "build" / "roots"
RELEASES: Final = ("bookworm", "trixie")

POOL: Final = "/srv/debian"
"""Within a root: a repository of those Debian packages that the package may need."""

_INSTALLED: Final = "curl,iproute2,man-db,procps,systemd-sysv"
_TOOLS: Final = "autopkgtest"  # Debian's tool for a package's own tests, as the release has it
_NEEDED: Final = (
    "python3 python3-openssl python3-prometheus-client python3-requests python3-systemd ssl-cert"
)
_NEEDED_BY_RELEASE: Final = {
    "bookworm": _NEEDED,
    "trixie": f"{_NEEDED} python3-pyasyncore python3-standard-asynchat",
}
# A machine has no network: what apt is to install lies in a repository of its own.
_FILL_POOL: Final = f"""\
set -e
chroot "$1" apt-get clean
chroot "$1" apt-get install --yes --quiet --download-only NEEDED < /dev/null
chroot "$1" apt-get install --yes --quiet --download-only --no-install-recommends \
    {_TOOLS} < /dev/null
mkdir -p "$1{POOL}"
mv "$1"/var/cache/apt/archives/*.deb "$1{POOL}"
cd "$1{POOL}"
apt-ftparchive packages . > Packages
rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*
rm -f "$1"/var/lib/man-db/auto-update  # takes seconds with every package
echo 'deb [trusted=yes] file:{POOL} ./' > "$1"/etc/apt/sources.list.d/debian.list
"""


class NoRoot(Exception):
    """A root could not be made; the text is the reason in one line."""


def root_of(release: str) -> Path:
    """The folder of a fresh Debian; it is never written to. Raises NoRoot."""
    hook = _FILL_POOL.replace("NEEDED", _NEEDED_BY_RELEASE[release])
    recipe = hashlib.sha256(f"{_INSTALLED}\n{hook}".encode()).hexdigest()[:12]
    root = CACHE / f"{release}-{recipe}"
    if root.exists():
        return root
    CACHE.mkdir(parents=True, exist_ok=True)
    for outdated in CACHE.glob(f"{release}-*"):
        shutil.rmtree(outdated)
    new = CACHE / f"{release}-new"
    log = CACHE.with_name(f"roots-{release}.log")
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={_INSTALLED}"]
    command += [f"--customize-hook={hook}", release, str(new), *_mirror()]
    try:
        with log.open("wb") as output:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=True,
                timeout=900,
            )
    except (OSError, subprocess.SubprocessError) as error:
        said = log.read_text(errors="replace").splitlines()
        first = next((line for line in said if line.startswith("E: ")), str(error))
        raise NoRoot(f"mmdebstrap made no {release}: {first} ({log} has more)") from None
    new.rename(root)
    return root


def _mirror() -> list[str]:
    """Debian's mirror as this machine's apt has it; none for mmdebstrap's own choice."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"]
    told = subprocess.run([*command, "Created-By: Packages"], stdout=subprocess.PIPE, text=True)
    found = [line.split()[-1] for line in told.stdout.splitlines() if line.startswith("Debian ")]
    return [uri for uri in found if "security" not in uri][:1]
