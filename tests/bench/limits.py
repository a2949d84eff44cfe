"""The limits: curl with a body made beforehand, and what one core does with the bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Final

from tests.acceptance.running import TREE
from tests.bench.checking import check_record
from tests.bench.contents import STAMP, body, content, stamp_of
from tests.bench.jobs import Sent
from tests.bench.peers import PASSWORD, USERS, Ground
from tests.bench.programs import MachineLoad, others
from tests.bench.results import Run
from tests.bench.works import Work

_SECONDS: Final = 600.0


def core(work: Work, ground: Ground) -> Run:
    """base64 and SHA-256 of one scan, one after the other."""
    source = content(ground.folder, work.size)
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.core", str(source)],
        check=True,
        capture_output=True,
        cwd=TREE,
        timeout=_SECONDS,
    )
    figures: dict[str, float] = json.loads(told.stdout)
    seconds = figures["base64"] + figures["sha256"]
    return Run(
        work.size / 1e6 / seconds, seconds, scans=1, size=work.size, cpu=seconds, figures=figures
    )


def curl(work: Work, ground: Ground, tag: str) -> Run:
    """All scans of the work as prepared bodies, posted by one curl: several clients' in parallel.

    Raises checking.Lost.
    """
    folder = ground.folder / "bodies"
    folder.mkdir()
    try:
        return _post(work, ground, tag)
    finally:
        shutil.rmtree(folder)


def _post(work: Work, ground: Ground, tag: str) -> Run:
    source = content(ground.folder, work.size)
    user = USERS[0]
    names = [f"{tag}-{number}.pdf" for number in range(work.total)]
    lines: list[str] = []
    for number, name in enumerate(names):
        path = ground.folder / "bodies" / str(number)
        body(source, path, user, PASSWORD, name)
        lines += [
            f'url = "{ground.openspp.url}/dms/upload"',
            f'upload-file = "{path}"',
            'request = "POST"',
            'header = "Content-Type: application/json"',
            'header = "Expect:"',
            'output = "/dev/null"',
            "fail",
            "next",
        ]
    options = ground.folder / "curl.conf"
    options.write_text("\n".join(lines[:-1]) + "\n")
    command = ["curl", "--no-progress-meter", "--config", str(options)]
    if work.clients > 1:
        command[1:1] = ["--parallel", "--parallel-max", str(work.parallel_requests)]
    openspp, machine = ground.openspp.cpu_seconds(), MachineLoad()
    usage, wall, began = os.times(), time.time(), time.monotonic()
    subprocess.run(command, check=True, timeout=_SECONDS)
    seconds = time.monotonic() - began
    after = os.times()
    cpu = after.children_user + after.children_system - usage.children_user - usage.children_system
    share = (ground.openspp.cpu_seconds() - openspp) / seconds
    busy = machine.share()
    common = source.read_bytes()[STAMP:]
    check_record(
        ground.openspp,
        [
            Sent(user, name, work.size, _hash(stamp_of(name), common), wall, seconds)
            for name in names
        ],
    )
    value = work.size / 1e6 / seconds if work.unit == "MB/s" else work.total / seconds
    return Run(
        *(value, seconds, work.total, work.size, cpu),
        load=cpu / seconds,
        openspp=share,
        machine=busy,
        others=others(busy, share, cpu / seconds),
    )


def _hash(stamp: bytes, common: bytes) -> str:
    digest = hashlib.sha256(stamp)
    digest.update(common)
    return digest.hexdigest()
