"""Writes the manual pages into a folder: openspp-ftpd(8) from the command line's own help, and
openspp-ftpd.conf(5) from the schema of the configuration.

Usage: python3 debian/man_pages.py FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from openspp_ftpd import __version__, cli
from openspp_ftpd.config.schema import OPTIONS, SECTIONS

_ABOUT_SECTIONS: Final = {
    "openspp": "Where OpenSPP is and how it is asked.",
    "ftp": "Where scanners connect.",
    "tls": "Certificate and TLS towards scanners.",
    "uploads": "Where a scan is on its way, and what is accepted.",
    "limits": "Who may connect, and how long a connection may be idle.",
    "scanners": "Ways of devices.",
    "log": "What the journal tells.",
    "metrics": "What monitoring may ask.",
}

_SYNTAX: Final = """\
One file in INI form sets up the scan gateway. An option stands in a line of its own below its
[section]; a comment begins with # in a line of its own; a line that begins with a blank continues
the one above. What is not set has its default. Sizes are written 64K, 25M or 1G, durations 45s,
10min or 1h, lists with commas.

Whatever is wrong is reported all at once, each mistake with its line and what would be right: by
"openspp-ftpd check", and by the daemon, which then ends with exit status 78 and is not started
again before the file is mended.

"systemctl reload openspp-ftpd" takes a change into use for new sessions; listeners, ports and the
upload directory change with a restart."""

_SERVICE: Final = """\
systemd runs the daemon as openspp-ftpd.service. It is enabled by the installation and started as
soon as url is set. "systemctl status openspp-ftpd" says in a sentence what it does, "openspp-ftpd
status" shows the last scans and failures too, "openspp-ftpd check" what keeps scans from OpenSPP,
"journalctl -x -u openspp-ftpd" what happened and what to do. A stop or restart lets scans under way
arrive first.

Scans are received into a tmpfs that only the daemon sees, half of the memory at most. Certificate
and key may be readable by root alone: a step of the unit copies them for the daemon at start and
reload.

With [metrics] listen Prometheus and a load balancer may ask: /metrics has counts and no names,
/healthz says whether the daemon lives, /readyz whether it serves. Alert rules and a Grafana
dashboard are among the examples.

With openspp-ftpd.socket and openspp-ftpd-ftps.socket, which are not enabled, systemd holds the
ports: a restart then refuses nobody, and ports 21 and 990 need no privilege. They decide where
scanners connect, in place of listen and listen_implicit. Examples of settings of the units are in
/usr/share/doc/openspp-ftpd/examples."""

_FILES: Final = (
    ("/etc/openspp-ftpd.conf", "The configuration, see openspp-ftpd.conf(5)."),
    ("/var/spool/openspp-ftpd", "Where the tmpfs for scans is mounted; empty seen from outside."),
    ("/run/openspp-ftpd/status", "The status socket: whoever may connect gets the state as JSON."),
    ("/run/openspp-ftpd-tls", "Certificate and key as the daemon reads them, while it runs."),
)


def main(folder: Path) -> None:
    """Write both pages."""
    folder.mkdir(parents=True, exist_ok=True)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", datetime.now(UTC).timestamp()))
    date = datetime.fromtimestamp(epoch, UTC)
    for name, section, lines in (
        ("openspp-ftpd", "8", _program()),
        ("openspp-ftpd.conf", "5", _configuration()),
    ):
        head = f'.TH {name.upper()} {section} "{date:%Y-%m-%d}" "openspp\\-ftpd {__version__}"'
        text = "\n".join([head, ".nh", ".ad l", *lines])
        (folder / f"{name}.{section}").write_text(f"{text}\n", encoding="utf-8")


def _configuration() -> Iterator[str]:
    yield from _section("NAME", "openspp-ftpd.conf - configuration of openspp-ftpd(8)")
    yield from _section("SYNOPSIS", "/etc/openspp-ftpd.conf")
    yield from _section("DESCRIPTION", _SYNTAX)
    for section in SECTIONS:
        yield from _section(f"[{section}]", _ABOUT_SECTIONS[section])
        for option in OPTIONS:
            if option.section == section:
                default = option.default or (
                    "none, must be set" if option.name == "url" else "empty"
                )
                more = f" Original: {option.original}." if option.original else ""
                yield from (".TP", f".B {_escaped(option.name)}", _escaped(option.meaning))
                yield from (".br", _escaped(f"Value: {option.form}. Default: {default}.{more}"))
    yield from _section(
        "NOTES",
        "Original names the environment variable that set the same in the original gateway. It is"
        " not read.",
    )
    yield from _section("SEE ALSO", "openspp-ftpd(8)")


def _program() -> Iterator[str]:
    yield from _section("NAME", "openspp-ftpd - scan gateway from FTP and FTPS to OpenSPP")
    yield from _section("SYNOPSIS", "openspp-ftpd COMMAND [OPTIONS]")
    about = (
        "Scanners send by FTP or FTPS, the scan arrives in OpenSPP. The scanner is told 226 when"
    )
    yield from _section("DESCRIPTION", f"{about} OpenSPP has the scan, and not before.")
    yield from _section("COMMANDS", "Each tells the same with --help.")
    for name, (_, load) in cli.COMMANDS.items():
        command = load()
        parser = argparse.ArgumentParser(prog=f"openspp-ftpd {name}", add_help=False)
        command.add_arguments(parser)
        yield from (f'.SS "openspp\\-ftpd {_escaped(name)}"', _escaped(command.description))
        for action in parser._actions:
            yield from _option(parser, action)
        if command.epilog:
            yield from (".PP", ".nf", _escaped(command.epilog.rstrip()), ".fi")
    yield from _section("SERVICE", _SERVICE)
    yield ".SH FILES"
    for path, what in _FILES:
        yield from (".TP", f".I {_escaped(path)}", _escaped(what))
    yield from _section("SEE ALSO", "openspp-ftpd.conf(5), systemctl(1), journalctl(1)")


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
    shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0:
        shown += f" {action.metavar or action.dest.upper()}"
    said = (action.help or "") % {"default": action.default, "prog": parser.prog}
    yield from (".TP", f".B {_escaped(shown)}", _escaped(said))


def _section(title: str, text: str) -> Iterator[str]:
    yield f'.SH "{_escaped(title)}"'
    yield _escaped(text).replace("\n\n", "\n.PP\n")


def _escaped(text: str) -> str:
    """Text as roff takes it: hyphens that can be copied, no line that is taken for a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in plain.split("\n"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
