"""Daemons with `api = odoo` before the embedded OpenSPP 17 and OpenSPP 2."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.promises import OPTIONS, Gateway, gateway_of


@contextlib.contextmanager
def odoo_gateway_of(folder: Path, api: str, *sandbox: str, **openspp: str) -> Iterator[Gateway]:
    """A daemon and the embedded OpenSPP of this interface, with more options of [openspp]."""
    options = {**OPTIONS, "openspp": {**OPTIONS["openspp"], **openspp}}
    with gateway_of(folder, options, sandbox, api) as gateway:
        yield gateway


def control(gateway: Gateway, what: str, order: dict[str, Any]) -> None:
    """Tell the embedded OpenSPP what to do from now on (`sandbox --help`)."""
    url = f"{gateway.openspp.url}/sandbox/{what}"
    body = json.dumps(order).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
