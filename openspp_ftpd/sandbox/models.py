"""What can be called on the models of OpenSPP 17 and OpenSPP 2, with rights and mistakes.

The names and parameters are Odoo's own, so that a call with the wrong ones is told so as there.
Every rule and text is a recorded one: WIRE17.md sections 2, 4, 5 and 7. What is not recorded (to
change a file, say) is answered as a method that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from openspp_ftpd.sandbox import images, model_errors
from openspp_ftpd.sandbox.accounts import ALL, READS, STORES, Account
from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.dms import Store
from openspp_ftpd.sandbox.domains import Record, WrongLeaf
from openspp_ftpd.sandbox.model_fields import fields_of
from openspp_ftpd.sandbox.scanner_interface import OdooError

_STORE_MODELS: Final = ("spp.dms.file", "spp.dms.directory", "spp.dms.category")
_CLOSED: Final = {
    "ir.model": "Administration/Access Rights",
    "ir.module.module": "Administration/Settings",
}
_MAY: Final[Mapping[str, frozenset[str]]] = {
    "read": frozenset({READS, STORES, ALL}),
    "create": frozenset({STORES, ALL}),
    "write": frozenset({STORES, ALL}),
    "unlink": frozenset({ALL}),
}
_GROUPS: Final[Mapping[int, Mapping[str, str]]] = {
    17: {ALL: "DMS/Manager", READS: "DMS/User"},
    19: {ALL: "DMS/Manager", STORES: "DMS/Officer", READS: "DMS/Viewer"},
}
_VERBS: Final = {"read": "access", "create": "create", "write": "modify", "unlink": "delete"}
_NOT_AN_IMAGE: Final = "This file could not be decoded as an image file."
_TOO_MANY_PIXELS: Final = (
    "Image size excessive, uploaded images must be smaller than 50.0 million pixels."
)
_MOST_PIXELS: Final = 50_000_000
_LARGEST_17: Final = 400 * 1024 * 1024
"""Bytes of a document for which the recorded 17 had no memory (WIRE17.md section 6)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the context he gave; seconds: what storing takes longer."""

    account: Account
    context: Mapping[str, object]
    seconds: float = 0.0


class Models:
    """The models of one database, as callers see them."""

    def __init__(
        self, store: Store, pause: Callable[[float], None], *, with_change_requests: bool = False
    ) -> None:
        """pause: waits for that many seconds, less when the server stops.

        with_change_requests: as with the module spp_change_request, over whose create() Odoo
        stumbles (WIRE17.md section 1).
        """
        self.store = store
        self.with_change_requests = with_change_requests
        self._pause = pause

    def find(self, caller: Caller, model: str, method: str) -> Callable[..., object] | None:
        """Return what answers a method of a model for a caller, None for an unknown one."""
        if (model, method) == ("res.users", "context_get"):
            return partial(self.context_get, caller)
        if (model, method) == ("res.users.apikeys", "remove"):
            return partial(self.remove, caller)
        if method not in _METHODS or (method in _MAKING and model not in _MADE):
            return None
        found: Callable[..., object] = getattr(self, method)
        return partial(found, caller, model)

    # Rights

    def check(self, caller: Caller, model: str, operation: str) -> None:
        """Raise AccessError unless the caller may do that with records of a model."""
        if self._may(caller.account, model, operation):
            return
        language = caller.context.get("lang")
        raise OdooError(
            "odoo.exceptions.AccessError", self._refusal(model, operation, str(language))
        )

    def _may(self, account: Account, model: str, operation: str) -> bool:
        if model in _CLOSED:
            return False
        if model in _STORE_MODELS:
            return account.rights in _MAY[operation]
        return operation == "read"

    def _refusal(self, model: str, operation: str, language: str) -> str:
        name = f"'{model_errors.MODELS[model]}' ({model})"
        groups = [_CLOSED[model]] if model in _CLOSED else []
        if model in _STORE_MODELS:
            named = _GROUPS[self.store.version]
            groups = [group for rights, group in named.items() if rights in _MAY[operation]]
        listed = "".join(f"\n\t- {group}" for group in groups)
        if language == "fr_FR" and operation == "create":
            return (
                f"Vous n'êtes pas autorisé à créer des enregistrements {name}.\n\n"
                f"Cette opération est autorisée pour les groupes suivants :{listed}\n\n"
                "Contactez votre administrateur pour demander l'accès si nécessaire."
            )
        allowed = f"This operation is allowed for the following groups:{listed}"
        return (
            f"You are not allowed to {_VERBS[operation]} {name} records.\n\n"
            f"{allowed if groups else 'No group currently allows this operation.'}\n\n"
            "Contact your administrator to request access if necessary."
        )

    def check_access_rights(
        self, caller: Caller, model: str, operation: str, raise_exception: bool = True
    ) -> bool:
        """Answer whether the caller may; by default a no is an AccessError."""
        if raise_exception:
            self.check(caller, model, operation)
        return self._may(caller.account, model, operation)

    def has_access(self, caller: Caller, model: str, ids: object, operation: str) -> bool:
        """Answer whether the caller may, of OpenSPP 2."""
        return self._may(caller.account, model, operation)

    # Reading

    def search(
        self,
        caller: Caller,
        model: str,
        domain: Sequence[object] = (),
        offset: int = 0,
        limit: int | None = None,
        order: str | None = None,
    ) -> list[int]:
        """Answer the ids of the records that a domain holds for."""
        return [record["id"] for record in self._found(caller, model, domain, offset, limit, order)]

    def search_count(
        self,
        caller: Caller,
        model: str,
        domain: Sequence[object] = (),
        limit: int | None = None,
    ) -> int:
        """Answer how many they are."""
        return len(self._found(caller, model, domain, 0, limit, None))

    def search_read(
        self,
        caller: Caller,
        model: str,
        domain: Sequence[object] | None = None,
        fields: Sequence[str] | None = None,
        offset: int = 0,
        limit: int | None = None,
        order: str | None = None,
        **unknown: object,
    ) -> list[dict[str, Any]]:
        """Answer them with these fields, with all where none are named."""
        for name in unknown:
            text = f"BaseModel._read_format() got an unexpected keyword argument '{name}'"
            raise OdooError("builtins.TypeError", text)
        found = self._found(caller, model, domain or (), offset, limit, order)
        return self._shown(caller, model, found, fields or None)

    def read(
        self, caller: Caller, model: str, ids: object, fields: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Answer the records of these ids; those that are not there are left out."""
        wanted = ids if isinstance(ids, list) else [ids]
        domain: list[object] = [["id", "in", wanted]]
        if "active" in fields_of(self.store.version, model):
            domain.append(["active", "in", [True, False]])
        found = self._found(caller, model, domain, 0, None, "id")
        return self._shown(caller, model, found, fields or None)

    def name_search(
        self,
        caller: Caller,
        model: str,
        name: str = "",
        args: Sequence[object] | None = None,
        operator: str = "ilike",
        limit: int | None = 100,
    ) -> list[list[object]]:
        """Answer [id, name] of those whose name fits."""
        field = "complete_name" if model == "spp.dms.directory" else "name"
        domain = [[field, operator, name], *(args or ())]
        found = self._found(caller, model, domain, 0, limit, None)
        return [[record["id"], record[field]] for record in found]

    def fields_get(
        self,
        caller: Caller,
        model: str,
        allfields: Sequence[str] | None = None,
        attributes: Sequence[str] | None = None,
    ) -> dict[str, dict[str, object]]:
        """Answer the fields; nobody needs a right for that."""
        known = ("type", "required", "readonly", "store", "relation")
        wanted = [name for name in known if attributes is None or name in attributes]
        answer: dict[str, dict[str, object]] = {}
        for name, field in fields_of(self.store.version, model).items():
            if not allfields or name in allfields:
                told = {attribute: field.attribute(attribute) for attribute in wanted}
                answer[name] = {key: value for key, value in told.items() if value is not None}
        return answer

    def _found(
        self,
        caller: Caller,
        model: str,
        domain: Sequence[object],
        offset: int,
        limit: int | None,
        order: str | None,
    ) -> list[Record]:
        self.check(caller, model, "read")
        try:
            found = self.store.search(model, domain, order or "", caller.account)
        except WrongLeaf as wrong:
            field = f"{model}.{wrong.leaf[0]}"
            text = f"Invalid field {field} in leaf {wrong.leaf!r}"
            raise OdooError("builtins.ValueError", text) from None
        return found[offset : offset + limit if limit else None]

    def _shown(
        self, caller: Caller, model: str, records: Sequence[Record], names: Sequence[str] | None
    ) -> list[dict[str, Any]]:
        known = fields_of(self.store.version, model)
        for name in names or ():
            if name not in known:
                text = f"Invalid field {name!r} on model {model!r}"
                raise OdooError("builtins.ValueError", text)
        sizes_only = bool(caller.context.get("bin_size"))
        wanted = (
            names if names is not None else [name for name in known if known[name].type != "binary"]
        )
        return [self.store.show(model, record, wanted, sizes_only=sizes_only) for record in records]

    # Storing

    def create(self, caller: Caller, model: str, vals_list: object) -> object:
        """Answer the id of a new record, or the list of ids for a list."""
        many = isinstance(vals_list, list)
        made = [
            self._make(caller, model, values)
            for values in (vals_list if isinstance(vals_list, list) else [vals_list])
        ]
        return made if many else made[0]

    def web_save(
        self,
        caller: Caller,
        model: str,
        ids: object,
        vals: Mapping[str, object],
        specification: Mapping[str, object],
        next_id: object = None,
    ) -> list[dict[str, Any]]:
        """Answer the new record with the fields of the specification (WIRE17.md section 4)."""
        identifier = self._make(caller, model, vals)
        found = self._found(caller, model, [["id", "=", identifier]], 0, None, None)
        record = self._shown(caller, model, found, list(specification))[0]
        # It reads with bin_size, and the type is then not computed yet.
        if "mimetype" in record:
            record["mimetype"] = False
        return [record]

    def load(
        self, caller: Caller, model: str, fields: Sequence[str], data: Sequence[Sequence[str]]
    ) -> dict[str, object]:
        """Answer the ids of what an import made; a relation is named as FIELD/.id."""
        made: list[int] = []
        for row in data:
            values: dict[str, object] = {}
            for name, value in zip(fields, row, strict=False):
                plain = name.removesuffix("/.id")
                values[plain] = int(value) if plain != name else value
            text = values.get("content")
            if isinstance(text, str):
                content = Content(self.store.new_file(), sha512=True)
                content.feed_text(text)
                content.finish()
                values["content"] = content
            try:
                made.append(self._make(caller, model, values))
            finally:
                if isinstance(text, str):
                    content.discard()
        return {"ids": made, "messages": [], "nextrow": 0}

    def unlink(self, caller: Caller, model: str, ids: object) -> bool:
        """Remove records."""
        self.check(caller, model, "unlink")
        for identifier in ids if isinstance(ids, list) else [ids]:
            if isinstance(identifier, int):
                self.store.remove_file(identifier)
        return True

    def _make(self, caller: Caller, model: str, values: object) -> int:
        self.check(caller, model, "create")
        if not isinstance(values, dict):
            raise OdooError("builtins.AttributeError", "'int' object has no attribute 'items'")
        self._check_fields(model, values)
        if model == "spp.dms.directory":
            model_errors.check_texts([values.get("name")])
            model_errors.check_required(self.store.version, model, values, ("name",))
            return self.store.add_directory(values, caller.account.uid)
        return self._make_file(caller, model, values)

    def _make_file(self, caller: Caller, model: str, values: dict[str, object]) -> int:
        model_errors.check_texts([values.get("name")])
        # From here on PostgreSQL has given an id away: what fails leaves a gap.
        identifier = self.store.claim(model)
        model_errors.check_required(self.store.version, model, values, ("name", "directory_id"))
        if not self.store.has_directory(values["directory_id"]):
            model_errors.refuse_relation(self.store.version, "directory_id", "Directory")
        if values.get("category_id") not in (None, False, 1):
            model_errors.refuse_relation(self.store.version, "category_id", "Category")
        content = values.get("content")
        if content is None or content is False:
            content = self.store.empty()
        if not isinstance(content, Content):
            kind = type(content).__name__
            text = f"argument should be a bytes-like object or ASCII string, not '{kind}'"
            raise OdooError("builtins.TypeError", text)
        try:
            altered = self._check_content(content, values, caller)
            self._pause(caller.seconds)
            self.store.add_file(identifier, values, content, caller.account, altered=altered)
        finally:
            content.discard()
        return identifier

    def _check_content(
        self, content: Content, values: Mapping[str, object], caller: Caller
    ) -> bool:
        """Refuse what Odoo refuses. Returns whether it would shrink an image."""
        if content.fault is not None:
            raise OdooError(content.fault[0], *content.fault[1])
        if self.store.version < 19 and content.size >= _LARGEST_17:
            raise OdooError("builtins.MemoryError")
        size = images.pixel_size(content.head)
        if values.get("image_1920") is not False:
            if size is None and content.head.startswith(_PICTURES):
                raise OdooError("odoo.exceptions.UserError", _NOT_AN_IMAGE)
            if size is not None and size[0] * size[1] > _MOST_PIXELS:
                raise OdooError("odoo.exceptions.UserError", _TOO_MANY_PIXELS)
        return images.is_shrunk(size) and not caller.context.get("image_no_postprocess")

    def _check_fields(self, model: str, values: Mapping[str, object]) -> None:
        for name in values:
            if name not in fields_of(self.store.version, model):
                on = "on model" if self.store.version < 19 else "in"
                raise OdooError("builtins.ValueError", f"Invalid field {name!r} {on} {model!r}")

    # Of one model

    def context_get(self, caller: Caller) -> dict[str, object]:
        """Answer who the caller is, of res.users."""
        return {"lang": "en_US", "tz": False, "uid": caller.account.uid}

    def remove(self, caller: Caller, ids: object) -> None:
        """Remove an API key: not by the API itself."""
        text = "This method can only be accessed over HTTP"
        raise OdooError("odoo.exceptions.UserError", text)


_METHODS: Final = frozenset(
    {"check_access_rights", "has_access", "search", "search_count", "search_read", "read"}
    | {"name_search", "fields_get", "create", "web_save", "load", "unlink"}
)
_MAKING: Final = frozenset({"create", "web_save", "load"})
_MADE: Final = frozenset({"spp.dms.file", "spp.dms.directory"})
_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
