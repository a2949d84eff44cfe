"""Odoo's services common, db and object, and the calls of /json/2: from a call to its result.

WIRE17.md sections 3, 4, 7 and 9.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from openspp_ftpd.sandbox import records
from openspp_ftpd.sandbox.accounts import Account
from openspp_ftpd.sandbox.databases import Databases
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.model_errors import MODELS
from openspp_ftpd.sandbox.models import Caller, Models
from openspp_ftpd.sandbox.scanner_interface import OdooError

_UPLOADS: Final = frozenset({"create", "web_save", "load"})
_SEARCHES: Final = frozenset({"search", "search_count", "search_read", "read", "name_search"})
_WITH_IDS: Final = frozenset({"read", "unlink", "web_save", "has_access", "remove"})
_LONGEST_SECRET: Final = 4096
_NUL: Final = "A string literal cannot contain NUL (0x00) characters."
_NOBODY: Final = "User not authenticated, use an API Key with a Bearer Authorization header."


@dataclass(frozen=True, slots=True)
class Call:
    """A call; service: common, db, object or json2; for the last models, account and model too."""

    service: str
    method: str
    args: Any
    models: Models | None = None
    account: Account | None = None
    model: str = ""

    @property
    def route(self) -> str:
        """What the call is to the faults: login, upload, search, or "" for none of them."""
        model, method = self._on_model()
        if self.service == "common" and self.method in ("authenticate", "login"):
            return "login"
        if (model, method) == ("res.users", "context_get"):
            return "login"
        if model == "spp.dms.file" and method in _UPLOADS:
            return "upload"
        return "search" if method in _SEARCHES else ""

    @property
    def name(self) -> str:
        """The name in which faults may be written: the user's, or the document's."""
        if self.route == "login":
            if self.account is not None:
                return self.account.login
            return str(self._argument(1)) if self.service == "common" else ""
        return _first_name(self.args) if self.route == "upload" else ""

    def _on_model(self) -> tuple[object, object]:
        if self.service == "json2":
            return self.model, self.method
        if self.service == "object":
            return self._argument(3), self._argument(4)
        return "", ""

    def _argument(self, index: int) -> object:
        if isinstance(self.args, list) and len(self.args) > index:
            return self.args[index]
        return ""


def _first_name(value: object, depth: int = 0) -> str:
    """Return the name beside the first document in a call's arguments."""
    if isinstance(value, dict) and "content" in value:
        return str(value.get("name", ""))
    if depth >= 8 or not isinstance(value, dict | list):
        return ""
    members = value.values() if isinstance(value, dict) else value
    return next(filter(None, (_first_name(member, depth + 1) for member in members)), "")


class Services:
    """Makes the calls to one OpenSPP."""

    def __init__(self, databases: Databases, faults: Faults) -> None:
        """faults: they tell whether the database server is away."""
        self._databases = databases
        self._faults = faults

    def call(self, call: Call, seconds: float) -> object:
        """Return a call's result; seconds: what storing takes longer. Raises OdooError."""
        match call.service, call.method:
            case "json2", _:
                return self._json2(call, seconds)
            case "common", "version":
                return self._databases.told()
            case "common", "about":
                about = ["See http://openerp.com", self._databases.told()["server_version"]]
                return about if call.args else about[0]
            case "common", "authenticate":
                return self._authenticate(*_bound(exp_authenticate, call.args)[:3])
            case "common", "login":
                return self._authenticate(*_bound(exp_login, call.args))
            case "db", "list":
                if not self._databases.setup.listed:
                    raise OdooError("odoo.exceptions.AccessDenied", "Access Denied")
                return list(self._databases.by_name)
            case "db", "db_exist":
                return _bound(exp_db_exist, call.args)[0] in self._databases.by_name
            case "db", "server_version":
                return self._databases.told()["server_version"]
            case "object", "execute_kw":
                return self._execute_kw(_bound(execute_kw, call.args), seconds)
            case _:
                raise OdooError("builtins.Exception", f"Method not found: {call.method}")

    def _open(self, database: object) -> Models:
        """Return a database. Raises OdooError where there is none, or PostgreSQL is away."""
        if database is None:
            text = "'NoneType' object has no attribute 'startswith'"
            raise OdooError("builtins.AttributeError", text)
        start = 'connection to server at "127.0.0.1", port 5432 failed: FATAL:  '
        if self._faults.database_down:
            user = f"spp{self._databases.version}"
            text = f'{start}password authentication failed for user "{user}"\n'
            raise OdooError("psycopg2.OperationalError", text)
        models = self._databases.by_name.get(database) if isinstance(database, str) else None
        if models is None:
            text = f'{start}database "{database}" does not exist\n'
            raise OdooError("psycopg2.OperationalError", text)
        return models

    def _authenticate(self, database: object, login: object, secret: object) -> int | bool:
        store = self._open(database).store
        if isinstance(login, str) and "\0" in login:
            raise OdooError("builtins.ValueError", _NUL)
        known = any(one.active and one.login == login for one in store.accounts.all())
        if known and isinstance(secret, str):
            if "\0" in secret:
                raise OdooError("builtins.ValueError", _NUL)
            if len(secret) > _LONGEST_SECRET:
                text = "password exceeds maximum allowed size"
                raise OdooError("passlib.exc.PasswordSizeError", text)
        account = store.accounts.authenticate(login, secret, records.now())
        return account.uid if account is not None else False

    def bearer(self, models: Models, authorization: str) -> Account:
        """Return the user of an Authorization header. Raises OdooError (WIRE17.md section 7)."""
        kind, _, secret = authorization.partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise OdooError("werkzeug.exceptions.Unauthorized", _NOBODY)
        account = models.store.accounts.of_bearer(secret.strip(), records.now())
        if account is None:
            raise OdooError("werkzeug.exceptions.Unauthorized", "Invalid apikey")
        return account

    def _execute_kw(self, arguments: tuple[Any, ...], seconds: float) -> object:
        database, given, secret, model, method, args, named = arguments
        models = self._open(database)
        account = self._user(models, given, secret)
        if model not in MODELS:
            raise OdooError("odoo.exceptions.UserError", f"Object {model} doesn't exist")
        if str(method).startswith("_"):
            text = f"Private methods (such as {method}) cannot be called remotely."
            raise OdooError("odoo.exceptions.AccessError", text)
        named = dict(named or {})
        caller = Caller(account, _context(named.pop("context", None)), seconds)
        if (model, method) == ("spp.dms.file", "create"):
            args, named = self._for_create(models, args, named)
        found = self._method(models, caller, model, str(method))
        if found is None:
            text = f"The method '{method}' does not exist on the model '{model}'"
            raise OdooError("builtins.AttributeError", text)
        result = _made(found, args, named, "builtins.TypeError")
        if models.with_change_requests and (model, method) == ("spp.dms.file", "create"):
            return f"spp.dms.file({result},)"
        return result

    def _user(self, models: Models, given: object, secret: object) -> Account:
        uid = _uid(given)
        account = models.store.accounts.get(uid)
        if uid and account is None:
            text = (
                "Record does not exist or has been deleted.\n"
                f"(Record: res.users({uid},), User: {uid})"
            )
            raise OdooError("odoo.exceptions.MissingError", text)
        if account is None or not models.store.accounts.may_execute(account, secret, records.now()):
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied")
        return account

    def _for_create(
        self, models: Models, args: list[Any], named: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return what create() gets, as Odoo hands it over; by spp_change_request not as meant."""
        if not args:
            raise OdooError("builtins.IndexError", "tuple index out of range")
        if models.with_change_requests:
            values = [*args[1:], *(named[name] for name in named if name == "vals")]
            if not values:
                text = "SPPDMSFileCustom.create() missing 1 required positional argument: 'vals'"
                raise OdooError("builtins.TypeError", text)
            return values, {}
        if len(args) > 1:
            text = f"BaseModel.create() takes 2 positional arguments but {len(args) + 1} were given"
            raise OdooError("builtins.TypeError", text)
        for name in named:
            text = f"BaseModel.create() got an unexpected keyword argument '{name}'"
            raise OdooError("builtins.TypeError", text)
        return args, {}

    def _method(
        self, models: Models, caller: Caller, model: str, method: str
    ) -> Callable[..., object] | None:
        if method == "has_access" and self._databases.version < 19:
            return None
        return models.find(caller, model, method)

    def _json2(self, call: Call, seconds: float) -> object:
        assert call.models is not None and call.account is not None
        model, method = call.model, call.method
        if model not in MODELS:
            text = f"the model '{model}' does not exist"
            raise OdooError("werkzeug.exceptions.NotFound", text)
        if method.startswith("_"):
            text = f"Private methods (such as '{model}.{method}') cannot be called remotely."
            raise OdooError("odoo.exceptions.AccessError", text)
        if self._method(call.models, Caller(call.account, {}), model, method) is None:
            text = f"The method '{model}.{method}' does not exist"
            raise OdooError("werkzeug.exceptions.NotFound", text)
        named = dict(call.args[0])
        context = _context(named.pop("context", None))
        language = context.get("lang") or "en_US"
        if language != "en_US":
            raise OdooError("odoo.exceptions.UserError", f"Invalid language code: {language}")
        ids = named.pop("ids", [])
        if method in _WITH_IDS:
            named["ids"] = ids
        elif ids:
            text = f"cannot call {model}.{method} with ids"
            raise OdooError("werkzeug.exceptions.UnprocessableEntity", text)
        found = self._method(call.models, Caller(call.account, context, seconds), model, method)
        assert found is not None
        result = _made(found, [], named, "werkzeug.exceptions.UnprocessableEntity")
        return [result] if method == "create" and not isinstance(result, list) else result


def exp_authenticate(
    db: object, login: object, password: object, user_agent_env: object
) -> tuple[object, ...]:
    """Take the parameters of Odoo's function of this name."""
    return db, login, password, user_agent_env


def exp_login(db: object, login: object, password: object) -> tuple[object, ...]:
    """Take the parameters of Odoo's function of this name."""
    return db, login, password


def exp_db_exist(db_name: object) -> tuple[object, ...]:
    """Take the parameters of Odoo's function of this name."""
    return (db_name,)


def execute_kw(
    db: object,
    uid: object,
    passwd: object,
    obj: object,
    method: object,
    args: list[Any],
    kw: Mapping[str, Any] | None = None,
) -> tuple[object, ...]:
    """Take the parameters of Odoo's function of this name."""
    return db, uid, passwd, obj, method, args, kw


def _bound(function: Callable[..., tuple[Any, ...]], args: object) -> tuple[Any, ...]:
    """Return the arguments as Odoo's function gets them. Raises OdooError when they do not fit."""
    try:
        return function(*(args if isinstance(args, list) else []))
    except TypeError as error:
        raise OdooError("builtins.TypeError", str(error)) from None


def _made(
    function: Callable[..., object], args: list[Any], named: Mapping[str, Any], wrong: str
) -> object:
    """Call a method. Raises OdooError of the kind `wrong` when the arguments do not fit."""
    try:
        bound = inspect.signature(function).bind(*args, **named)
    except TypeError as error:
        raise OdooError(wrong, str(error)) from None
    return function(*bound.args, **bound.kwargs)


def _uid(given: object) -> int:
    try:
        if isinstance(given, int | float | str):
            return int(given)
    except ValueError as error:
        raise OdooError("builtins.ValueError", str(error)) from None
    text = (
        "int() argument must be a string, a bytes-like object or a real number, "
        f"not '{type(given).__name__}'"
    )
    raise OdooError("builtins.TypeError", text)


def _context(given: object) -> Mapping[str, object]:
    if isinstance(given, dict | None):
        return given or {}
    if isinstance(given, str) and given:
        text = "dictionary update sequence element #0 has length 1; 2 is required"
        raise OdooError("builtins.ValueError", text)
    raise OdooError("builtins.TypeError", f"'{type(given).__name__}' object is not iterable")
