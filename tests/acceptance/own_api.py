"""Daemons with `api = odoo` before the embedded OpenSPP 17 and OpenSPP 2."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.acceptance.promises import OPTIONS, Gateway, gateway_of

APIS: Final = ("odoo17", "odoo19")
DATABASES: Final = {"odoo17": "spp17", "odoo19": "spp19"}


def options_for(api: str, **openspp: str) -> dict[str, dict[str, str]]:
    """What most of these tests configure, with more options of [openspp]."""
    own = {"api": "odoo", "database": DATABASES[api], "directory": "Scans / {user}"}
    return {**OPTIONS, "openspp": {**OPTIONS["openspp"], **own, **openspp}}


@contextlib.contextmanager
def odoo_gateway_of(folder: Path, api: str, *sandbox: str, **openspp: str) -> Iterator[Gateway]:
    """A daemon and the embedded OpenSPP of this interface, with more options of [openspp]."""
    with gateway_of(folder, options_for(api, **openspp), ["--api", api, *sandbox]) as gateway:
        yield gateway


def control(gateway: Gateway, what: str, order: dict[str, Any]) -> None:
    """Tell the embedded OpenSPP what to do from now on (`sandbox --help`)."""
    url = f"{gateway.openspp.url}/sandbox/{what}"
    body = json.dumps(order).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
