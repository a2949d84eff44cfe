"""How a call is written for Odoo: JSON-RPC up to 18, /json/2 from 19 on (WIRE17.md section 4).

Pure: a call goes in, an HTTP request's path, headers and body come out. What its answer means is in
`odoo_answers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from openspp_ftpd.openspp.answers import Credentials, RequestId

FILE: Final = "spp.dms.file"
DIRECTORY: Final = "spp.dms.directory"

JSON_2_FROM: Final = 19
"""The first version of Odoo that has /json/2 (WIRE17.md section 10)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a model. JSON-RPC sends `first` by position, /json/2 sends everything by name."""

    model: str
    method: str
    first: Mapping[str, Any] = field(repr=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A POST. `id` is what JSON-RPC's answer must carry; /json/2 has none."""

    path: str
    body: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    id: RequestId | None = None


def json_rpc(request_id: RequestId, service: str, method: str, *arguments: Any) -> Request:
    """A call of one of Odoo's services."""
    body = {
        "jsonrpc": "2.0",
        "method": "call",
        "id": request_id,
        "params": {"service": service, "method": method, "args": arguments},
    }
    return Request("/jsonrpc", json.dumps(body), id=request_id)


def execute(
    request_id: RequestId, database: str, uid: int, credentials: Credentials, call: Call
) -> Request:
    """A call over JSON-RPC."""
    return json_rpc(
        request_id,
        "object",
        "execute_kw",
        *(database, uid, credentials.password, call.model, call.method),
        list(call.first.values()),
        dict(call.more),
    )


def json_2(database: str, credentials: Credentials, call: Call) -> Request:
    """A call over /json/2, where the key alone tells who calls."""
    headers = {"Authorization": f"bearer {credentials.password}", "X-Odoo-Database": database}
    body = json.dumps({**call.first, **call.more})
    return Request(f"/json/2/{call.model}/{call.method}", body, headers)


def web_save(name: str, directory: int, content: str) -> Call:
    """Store a scan; answers id, checksum and size of what was received.

    `create` fails on 17 wherever spp_change_request is installed (WIRE17.md section 1). Without the
    context Odoo shrinks large images silently; without image_1920 it refuses scans that it cannot
    decode (section 5).
    """
    values = {"name": name, "directory_id": directory, "image_1920": False, "content": content}
    more = {
        "specification": {"checksum": {}, "size": {}},
        "context": {"image_no_postprocess": True},
    }
    return Call(FILE, "web_save", {"ids": [], "vals": values}, more)


def search(model: str, domain: list[list[Any]], fields: list[str], limit: int) -> Call:
    """The records that fit `domain`."""
    return Call(model, "search_read", {"domain": domain}, {"fields": fields, "limit": limit})


def create_directory(values: Mapping[str, Any]) -> Call:
    """Make a directory; answers a list of its id."""
    return Call(DIRECTORY, "create", {"vals_list": [dict(values)]})


def may_create(version: int) -> Call:
    """Whether the user may store, without a try (WIRE17.md section 2)."""
    if version >= JSON_2_FROM:
        return Call(FILE, "has_access", {"ids": [], "operation": "create"})
    first = {"operation": "create"}
    return Call(FILE, "check_access_rights", first, {"raise_exception": False})
