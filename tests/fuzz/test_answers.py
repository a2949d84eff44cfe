"""OpenSPP's answers: whatever comes is a verdict, and success only in the one true form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import strategies as st

from openspp_ftpd.errors import DISPLAY_WIDTH
from openspp_ftpd.openspp import Denied, NotStored, Stored, Unsettled
from openspp_ftpd.openspp.answers import Answer, judge_binding, judge_login, judge_upload
from tests.fuzz.campaign import Campaign
from tests.unit.openspp.scripted import Request, scripted, store

ID = "our-id"
SECRET = "scan-secret"
WHERE = "http://openspp:8069/dms/upload"
_TRUE = re.compile(r"<Response \d+ bytes \[200 [^\]\n]*\]>\n?")

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(SECRET)
)
JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_CODES = st.sampled_from(
    ["200", "201", "400", "401", "403", "406", "500", "302", "2000", "0", "²00"]
)
RESULTS = st.one_of(
    JSON,
    st.builds(
        "<Response {} bytes [{} {}]>".format, st.integers(-1, 99), _CODES, st.text(max_size=9)
    ),
    st.builds("<Response 7 bytes [{} OK]>{}".format, _CODES, st.sampled_from(["", " ", "\n", "x"])),
    st.sampled_from(
        [
            "x<Response 7 bytes [200 OK]>",
            "<Response 7 bytes [200 OK]>x",
            "OK",
            "200 OK",
            "[200 OK]",
            "<Response [200 OK]>",
            " <Response 7 bytes [200 OK]>",
        ]
    ),
)
_NAMES = st.sampled_from(
    [
        *("odoo.exceptions.ValidationError", "odoo.exceptions.AccessError", "builtins.ValueError"),
        *("odoo.exceptions.AccessDenied", "psycopg2.OperationalError", "builtins.MemoryError"),
        *("builtins.TypeError", "x", "", "a b", SECRET, "builtins." + "x" * 300),
    ]
)
ERRORS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {
            "data": st.one_of(
                JSON, st.fixed_dictionaries({"name": st.one_of(_NAMES, JSON), "message": JSON})
            )
        },
        optional={"code": JSON, "message": JSON},
    ),
)
_MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": JSON,
        "id": st.one_of(st.just(ID), st.just(ID), JSON),
        "result": RESULTS,
        "error": ERRORS,
    },
)
_TRUTH: dict[str, Any] = {"jsonrpc": "2.0", "id": ID, "result": "<Response 7 bytes [200 OK]>"}
_NEARLY_TRUE = st.builds(
    dict.__or__,
    st.just(_TRUTH),
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"result": RESULTS}),
        st.fixed_dictionaries({"id": JSON}),
        st.fixed_dictionaries({"error": ERRORS}),
        st.fixed_dictionaries({"result": st.none(), "error": ERRORS}),
    ),
)
_TEXTS = st.one_of(_NEARLY_TRUE, _NEARLY_TRUE, _MEMBERS, JSON).map(
    lambda value: json.dumps(value).encode()
)
BODIES = st.one_of(
    _TEXTS,
    _TEXTS,
    st.tuples(_TEXTS, st.floats(0, 1)).map(lambda cut: cut[0][: int(cut[1] * len(cut[0]))]),
    st.builds(bytes.__add__, _TEXTS, st.sampled_from([b"", b"\n", b"{}", b"\0", b"\xff"])),
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"<html>200 OK</html>",
            b"[" * 100_000,
            b"[" * 100_000,
            b'{"id": ' + b"9" * 5000 + b"}",
            b"",
        ]
    ),
)
_ANSWERS = st.builds(
    Answer,
    st.just(WHERE),
    st.one_of(st.just(200), st.just(200), st.just(200), st.integers(100, 599)),
    st.sampled_from(
        [
            *["application/json"] * 6,
            "Application/JSON; charset=utf-8",
            "text/html",
            "",
            SECRET,
        ]
    ),
    st.one_of(_TEXTS, BODIES),
    whole=st.sampled_from([True, True, True, False]),
    redirects_to=st.sampled_from(["", "https://elsewhere:8069"]),
    redirect_path=st.sampled_from(["", "/web/login", "/web/database/selector", "/x"]),
)


def is_true_success(answer: Answer) -> bool:
    """HTTP 200, JSON, our id, and a result of the one form (WIRE.md section 0)."""
    if answer.status != 200 or not answer.whole:
        return False
    if answer.content_type.split(";")[0].strip().lower() != "application/json":
        return False
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(said, dict)
        and said.get("id") == ID
        and isinstance(said.get("result"), str)
        and said.get("error") is None
        and _TRUE.fullmatch(said["result"]) is not None
    )


@pytest.mark.share(2, 4)
def test_verdicts_on_answers(campaign: Campaign) -> None:
    def check(answer: Answer, wholly_sent: bool) -> None:
        upload = judge_upload(answer, ID, wholly_sent=wholly_sent)
        login = judge_login(answer, ID)
        judge_binding(answer, has_session=wholly_sent)
        success = is_true_success(answer)
        assert (login is None) == success
        assert isinstance(upload, Stored) == (success and wholly_sent)
        if isinstance(upload, Unsettled):
            assert wholly_sent, "in doubt, and it was certainly not stored"
        if isinstance(upload, NotStored | Unsettled):
            reply = upload.failure.upload_reply()
            assert 400 <= reply.code < 600 and reply.code != 421
            assert len(reply.text) <= DISPLAY_WIDTH
            assert reply.text.isascii() and reply.text.isprintable()
            assert SECRET not in upload.failure.detail
        if isinstance(login, Denied):
            assert login.failure.login_reply().code in (421, 530, 550)
            assert SECRET not in login.failure.detail

    campaign.fuzz(check, answer=_ANSWERS, wholly_sent=st.booleans())


_HEADS = st.one_of(
    st.sampled_from(
        [
            *(
                "HTTP/1.0 200 OK",
                "HTTP/1.1 200 OK",
                "HTTP/1.1 200",
                "HTTP/1.1 100 Continue",
                "HTTP/1.1 204 x",
            ),
            *(
                "HTTP/9.9 200 OK",
                "HTTP/1.1 abc",
                "HTTP/1.1 99999 x",
                "200 OK",
                "",
                "GET / HTTP/1.1",
            ),
            *(
                "HTTP/1.0 500 x",
                "HTTP/1.1 502 x",
                "HTTP/1.1 302 x",
                "HTTP/1.1 413 x",
                "HTTP/1.1 -1 x",
            ),
        ]
    ).map(str.encode),
    st.binary(max_size=20),
)
_HEADERS = st.lists(
    st.sampled_from(
        [
            *(b"Content-Type: application/json", b"Content-Type: text/html", b"Content-Length: 5"),
            *(b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 99999999999999999999"),
            *(b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Content-Encoding: x"),
            *(
                b"Location: http://[",
                b"Location: //x",
                b"Location: \xff",
                b"Set-Cookie: a=\xff",
                b"x",
            ),
            *(
                b": x",
                b" folded",
                b"\0: \0",
                b"Connection: keep-alive",
                b"Content-Encoding: br, br",
            ),
        ]
    ),
    max_size=5,
).map(lambda headers: b"".join(b"\r\n" + header for header in headers))


@pytest.mark.share(0.8, 1)
def test_whatever_http_comes_back(campaign: Campaign) -> None:
    """The whole client before a server that answers anything: a verdict, and no false success."""
    answers: list[bytes] = []

    def script(request: Request) -> None:
        request.read_head()
        request.read_body()
        body = answers[0].replace(ID.encode(), str(request.json()["id"]).encode())
        request.send(body)

    with scripted(script) as server:

        def check(head: bytes, headers: bytes, body: bytes) -> None:
            answers[:] = [head + headers + b"\r\n\r\n" + body]
            outcome = store(server.url)
            assert isinstance(outcome, Stored | NotStored | Unsettled)
            if isinstance(outcome, Stored):
                assert head.startswith(b"HTTP/") and b"200" in head
                assert b"[200" in answers[0].replace(b"\\u0032", b"2")

        campaign.fuzz(check, examples=150, head=_HEADS, headers=_HEADERS, body=BODIES)
