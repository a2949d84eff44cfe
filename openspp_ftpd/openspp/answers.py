"""What OpenSPP's answer means. Pure: an HTTP answer goes in, a verdict comes out.

The HTTP status and the word OK prove nothing (WIRE.md section 0): OpenSPP answers HTTP 200 to a
wrong password, and `<Response 7 bytes [400 BAD REQUEST]>` is no success. A scan is stored if and
only if the answer is HTTP 200, JSON, carries our request's id, and its `result` is a string of the
form `<Response N bytes [200 ...]>`, after the whole body was sent.

A scan is *certainly not stored* when

- the body was not wholly sent, whatever was answered; or
- OpenSPP's controller said so: a result with a code of 400 or more, under our id; or
- OpenSPP raised an exception: an error object under our id (the transaction was rolled back); or
- the HTTP status says that the request was not carried out: any 3xx and 4xx, and of the 5xx 500
  (Odoo's HTML page: it failed before or outside the transaction), 501, 503 and 505.

Everything else leaves the question open: 502 and 504 (a proxy lost sight of OpenSPP at work), other
5xx, and an HTTP 200 or other 2xx that is not the JSON described above.

An answer can echo the request, password included (WIRE.md section 1). So a failure's detail holds
the status, the media type, the length and the exception's class name, and OpenSPP's words are kept
only where they are the message of a ValidationError or AccessError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from openspp_ftpd.errors import Failure, Problem

RequestId = str | int


@dataclass(frozen=True, slots=True)
class Credentials:
    """An OpenSPP user and his scanner password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """The login did not succeed. `may_retry`: the cause may be gone in a moment."""

    failure: Failure
    may_retry: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """OpenSPP has the scan. `earlier`: it had it already, from an earlier attempt of this scan."""

    earlier: bool = False


@dataclass(frozen=True, slots=True)
class NotStored:
    """OpenSPP certainly has not stored the scan. `may_retry`: the cause may be gone in a moment."""

    failure: Failure
    may_retry: bool = False


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The whole scan was sent, and nobody knows whether OpenSPP stored it.

    `over`: OpenSPP works on it no more, so whether it is there now tells for good. `may_retry`: if
    it is not, the cause may be gone in a moment.
    """

    failure: Failure
    over: bool = False
    may_retry: bool = True


Outcome = Stored | NotStored | Unsettled


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    `where` is the URL that was asked. `whole` is False where the body was longer than was read.
    `redirects_to` is the scheme, host and port of a redirect's target, where that is another one,
    and `redirect_path` the path there. `date` is the header of that name.
    """

    where: str
    status: int
    content_type: str = field(repr=False)
    body: bytes = field(repr=False)
    whole: bool = True
    redirects_to: str = ""
    redirect_path: str = field(default="", repr=False)
    date: str = field(default="", repr=False)

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.content_type.split(";", 1)[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        return self.media_type == "application/json"

    def summary(self) -> str:
        """Where, and what was answered, in words that hold nothing of its content."""
        kind = self.media_type if self.media_type in _MEDIA_TYPES else "another content type"
        length = (
            f"{len(self.body)} bytes" if self.whole else f"more than {len(self.body) - 1} bytes"
        )
        return f"{self.where} answered HTTP {self.status} ({kind}, {length})"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an answer is no success. `certain`: the answer proves that nothing was stored."""

    problem: Problem
    advice: str
    may_retry: bool = False
    said: str = ""
    certain: bool = True


# Those that are named in a detail.
_MEDIA_TYPES: Final = frozenset(["application/json", "text/html", "text/plain"])
_RESULT: Final = re.compile(r"<Response [0-9]+ bytes \[([0-9]{3}) [A-Z ]+\]>")
EXCEPTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")

_SAME_NAME: Final = "A file with the same name already exists."
_TOO_LARGE: Final = "The maximum upload size is "
_EXCESSIVE_IMAGE: Final = "Image size excessive"

# Exceptions that OpenSPP's code stumbles into over a name or content it cannot take.
STUMBLES: Final = frozenset(
    ["builtins.TypeError", "builtins.ValueError", "builtins.UnicodeEncodeError", "binascii.Error"]
)

_LOGIN_CODES: Final = {
    401: Refusal(Problem.WRONG_PASSWORD, "wrong user or scanner password"),
    403: Refusal(Problem.NOT_A_SCANNER_USER, "right password, but not in the group Scanner"),
}
_NOBODY: Final = Refusal(Problem.WRONG_PASSWORD, "no user and no password (WIRE.md section 1)")
_UPLOAD_CODES: Final = {
    **_LOGIN_CODES,
    400: Refusal(Problem.NO_DIRECTORY, "the user has no active directory: choose one in OpenSPP"),
    406: Refusal(Problem.EMPTY, "OpenSPP takes no empty file"),
}


def judge_login(answer: Answer, request_id: RequestId) -> Denied | None:
    """The verdict on a login. None: the user may send scans."""
    refusal = _judge(answer, request_id, _LOGIN_CODES, _login_error)
    if refusal is None:
        return None
    failure = failure_of(answer, refusal)
    if not refusal.problem.login_code:  # a proxy's 413, of all things
        failure = replace(failure, problem=Problem.OUT_OF_ORDER)
    return Denied(failure, refusal.may_retry)


def judge_probe(answer: Answer, request_id: RequestId) -> Denied | None:
    """The verdict on a login without user and password. None: the scanner interface is there."""
    refusal = _judge(answer, request_id, {400: _NOBODY}, _login_error)
    if refusal is _NOBODY:
        return None
    if refusal is None:
        refusal = Refusal(Problem.NOT_OPENSPP, "it lets in a user without name and password")
    return Denied(failure_of(answer, refusal), refusal.may_retry)


def judge_upload(answer: Answer, request_id: RequestId, *, wholly_sent: bool) -> Outcome:
    """The verdict on an upload. wholly_sent: the request's last byte had been sent."""
    refusal = _judge(answer, request_id, _UPLOAD_CODES, _upload_error)
    if refusal is None and not wholly_sent:
        refusal = Refusal(Problem.NOT_OPENSPP, "it said OK before it had the whole scan")
    if refusal is None:
        return Stored()
    if refusal.certain or not wholly_sent:
        return NotStored(failure_of(answer, refusal), refusal.may_retry)
    detail = f"{answer.summary()}: {refusal.advice}; the scan was wholly sent and may be stored"
    return Unsettled(Failure(Problem.UNCERTAIN, detail=detail))


def judge_binding(answer: Answer, *, has_session: bool) -> Denied | None:
    """The verdict on choosing a database. has_session: the answer set a session cookie.

    The session is bound when OpenSPP shows its login page or redirects there; where it redirects
    to its list of databases it does not know the one that was named (WIRE.md section 8). The
    redirect's host is not looked at then: behind a proxy Odoo gets its own scheme wrong.
    """
    login_page = answer.status == 200 or answer.redirect_path == "/web/login"
    if has_session and answer.status < 400 and login_page:
        return None
    elsewhere = bool(answer.redirects_to) and not answer.redirect_path.startswith("/web/database")
    refusal = by_status(answer) if answer.status >= 400 or elsewhere else None
    refusal = refusal or Refusal(
        Problem.NOT_OPENSPP, "database in [openspp] is none of those that it serves"
    )
    return Denied(failure_of(answer, refusal), refusal.may_retry)


def failure_of(answer: Answer, refusal: Refusal) -> Failure:
    """What there is to tell of a refusal."""
    return Failure(refusal.problem, refusal.said, f"{answer.summary()}: {refusal.advice}")


def _judge(
    answer: Answer,
    request_id: RequestId,
    codes: Mapping[int, Refusal],
    judge_error: Callable[[str, str], Refusal],
) -> Refusal | None:
    """None: success."""
    if answer.status != 200:
        return by_status(answer) or unintelligible("no status that OpenSPP uses")
    if not answer.is_json or not answer.whole:
        return unintelligible("not JSON, so not OpenSPP's scanner interface")
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return unintelligible("not valid JSON")
    if not isinstance(content, dict) or content.get("id") != request_id:
        return unintelligible("not an answer to this request")
    result, error = content.get("result"), content.get("error")
    if isinstance(result, str) and error is None:
        return _by_result(result, codes)
    if isinstance(error, dict) and result is None:
        data = error.get("data")
        name = data.get("name") if isinstance(data, dict) else None
        message = data.get("message") if isinstance(data, dict) else None
        if isinstance(name, str) and EXCEPTION.fullmatch(name):
            return judge_error(name, message if isinstance(message, str) else "")
    return unintelligible("neither a result nor an error as OpenSPP gives them")


def unintelligible(why: str) -> Refusal:
    return Refusal(Problem.NOT_OPENSPP, why, certain=False)


def _by_result(result: str, codes: Mapping[int, Refusal]) -> Refusal | None:
    form = _RESULT.fullmatch(result)
    if form is None:
        return unintelligible("a result of another form")
    code = int(form[1])
    if code == 200:
        return None
    if code in codes:
        return codes[code]
    return Refusal(Problem.OUT_OF_ORDER, f"an unexpected result [{code}]", certain=code >= 400)


def by_status(answer: Answer) -> Refusal | None:
    """What the HTTP status alone tells. None: nothing (1xx and 2xx)."""
    status = answer.status
    if 300 <= status < 400:
        return _redirected(answer)
    if status == 400 and b"The plain HTTP request was sent to HTTPS port" in answer.body:
        host = answer.where.split("/")[2]
        return Refusal(Problem.NOT_OPENSPP, f"it expects TLS: write url = https://{host}")
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return Refusal(Problem.OUT_OF_ORDER, "it failed", may_retry=True, certain=False)
    if status >= 400:
        return Refusal(Problem.NOT_OPENSPP, "OpenSPP does not answer so; what else is there?")
    return None


_OUT_OF_ORDER: Final = Refusal(Problem.OUT_OF_ORDER, "see OpenSPP's log", may_retry=True)
_LOST_SIGHT: Final = Refusal(
    Problem.OUT_OF_ORDER,
    "the proxy before OpenSPP got no answer from it; see both logs",
    may_retry=True,
    certain=False,
)
_STATUSES: Final = {
    # A request that came in too slowly is a 400 too (WIRE.md section 4), so another try may do.
    400: Refusal(
        Problem.OUT_OF_ORDER, "it could not read the request; see OpenSPP's log", may_retry=True
    ),
    # Of a restarting Odoo as well (WIRE.md section 10).
    404: Refusal(
        Problem.NOT_OPENSPP,
        "the scanner interface (spp_scanner_api) is not installed there (OpenSPP 17 and OpenSPP 2 "
        "have none: write api = odoo in [openspp]), or that host serves several databases: then "
        "set database",
        may_retry=True,
    ),
    408: _OUT_OF_ORDER,
    413: Refusal(
        Problem.TOO_LARGE_FOR_PROXY,
        "the proxy before OpenSPP limits requests (nginx: client_max_body_size); "
        "a scan needs four thirds of its size",
    ),
    425: _OUT_OF_ORDER,
    429: _OUT_OF_ORDER,
    500: _OUT_OF_ORDER,
    501: Refusal(Problem.NOT_OPENSPP, "OpenSPP does not answer so; what else is there?"),
    502: _LOST_SIGHT,
    503: _OUT_OF_ORDER,
    504: _LOST_SIGHT,
    505: Refusal(Problem.NOT_OPENSPP, "OpenSPP does not answer so; what else is there?"),
}


def _redirected(answer: Answer) -> Refusal:
    """Never followed: it would send the password to another address and lose the body."""
    target = answer.redirects_to
    if not target:
        advice = "a redirect to nowhere else: is url in [openspp] OpenSPP itself?"
    elif answer.where.startswith("https:") and target.startswith("http:"):
        advice = f"a redirect to {target}, which is not encrypted: have OpenSPP's proxy mended"
    else:
        advice = f"a redirect; write url = {target} in [openspp]"
    return Refusal(Problem.REDIRECTED, advice)


def _transient(exception: str) -> Refusal | None:
    """Exceptions of an OpenSPP that is overloaded or has lost its database.

    AccessDenied is one: any failure while a password is checked becomes it (WIRE.md section 7).
    """
    if exception == "odoo.exceptions.AccessDenied" or exception.startswith("psycopg2."):
        return Refusal(
            Problem.OUT_OF_ORDER,
            f"{exception}; is it overloaded, or PostgreSQL down? See OpenSPP's log",
            may_retry=True,
        )
    return None


def _login_error(exception: str, message: str) -> Refusal:
    return _transient(exception) or Refusal(Problem.OUT_OF_ORDER, f"{exception}; see OpenSPP's log")


def _upload_error(exception: str, message: str) -> Refusal:
    words = message.strip().split("\n", 1)[0]
    if exception == "odoo.exceptions.ValidationError":
        problem = Problem.REFUSED
        if words == _SAME_NAME:
            problem = Problem.NAME_TAKEN
        elif words.startswith(_TOO_LARGE):
            problem = Problem.TOO_LARGE
        return Refusal(problem, exception, said=words)
    if exception == "odoo.exceptions.AccessError":
        return Refusal(
            Problem.NO_RIGHT,
            f"{exception}; give the user rights on the directory (DMS) in OpenSPP",
            said=words,
        )
    if exception == "builtins.ValueError" and words.startswith(_EXCESSIVE_IMAGE):
        return Refusal(Problem.EXCESSIVE_IMAGE, f"{exception}; image of too many pixels")
    if exception == "builtins.MemoryError":
        return Refusal(Problem.TOO_LARGE_FOR_MEMORY, f"{exception}; raise Odoo's limit_memory_hard")
    if exception in STUMBLES:
        advice = f"{exception}; OpenSPP cannot take this name or content (no extension?)"
        return Refusal(Problem.REFUSED, advice)
    return _transient(exception) or Refusal(Problem.OUT_OF_ORDER, f"{exception}; see OpenSPP's log")
