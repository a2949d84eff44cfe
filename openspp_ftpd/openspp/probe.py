"""What answers where OpenSPP should be, asked without any password: for the administrator's check.

An empty user is enough: the scanner interface answers it with its own 400 in brackets (WIRE.md
section 1), and nothing else does. Odoo's version needs no login either (WIRE17.md section 3).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import api_for
from openspp_ftpd.openspp.answers import Answer, Credentials
from openspp_ftpd.openspp.client import Client
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.openspp.faults import NoAnswer
from openspp_ftpd.openspp.odoo import OdooApi
from openspp_ftpd.openspp.odoo_answers import Refused
from openspp_ftpd.openspp.odoo_keys import Expiry
from openspp_ftpd.settings import OpenSPPSettings

_VERSION: Final = "/web/webclient/version_info"


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    `failure` is what keeps scans away (None: nothing), `seconds` how long the interface took,
    `version` that of the Odoo there ("" where none tells it), `clock` its time where it told it.
    `scanner_interface`: with api = odoo that answers there instead.
    """

    failure: Failure | None
    seconds: float
    version: str
    clock: datetime | None
    scanner_interface: bool = False


def probe(settings: OpenSPPSettings, clock: Callable[[], float] = time.monotonic) -> Probe:
    """Ask once. Blocks for `login_within` a few times. Raises OSError for a bad `ca_file`."""
    version, told = _version(settings)
    api = api_for(settings)
    began = clock()
    denied = api.probe(Exchange())
    seconds = clock() - began
    if denied is None and isinstance(api, OdooApi):
        denied = api.find_database(Exchange())
    failure = denied.failure if denied else None
    other = settings.api == "odoo" and _has_scanner_interface(settings, failure)
    return Probe(failure, seconds, version, told, scanner_interface=other)


def _has_scanner_interface(settings: OpenSPPSettings, failure: Failure | None) -> bool:
    """Whether the interface of OpenSPP 15 answers where no other does."""
    if failure is None or failure.problem is not Problem.NOT_OPENSPP:
        return False
    other = replace(settings, api="scanner", database="")
    return api_for(other).probe(Exchange()) is None


def key_expiry(settings: OpenSPPSettings, credentials: Credentials) -> Expiry | None:
    """Which of the user's API keys expires first; None: none does, or nobody can tell.

    Blocks for some requests.
    """
    if settings.api != "odoo":
        return None
    try:
        return OdooApi(settings).expiry(credentials, Exchange())
    except (Refused, NoAnswer, OSError):
        return None


def _version(settings: OpenSPPSettings) -> tuple[str, datetime | None]:
    """The version of the Odoo there, and its time; "" and None where nothing tells them."""
    client = Client(settings.url, settings.ca_file)
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": {}}).encode()
    try:
        answer = client.post(_VERSION, body, Exchange(), settings.login_within)
    except NoAnswer:
        return "", None
    return _version_in(answer), _time_in(answer)


def _version_in(answer: Answer) -> str:
    if answer.status != 200 or not answer.is_json:
        return ""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    result = content.get("result") if isinstance(content, dict) else None
    serie = result.get("server_serie") if isinstance(result, dict) else None
    return serie if isinstance(serie, str) and len(serie) <= 20 and serie.isprintable() else ""


def _time_in(answer: Answer) -> datetime | None:
    try:
        told = parsedate_to_datetime(answer.date)
    except ValueError:
        return None
    return told if told.tzinfo else None
