"""The configuration file becomes settings, or a list of everything that is wrong with it.

`understand` judges the text alone, `load` the file and the machine around it.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from openspp_ftpd.config import schema, values
from openspp_ftpd.config.ini import Entry, Ini, parse
from openspp_ftpd.config.world import Finding, check_world
from openspp_ftpd.settings import Address, FtpSettings, Settings, TlsSettings

_NOT_HANDED_OVER: Final = Finding(
    "tls", "key", "certificate and key were not handed to the daemon; the message above says why"
)

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of a configuration; what is larger is another file."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong, where, and what would be right. Line 0 is the file as a whole."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


class ConfigurationError(Exception):
    """The configuration cannot be used; `mistakes` are all that were found, one line each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that can be served with, and what the administrator should nevertheless mend."""

    settings: Settings
    warnings: tuple[Mistake, ...]
    text: str = field(repr=False)
    """The whole file, for `settings_of`."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What a text says. A wrong option has its default here, and is named in `wrong`."""

    settings: Settings
    ini: Ini
    mistakes: tuple[tuple[int, str], ...]
    wrong: frozenset[tuple[str, str]]

    def line(self, section: str, option: str) -> int:
        """Where the option is set; where it is not, its section's line, or the file's first."""
        for entry in self.ini.entries:
            if (entry.section, entry.name) == (section, option):
                return entry.line
        return self.ini.sections.get(section, 1)


def load(path: str, credentials: str = "", tmpfs_of_unit: Collection[str] = ()) -> Loaded:
    """The settings of the file at `path`. Changes nothing, so it serves a reload as well.

    With `credentials` certificate and key are served from the copies in that directory (see
    credentials.py), and the settings name those. `tmpfs_of_unit` are directories on which the
    daemon will have a tmpfs of its own, whatever is there now.

    Raises ConfigurationError with all mistakes at once.
    """
    text = read(path)
    understood = understand(text)
    settings = settings_of(text, credentials)
    mistakes = [Mistake(path, line, text) for line, text in understood.mistakes]
    warnings: list[Mistake] = []
    findings = check_world(settings, datetime.now(UTC), tmpfs_of_unit=tmpfs_of_unit)
    if credentials and not os.access(settings.tls.key, os.R_OK):
        missed = [finding for finding in findings if finding.section == "tls"]
        findings = [finding for finding in findings if finding.section != "tls"]
        if missed and not understood.mistakes:  # where those are, nothing is handed over
            findings.append(_NOT_HANDED_OVER)
    for finding in findings:
        if _is_of_use(finding, understood):
            found = mistake(path, understood, finding, settings.tls)
            (warnings if finding.is_warning else mistakes).append(found)
    if mistakes:
        raise ConfigurationError(mistakes)
    return Loaded(settings, tuple(sorted(warnings)), text)


def settings_of(text: str, credentials: str = "") -> Settings:
    """The settings of a text that `load` found good, with the same `credentials`."""
    settings = understand(text).settings
    if credentials:
        settings = replace(settings, tls=served_from(credentials, settings.tls))
    return settings


def served_from(directory: str, settings: TlsSettings) -> TlsSettings:
    """The settings with the copies of certificate and key in `directory` (see credentials.py)."""
    return replace(settings, certificate=f"{directory}/certificate.pem", key=f"{directory}/key.pem")


def mistake(path: str, understood: Understood, finding: Finding, served: TlsSettings) -> Mistake:
    """A finding with its place in the configuration at `path`.

    It names certificate and key as they are configured, also where the copies in `served` were
    looked at.
    """
    configured = understood.settings.tls
    text = finding.text.replace(served.certificate, configured.certificate)
    text = text.replace(served.key, configured.key)
    line = understood.line(finding.section, finding.option)
    return Mistake(path, line, _about(finding.section, finding.option, text))


def understand(text: str) -> Understood:
    """What the text of a configuration says. Looks at nothing else and raises nothing."""
    ini = parse(text)
    mistakes = list(ini.mistakes)
    wrong: set[tuple[str, str]] = set()
    found: dict[str, dict[str, Any]] = {section: {} for section in schema.SECTIONS}
    for section, line in ini.sections.items():
        if section not in schema.SECTIONS:
            mistakes.append((line, _unknown_section(section)))
    for entry in ini.entries:
        if entry.section not in schema.SECTIONS:
            continue
        option = schema.option(entry.section, entry.name)
        if option is None:
            mistakes.append((entry.line, _unknown_option(entry)))
            near = values.nearest(entry.name, _names(entry.section))
            wrong.add((entry.section, near))  # it was meant to be set: no complaints of its default
            continue
        try:
            _check_layout(entry.value, option.is_list)
            found[entry.section][entry.name] = option.parse(entry.value)
        except values.Wrong as error:
            mistakes.append((entry.line, _about(entry.section, entry.name, str(error))))
            wrong.add((entry.section, entry.name))

    found["openspp"].setdefault("url", "")
    settings = Settings(**{name: make(**found[name]) for name, make in schema.SECTIONS.items()})
    understood = Understood(settings, ini, (), frozenset(wrong))
    for section, names, said in _contradictions(settings):
        if not wrong.intersection((section, name) for name in names):
            mistakes.append((understood.line(section, names[0]), _about(section, names[0], said)))
    return Understood(settings, ini, tuple(sorted(mistakes)), frozenset(wrong))


def read(path: str) -> str:
    """The text of the configuration at `path`. Raises ConfigurationError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _unusable(path, 0, "does not exist; name the configuration with -c FILE") from None
    except OSError as error:
        said = f"cannot be read ({error.strerror}); let the user of this process read it"
        raise _unusable(path, 0, said) from None
    if len(content) > LARGEST_FILE:
        raise _unusable(path, 0, "is larger than 1 MiB; is this the right file?")
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a mark at the beginning
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, line, "is not UTF-8; save the file with that encoding") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _unusable(path, line, "holds a NUL character; is this a text file?")
    return text


def _unusable(path: str, line: int, text: str) -> ConfigurationError:
    return ConfigurationError([Mistake(path, line, text)])


def _about(section: str, option: str, text: str) -> str:
    return f"[{section}] {option}: {text}"


def _check_layout(value: str, is_list: bool) -> None:
    """Slips that every option knows."""
    if re.search(r"\s[#;]", value):
        raise values.Wrong("there is a comment behind the value; give it a line of its own")
    if re.match(r"(['\"]).*\1\Z", value):
        raise values.Wrong("stands in quotation marks; write it without")
    for line in value.split("\n")[1:]:
        swallowed = re.match(r"(\w+)\s*=|(\[\w+\])\Z", line)
        if swallowed and (swallowed[2] or any(o.name == swallowed[1] for o in schema.OPTIONS)):
            said = f"{swallowed[1] or swallowed[2]} below it begins with a blank; remove that"
            raise values.Wrong(said)
    if "\n" in value and not is_list:
        raise values.Wrong("has a second line, which begins with a blank; write one line")
    for character in value:
        if not character.isprintable() and character not in "\t\n":
            number = f"U+{ord(character):04X}"
            raise values.Wrong(f"holds an invisible character ({number}); write the value anew")


def _names(section: str) -> list[str]:
    return [option.name for option in schema.OPTIONS if option.section == section]


def _unknown_section(section: str) -> str:
    near = values.nearest(section.lower(), tuple(schema.SECTIONS))
    meant = f"did you mean [{near}]? " if near else ""
    every = ", ".join(f"[{name}]" for name in schema.SECTIONS)
    return f"section {values.quoted(section)} is unknown; {meant}there are {every}"


def _unknown_option(entry: Entry) -> str:
    unknown = f"{values.quoted(entry.name)} is no option of [{entry.section}]"
    for option in schema.OPTIONS:
        if entry.name in (option.name, option.original.lower()):
            return f"{unknown}; write {option.name} in section [{option.section}]"
    near = values.nearest(entry.name, _names(entry.section))
    if near:
        return f"{unknown}; did you mean {near}?"
    for option in schema.OPTIONS:
        if values.nearest(entry.name, [option.name]):
            return f"{unknown}; did you mean {option.name} in section [{option.section}]?"
    return f"{unknown}; there are {', '.join(_names(entry.section))}"


def _is_of_use(finding: Finding, understood: Understood) -> bool:
    """Not what was found about the default of an option that was written wrongly."""
    names = ("mode", "certificate", "key") if finding.section == "tls" else (finding.option,)
    return not understood.wrong.intersection((finding.section, name) for name in names)


_Contradiction = tuple[str, tuple[str, ...], str]
"""A section, the options of it that do not go together (the one to blame first), what is wrong."""


def _contradictions(settings: Settings) -> Iterator[_Contradiction]:
    if not settings.openspp.url:
        said = "is not set; write the address of your OpenSPP: url = https://HOST"
        yield "openspp", ("url",), said
    if settings.openspp.api == "odoo":
        if not settings.openspp.database:
            said = "is needed with api = odoo; write the name of OpenSPP's database"
            yield "openspp", ("database", "api"), said
        if not settings.openspp.directory:
            said = "is needed with api = odoo; write an id, or a path: Scans / {user}"
            yield "openspp", ("directory", "api"), said
    yield from _listeners(settings.ftp)
    yield from _several_workers(settings.ftp)
    yield from _implicit_tls(settings.ftp, settings.tls)
    yield from _metrics(settings)


def _several_workers(ftp: FtpSettings) -> Iterator[_Contradiction]:
    if ftp.workers > 1 and ftp.data_from == "any" and len(ftp.passive_ports) < ftp.workers:
        said = (
            f"any needs passive_ports for each of {ftp.workers} workers, for a data connection"
            " finds its worker by the port; name more ports, or write session"
        )
        yield "ftp", ("data_from", "passive_ports", "workers"), said


def _listeners(ftp: FtpSettings) -> Iterator[_Contradiction]:
    every = ("listen", "listen_implicit")
    if not ftp.listen and not ftp.listen_implicit:
        yield "ftp", every, "is empty, so no scanner could connect; write listen = :8002"
    everyone = [("listen", address) for address in ftp.listen]
    everyone += [("listen_implicit", address) for address in ftp.listen_implicit]
    for (first, one), (second, other) in combinations(everyone, 2):
        if _clash(one, other):
            said = f"{other} and {one} want the same port; give one of them another"
            yield "ftp", (second, first), said
    listening = {address.port: address for _, address in everyone}
    for port in ftp.passive_ports:
        if port in listening:
            said = f"port {port} is that of the listener {listening[port]}; leave it out here"
            yield "ftp", ("passive_ports", *every), said


def _clash(one: Address, other: Address) -> bool:
    if one.port != other.port:
        return False
    hosts = [ipaddress.ip_address(address.host) for address in (one, other)]
    same_family = hosts[0].version == hosts[1].version
    return same_family and (hosts[0] == hosts[1] or any(host.is_unspecified for host in hosts))


def _implicit_tls(ftp: FtpSettings, tls: TlsSettings) -> Iterator[_Contradiction]:
    if ftp.listen_implicit and tls.mode == "off":
        said = "implicit TLS needs a certificate; write optional or required"
        yield "tls", ("mode",), said


def _metrics(settings: Settings) -> Iterator[_Contradiction]:
    ftp = settings.ftp
    taken = {address.port for address in (*ftp.listen, *ftp.listen_implicit)}
    for address in settings.metrics.listen:
        if address.port in taken.union(ftp.passive_ports):
            said = f"port {address.port} is one for scanners; write another, 9464 for example"
            yield "metrics", ("listen",), said
