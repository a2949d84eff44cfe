"""What the text of an option's value means: sizes, durations, ports, addresses, lists.

Every parser takes the text and returns the value, or raises `Wrong` with what is wrong and what
would be right. Nothing here looks at the machine: no file, address or certificate is asked for.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable
from encodings.aliases import aliases
from typing import Final
from urllib.parse import urlsplit

from openspp_ftpd.settings import Address, Network, PublicAddress

MOST_PASSIVE_PORTS: Final = 1000
"""Every passive port is an open socket from start to stop."""

_SIZES: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_DURATIONS: Final = {"": 1, "s": 1, "min": 60, "h": 3600}

# RFC 2606: names that belong to nobody, and so stand in examples.
_PLACEHOLDER: Final = re.compile(r"(^|\.)(example(\.(com|net|org))?|invalid)$")
_HOST: Final = re.compile(r"[^\W_]([\w.-]*[^\W_])?\.?")
_DATABASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # what Odoo itself allows


class Wrong(ValueError):
    """A value that cannot be used: the text says what is wrong and what would be right."""


def size(least: int, most: int) -> Callable[[str], int]:
    """A parser of sizes in bytes: 64K, 25M, 1G (powers of 1024) or plain bytes."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"(\d{1,15})\s*([KMG]?)", text.upper())
        if found is None:
            raise Wrong(f"{quoted(text)} is no size; write 64K, 25M, 1G or a number of bytes")
        value = int(found[1]) * _SIZES[found[2]]
        if not least <= value <= most:
            raise Wrong(f"{text} is out of range; {_size(least)} to {_size(most)} are possible")
        return value

    return parse


def duration(least: int, most: int) -> Callable[[str], float]:
    """A parser of durations in seconds, written 45s, 10min, 1h or a plain number of seconds."""

    def parse(text: str) -> float:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|min|h|)", text.lower())
        if found is None:
            raise Wrong(f"{quoted(text)} is no duration; write 45s, 10min, 1h or seconds")
        value = float(found[1]) * _DURATIONS[found[2]]
        if not least <= value <= most:
            possible = f"{_duration(least)} to {_duration(most)} are possible"
            raise Wrong(f"{text} is out of range; {possible}")
        return value

    return parse


def number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers."""

    def parse(text: str) -> int:
        if re.fullmatch(r"-?\d{1,9}", text) is None:
            raise Wrong(f"{quoted(text)} is no whole number; write {least} to {most}")
        value = int(text)
        if not least <= value <= most:
            raise Wrong(f"{text} is out of range; {least} to {most} are possible")
        return value

    return parse


def percent(text: str) -> int:
    """A part of something, from 1% to 100%."""
    found = re.fullmatch(r"(\d{1,3})\s*%", text)
    if found is None or not 1 <= int(found[1]) <= 100:
        raise Wrong(f"{quoted(text)} is no part of it; write 1% to 100%")
    return int(found[1])


def choice(*possible: str) -> Callable[[str], str]:
    """A parser of one word out of a few."""

    def parse(text: str) -> str:
        word = text.lower()
        if word not in possible:
            near = nearest(word, possible)
            meant = f"did you mean {near}? " if near else ""
            raise Wrong(f"{quoted(text)} is unknown; {meant}possible: {', '.join(possible)}")
        return word

    return parse


def minimum_version(text: str) -> str:
    """The lowest TLS version: 1.2."""
    version = text.lower().removeprefix("tlsv").removeprefix("tls").strip()
    if version == "1.3":
        raise Wrong(
            "with TLS 1.3 on the data connection the tail of a scan gets lost, for a client that"
            " does not read the session tickets resets the connection when it closes; write 1.2"
            " (the control connection uses TLS 1.3 by itself wherever the scanner can)"
        )
    if version in ("1.0", "1.1", "1"):
        raise Wrong(f"TLS {version} is broken and OpenSSL refuses it; write 1.2")
    if version != "1.2":
        raise Wrong(f"{quoted(text)} is no version of TLS; write 1.2")
    return version


def url(text: str) -> str:
    """OpenSPP's address as scheme://host[:port]. Neither user nor password are ever repeated."""
    if not text:
        raise Wrong("is not set; write the address of your OpenSPP: url = https://HOST")
    if re.search(r"\s", text):
        raise Wrong("has a blank in it; write https://HOST or https://HOST:PORT")
    if "://" not in text:
        shown = f"https://{text}" if "@" not in text else "https://HOST"
        raise Wrong(f"has no scheme; write {shown} (or http://)")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Wrong("is no address of a server; write https://HOST or https://HOST:PORT") from None
    if parts.scheme not in ("http", "https"):
        raise Wrong(f"the scheme {quoted(parts.scheme)} is not possible; write https:// or http://")
    _check_url_host(host, bracketed="[" in parts.netloc)
    if port == 0:
        raise Wrong("port 0 is not possible; write https://HOST or https://HOST:PORT")
    where = f"[{host}]" if ":" in host else host
    right = f"{parts.scheme}://{where}" + (f":{port}" if port else "")
    if "@" in parts.netloc:
        raise Wrong(f"holds a user name; each scanner brings its own: write {right}")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise Wrong(f"has a query or fragment behind the address; write {right}")
    if parts.path not in ("", "/"):
        raise Wrong(f"has a path; OpenSPP is asked at the root of its server: write {right}")
    if _PLACEHOLDER.search(host.rstrip(".")):
        raise Wrong(f"{right} is only an example; write the address of your OpenSPP")
    return right


def database(text: str) -> str:
    """The name of an Odoo database, or nothing."""
    if text and _DATABASE.fullmatch(text) is None:
        raise Wrong(f"{quoted(text)} is no database name; letters, digits, '_', '.', '-' make one")
    return text


def directory(text: str) -> str:
    """A directory in OpenSPP, by its id or by its path, or nothing."""
    if not text or (text.isdecimal() and int(text) > 0):
        return text
    parts = [part.strip() for part in text.strip("/").split("/")]
    if text.isdecimal() or not all(parts) or len(text) > 500:
        raise Wrong(f"{quoted(text)} is no directory; write its id, or a path: Scans / {{user}}")
    if re.search(r"[{}]", text.replace("{user}", "")):
        raise Wrong(f"{quoted(text)} has braces; only {{user}} stands for something")
    return " / ".join(parts)


def path(text: str) -> str:
    """An absolute path."""
    if not text:
        raise Wrong("is empty; write a path that begins with /, or remove the line")
    if not text.startswith("/"):
        raise Wrong(f"{quoted(text)} is no full path; write one that begins with /")
    return text


def path_or_nothing(text: str) -> str:
    """An absolute path, or nothing."""
    return path(text) if text else ""


def addresses(text: str) -> tuple[Address, ...]:
    """Addresses to listen on, written address:port; without an address, all of IPv4 and IPv6."""
    found: list[Address] = []
    for item in items(text):
        parts = re.fullmatch(r"(?:\[([^]]+)\]|([^][:]*)):(\d{1,9})", item)
        if parts is None:
            raise Wrong(f"{quoted(item)} {_missing_in_address(item)}")
        found_port = port(parts[3], least=1)
        host = parts[1] or parts[2]
        if not host:
            found += [Address("0.0.0.0", found_port), Address("::", found_port)]
            continue
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise Wrong(
                f"{quoted(host)} is no IP address; write one of this machine's, 127.0.0.1 for"
                f" itself alone, or :{found_port} for all of them"
            ) from None
        found.append(Address(str(address), found_port))
    return tuple(found)


def passive_ports(text: str) -> tuple[int, ...]:
    """Ports in ascending order, written 3000-3005, or 3000,3001, or mixed."""
    found: set[int] = set()
    for item in items(text):
        parts = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", item)
        if parts is None:
            raise Wrong(f"{quoted(item)} is no port; write 3000-3005 or 3000,3001")
        first = port(parts[1], least=1024)
        last = port(parts[2], least=1024) if parts[2] else first
        if last < first:
            raise Wrong(f"{item} runs backwards; write {last}-{first}")
        twice = found.intersection(range(first, last + 1))
        if twice:
            raise Wrong(f"port {min(twice)} is named twice; name it once")
        found.update(range(first, last + 1))
    if not found:
        raise Wrong("is empty; write the ports the firewall lets through, for example 3000-3005")
    if len(found) > MOST_PASSIVE_PORTS:
        raise Wrong(
            f"these are {len(found)} ports, {MOST_PASSIVE_PORTS} are possible; six serve an"
            " office, since scanners of different addresses share them"
        )
    return tuple(sorted(found))


def public_addresses(text: str) -> tuple[PublicAddress, ...]:
    """What a 227 reply tells: host for everybody, network=host for the clients of a network."""
    found: dict[Network | None, PublicAddress] = {}
    for item in items(text):
        network_text, equals, host = item.rpartition("=")
        network = _network(network_text.strip()) if equals else None
        if network in found:
            whom = f"the clients of {network}" if network else "everybody"
            raise Wrong(f"two addresses are given for {whom}; keep one of them")
        found[network] = PublicAddress(_public_host(host.strip()), network)
    return tuple(found.values())


def networks(text: str) -> tuple[Network, ...]:
    """Networks (10.0.0.0/8, fd00::/8) or single addresses."""
    return tuple(_network(item) for item in items(text))


def code_page(text: str) -> str:
    """The name of a Python codec in which letters and digits are what they are in ASCII."""
    if not _is_code_page(text):
        known = {name.replace("_", "-") for name in {*aliases, *aliases.values()}}
        near = nearest(text.lower().replace("_", "-"), known)
        meant = f"did you mean {near}? " if near and _is_code_page(near) else ""
        raise Wrong(f"{quoted(text)} is no code page; {meant}write for example cp1252 or cp1256")
    return text


def name_patterns(text: str) -> tuple[str, ...]:
    """Patterns of temporary names; the one `*` of each stands for the final name."""
    found = items(text)
    for item in found:
        if item.count("*") != 1 or item == "*":
            raise Wrong(f"{quoted(item)} needs one * for the final name; write it like *.part")
        if re.search(r"[\s/\\]", item):
            raise Wrong(f"{quoted(item)} has a blank or slash; write a pattern of a name: *.part")
    return found


def side_files(text: str) -> tuple[str, ...]:
    """Patterns of file names that are not kept, with `*` and `?`."""
    found = items(text)
    for item in found:
        if re.search(r"[/\\]", item):
            raise Wrong(f"{quoted(item)} has a slash; write a pattern of a name: *.xst")
        if re.search(r"[^*?.]", item) is None:
            raise Wrong(f"{quoted(item)} fits every document, and none would be kept; name a type")
        if "[" in item:
            raise Wrong(f"{quoted(item)} has a bracket; only * and ? stand for something")
    return found


def items(text: str) -> tuple[str, ...]:
    """The items of a list, which commas or line ends separate."""
    return tuple(item.strip() for item in re.split(r"[,\n]", text) if item.strip())


def port(text: str, least: int) -> int:
    """A port from `least` on."""
    value = int(text)
    if not least <= value <= 65535:
        raise Wrong(f"port {text} is out of range; {least} to 65535 are possible")
    return value


def nearest(word: str, known: Collection[str]) -> str:
    """The one of `known` that `word` was probably meant to be, or nothing."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), "")


def quoted(text: str) -> str:
    """`text` in quotation marks, cut where it is long, what cannot be seen by its number."""
    cut = text if len(text) <= 60 else f"{text[:57]}..."
    return "'" + "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in cut) + "'"


def _check_url_host(host: str, bracketed: bool) -> None:
    if not host:
        raise Wrong("has no host; write https://HOST or https://HOST:PORT")
    if bracketed:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise Wrong(f"{quoted(host)} is no IPv6 address; write https://[2001:db8::1]") from None
    elif _HOST.fullmatch(host) is None or ".." in host:
        raise Wrong(f"{quoted(host)} is no host name; write https://HOST or https://HOST:PORT")


def _missing_in_address(item: str) -> str:
    """What is wrong with something that is not address:port."""
    if item.isdecimal():
        return f"has no address; write :{item} for all, or 127.0.0.1:{item}"
    if item.count(":") > 1 and not item.startswith("["):
        return "is not to be told apart; write an IPv6 address and its port as [::1]:8002"
    if re.search(r":\d+$", item) is None:
        return "has no port; write address:port, for example 0.0.0.0:8002"
    return "is no address; write address:port, for example 0.0.0.0:8002 or [::]:8002"


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Wrong(f"{quoted(text)} is no network; write it like 10.0.0.0/8") from None
    raise Wrong(f"{text} names an address inside the network {meant}; write {meant}")


def _public_host(host: str) -> str:
    if not host:
        raise Wrong("an address is missing; write a name or IPv4 address, or network=address")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if _HOST.fullmatch(host) is None or re.fullmatch(r"[\d.]+", host):
            raise Wrong(f"{quoted(host)} is no name and no IPv4 address") from None
        return host
    if address.version == 6:
        raise Wrong(f"{host} is IPv6, but a 227 reply can only tell IPv4; write an IPv4 address")
    if address.is_unspecified:
        raise Wrong(f"{host} cannot be connected to; write the address scanners connect to")
    return host


def _is_code_page(name: str) -> bool:
    sample = "Az09.-_ "
    try:
        return sample.encode("ascii").decode(name) == sample
    except (LookupError, ValueError):
        return False


def _size(value: int) -> str:
    return _largest_unit(value, (("G", _SIZES["G"]), ("M", _SIZES["M"]), ("K", _SIZES["K"])), "")


def _duration(value: int) -> str:
    return _largest_unit(value, (("h", 3600), ("min", 60)), "s")


def _largest_unit(value: int, units: Iterable[tuple[str, int]], smallest: str) -> str:
    for unit, factor in units:
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return f"{value}{smallest}"
