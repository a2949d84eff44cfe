"""The command line: `openspp-ftpd {serve,check,sandbox,demo}`.

What a command needs is imported when it was chosen, so that --help is quick and the embedded
OpenSPP runs where pyftpdlib is not installed.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openspp_ftpd import __version__

CONFIGURATION: Final = "/etc/openspp-ftpd.conf"
"""Where the configuration is if nothing else is said."""

_WIDTH: Final = 79  # columns of a terminal that --help is written for
_DESCRIPTION: Final = (
    "A scan gateway: scanners send by FTP or FTPS, the scan arrives in OpenSPP. The scanner is "
    "told 226 when OpenSPP has the scan, and not before."
)
_EPILOG: Final = """\
examples:
  openspp-ftpd demo                        see how it works, on this machine
  openspp-ftpd check                       find out why scans do not arrive
  openspp-ftpd serve -c openspp-ftpd.conf  run the daemon
`openspp-ftpd COMMAND --help` tells more. In a checkout write
`python3 -m openspp_ftpd` instead of `openspp-ftpd`.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """What one sub-command says of itself and does; `run` returns the exit status."""

    description: str
    epilog: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (of this process if None is given). Returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        try:
            arguments = _parser(given).parse_args(given)
            run: Callable[[argparse.Namespace], int] = arguments.run
            return run(arguments)
        finally:
            sys.stdout.flush()  # while a reader that went away can still be told from a fault
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        return 128 + signal.SIGPIPE


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; of the commands only the one in `given` is loaded."""
    parser = argparse.ArgumentParser(
        prog="openspp-ftpd",
        description=textwrap.fill(_DESCRIPTION, _WIDTH),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((word for word in given if not word.startswith("-")), "")
    for name, (line, load) in COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=line)
            continue
        command = load()
        chosen_parser = commands.add_parser(
            name,
            help=line,
            description=textwrap.fill(command.description, _WIDTH),
            epilog=command.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(chosen_parser)
        chosen_parser.set_defaults(run=command.run)
    return parser


def _serve() -> Command:
    def run(arguments: argparse.Namespace) -> int:
        from openspp_ftpd import server

        return server.serve(arguments.config, arguments.credentials, arguments.status_socket)

    return Command(
        description="Run the daemon in the foreground, as systemd wants it, until SIGTERM or "
        "Ctrl-C. SIGTERM lets scans under way arrive first; SIGHUP reads configuration and "
        "certificates again.",
        epilog="exit status:\n"
        "  0   stopped as told\n"
        "  1   something around it is wrong, such as a port in use; try again later\n"
        "  78  the configuration has mistakes; they are listed on stderr\n\n"
        "example:\n  openspp-ftpd serve -c openspp-ftpd.conf",
        add_arguments=_add_serve,
        run=run,
    )


def _check() -> Command:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        _add_configuration(parser)
        parser.set_defaults(config=None)
        parser.add_argument(
            "--all", action="store_true", help="look at everything, also with --config FILE"
        )
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def run(arguments: argparse.Namespace) -> int:
        path = arguments.config or CONFIGURATION
        everything = arguments.all or arguments.json
        if everything or not (arguments.config or arguments.credentials):
            from openspp_ftpd.doctor import command

            return command.check_everything(path, arguments.credentials, as_json=arguments.json)
        return check(path, arguments.credentials)

    return Command(
        description="Look at everything that a scan needs: configuration, certificate, ports, "
        "firewall, spool, clock, OpenSPP and the service; each line says what is so and, where "
        "something is wrong, what to do. With --config only the configuration is read, as the "
        "daemon would read it, and nothing is connected to. No password is asked for or sent. "
        "Run it as root: others may not see the configuration, the key or the firewall.",
        epilog="exit status:\n"
        "  0   all is well\n"
        "  1   something should be looked at\n"
        "  2   scans do not go through\n"
        "  78  with --config: the daemon cannot start with this configuration\n\n"
        "examples:\n"
        "  openspp-ftpd check\n"
        "  openspp-ftpd check --config openspp-ftpd.conf\n"
        "  openspp-ftpd check --all --config openspp-ftpd.conf",
        add_arguments=add_arguments,
        run=run,
    )


def _status() -> Command:
    from openspp_ftpd.status import command

    return Command(command.DESCRIPTION, command.EPILOG, command.add_arguments, command.run)


def _try() -> Command:
    from openspp_ftpd.doctor import trial_command

    return Command(
        trial_command.DESCRIPTION,
        trial_command.EPILOG,
        lambda parser: trial_command.add_arguments(parser, CONFIGURATION),
        trial_command.run,
    )


def _sandbox() -> Command:
    from openspp_ftpd.sandbox import command

    return Command(command.DESCRIPTION, command.EPILOG, command.add_arguments, command.run)


def _demo() -> Command:
    from openspp_ftpd.demo import command

    return Command(command.DESCRIPTION, command.EPILOG, command.add_arguments, command.run)


COMMANDS: Final[Mapping[str, tuple[str, Callable[[], Command]]]] = {
    "serve": ("run the daemon", _serve),
    "check": ("find out why scans do not go through", _check),
    "status": ("show what the running daemon does", _status),
    "try": ("play a scanner against the running daemon", _try),
    "sandbox": ("run an embedded OpenSPP for trying", _sandbox),
    "demo": ("show a scan travel from a scanner into an embedded OpenSPP", _demo),
}
"""Each command: its line in the help, and what loads it."""


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_configuration(parser)
    parser.add_argument(
        "--status-socket",
        metavar="FILE",
        default="",
        help="where `openspp-ftpd status --socket FILE` may ask (default: systemd's place for it)",
    )


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        nargs="?",
        const=CONFIGURATION,
        default=CONFIGURATION,
        help="the configuration (default %(default)s)",
    )
    parser.add_argument(
        "--credentials",
        metavar="DIRECTORY",
        default="",
        help="serve the copies of certificate and key in there, as the systemd unit does",
    )


def check(path: str, credentials: str = "") -> int:
    """Print what is wrong with the configuration at `path`, or what it means. Returns 0 or 78."""
    from openspp_ftpd import config, systemd

    # The unit's own check gets copies of certificate and key, and sees the unit's tmpfs.
    elsewhere = () if credentials else systemd.tmpfs_of_unit()
    try:
        loaded = config.load(path, credentials, elsewhere)
    except config.ConfigurationError as error:
        print(error, file=sys.stderr)
        return os.EX_CONFIG
    for warning in loaded.warnings:
        print(f"{warning.file}:{warning.line}: warning: {warning.text}", file=sys.stderr)
    settings = loaded.settings
    listeners = [str(address) for address in settings.ftp.listen]
    listeners += [f"{address} (implicit TLS)" for address in settings.ftp.listen_implicit]
    print(
        f"{path} is fine: scanners connect to {', '.join(listeners)}, TLS {settings.tls.mode};"
        f" scans go to OpenSPP at {settings.openspp.url}."
    )
    return 0


def _reader_is_gone() -> bool:
    """Whether who reads our output went away (`| head`); then nothing more is said to him."""
    poller = select.poll()
    poller.register(sys.stdout, 0)
    if not any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
