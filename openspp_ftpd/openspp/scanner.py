"""OpenSPP 15's scanner interface, spp_scanner_api: POST /dms/auth and /dms/upload (WIRE.md)."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp.answers import (
    Answer,
    Credentials,
    Denied,
    NotStored,
    Outcome,
    RequestId,
    Unsettled,
    judge_binding,
    judge_login,
    judge_probe,
    judge_upload,
)
from openspp_ftpd.openspp.body import UploadBody
from openspp_ftpd.openspp.client import Client
from openspp_ftpd.openspp.exchange import Abandoned, Exchange
from openspp_ftpd.openspp.faults import NoAnswer
from openspp_ftpd.settings import OpenSPPSettings

if TYPE_CHECKING:
    from openspp_ftpd.openspp import Content

LISTEN_ON: Final = 120.0
"""Seconds beyond `answer_within` in which a late verdict is still of use."""

_AUTH: Final = "/dms/auth"
_UPLOAD: Final = "/dms/upload"

# The first pins the language of OpenSPP's messages, which are compared. Without the second Odoo
# shrinks large JPEG and PNG scans and answers OK (WIRE.md sections 5 and 11).
_CONTEXT: Final = {"lang": "en_US", "image_no_postprocess": True}


def _new_id() -> str:
    return secrets.token_hex(8)


class ScannerApi:
    """An OpenSPP with the scanner interface; the `Api` of this package."""

    settles_after = None

    def __init__(
        self, settings: OpenSPPSettings, new_id: Callable[[], RequestId] = _new_id
    ) -> None:
        """Raises OSError for a `ca_file` that cannot be used.

        new_id: makes a request's id, by which its answer is known.
        """
        self._settings = settings
        self._client = Client(settings.url, settings.ca_file)
        self._new_id = new_id
        self._bound = not settings.database
        self._binding = threading.Lock()

    def probe(self, exchange: Exchange) -> Denied | None:
        """See ProbedApi. A login without user and password, which only the interface refuses so."""
        return self._log_in(Credentials("", ""), exchange, judge_probe)

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        """POST /dms/auth, once. None: may send scans."""
        if not can_exist(credentials):
            words = "the user name or password is one that no OpenSPP user can have"
            return Denied(Failure(Problem.WRONG_PASSWORD, detail=words))
        return self._log_in(credentials, exchange, judge_login)

    def _log_in(
        self,
        credentials: Credentials,
        exchange: Exchange,
        judge: Callable[[Answer, RequestId], Denied | None],
    ) -> Denied | None:
        try:
            if unbound := self._bind(exchange):
                return unbound
            request_id = self._new_id()
            body = _request(request_id, _login_parameters(credentials)).encode()
            answer = self._client.post(_AUTH, body, exchange, self._settings.login_within)
        except NoAnswer as error:
            return Denied(error.fault.failure, error.fault.may_retry)
        except Abandoned:
            return Denied(self._given_up(_AUTH))
        except Exception as error:  # the thread's job must come back with a verdict
            return Denied(self._client.unexpected(_AUTH, error).failure)
        self._notice(answer)
        return judge(answer, request_id)

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """POST /dms/upload, once."""
        outcome = self._store(credentials, name, content, exchange)
        exchange.conclude(nothing_stored=isinstance(outcome, NotStored))
        return outcome

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Unsettled: this interface cannot be asked what it has."""
        words = f"{self._client.where(_UPLOAD)}: cannot be asked whether it has the scan"
        return Unsettled(Failure(Problem.UNCERTAIN, detail=words))

    def _store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        try:
            if unbound := self._bind(exchange):
                return NotStored(unbound.failure, unbound.may_retry)
            request_id = self._new_id()
            parameters = {**_login_parameters(credentials), "filename": name, "file": ""}
            head = _request(request_id, parameters).removesuffix('"}}').encode()
            body = UploadBody(head, content, exchange)
            patience = self._settings.answer_within + LISTEN_ON
            answer = self._client.post(_UPLOAD, body, exchange, patience)
        except NoAnswer as error:
            return without_answer(error.fault.failure, error.fault.may_retry, exchange)
        except Abandoned:
            return NotStored(self._given_up(_UPLOAD))
        except Exception as error:  # the thread's job must come back with a verdict
            fault = self._client.unexpected(_UPLOAD, error)
            return without_answer(fault.failure, fault.may_retry, exchange)
        self._notice(answer)
        return judge_upload(answer, request_id, wholly_sent=exchange.wholly_sent)

    def _bind(self, exchange: Exchange) -> Denied | None:
        """Bind the session to the configured database, unless it is (WIRE.md section 8).

        No password is sent. Raises NoAnswer, Abandoned.
        """
        with self._binding:  # who waits here has been given up by the time the one before him is
            if self._bound:
                return None
            self._client.forget_cookies()
            path = f"/web/login?db={quote(self._settings.database, safe='')}"
            answer = self._client.get(path, exchange, self._settings.login_within)
            refused = judge_binding(answer, has_session=self._client.has_session())
            self._bound = refused is None
            return refused

    def _notice(self, answer: Answer) -> None:
        """A 404 as JSON tells that OpenSPP has forgotten the session and with it the database."""
        if self._settings.database and answer.status == 404 and answer.is_json:
            self._bound = False

    def _given_up(self, path: str) -> Failure:
        words = f"{self._client.where(path)}: given up before the request was wholly sent"
        return Failure(Problem.TOO_SLOW, detail=words)


def can_exist(credentials: Credentials) -> bool:
    """Whether OpenSPP could find such a user at all (WIRE.md section 1).

    It answers 400 to an empty user or password, and an exception to a NUL or half a surrogate pair.
    """
    for value in (credentials.user, credentials.password):
        if not value or "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            return False
    return True


def _login_parameters(credentials: Credentials) -> dict[str, Any]:
    return {"context": _CONTEXT, "username": credentials.user, "password": credentials.password}


def _request(request_id: RequestId, parameters: dict[str, Any]) -> str:
    """A JSON-RPC request, the parameters in their order and last."""
    return json.dumps({"jsonrpc": "2.0", "method": "call", "id": request_id, "params": parameters})


def without_answer(failure: Failure, may_retry: bool, exchange: Exchange) -> Outcome:
    """What is known of a scan when no answer came."""
    if exchange.wholly_sent:
        detail = f"{failure.detail}; the scan was wholly sent and may be stored"
        return Unsettled(Failure(Problem.UNCERTAIN, detail=detail))
    return NotStored(failure, may_retry)
