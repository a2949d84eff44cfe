"""What an answer of Odoo's own API means. Pure: an HTTP answer goes in, what Odoo said comes out.

Exceptions are told by name, never by message, which is translated (WIRE17.md section 7). A call
that raised one was rolled back, so it stored nothing; the same holds where JSON-RPC answers without
our id, for then it could not read the request. After HTTP 500 the request is over, and whether it
stored something is to be looked up. A wrong database and a database server that is away look alike,
and neither says anything of the password.

As in `answers`, nothing of an answer is quoted but the message of a ValidationError or AccessError.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp.answers import (
    EXCEPTION,
    STUMBLES,
    Answer,
    Refusal,
    RequestId,
    by_status,
    failure_of,
    unintelligible,
)


class About(enum.Enum):
    """What an error is about, where more can be done than to tell it."""

    LOGIN = "the user or his key"
    VALUES = "what was to be stored, or the directory"
    OTHER = "anything else"


class Refused(Exception):
    """Odoo answered a question with a no. `may_retry`: the cause may be gone in a moment."""

    def __init__(
        self, failure: Failure, may_retry: bool = False, about: About = About.OTHER
    ) -> None:
        super().__init__(failure.detail)
        self.failure = failure
        self.may_retry = may_retry
        self.about = about


@dataclass(frozen=True, slots=True)
class Said:
    """What Odoo said: `value`, or what failed.

    `certain`: the failure proves that nothing was stored. `over`: if it does not, Odoo at least
    works on the request no more.
    """

    answer: Answer = field(repr=False)
    value: Any = field(default=None, repr=False)
    failure: Failure | None = None
    may_retry: bool = False
    certain: bool = True
    over: bool = False
    about: About = About.OTHER

    def result(self) -> Any:
        """The value. Raises Refused."""
        if self.failure is not None:
            raise Refused(self.failure, self.may_retry, self.about)
        return self.value

    def unlike(self, expected: str) -> Said:
        """The same where its value turned out to be of another form than `expected`."""
        return _refused(self.answer, unintelligible(f"no {expected}"), over=True)


_NO_DATABASE: Final = Refusal(
    Problem.OUT_OF_ORDER,
    "the database named in [openspp] is not there, or PostgreSQL is away; see OpenSPP's log",
    may_retry=True,
)
_NO_ODOO: Final = Refusal(
    Problem.NOT_OPENSPP,
    "Odoo's API does not answer there; for OpenSPP 15 write api = scanner in [openspp]",
    may_retry=True,
)
_NO_STORE: Final = Refusal(
    Problem.NOT_OPENSPP, "OpenSPP's document store (spp_dms) is not installed in this database"
)
_WRONG_KEY: Final = Refusal(
    Problem.WRONG_PASSWORD, "wrong user or API key, or the key has expired or was removed"
)
_BROKEN: Final = Refusal(
    Problem.OUT_OF_ORDER, "the request broke off on its way to OpenSPP", may_retry=True
)
_TOO_LARGE: Final = Refusal(
    Problem.TOO_LARGE, "Odoo takes requests of up to 128 MiB; a scan needs four thirds of its size"
)
_NO_MEMORY: Final = Refusal(Problem.TOO_LARGE_FOR_MEMORY, "raise Odoo's limit_memory_hard")

_BY_NAME: Final[Mapping[str, tuple[Refusal, About]]] = {
    "odoo.exceptions.AccessDenied": (_WRONG_KEY, About.LOGIN),
    "odoo.exceptions.MissingError": (_WRONG_KEY, About.LOGIN),
    "werkzeug.exceptions.Unauthorized": (_WRONG_KEY, About.LOGIN),
    "werkzeug.exceptions.NotFound": (_NO_STORE, About.OTHER),
    "werkzeug.exceptions.RequestEntityTooLarge": (_TOO_LARGE, About.OTHER),
    "werkzeug.exceptions.ClientDisconnected": (_BROKEN, About.OTHER),
    "builtins.MemoryError": (_NO_MEMORY, About.OTHER),
}


def said_by_json_rpc(answer: Answer, request_id: RequestId | None) -> Said:
    """What /jsonrpc answered to the request of this id."""
    content = _json(answer)
    if answer.status != 200 or not isinstance(content, dict):
        return _without_json(answer)
    ours = content.get("id") == request_id
    error = content.get("error")
    if ours and error is None and "result" in content:
        return Said(answer, content["result"])
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict) and content.get("result") is None:
        if ours:
            return _raised(answer, data)
        if content.get("id") is None:  # Odoo did not get as far as reading our id
            return _unread(answer, data)
    return _refused(answer, unintelligible("not an answer to this request"))


def said_by_json_2(answer: Answer) -> Said:
    """What /json/2 answered."""
    content = _json(answer)
    if answer.status == 200 and content is not None:
        return Said(answer, content)
    if answer.status >= 400 and isinstance(content, dict) and "name" in content:
        return _raised(answer, content)
    return _without_json(answer)


def moment(told: object) -> datetime | None:
    """A date and time as Odoo writes it, always UTC; None where it is none."""
    try:
        return datetime.strptime(str(told), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _json(answer: Answer) -> Any:
    """The content; None where there is none to be understood."""
    if not answer.is_json or not answer.whole:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _without_json(answer: Answer) -> Said:
    refusal = by_status(answer)
    if answer.status == 404:
        # From 19 on of an unknown database too, and of PostgreSQL that is away (WIRE17.md w6).
        is_json_2 = "/json/2/" in answer.where
        refusal = _NO_DATABASE if is_json_2 else _NO_ODOO
    elif answer.status == 500 and refusal is not None:
        return _refused(answer, replace(refusal, certain=False), over=True)
    return _refused(answer, refusal or unintelligible("not JSON, so not Odoo's own API"))


def _unread(answer: Answer, data: Mapping[str, Any]) -> Said:
    """An error from before the request was read: nothing was done."""
    name = _name(data)
    known = _BY_NAME.get(name)
    refusal = known[0] if known else _BROKEN
    return _refused(answer, _named(refusal, name))


def _raised(answer: Answer, data: Mapping[str, Any]) -> Said:
    """Odoo raised an exception, so the transaction was rolled back."""
    name = _name(data)
    message = data.get("message")
    words = message.strip().split("\n", 1)[0] if isinstance(message, str) else ""
    known = _BY_NAME.get(name)
    if known:
        return _refused(answer, _named(known[0], name), known[1])
    if name == "odoo.exceptions.ValidationError":
        return _refused(answer, Refusal(Problem.REFUSED, name, said=words), About.VALUES)
    if name == "odoo.exceptions.AccessError":
        advice = f"{name}; give the user a group that may store (DMS) in OpenSPP"
        return _refused(answer, Refusal(Problem.NO_RIGHT, advice, said=words))
    if name == "odoo.exceptions.UserError":
        advice = f"{name}; is OpenSPP's document store (spp_dms) installed in this database?"
        return _refused(answer, Refusal(Problem.NOT_OPENSPP, advice), About.VALUES)
    if name.startswith("psycopg2."):
        return _refused(answer, _named(_NO_DATABASE, name))
    if name in STUMBLES:
        advice = f"{name}; OpenSPP cannot take this name or content"
        return _refused(answer, Refusal(Problem.REFUSED, advice))
    if answer.status == 400:
        return _refused(answer, _named(_BROKEN, name))
    return _refused(answer, Refusal(Problem.OUT_OF_ORDER, f"{name}; see OpenSPP's log"))


def _name(data: Mapping[str, Any]) -> str:
    name = data.get("name")
    known = isinstance(name, str) and EXCEPTION.fullmatch(name)
    return str(name) if known else "an unknown exception"


def _named(refusal: Refusal, name: str) -> Refusal:
    return replace(refusal, advice=f"{name}; {refusal.advice}")


def _refused(
    answer: Answer, refusal: Refusal, about: About = About.OTHER, over: bool = False
) -> Said:
    failure = failure_of(answer, refusal)
    return Said(answer, None, failure, refusal.may_retry, refusal.certain, over, about)
