"""The interfaces of OpenSPP that the tables of these tests run with, and what each needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import pytest

SCANNER: Final = "scanner"
ODOO: Final = ("odoo17", "odoo19")
EVERY: Final = (SCANNER, *ODOO)
"""As the embedded OpenSPP names them (`sandbox --api`)."""

DATABASES: Final = {"odoo17": "spp17", "odoo19": "spp19"}
USERS: Final = ("frank", "dbuser", "gina")
"""Who may send scans beside alice, with each of them."""

every_api: Final = pytest.mark.parametrize("api", EVERY, indirect=True)
"""Marks tests whose fixtures begin with `api`."""

Value = TypeVar("Value")


def by_api(told: Value | Mapping[str, Value], api: str) -> Value:
    """The value for this interface, where a table has several: by its name, or "odoo" for both."""
    if not isinstance(told, Mapping):
        return told
    return told[api] if api in told else told[SCANNER if api == SCANNER else "odoo"]


def configured(
    api: str, options: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """A daemon's options by section, and those that this interface needs."""
    sections = {section: dict(values) for section, values in (options or {}).items()}
    if api in ODOO:
        needed = {"api": "odoo", "database": DATABASES[api], "directory": "Scans / {user}"}
        sections["openspp"] = {**needed, **sections.get("openspp", {})}
    return sections


def answering(api: str, folder: Path) -> list[str]:
    """The options of an embedded OpenSPP that answers by this interface.

    By Odoo's own API it can be asked what it has, so it keeps that in `folder` over its death.
    """
    if api == SCANNER:
        return []
    users = [f"--user={user}:scan-{user}" for user in USERS]
    return ["--api", api, "--store", str(folder / "store"), *users]
