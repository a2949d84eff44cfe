"""The options of [openspp]: where OpenSPP is, how it is asked, and where in it scans go."""

from __future__ import annotations

from typing import Final

from openspp_ftpd.config import values
from openspp_ftpd.config.option import DURATION, Option

OPTIONS: Final = (
    Option(
        "openspp",
        "url",
        values.url,
        "",
        "The address of OpenSPP: scheme, host and port, and nothing behind them. Every scanner's"
        " user and scanner password are checked there, so write https:// unless OpenSPP runs on"
        " this machine. This option must be set.",
        "https://HOST or https://HOST:PORT",
        "OPENSPP_URL",
    ),
    Option(
        "openspp",
        "api",
        values.choice("scanner", "odoo"),
        "scanner",
        "How OpenSPP is asked. scanner is the scanner interface of OpenSPP 15 (spp_scanner_api);"
        " odoo is Odoo's own API, for OpenSPP 17 and OpenSPP 2, where nothing needs to be"
        " installed: scans go to its document store, and a scanner's password is the API key of"
        " its user.",
        "scanner or odoo",
    ),
    Option(
        "openspp",
        "database",
        values.database,
        "",
        "The database to use: always with api = odoo, else where one OpenSPP host serves several.",
        "a name, or empty",
        "OPENSPP_DB_NAME",
    ),
    Option(
        "openspp",
        "directory",
        values.directory,
        "",
        "With api = odoo: the directory of OpenSPP's document store that scans go to, by its id or"
        " by its path. {user} in a path stands for the scanner's user.",
        "a number, or a path such as Scans / {user}; empty only with api = scanner",
    ),
    Option(
        "openspp",
        "make_directories",
        values.choice("no", "yes"),
        "no",
        "With api = odoo: whether such a path is made in OpenSPP where it is missing. The scanner's"
        " user needs the right to.",
        "yes or no",
    ),
    Option(
        "openspp",
        "answer_within",
        values.duration(1, 3600),
        "45s",
        "How long a scanner waits for its answer after the last byte of a scan, retries"
        " included. Then it is told to try again. Stay below the time-out of your scanners.",
        DURATION,
    ),
    Option(
        "openspp",
        "login_within",
        values.duration(1, 600),
        "15s",
        "How long a scanner waits for the answer to its password.",
        DURATION,
    ),
    Option(
        "openspp",
        "ca_file",
        values.path_or_nothing,
        "",
        "Certificate authorities that may vouch for OpenSPP's certificate, where it is not"
        " signed by one that the system trusts.",
        "a file in PEM form, or empty for the system's own",
    ),
    Option(
        "openspp",
        "parallel_requests",
        values.number(1, 256),
        "8",
        "How many scans are handed to OpenSPP at the same time; others wait their turn. An Odoo"
        " falls over under more than it has workers for.",
        "a number",
    ),
    Option(
        "openspp",
        "on_duplicate",
        values.choice("rename", "refuse"),
        "rename",
        "What to do with a scan whose name OpenSPP has already: rename stores it as NAME-"
        "YYYYMMDD-HHMMSS-xxxx.ext and tells the scanner so, refuse answers 553.",
        "rename or refuse",
    ),
)
