"""`openspp-ftpd status`: what the running daemon says of itself."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from openspp_ftpd.status import door, text

# As an init script's `status` (Linux Standard Base 5.0, section 22.2).
RUNNING: Final = 0
TROUBLE: Final = 1
NOT_RUNNING: Final = 3
UNKNOWN: Final = 4

DESCRIPTION: Final = (
    "Show what the running daemon does: where it listens, its sessions, what became of the scans "
    "since its start, whether OpenSPP answers, and the last scans and failures. File names are "
    "shown as [log] names says. Only root and the group openspp-ftpd may ask."
)
EPILOG: Final = """\
exit status:
  0  it runs, and OpenSPP answers
  1  it runs, but OpenSPP does not answer, or it is being stopped or hangs
  3  it does not run
  4  it cannot be asked: not as this user

example:
  sudo openspp-ftpd status
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument(
        "--json", action="store_true", help="print the daemon's answer as it comes, for programs"
    )
    parser.add_argument(
        "--socket",
        metavar="FILE",
        default=door.PATH,
        help="the daemon's status socket (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask, print, and return the exit status."""
    try:
        snapshot = door.ask(arguments.socket)
    except door.NotRunning:
        print(
            f"openspp-ftpd is not running (nobody listens on {arguments.socket}).\n"
            "Why it ended:  journalctl -x -u openspp-ftpd\n"
            "Start it:      systemctl start openspp-ftpd",
            file=sys.stderr,
        )
        return NOT_RUNNING
    except PermissionError:
        print(
            f"You may not ask the daemon on {arguments.socket}.\n"
            "Ask as root:   sudo openspp-ftpd status",
            file=sys.stderr,
        )
        return UNKNOWN
    except door.NotAnswering as error:
        print(
            f"openspp-ftpd runs, but {error}.\n"
            "What it says:  journalctl -x -u openspp-ftpd\n"
            "Restart it:    systemctl restart openspp-ftpd",
            file=sys.stderr,
        )
        return TROUBLE
    print(snapshot.to_json() if arguments.json else text.report(snapshot))
    well = snapshot.facts.state == "serving" and snapshot.openspp.answers is not False
    return RUNNING if well else TROUBLE
