"""What the daemon runs with: the configuration as typed, frozen values.

`config.py` makes these from the INI file and owns the explanation of every option; here are only
the shapes, so that every other module (and every test) can take its own part and nothing else.
Durations are in seconds, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

Network = IPv4Network | IPv6Network

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """An address and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The address (name or IPv4) that a 227 tells to clients of `network` (None: to all)."""

    host: str
    network: Network | None = None


@dataclass(frozen=True, slots=True)
class OpenSPPSettings:
    """[openspp]: where OpenSPP is and how it is asked."""

    url: str  # scheme://host[:port], without a trailing slash
    api: Literal["scanner", "odoo"] = "scanner"
    database: str = ""
    directory: str = ""  # for odoo: an id, or a path with {user}
    make_directories: Literal["no", "yes"] = "no"
    answer_within: float = 45.0
    login_within: float = 15.0
    ca_file: str = ""  # "": the system's certificate authorities
    parallel_requests: int = 8
    on_duplicate: Literal["rename", "refuse"] = "rename"


@dataclass(frozen=True, slots=True)
class FtpSettings:
    """[ftp]: listeners, passive ports and what is told to scanners about them."""

    listen: tuple[Address, ...] = (Address("0.0.0.0", 8002), Address("::", 8002))
    listen_implicit: tuple[Address, ...] = ()
    passive_ports: tuple[int, ...] = (3000, 3001, 3002, 3003, 3004, 3005)
    public_address: tuple[PublicAddress, ...] = ()  # empty: the address the scanner connected to
    data_from: Literal["session", "any"] = "session"
    drain_within: float = 20.0
    unready_for: float = 0.0
    proxy_networks: tuple[Network, ...] = ()
    workers: int = 1


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """[tls]: certificate and versions."""

    mode: Literal["off", "optional", "required"] = "optional"
    certificate: str = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
    key: str = "/etc/ssl/private/ssl-cert-snakeoil.key"
    minimum_version: Literal["1.2"] = "1.2"
    close_notify: Literal["ignore", "log", "require"] = "log"
    session_reuse: Literal["off", "log", "require"] = "off"
    ciphers: Literal["intermediate", "compatible"] = "intermediate"


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """[uploads]: where a scan is while it is handed on, and what is accepted."""

    directory: str = "/var/spool/openspp-ftpd"
    max_size: int = 25 * MIB
    share_per_address: int = 50  # percent of the directory
    check_content: Literal["doubtful", "always", "never"] = "doubtful"
    empty_files: Literal["refuse", "ignore"] = "refuse"


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """[limits]: who may connect, how often a login may fail, how long a connection may be idle."""

    sessions: int = 256
    sessions_per_address: int = 0  # 0: unlimited
    failed_logins: int = 10
    ban_time: float = 600.0
    trusted_networks: tuple[Network, ...] = ()
    command_idle: float = 300.0
    data_idle: float = 300.0
    transfer_within: float = 1800.0
    handshake_within: float = 30.0


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """[scanners]: compatibility with devices."""

    code_page: str = "cp1252"  # a Python codec; for names that are not UTF-8
    temporary_names: tuple[str, ...] = (".in.*", "tmp.*", "*.part", "*.filepart", "*.tmp")
    side_files: tuple[str, ...] = ()  # patterns of final names; such a file is not kept
    epsv_eprt: Literal["on", "off"] = "on"  # off: over IPv4 only
    feat: Literal["full", "short"] = "full"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """[log]: how much is logged and whether file names (personal data) are."""

    level: Literal["debug", "info", "warning"] = "info"
    names: Literal["full", "short", "none"] = "full"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """[metrics]: where Prometheus may ask."""

    listen: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration."""

    openspp: OpenSPPSettings
    ftp: FtpSettings = field(default_factory=FtpSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    uploads: UploadSettings = field(default_factory=UploadSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    scanners: ScannerSettings = field(default_factory=ScannerSettings)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
