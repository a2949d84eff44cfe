"""How OpenSPP 17 and OpenSPP 2 refuse a record that cannot be made (pure; WIRE17.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from openspp_ftpd.sandbox.scanner_interface import OdooError

MODELS: Final[Mapping[str, str]] = {
    "spp.dms.file": "DMS File",
    "spp.dms.directory": "DMS Directory",
    "spp.dms.category": "DMS Category",
    "res.users": "User",
    "res.users.apikeys": "Users API Keys",
    "ir.model": "Models",
    "ir.module.module": "Module",
}
"""Every model that is there, with its name for people."""


def check_required(
    version: int, model: str, values: Mapping[str, object], names: Sequence[str]
) -> None:
    """Raise what Odoo says when one of these fields has no value."""
    for name in names:
        value = values.get(name)
        if value is not None and value is not False:
            continue
        label = {"name": "Filename", "directory_id": "Directory"}[name]
        if model == "spp.dms.directory":
            label = "Name"
        if version >= 19:
            text = (
                "The operation cannot be completed: Missing required value for the field "
                f"'{label}' ({name}).\nModel: '{MODELS[model]}' ({model})\n"
                "- create/update: a mandatory field is not set\n"
                "- delete: another model requires the record being deleted, "
                "you can archive it instead\n"
            )
        else:
            text = (
                "The operation cannot be completed:\n"
                "- Create/update: a mandatory field is not set.\n"
                "- Delete: another model requires the record being deleted. "
                "If possible, archive it instead.\n\n"
                f"Model: {MODELS[model]} ({model})\nField: {label} ({name})\n"
            )
        raise OdooError("odoo.exceptions.ValidationError", text)


def refuse_relation(version: int, name: str, label: str) -> None:
    """Raise what PostgreSQL says of a relation to a record that is not there, as Odoo words it."""
    if version >= 19:
        text = (
            "The operation cannot be completed: Another model is using the record you are "
            "trying to delete.\n\nThe troublemaker is: 'DMS File' (spp.dms.file)\n"
            f"Thanks to the following constraint: '{label}' ({name})\n"
            "How about archiving the record instead?"
        )
    else:
        text = (
            "The operation cannot be completed: another model requires the record being "
            "deleted. If possible, archive it instead.\n\n"
            f"Model: DMS File (spp.dms.file)\nConstraint: spp_dms_file_{name}_fkey\n"
        )
    raise OdooError("odoo.exceptions.ValidationError", text)


def check_texts(values: Sequence[object]) -> None:
    """Raise what PostgreSQL's driver raises for a text that it cannot send.

    A lone surrogate is a UnicodeEncodeError that nobody there catches either.
    """
    for value in values:
        if isinstance(value, str):
            value.encode()
            if "\0" in value:
                text = "A string literal cannot contain NUL (0x00) characters."
                raise OdooError("builtins.ValueError", text)
