"""The document store of OpenSPP 17 and OpenSPP 2: directories and files as Odoo's records.

What a record shows is what WIRE17.md and its recording show; what a caller may do is not decided
here.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from openspp_ftpd.sandbox import domains, records
from openspp_ftpd.sandbox.accounts import Account, Accounts
from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.documents import Document, Documents, Origin
from openspp_ftpd.sandbox.domains import Record
from openspp_ftpd.sandbox.keeping import Incoming
from openspp_ftpd.sandbox.model_fields import RELATIONS, fields_of
from openspp_ftpd.sandbox.records import now, shown

JOIN: Final = " / "
"""What stands between the names in a directory's path (WIRE17.md section 4)."""

_SYSTEM: Final = 1
_ORDERS: Final[Mapping[str, str]] = {
    "spp.dms.directory": "complete_name",
    "spp.dms.file": "name",
}


class Store:
    """One database of one OpenSPP; safe to use from several threads."""

    def __init__(
        self,
        version: int,
        database: str,
        accounts: Accounts,
        documents: Documents,
        directories: Sequence[tuple[int, str, int, bool]],
    ) -> None:
        """version: 17 or 19; documents: where its files are; a document of an earlier run is there.

        directories: (id, name, parent's id or 0, whether active).
        """
        self.version = version
        self.api = f"odoo{version}"
        self.database = database
        self.accounts = accounts
        self._documents = documents
        self._lock = threading.RLock()
        self._directories: dict[int, dict[str, Any]] = {}
        self._files: dict[int, dict[str, Any]] = {}
        self._numbers: dict[int, int] = {}
        self._next = {"spp.dms.directory": 1, "spp.dms.file": 1}
        for identifier, name, parent, active in directories:
            self._next["spp.dms.directory"] = identifier
            values = {"name": name, "parent_id": parent or False, "is_root_directory": not parent}
            self.add_directory(values | {"active": active}, _SYSTEM)
        self._restore()

    def _restore(self) -> None:
        for document in self._documents.all():
            origin = document.origin
            if origin is None or (origin.api, origin.database) != (self.api, self.database):
                continue
            if origin.directory_id not in self._directories:
                self._next["spp.dms.directory"] = max(origin.directory_id, 1)
                self.add_directory({"name": origin.directory, "is_root_directory": True}, _SYSTEM)
            owner = [one.uid for one in self.accounts.all() if one.login == document.user]
            values = {"name": document.filename, "directory_id": origin.directory_id}
            file = self._documents.open(document.number)
            head = b""
            if file is not None:
                with file:
                    head = file.read(512)
            mimetype = records.mimetype_of(head, self.version)
            time = datetime.fromisoformat(document.time).replace(tzinfo=None, microsecond=0)
            self._next["spp.dms.file"] = origin.file_id
            self._note(values, origin, document, [*owner, _SYSTEM][0], mimetype, shown(time))

    def use_up(self, model: str, next_id: int) -> None:
        """Let the next record of a model have this id, as after others that have gone."""
        with self._lock:
            self._next[model] = next_id

    def claim(self, model: str) -> int:
        """Return the id of a record that is to be made; one that fails then leaves a gap."""
        with self._lock:
            identifier = self._next[model]
            self._next[model] = max(self._next[model], identifier) + 1
            return identifier

    # Directories

    def has_directory(self, identifier: object) -> bool:
        """Return whether there is a directory of this id, archived or not."""
        with self._lock:
            return identifier in self._directories

    def add_directory(self, values: Mapping[str, Any], uid: int) -> int:
        """Make a directory, of a user, and return its id."""
        with self._lock:
            identifier = self.claim("spp.dms.directory")
            parent = values.get("parent_id") or False
            time = shown(now()) if uid != _SYSTEM else records.NEVER
            record = {
                "id": identifier,
                "name": values["name"],
                "active": values.get("active", True),
                "parent_id": parent,
                "parent_path": False,
                "is_root_directory": bool(values.get("is_root_directory", False)),
                "create_uid": uid,
                "create_date": time,
                "write_uid": uid,
                "write_date": time,
            }
            above = self._directories.get(parent)
            record["complete_name"] = (above["complete_name"] + JOIN if above else "") + record[
                "name"
            ]
            root = above["root_directory_id"] if above else False
            record["root_directory_id"] = identifier if record["is_root_directory"] else root
            self._directories[identifier] = record
            return identifier

    def _above(self, record: Record) -> Sequence[int]:
        """Return the ids of a directory and of those above it."""
        found: list[int] = []
        identifier = record["id"]
        while identifier in self._directories and identifier not in found:
            found.append(identifier)
            identifier = self._directories[identifier]["parent_id"]
        return found

    # Files

    def new_file(self) -> Incoming:
        """Return where a document goes that comes in. Raises OSError."""
        return self._documents.new_file()

    def empty(self) -> Content:
        """Return a document of no bytes. Raises OSError."""
        return Content(self.new_file(), sha512=True)

    def add_file(
        self,
        identifier: int,
        values: Mapping[str, Any],
        content: Content,
        account: Account,
        *,
        altered: bool,
    ) -> None:
        """Store a file under a claimed id. When this returns, it is in the record.

        content: what was received; altered: Odoo would shrink it. Raises OSError when a disk is
        full.
        """
        was_sent = "content" in values
        checksum, received = (content.sha512, content.size) if was_sent else ("", -1)
        if altered:
            content.alter()
        directory = self._directories[values["directory_id"]]
        origin = Origin(
            self.api,
            self.database,
            identifier,
            directory["complete_name"],
            directory["id"],
            checksum,
            received,
        )
        mimetype = records.mimetype_of(content.head, self.version) if content.size else ""
        with self._lock:
            document = self._documents.add(
                account.login, str(values["name"]), content, altered=altered, origin=origin
            )
            self._note(values, origin, document, account.uid, mimetype, shown(now()))

    def _note(
        self,
        values: Mapping[str, Any],
        origin: Origin,
        document: Document,
        uid: int,
        mimetype: str,
        time: str,
    ) -> None:
        name = str(values["name"])
        extension = PurePosixPath(name).suffix[1:].lower() or records.EXTENSIONS.get(mimetype, "")
        size = float(max(origin.received, 0))
        folder = origin.directory.replace(JOIN, "/")
        self._numbers[origin.file_id] = document.number
        self._files[origin.file_id] = {
            "id": origin.file_id,
            "name": name,
            "display_name": name,
            "directory_id": origin.directory_id,
            "category_id": values.get("category_id") or False,
            "thumbnail": values.get("image_1920") is not False,
            "size": size,
            "human_size": records.human_size(size),
            "checksum": origin.checksum or False,
            "mimetype": mimetype or False,
            "extension": extension or False,
            "path_names": f"{folder}/{name}",
            "create_uid": uid,
            "create_date": time,
            "write_uid": uid,
            "write_date": time,
        }
        following = max(self._next["spp.dms.file"], origin.file_id + 1)
        self._next["spp.dms.file"] = following

    def pretend(self, identifier: int, checksum: str, size: int) -> None:
        """Let a file have this checksum and size in bytes, as if another had come."""
        with self._lock:
            self._files[identifier] |= {"checksum": checksum, "size": float(size)}

    def remove_file(self, identifier: int) -> None:
        """Remove a file; that it came stays in the record."""
        with self._lock:
            self._files.pop(identifier, None)

    def document_of(self, identifier: int) -> bytes | None:
        """Return a file's bytes, None where they are not kept."""
        with self._lock:
            file = self._documents.open(self._numbers[identifier])
        if file is None:
            return None
        with file:
            return file.read()

    # Searching and showing

    def ids(self, model: str) -> Sequence[int]:
        """Return the ids of all records of a model."""
        with self._lock:
            return [record["id"] for record in self._records(model, archived=True)]

    def search(
        self, model: str, domain: Sequence[object], order: str, user: Account
    ) -> list[Record]:
        """Return the records that a domain holds for. Raises domains.WrongLeaf."""
        with self._lock:
            archived = any(isinstance(leaf, list) and leaf[:1] == ["active"] for leaf in domain)
            everything = self._records(model, archived=archived, user=user)
            found = domains.search(
                everything,
                domain,
                lambda path: self._knows(model, path),
                lambda record, path: self._value(model, record, path),
                self._above,
            )
        for part in reversed((order or _ORDERS.get(model, "id")).split(",")):
            name, _, direction = part.strip().partition(" ")
            found.sort(
                key=lambda record: (
                    (record.get(name) is not False, record.get(name) or 0)
                    if not isinstance(record.get(name), str)
                    else (True, record[name])
                ),
                reverse=direction.strip().lower() == "desc",
            )
        return found

    def _records(
        self, model: str, *, archived: bool, user: Account | None = None
    ) -> Sequence[dict[str, Any]]:
        match model:
            case "spp.dms.file":
                return list(self._files.values())
            case "spp.dms.directory":
                everything = self._directories.values()
                return [one for one in everything if archived or one["active"]]
            case "spp.dms.category":
                return [{"id": 1, "name": "Scanned documents", "display_name": "Scanned documents"}]
            case "res.users":
                people = self.accounts.all()
                return [records.person(one) for one in people if one.active or archived]
            case "res.users.apikeys":
                return records.keys_of(user) if user else []
            case _:
                return []

    def _knows(self, model: str, path: str) -> bool:
        name, _, rest = path.partition(".")
        if name not in fields_of(self.version, model):
            return False
        related = RELATIONS.get((model, name), "")
        return not rest or self._knows(related, rest)

    def _value(self, model: str, record: Record, path: str) -> object:
        name, _, rest = path.partition(".")
        value = record.get(name, False)
        if not rest:
            return value
        related = RELATIONS[model, name]
        for other in self._records(related, archived=True):
            if other["id"] == value:
                return self._value(related, other, rest)
        return False

    def show(
        self, model: str, record: Record, names: Sequence[str], *, sizes_only: bool = False
    ) -> dict[str, Any]:
        """Return a record as a call shows it, a relation as [id, name].

        sizes_only: a binary field shows its size, as with the context key bin_size.
        """
        with self._lock:
            computed = self._computed(model, record)
            shown_: dict[str, Any] = {"id": record["id"]}
            for name in names:
                value = computed[name]() if name in computed else record.get(name, False)
                related = RELATIONS.get((model, name))
                if related is not None and value is not False:
                    value = [value, self._name_of(related, value)]
                if name == "content":
                    value = self._content(record, sizes_only=sizes_only)
                shown_[name] = value
            return shown_

    def _content(self, record: Record, *, sizes_only: bool) -> object:
        if sizes_only:
            return record["human_size"]
        data = self.document_of(record["id"])
        return base64.b64encode(data).decode() if data else False

    def _name_of(self, model: str, identifier: object) -> str:
        if (model, identifier) == ("res.users", _SYSTEM):
            return "System"
        for record in self._records(model, archived=True):
            if record["id"] == identifier:
                return str(record.get("complete_name") or record["name"])
        return ""

    def _computed(self, model: str, record: Record) -> Mapping[str, Callable[[], object]]:
        if model == "spp.dms.file":
            return {"icon_url": lambda: records.icon_of(record)}
        if model != "spp.dms.directory":
            return {}
        identifier = record["id"]
        files = [one for one in self._files.values() if one["directory_id"] == identifier]
        directories = self._records("spp.dms.directory", archived=False)
        below = [one for one in directories if one["parent_id"] == identifier]
        inside = {one["id"] for one in directories if identifier in self._above(one)}
        everything = [one for one in self._files.values() if one["directory_id"] in inside]
        size = sum(one["size"] for one in everything)
        return {
            "display_name": lambda: record["complete_name"],
            "child_directory_ids": lambda: [one["id"] for one in below],
            "file_ids": lambda: [
                one["id"] for one in sorted(files, key=lambda one: str(one["name"]))
            ],
            "count_elements": lambda: len(files) + len(below),
            "count_directories": lambda: len(below),
            "count_directories_title": lambda: f"{len(below)} Subdirectories",
            "count_files": lambda: len(files),
            "count_files_title": lambda: f"{len(files)} Files",
            "count_total_directories": lambda: len(inside) - 1,
            "count_total_files": lambda: len(everything),
            "size": lambda: size,
            "human_size": lambda: records.human_size(size),
        }
