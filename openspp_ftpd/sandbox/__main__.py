"""`python3 -m openspp_ftpd.sandbox` starts the embedded OpenSPP without the rest of the program."""

from __future__ import annotations

import argparse
import sys

from openspp_ftpd.sandbox.command import DESCRIPTION, EPILOG, add_arguments, run


def main() -> int:
    """Read the command line and run the embedded OpenSPP. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m openspp_ftpd.sandbox",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
