"""One Odoo: which version it is, and calls in the way that this version wants them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp.answers import Answer, Credentials, RequestId
from openspp_ftpd.openspp.body import UploadBody
from openspp_ftpd.openspp.client import ANSWER_LIMIT, Client
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.openspp.faults import NoAnswer
from openspp_ftpd.openspp.odoo_answers import (
    About,
    Refused,
    Said,
    said_by_json_2,
    said_by_json_rpc,
)
from openspp_ftpd.openspp.odoo_calls import (
    JSON_2_FROM,
    Call,
    Request,
    execute,
    json_2,
    json_rpc,
    web_save,
)
from openspp_ftpd.openspp.odoo_version import ask_version
from openspp_ftpd.settings import OpenSPPSettings

if TYPE_CHECKING:
    from openspp_ftpd.openspp import Content

LONGEST_KEY: Final = 4096
"""Characters; what is longer makes Odoo stumble instead of saying no (WIRE17.md section 7)."""


ASK_AFTER: Final = 2 / 3
"""Part of `answer_within` after which a silent Odoo is asked whether it has the scan, instead of
being listened to: what it began it ends without us (WIRE17.md section 8)."""


class OdooServer:
    """Safe in every thread. Everything raises NoAnswer and Abandoned where no answer comes."""

    def __init__(self, settings: OpenSPPSettings, new_id: Callable[[], RequestId]) -> None:
        """Raises OSError for a `ca_file` that cannot be used."""
        self._settings = settings
        self._client = Client(settings.url, settings.ca_file)
        self._new_id = new_id
        self._version: int | None = None
        self._finding = threading.Lock()

    def where(self, path: str = "") -> str:
        """The URL of a path, for the journal."""
        return self._client.where(path)

    def version(self, exchange: Exchange) -> int:
        """Odoo's major version, asked once and again after it was away. Raises Refused."""
        with self._finding:  # who waits here has been given up by the time the one before him is
            if self._version is None:
                patience = self._settings.login_within
                self._version = ask_version(self._client, exchange, patience, self._new_id())
            return self._version

    def forget_version(self) -> None:
        """Ask for it the next time."""
        self._version = None

    def find_database(self, exchange: Exchange) -> None:
        """Ask whether the database is there, which needs no user. Raises Refused.

        From 19 on Odoo looks for it before it looks who calls (WIRE17.md sections 7 and 9).
        """
        database = self._settings.database
        if self.version(exchange) < JSON_2_FROM:
            there = self._ask(json_rpc(self._new_id(), "db", "db_exist", database), exchange)
        else:
            who_calls = Call("res.users", "context_get", {})
            there = self._ask(json_2(database, Credentials("", ""), who_calls), exchange)
        if there.failure is None and there.value is False:
            detail = f"{self.where()}: no database {database}: see database in [openspp]"
            raise Refused(Failure(Problem.OUT_OF_ORDER, detail=detail))
        if there.about is not About.LOGIN:
            there.result()

    def identify(self, credentials: Credentials, exchange: Exchange) -> int:
        """The user's id, by a real check of his key. Raises Refused.

        Over /json/2 the key alone decides who somebody is, so the login is compared (WIRE17.md
        section 1). Over JSON-RPC this is the one call that asks no cache (section 7).
        """
        version = self.version(exchange)
        if not can_be_a_key(credentials.password, version):
            raise self._wrong_key("this is no API key")
        if version < JSON_2_FROM:
            login: list[Any] = [credentials.user, credentials.password, {}]
            request = json_rpc(
                self._new_id(), "common", "authenticate", self._settings.database, *login
            )
            uid = self._ask(request, exchange).result()
        else:
            uid = self._owner(credentials, exchange)
        if uid is False:
            raise self._wrong_key("wrong user or API key, or the key has expired or was removed")
        if not isinstance(uid, int):
            raise Refused(Failure(Problem.NOT_OPENSPP, detail=f"{self.where()}: no user's id"))
        return uid

    def call(
        self,
        credentials: Credentials,
        uid: int,
        call: Call,
        exchange: Exchange,
        most: int = ANSWER_LIMIT,
    ) -> Said:
        """Call a method of a model. most: bytes of the answer that are read. Raises Refused."""
        return self._ask(self._request(credentials, uid, call, exchange), exchange, most)

    def store(
        self,
        credentials: Credentials,
        uid: int,
        name: str,
        directory: int,
        content: Content,
        exchange: Exchange,
    ) -> Said:
        """Send a scan. Raises ContentChanged, and Refused before anything of it was sent."""
        mark = secrets.token_hex(16)  # stands where the scan comes
        request = self._request(credentials, uid, web_save(name, directory, mark), exchange)
        head, tail = request.body.split(mark)
        body = UploadBody(head.encode(), content, exchange, tail.encode())
        patience = ASK_AFTER * self._settings.answer_within
        return self._said(request, self._post(request, body, exchange, patience))

    def _owner(self, credentials: Credentials, exchange: Exchange) -> int | bool:
        """The id of the user whose key this is; False: it is nobody's, or somebody else's."""
        try:
            context = self.call(credentials, 0, Call("res.users", "context_get", {}), exchange)
            uid = context.result().get("uid")
            first = {"ids": [uid]}
            read = Call("res.users", "read", first, {"fields": ["login"]})
            login = self.call(credentials, 0, read, exchange).result()[0]["login"]
        except Refused as error:
            if error.about is About.LOGIN:
                return False
            raise
        except (AttributeError, LookupError, TypeError):
            detail = f"{self.where('/json/2')}: no answer about users as Odoo gives it"
            raise Refused(Failure(Problem.NOT_OPENSPP, detail=detail)) from None
        return uid if isinstance(uid, int) and login == credentials.user else False

    def _wrong_key(self, why: str) -> Refused:
        return Refused(Failure(Problem.WRONG_PASSWORD, detail=f"{self.where()}: {why}"))

    def _request(
        self, credentials: Credentials, uid: int, call: Call, exchange: Exchange
    ) -> Request:
        if self.version(exchange) >= JSON_2_FROM:
            return json_2(self._settings.database, credentials, call)
        return execute(self._new_id(), self._settings.database, uid, credentials, call)

    def _ask(self, request: Request, exchange: Exchange, most: int = ANSWER_LIMIT) -> Said:
        patience = self._settings.login_within
        body = request.body.encode()
        return self._said(request, self._post(request, body, exchange, patience, most))

    def _post(
        self,
        request: Request,
        body: bytes | UploadBody,
        exchange: Exchange,
        patience: float,
        most: int = ANSWER_LIMIT,
    ) -> Answer:
        try:
            answer = self._client.post(
                request.path, body, exchange, patience, request.headers, most
            )
        except NoAnswer:
            self.forget_version()  # it may be another one that comes back
            raise
        if answer.status == 404 or answer.status >= 500:
            self.forget_version()
        return answer

    def _said(self, request: Request, answer: Answer) -> Said:
        if request.id is None:
            return said_by_json_2(answer)
        return said_by_json_rpc(answer, request.id)


def can_be_a_key(password: str, version: int) -> bool:
    """Whether Odoo can be asked with it. Over /json/2 it is a word in a header."""
    if len(password) > LONGEST_KEY:
        return False
    if version >= JSON_2_FROM:
        return password.isascii() and password.isprintable() and " " not in password
    return True
