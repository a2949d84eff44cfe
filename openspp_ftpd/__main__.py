"""`python3 -m openspp_ftpd` does in a checkout what the installed `openspp-ftpd` does."""

import sys

from openspp_ftpd.cli import main

if __name__ == "__main__":
    sys.exit(main())
