"""Every option there is: what it means, how it is written, its default, its parser.

From this one table come the check of a configuration and the file that is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from openspp_ftpd import settings
from openspp_ftpd.config import openspp, scanners, values
from openspp_ftpd.config.option import DURATION, SIZE, Option

SECTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "openspp": settings.OpenSPPSettings,
    "ftp": settings.FtpSettings,
    "tls": settings.TlsSettings,
    "uploads": settings.UploadSettings,
    "limits": settings.LimitSettings,
    "scanners": settings.ScannerSettings,
    "log": settings.LogSettings,
    "metrics": settings.MetricsSettings,
}
"""The sections in the order of the shipped file, each with what it becomes."""

OPTIONS: Final = (
    *openspp.OPTIONS,
    Option(
        "ftp",
        "listen",
        values.addresses,
        "0.0.0.0:8002, [::]:8002",
        "Where scanners connect. IPv6 is left out where the system has none. Without an address"
        " (:8002) it is all addresses, IPv4 and IPv6. Ports below 1024 need the socket unit.",
        "ADDRESS:PORT, several with commas",
        "FTP_PORT",
        is_list=True,
    ),
    Option(
        "ftp",
        "listen_implicit",
        values.addresses,
        "",
        "Where scanners connect that speak TLS from the first byte on (implicit FTPS, often port"
        " 990).",
        "ADDRESS:PORT, several with commas, or empty for none",
        is_list=True,
    ),
    Option(
        "ftp",
        "passive_ports",
        values.passive_ports,
        "3000-3005",
        "Ports for the data connections of passive mode; the firewall must let them through."
        " Scanners of different addresses share them, so six serve an office.",
        "a range or a list with commas: 3000-3005 or 3000,3001",
        "DEFAULT_PASSIVE_PORTS",
        is_list=True,
    ),
    Option(
        "ftp",
        "public_address",
        values.public_addresses,
        "",
        "The address that scanners are told for passive mode, where it is not the one they"
        " connected to (behind NAT, in a container). One entry without a network is for"
        " everybody, others for the clients of a network: 10.0.0.0/8=10.0.0.5, scan.ministry.iq",
        "HOST or NETWORK=HOST, several with commas, or empty; HOST is a name or IPv4 address",
        "FTP_HOSTNAME",
        is_list=True,
    ),
    Option(
        "ftp",
        "data_from",
        values.choice("session", "any"),
        "session",
        "Whom a data connection is accepted from: session is the address that the session came"
        " from, any is whoever connects first (only for devices behind NAT that change their"
        " address).",
        "session or any",
    ),
    Option(
        "ftp",
        "drain_within",
        values.duration(0, 600),
        "20s",
        "How long a scan that is being received may go on when the daemon is stopped.",
        DURATION,
    ),
    Option(
        "ftp",
        "unready_for",
        values.duration(0, 600),
        "0s",
        "How long a daemon that is told to stop still takes new scanners while its /readyz says no,"
        " so that a load balancer has noticed before they would be refused. 0s without a balancer.",
        DURATION,
    ),
    Option(
        "ftp",
        "proxy_networks",
        values.networks,
        "",
        "Load balancers before this daemon. Each of their connections, control and data, has to"
        " begin with a header of the PROXY protocol (HAProxy: send-proxy-v2), which says whose it"
        " is; from anybody else such a header is refused.",
        "networks or addresses with commas: 10.0.0.1, 10.0.1.0/24, or empty",
        is_list=True,
    ),
    Option(
        "ftp",
        "workers",
        values.number(1, 64),
        "1",
        "How many processes serve. One is enough for some hundred scanners; more use more of the"
        " machine's cores. All sessions of an address (for IPv6 its network of /64) are in one of"
        " them; parallel_requests and all limits hold for all of them together. With data_from ="
        " any each has passive ports of its own.",
        "a number, 1 to 64",
        "FTP_WORKER_COUNT",
    ),
    Option(
        "tls",
        "mode",
        values.choice("off", "optional", "required"),
        "optional",
        "Whether scanners use TLS: off offers none, optional leaves it to the scanner, required"
        " refuses a password in clear text.",
        "off, optional or required (the original's True)",
        "TLS",
    ),
    Option(
        "tls",
        "certificate",
        values.path,
        "/etc/ssl/certs/ssl-cert-snakeoil.pem",
        "The certificate that scanners are shown, followed by its intermediate ones. The default"
        " is the self-signed one of Debian's package ssl-cert. A reload takes a renewed one.",
        "a file in PEM form",
        "DEFAULT_SSL_CERTFILE",
    ),
    Option(
        "tls",
        "key",
        values.path,
        "/etc/ssl/private/ssl-cert-snakeoil.key",
        "The certificate's private key, not encrypted.",
        "a file in PEM form",
        "DEFAULT_SSL_KEYFILE",
    ),
    Option(
        "tls",
        "minimum_version",
        values.minimum_version,
        "1.2",
        "The lowest version of TLS. The control connection uses 1.3 where the scanner can. The"
        " data connection never does: there TLS 1.3 loses the tail of scans.",
        "1.2",
    ),
    Option(
        "tls",
        "ciphers",
        values.choice("intermediate", "compatible"),
        "intermediate",
        "The cipher suites of TLS 1.2: intermediate are those of Mozilla's profile of that name"
        " (forward secrecy, AEAD), compatible adds AES-CBC and RSA key exchange, last, for scanners"
        " of about 2012 that have nothing else and would send in clear text instead.",
        "intermediate or compatible",
    ),
    Option(
        "tls",
        "close_notify",
        values.choice("ignore", "log", "require"),
        "log",
        "What to do with a scan whose TLS connection ends without a close_notify, as many"
        " devices end it and an attacker could. ignore and log deliver it if the file has its own"
        " end (PDF, TIFF, JPEG, PNG, ZIP); require answers 426, whatever the content.",
        "ignore, log or require",
    ),
    Option(
        "tls",
        "session_reuse",
        values.choice("off", "log", "require"),
        "off",
        "Whether a data connection under TLS must resume the session of its control connection, so"
        " that nobody else who reaches the passive port can send in its place: log tells which"
        " scanners do not, require answers them 522. With both the control connection uses TLS 1.2"
        " at most, for a session of 1.3 cannot be resumed there. Many scanners cannot do it.",
        "off, log or require",
    ),
    Option(
        "uploads",
        "directory",
        values.path,
        "/var/spool/openspp-ftpd",
        "Where a scan is while it is handed on. It must be on a tmpfs, that is in memory:"
        " nothing is ever written to a disk. The systemd unit mounts a private one here.",
        "a directory",
        "FTP_UPLOAD_DIR",
    ),
    Option(
        "uploads",
        "max_size",
        values.size(1024, 4 * 1024**3),
        "25M",
        "The largest scan. OpenSPP has a limit of its own (25M): raise both, and that of a proxy"
        " before OpenSPP, which sees a third more.",
        SIZE,
    ),
    Option(
        "uploads",
        "share_per_address",
        values.percent,
        "50%",
        "How much of the upload directory the scans of one address may take at the same time, so"
        " that it cannot fill it for all; more is answered 452. One scan of max_size always fits."
        " An IPv6 network of /64 is one address; trusted_networks have no limit.",
        "1% to 100%",
    ),
    Option(
        "uploads",
        "check_content",
        values.choice("doubtful", "always", "never"),
        "doubtful",
        "When to look whether a PDF, TIFF, JPEG, PNG or ZIP file has its own end: doubtful where"
        " the connection's end leaves a doubt, always in every scan, never in none (then a cut one"
        " may be stored).",
        "doubtful, always or never",
    ),
    Option(
        "uploads",
        "empty_files",
        values.choice("refuse", "ignore"),
        "refuse",
        "What to do with a file of 0 bytes, which OpenSPP does not take: refuse answers 550,"
        " ignore answers 250 and keeps nothing (for devices that try out a name first).",
        "refuse or ignore",
    ),
    Option(
        "limits",
        "sessions",
        values.number(1, 10000),
        "256",
        "How many scanners may be connected.",
        "a number",
        "FTP_MAX_CONNECTIONS",
    ),
    Option(
        "limits",
        "sessions_per_address",
        values.number(0, 10000),
        "0",
        "How many of them may come from one address. A whole office can sit behind one.",
        "a number, 0 for no limit",
        "FTP_MAX_CONNECTIONS_PER_IP",
    ),
    Option(
        "limits",
        "failed_logins",
        values.number(1, 10000),
        "10",
        "After how many wrong passwords for several users, with no right one between, an address"
        " is banned.",
        "a number",
    ),
    Option(
        "limits",
        "ban_time",
        values.duration(1, 30 * 24 * 3600),
        "10min",
        "For how long it is banned.",
        DURATION,
    ),
    Option(
        "limits",
        "trusted_networks",
        values.networks,
        "",
        "Networks that are never banned and not counted in sessions_per_address and"
        " share_per_address.",
        "networks or addresses with commas: 10.0.0.0/8, 192.168.1.20, or empty",
        is_list=True,
    ),
    Option(
        "limits",
        "command_idle",
        values.duration(1, 24 * 3600),
        "5min",
        "After how long without a command a session is closed.",
        DURATION,
    ),
    Option(
        "limits",
        "data_idle",
        values.duration(1, 24 * 3600),
        "5min",
        "After how long without a byte a transfer is ended.",
        DURATION,
    ),
    Option(
        "limits",
        "transfer_within",
        values.duration(1, 24 * 3600),
        "30min",
        "How long one file may take on its way from the scanner, pauses included; data_idle ends"
        " those that stall, this one those that send a byte now and then.",
        DURATION,
    ),
    Option(
        "limits",
        "handshake_within",
        values.duration(1, 600),
        "30s",
        "How long a scanner may take to set up TLS.",
        DURATION,
    ),
    *scanners.OPTIONS,
    Option(
        "log",
        "level",
        values.choice("debug", "info", "warning"),
        "info",
        "How much the journal tells. Passwords and contents are in no level.",
        "debug, info or warning",
        "DEBUG",
    ),
    Option(
        "log",
        "names",
        values.choice("full", "short", "none"),
        "full",
        "How file names are shown in the journal; they may name persons. short shows how a name"
        " begins and the type of the file.",
        "full, short or none",
    ),
    Option(
        "metrics",
        "listen",
        values.addresses,
        "",
        "Where Prometheus may ask for /metrics, and a load balancer for /healthz and /readyz, by"
        " HTTP without a password. The page holds counts and no names; 127.0.0.1:9464 keeps it on"
        " this machine. Needs Debian's package python3-prometheus-client.",
        "ADDRESS:PORT, several with commas, or empty for none",
        is_list=True,
    ),
)


def option(section: str, name: str) -> Option | None:
    """The option of this name, None where there is none."""
    return next((o for o in OPTIONS if (o.section, o.name) == (section, name)), None)
