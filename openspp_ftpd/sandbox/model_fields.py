"""The fields of the models that the embedded OpenSPP 17 and OpenSPP 2 know, as recorded (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """A field as fields_get tells it; relation: the other model, "" for none."""

    type: str
    required: bool = False
    readonly: bool = False
    store: bool = True
    relation: str = ""

    def attribute(self, name: str) -> object:
        """Return one attribute by its name. Raises KeyError for one that is not known here."""
        return {
            "type": self.type,
            "required": self.required,
            "readonly": self.readonly,
            "store": self.store,
            "relation": self.relation or None,
        }[name]


_USER: Final = Field("many2one", readonly=True, relation="res.users")
_DATE: Final = Field("datetime", readonly=True)
_TEXT: Final = Field("char", readonly=True)
_SHOWN: Final = Field("char", readonly=True, store=False)
_COUNT: Final = Field("integer", readonly=True, store=False)
_PICTURE: Final = Field("binary", readonly=True)
_MADE: Final[Mapping[str, Field]] = {
    "id": Field("integer", readonly=True),
    "display_name": _SHOWN,
    "create_uid": _USER,
    "create_date": _DATE,
    "write_uid": _USER,
    "write_date": _DATE,
}
_FILE: Final[Mapping[str, Field]] = {
    "image_1920": Field("binary"),
    "image_1024": _PICTURE,
    "image_512": _PICTURE,
    "image_256": _PICTURE,
    "image_128": _PICTURE,
    "icon_url": _SHOWN,
    "name": Field("char", required=True),
    "directory_id": Field("many2one", required=True, relation="spp.dms.directory"),
    "path_names": _SHOWN,
    "path_json": Field("text", readonly=True, store=False),
    "content": Field("binary", required=True, store=False),
    "extension": _TEXT,
    "mimetype": _TEXT,
    "size": Field("float", readonly=True),
    "human_size": _TEXT,
    "checksum": _TEXT,
    "content_file": Field("binary"),
    "category_id": Field("many2one", relation="spp.dms.category"),
    "color": Field("integer"),
    **_MADE,
}
_DIRECTORY: Final[Mapping[str, Field]] = {
    "display_name": _SHOWN,
    "name": Field("char", required=True),
    "active": Field("boolean"),
    "complete_name": _TEXT,
    "parent_path": _TEXT,
    "is_root_directory": Field("boolean"),
    "parent_id": Field("many2one", relation="spp.dms.directory"),
    "root_directory_id": Field("many2one", readonly=True, relation="spp.dms.directory"),
    "child_directory_ids": Field("one2many", relation="spp.dms.directory"),
    "file_ids": Field("one2many", relation="spp.dms.file"),
    "count_elements": _COUNT,
    "count_directories": _COUNT,
    "count_directories_title": _SHOWN,
    "count_files": _COUNT,
    "count_files_title": _SHOWN,
    "count_total_directories": _COUNT,
    "count_total_files": _COUNT,
    "size": Field("float", readonly=True, store=False),
    "human_size": _SHOWN,
    **{name: field for name, field in _MADE.items() if name != "display_name"},
}
_OTHERS: Final[Mapping[str, Mapping[str, Field]]] = {
    "spp.dms.category": {"name": Field("char", required=True), **_MADE},
    "res.users": {"login": Field("char", required=True), "name": Field("char"), **_MADE},
    "res.users.apikeys": {
        "name": Field("char", required=True, readonly=True),
        "user_id": Field("many2one", required=True, readonly=True, relation="res.users"),
        "scope": _TEXT,
        "create_date": _DATE,
        "id": _MADE["id"],
        "display_name": _SHOWN,
    },
}

RELATIONS: Final[Mapping[tuple[str, str], str]] = {
    (model, name): field.relation
    for model, fields in {
        "spp.dms.file": _FILE,
        "spp.dms.directory": _DIRECTORY,
        **_OTHERS,
    }.items()
    for name, field in fields.items()
    if field.type == "many2one"
}
"""The model that a field of a model points to."""


def fields_of(version: int, model: str) -> Mapping[str, Field]:
    """Return the fields of a model, none of one that is not known. version: 17 or 19."""
    if model == "spp.dms.file":
        return _FILE
    if model == "spp.dms.directory":
        if version >= 19:
            return _DIRECTORY
        return {name: field for name, field in _DIRECTORY.items() if name != "active"}
    fields = _OTHERS.get(model, {})
    if model == "res.users.apikeys" and version >= 19:
        return {**fields, "expiration_date": _DATE}
    return fields
