"""Whether a firewall of this machine lets scanners through, where that can be read: ufw and nft.

Both show their rules to root alone, and rules can say more than is understood here; so what is
missing is a warning, with the command that opens it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from openspp_ftpd.doctor.findings import Finding, fine, warning

_EVERY_PORT: Final = frozenset(range(65536))
_WHERE: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_DEEPEST: Final = 16
"""Chains that a chain may go through; the kernel allows as many."""

_UFW_PORTS: Final = re.compile(r"^([0-9:,]+)(?:/tcp)?\s+(?:ALLOW|LIMIT)")
_CONDITIONS: Final = frozenset(["ct", "iifname", "iif", "pkttype", "fib"])
"""Matches that choose connections by something else than who sends and to which port."""


def check_firewall(ports: Sequence[int]) -> Iterator[Finding]:
    """Whether each of `ports` is open as far as ufw or nft tell."""
    about = "firewall"
    if (status := _said("ufw", "status")) and "Status: active" in status:
        program, opened = "ufw", ufw_opens(status)
        mend = "ufw allow PORT/tcp, for a range ufw allow FIRST:LAST/tcp"
    elif rules := _said("nft", "--json", "list", "ruleset"):
        try:
            opened = nft_opens(json.loads(rules)["nftables"])
        except (ValueError, KeyError, TypeError, IndexError):
            return  # rules of a kind that is not understood here prove nothing
        program = "nft"
        mend = "nft add rule inet filter input tcp dport { PORT, FIRST-LAST } accept"
    else:
        return
    missing = [port for port in ports if port not in opened]
    if not missing:
        yield fine(about, f"{program} lets scanners through")
        return
    named = ", ".join(map(str, missing))
    yield warning(about, f"{program} seems to let nobody through to port {named}", mend)


def ufw_opens(status: str) -> frozenset[int]:
    """The TCP ports that `ufw status` says are open to somebody."""
    if re.search(r"^Anywhere\s+ALLOW", status, re.MULTILINE):
        return _EVERY_PORT
    opened: set[int] = set()
    for line in status.splitlines():
        if found := _UFW_PORTS.match(line.strip()):
            for part in found[1].split(","):
                first, _, last = part.partition(":")
                opened.update(range(int(first), int(last or first) + 1))
    return frozenset(opened)


def nft_opens(entries: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """The TCP ports that `nft --json list ruleset` says are open (libnftables-json(5)).

    A port is open where every input chain that drops has a rule that accepts it, from somebody.
    """
    entries = list(entries)
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    rules: dict[tuple[str, str, str], list[list[dict[str, Any]]]] = {}
    for entry in entries:
        if rule := entry.get("rule"):
            place = (rule["family"], rule["table"], rule["chain"])
            rules.setdefault(place, []).append(rule["expr"])
    opened = _EVERY_PORT
    for chain in chains:
        if chain.get("hook") == "input" and chain.get("type") == "filter":
            place = (chain["family"], chain["table"], chain["name"])
            if chain["family"] in ("inet", "ip", "ip6") and _drops(chain, rules.get(place, [])):
                opened &= _accepted(place, rules, _DEEPEST)
    return opened


def _drops(chain: Mapping[str, Any], rules: Sequence[Sequence[Mapping[str, Any]]]) -> bool:
    """Whether the chain turns away what no rule accepts."""
    if chain.get("policy") == "drop":
        return True
    return any(
        not any("match" in part for part in rule)
        and any("drop" in part or "reject" in part for part in rule)
        for rule in rules
    )


def _accepted(
    place: tuple[str, str, str],
    rules: Mapping[tuple[str, str, str], Sequence[Sequence[Mapping[str, Any]]]],
    depth: int,
) -> frozenset[int]:
    accepted: set[int] = set()
    for rule in rules.get(place, []) if depth else []:
        ports = _ports_of(rule)
        if not ports:
            continue
        if any("accept" in part for part in rule):
            accepted |= ports
        for part in rule:
            target = (part.get("jump") or part.get("goto") or {}).get("target")
            if target:
                accepted |= ports & _accepted((*place[:2], target), rules, depth - 1)
    return frozenset(accepted)


def _ports_of(rule: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """The destination ports of new TCP connections that a rule is about; none: of no such ones."""
    ports = _EVERY_PORT
    for part in rule:
        match = part.get("match")
        if not match:
            continue
        left, right = match["left"], match["right"]
        payload = left.get("payload", {}) if isinstance(left, dict) else {}
        if payload.get("field") == "dport":
            if payload.get("protocol") not in ("tcp", "th"):
                return frozenset()
            ports &= _numbers(right)
        elif payload.get("protocol") in ("udp", "icmp", "icmpv6"):
            return frozenset()
        elif left.get("meta", {}).get("key") in ("l4proto", "protocol"):
            if "tcp" not in str(right):
                return frozenset()
        elif "ct" in left and "new" in str(right):
            continue
        elif left.get("meta", {}).get("key") in _CONDITIONS or "ct" in left or "fib" in left:
            return frozenset()
    return ports


def _numbers(right: Any) -> frozenset[int]:
    if isinstance(right, int):
        return frozenset([right])
    if isinstance(right, dict) and "range" in right:
        first, last = right["range"]
        return frozenset(range(first, last + 1))
    if isinstance(right, dict) and "set" in right:
        return frozenset().union(*(_numbers(each) for each in right["set"]))
    return _EVERY_PORT  # a named set: who knows


def _said(program: str, *arguments: str) -> str:
    """What a program says; "" where it is not there, or says it to root alone."""
    found = shutil.which(program, path=_WHERE)
    if found is None:
        return ""
    try:
        asked = subprocess.run(
            [found, *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout
