"""Takes out one guard of the daemon after the other, in a copy, and lets the fuzzers find it.

A fuzzer that finds nothing may look nowhere. Here stands, for each thing that must never happen,
what keeps it from happening, and by what words it must be found. `python3 -m tests.fuzz.guards`
plays all of them, or those that are named; each takes up to the minute and a half of the fuzzing
in `make test`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

TREE: Final = Path(__file__).resolve().parents[2]
_COPIED: Final = ("openspp_ftpd", "tests", "etc", "debian", "systemd")


@dataclass(frozen=True)
class Guard:
    """One guard, and by what it must be missed.

    changes: each a file below openspp_ftpd, a text that stands there once, and what it becomes.
    first: the file of fuzzers that begins. found: a pattern for what the failure says.
    """

    name: str
    invariant: str
    changes: tuple[tuple[str, str, str], ...]
    first: str
    found: str


_FORM: Final = "every reply is a line of three digits and text"
_ORDER: Final = "the n-th command gets the n-th final reply"
_HAS: Final = "226 to an upload exactly when OpenSPP has the bytes"
_ELSE: Final = "226 to nothing else"
_CLEAR: Final = "clear text behind AUTH TLS is nothing"
_TRACEBACK: Final = "no traceback"
_BACK: Final = "memory and descriptors return to where they were"

GUARDS: Final = (
    Guard(
        "control-characters",
        _FORM,
        (
            (
                "names.py",
                "        part = _printable(part)\n",
                "",
            ),
            (
                "ftp/control.py",
                'line = _CONTROL_CHARACTERS.sub("?", resp)',
                "line = resp",
            ),
        ),
        "test_sessions.py",
        "a line that does not belong into a reply|not a line of three digits",
    ),
    Guard(
        "lines-wait",
        _ORDER,
        (
            (
                "ftp/lines.py",
                "if self.waiting or self._closed or self.closing_ourselves:\n"
                "            return False",
                "if self._closed or self.closing_ourselves:\n            return False",
            ),
        ),
        "test_sessions.py",
        "was answered",
    ),
    Guard(
        "abor-is-answered-once",
        _ORDER,
        (
            (
                "ftp/lines.py",
                "            if self._abort():\n                return\n",
                "            self._abort()\n",
            ),
        ),
        "test_uploads.py",
        "answers nothing|was answered",
    ),
    Guard(
        "226-after-the-answer",
        _HAS,
        (
            (
                "ftp/upload.py",
                "self._received_at), self._delivered\n        )\n",
                "self._received_at), lambda outcome: None\n"
                "        )\n"
                "        self._finish(_stored_reply(self._order.name, self._order.name), None)\n",
            ),
        ),
        "test_uploads.py",
        "OpenSPP has nothing",
    ),
    Guard(
        "http-200-proves-nothing",
        _HAS,
        (
            (
                "openspp/answers.py",
                "    if not answer.is_json or not answer.whole:\n",
                "    if answer.status == 200:\n"
                "        return None\n"
                "    if not answer.is_json or not answer.whole:\n",
            ),
        ),
        "test_uploads.py",
        "OpenSPP has nothing",
    ),
    Guard(
        "a-result-proves-nothing",
        _HAS,
        (
            (
                "openspp/answers.py",
                "    if code == 200:\n        return None\n",
                "    if code:\n        return None\n",
            ),
        ),
        "test_uploads.py",
        "OpenSPP has nothing",
    ),
    Guard(
        "a-reset-is-no-end",
        _HAS,
        (
            (
                "ftp/data.py",
                "            except OSError:\n"
                "                self.finish(End.RESET)\n"
                "                return\n",
                "            except OSError:\n"
                "                self.finish(End.CLOSED)\n"
                "                return\n",
            ),
        ),
        "test_uploads.py",
        "cut .a reset. and stored|nobody sent just these bytes",
    ),
    Guard(
        "tls-ends-by-close-notify",
        _HAS,
        (
            (
                "ftp/data.py",
                "tls.End.CLOSED_BARE: End.CLOSED_BARE",
                "tls.End.CLOSED_BARE: End.CLOSED",
            ),
        ),
        "test_uploads.py",
        "cut .TLS without close_notify. and stored",
    ),
    Guard(
        "what-is-stored-is-told",
        _HAS,
        (
            (
                "ftp/upload.py",
                'return Reply(226, "Transfer complete. OpenSPP has it.")',
                'return Reply(451, "OpenSPP is out of order. Not stored. Try again later.")',
            ),
        ),
        "test_uploads.py",
        "was answered '451",
    ),
    Guard(
        "not-kept-is-250",
        _ELSE,
        (
            (
                "ftp/upload.py",
                "reply, name = Reply(250, text), self._final_name()",
                "reply, name = Reply(226, text), self._final_name()",
            ),
        ),
        "test_uploads.py",
        "OpenSPP has nothing",
    ),
    Guard(
        "abor-is-225",
        _ELSE,
        (
            (
                "ftp/lines.py",
                'self.reply(225, "ABOR command successful.")',
                'self.reply(226, "ABOR command successful.")',
            ),
        ),
        "test_uploads.py",
        "226 ABOR command successful",
    ),
    Guard(
        "lines-behind-auth",
        _CLEAR,
        (
            (
                "ftp/control.py",
                "        self.forget_lines()\n        self.call_while_open(self.handshake_within",
                "        self.call_while_open(self.handshake_within",
            ),
        ),
        "test_sessions.py",
        "in clear behind|no TLS came|handshake failed|answers nothing|was answered",
    ),
    Guard(
        "half-lines-behind-auth",
        _CLEAR,
        (
            (
                "ftp/lines.py",
                '        self.ac_in_buffer = b""\n'
                "        self._in_buffer, self._in_buffer_len = [], 0\n"
                "        self.lines.clear()\n",
                "        self._in_buffer, self._in_buffer_len = [], 0\n"
                "        self.lines.clear()\n",
            ),
        ),
        "test_sessions.py",
        "in clear behind|no TLS came|handshake failed|answers nothing|was answered",
    ),
    Guard(
        "numbers-are-looked-at",
        _TRACEBACK,
        (
            (
                "ftp/commands.py",
                "int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None",
                "int(size)",
            ),
        ),
        "test_sessions.py",
        "a traceback: ",
    ),
    Guard(
        "data-connections-end-with-the-session",
        _BACK,
        (
            (
                "ftp/control.py",
                "        self.end_transfers()\n",
                "",
            ),
        ),
        "test_sessions.py",
        "descriptors or threads stay",
    ),
    Guard(
        "timers-end-with-the-session",
        _BACK,
        (
            (
                "ftp/control.py",
                "            self._idle_timer.cancel()\n",
                "            pass\n",
            ),
        ),
        "test_sessions.py",
        "sessions left .* kB of memory",
    ),
)


@dataclass(frozen=True)
class Found:
    """What the fuzzing without a guard came to; `test`: "" where it found nothing."""

    test: str
    said: str
    seconds: float


def play(guard: Guard) -> Found:
    """Take the guard out of a copy and fuzz that until something is found, or to the end."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        copy = Path(folder)
        for part in _COPIED:
            ignored = shutil.ignore_patterns("__pycache__", "build")
            shutil.copytree(TREE / part, copy / part, ignore=ignored, symlinks=True)
        for file in (*TREE.glob("*.*"), *TREE.glob(".*.*"), TREE / "Makefile"):
            if file.is_file():
                shutil.copy2(file, copy)
        for place, text, without in guard.changes:
            module = copy / "openspp_ftpd" / place
            module.write_text(module.read_text("utf-8").replace(text, without), "utf-8")
        report = copy / "report.xml"
        tests = [f"tests/fuzz/{guard.first}", "tests/fuzz"]
        command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", *tests]
        began = time.monotonic()
        run = subprocess.run(
            [*command, f"--junit-xml={report}"], cwd=copy, capture_output=True, text=True
        )
        seconds = time.monotonic() - began
        if run.returncode == 0:
            return Found("", "", seconds)
        for case in ElementTree.parse(report).iter("testcase"):
            for failure in (*case.iter("failure"), *case.iter("error")):
                said = f"{failure.get('message')}\n{failure.text}\n{run.stdout}"
                return Found(case.get("name", "?"), said, seconds)
        return Found("?", run.stdout + run.stderr, seconds)


def main(names: Sequence[str]) -> int:
    """Play these, all where none is named; 1 where one was not found, or by other words."""
    missed = 0
    for guard in GUARDS:
        if names and guard.name not in names:
            continue
        found = play(guard)
        by_what = re.search(guard.found, found.said)
        missed += by_what is None
        verdict = by_what[0] if by_what else "NOT FOUND" if not found.test else "OTHERWISE FOUND"
        print(
            f"{guard.invariant} | {guard.name} | {found.test} | {found.seconds:.0f} s | {verdict}"
        )
        if by_what is None and found.test:
            print(found.said[-3000:])
        sys.stdout.flush()
    return int(missed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python3 -m tests.fuzz.guards", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[[], *(guard.name for guard in GUARDS)])
    sys.exit(main(parser.parse_args().name))
