"""A client of the embedded OpenSPP 17 and OpenSPP 2, that calls as the recording calls."""

from __future__ import annotations

import base64
from typing import Any

from tests.unit.sandbox import wire17
from tests.unit.sandbox.harness import Answer, OpenSPP

INTERFACES = ("odoo17", "odoo19")


class Client:
    """Calls one of the two as the recording calls it, and gives the result or the error's name."""

    def __init__(self, server: OpenSPP, interface: str, user: str = "alice") -> None:
        self.server = server
        self.interface = interface
        self.user = user
        self.uid = {"odoo17": {"alice": 6, "carol": 8}, "odoo19": {"alice": 5, "carol": 7}}[
            interface
        ].get(user, 0)

    def call(self, model: str, method: str, **named: Any) -> Answer:
        if self.interface == "odoo19":
            return self.server.post(
                f"/json/2/{model}/{method}", named, Authorization=f"bearer scan-{self.user}"
            )
        args = [named.pop(name) for name in ("ids", "vals") if name in named]
        database = next(iter(self.server.databases.by_name)) if self.server.databases else ""
        call = [database, self.uid, f"scan-{self.user}", model, method, args, named]
        return self.rpc("object", "execute_kw", call)

    def rpc(self, service: str, method: str, args: list[Any]) -> Answer:
        params = {"service": service, "method": method, "args": args}
        return self.server.post("/jsonrpc", {"jsonrpc": "2.0", "id": 7, "params": params})

    def save(self, name: str, content: bytes = wire17.PDF, **more: Any) -> Answer:
        vals = {
            "name": name,
            "directory_id": 2,
            "content": base64.b64encode(content).decode(),
            "image_1920": False,
        }
        vals |= more.pop("values", {})
        wanted: dict[str, object] = {"checksum": {}, "size": {}}
        return self.call(
            "spp.dms.file", "web_save", ids=[], vals=vals, specification=wanted, **more
        )


def result(answer: Answer) -> Any:
    """Return a call's result; it must have gone well."""
    value = answer.json
    assert answer.status == 200
    if isinstance(value, dict) and "jsonrpc" in value:
        assert "error" not in value, value["error"]
        return value["result"]
    return value


def error(answer: Answer) -> str:
    """Return the name of a call's error."""
    value = answer.json
    return str(value["error"]["data"]["name"] if "error" in value else value["name"])


def domain_of(client: Client, name: str) -> dict[str, Any]:
    domain = [["directory_id", "=", 2], ["name", "=", name]]
    return {"ids": domain} if client.interface == "odoo17" else {"domain": domain}
