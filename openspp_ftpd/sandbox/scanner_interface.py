"""The two routes of OpenSPP's scanner interface, /dms/auth and /dms/upload, and their rules.

Every rule and every text is a recorded one: WIRE.md sections 1, 2, 5 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from openspp_ftpd.sandbox import images
from openspp_ftpd.sandbox.answers import reason
from openspp_ftpd.sandbox.content import Content
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.users import User, Users

_LONGEST_NAME: Final = 255
_NUL: Final = "A string literal cannot contain NUL (0x00) characters."

_DUPLICATE: Final = {
    "en_US": "A file with the same name already exists.",
    "fr_FR": "Un fichier du même nom existe déjà.",
}
_TOO_LARGE: Final = {
    "en_US": "The maximum upload size is {} MB).",
    "fr_FR": "La taille de téléchargement maximale est de {} Mo).",
}
_NO_DOCUMENTS_GROUP: Final = {
    "en_US": (
        "You are not allowed to create 'File' (dms.file) records.\n\n"
        "This operation is allowed for the following groups:\n\t- Documents/User\n\n"
        "Contact your administrator to request access if necessary."
    ),
    "fr_FR": (
        "Vous n'êtes pas autorisé à créer des enregistrements 'Fichier' (dms.file).\n\n"
        "This operation is allowed for the following groups:\n\t- Documents/User\n\n"
        "Contactez votre administrateur pour demander l'accès si nécessaire."
    ),
}
_NO_ACCESS: Final = (
    "Due to security restrictions, you are not allowed to access 'Directory' (dms.directory) "
    "records.\n\nRecords: RootNoAccess / InboxX (id=8)\nUser: {} (id=10)\n\n"
    "This restriction is due to the following rules:\n- Apply computed read permissions.\n\n"
    "Contact your administrator to request access if necessary."
)


class OdooError(Exception):
    """An exception on the OpenSPP side; name: with its module, arguments: the exception's."""

    def __init__(self, name: str, *arguments: object) -> None:
        super().__init__(name)
        self.name = name
        self.arguments = arguments


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator has set: max_size in MiB, extensions as typed, delays in seconds."""

    max_size: int = 25
    forbidden_extensions: str = ""
    slow_login: float = 0.0
    slow_upload: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How one upload is handled: language, whether images stay as they are, seconds it takes."""

    language: str
    images_stay: bool
    seconds: float


class ScannerInterface:
    """What answers /dms/auth and /dms/upload."""

    def __init__(
        self, users: Users, documents: Documents, rules: Rules, pause: Callable[[float], None]
    ) -> None:
        """pause: waits for that many seconds, less when the server stops."""
        self._users = users
        self._documents = documents
        self._rules = rules
        self._pause = pause

    def authenticate(self, params: Mapping[str, object], seconds: float) -> str:
        """Return what /dms/auth answers; seconds: what it takes longer. Raises OdooError."""
        username, password = params.get("username"), params.get("password")
        if not username or not password:
            return "<Response 7 bytes [400 BAD REQUEST]>"
        self._pause(self._rules.slow_login + seconds)
        user = self._find(username, password)
        if isinstance(user, User):
            return "<Response 7 bytes [200 OK]>"
        return _refused(user)

    def upload(self, params: Mapping[str, object], setting: Setting) -> str:
        """Return what /dms/upload answers. Raises OdooError."""
        username, password = params.get("username"), params.get("password")
        if not username or not password:
            return _refused(400)
        filename, content = params.get("filename"), params.get("file")
        if isinstance(content, Content) and not content.length:
            content = None
        if not content or not filename:
            return _refused(406)
        user = self._find(username, password)
        if not isinstance(user, User):
            return _refused(user)
        if not user.directory:
            return _refused(400)
        self._create(user, str(filename), content, setting)
        return "<Response 7 bytes [200 OK]>"

    def _find(self, username: object, password: object) -> User | int:
        """Return the user, or the code that refuses him."""
        for value in (*(username if isinstance(username, list) else [username]), password):
            _check_for_database(value)
        user = self._users.find(username, password)
        if user is None:
            return 401
        return user if user.scanner else 403

    def _create(self, user: User, name: str, content: object, setting: Setting) -> None:
        # Where several things are wrong at once this order is the recorded one, as far as known.
        language = setting.language
        if not user.documents_group:
            raise OdooError("odoo.exceptions.AccessError", _in(_NO_DOCUMENTS_GROUP, language))
        if not user.enters_directory:
            raise OdooError("odoo.exceptions.AccessError", _NO_ACCESS.format(user.login))
        _check_for_database(name)
        if _is_invalid(name):
            raise OdooError("odoo.exceptions.ValidationError", "The file name is invalid.")
        if self._documents.is_taken(user.login, name):
            raise OdooError("odoo.exceptions.ValidationError", _in(_DUPLICATE, language))
        if not isinstance(content, Content):
            kind = type(content).__name__
            text = f"argument should be a bytes-like object or ASCII string, not '{kind}'"
            raise OdooError("builtins.TypeError", text)
        if content.fault is not None:
            raise OdooError(content.fault[0], *content.fault[1])
        altered = self._check_content(name, content, setting)
        # Nothing is locked between the check for the name and the storing: both of two uploads of
        # one name at the same time are stored (WIRE.md section 7).
        self._pause(self._rules.slow_upload + setting.seconds + user.store_delay)
        if altered:
            content.alter()
        self._documents.add(user.login, name, content, altered=altered)

    def _check_content(self, name: str, content: Content, setting: Setting) -> bool:
        """Refuse what OpenSPP refuses. Returns whether it would change the content."""
        extension = PurePosixPath(name).suffix[1:].strip().lower()
        head = content.head
        if not extension and images.is_targa(head):
            raise OdooError("builtins.TypeError", "'NoneType' object is not subscriptable")
        forbidden = [part.strip() for part in self._rules.forbidden_extensions.split(",")]
        if extension and extension in forbidden:
            text = "The file has a forbidden file extension."
            raise OdooError("odoo.exceptions.ValidationError", text)
        if content.size > self._rules.max_size * 1024 * 1024:
            text = _in(_TOO_LARGE, setting.language).format(self._rules.max_size)
            raise OdooError("odoo.exceptions.ValidationError", text)
        size = images.pixel_size(head)
        if images.is_excessive(size):
            text = "Image size excessive, uploaded images must be smaller than 4.5 million pixels."
            raise OdooError("builtins.ValueError", text)
        return images.is_shrunk(size) and not setting.images_stay


def _refused(code: int) -> str:
    return f"<Response 5 bytes [{code} {reason(code)}]>"


def _in(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language, texts["en_US"])


def _check_for_database(value: object) -> None:
    """Raise what PostgreSQL's driver raises for a text that it cannot send."""
    if not isinstance(value, str):
        return
    if "\0" in value:
        raise OdooError("builtins.ValueError", _NUL)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise OdooError(
            "builtins.UnicodeEncodeError",
            error.encoding,
            value,
            error.start,
            error.end,
            error.reason,
        ) from None


def _is_invalid(name: str) -> bool:
    """Return whether a file of this name could not be opened in a new folder (WIRE.md section 2).

    A name that begins with / or ../ is opened elsewhere and passes; the recorded server made such a
    file, this one makes none.
    """
    *folders, last = name.split("/")
    if last in ("", ".", "..") or len(last.encode()) > _LONGEST_NAME:
        return True
    return not all(folder in ("", ".", "..") for folder in folders)
