"""Whether machines can be booted here, and with which root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.container.machine import Machine, NoMachine
from tests.container.roots import NoRoot, root_of


class NotHere(Exception):
    """No machine can be booted here; the text says why in one line."""


def fresh_root(release: str) -> Path:
    """A fresh Debian that has booted here once, without anything of ours on it. Raises NotHere."""
    if os.geteuid() != 0:
        raise NotHere("booting machines needs root")
    missing = [name for name in ("mmdebstrap", "systemd-nspawn") if not shutil.which(name)]
    if missing:
        raise NotHere(f"{' and '.join(missing)} cannot be found: make deps")
    try:
        root = root_of(release)
        Machine(root).stop()
    except (NoRoot, NoMachine) as reason:
        raise NotHere(str(reason)) from None
    return root
