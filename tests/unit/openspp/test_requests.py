"""What OpenSPP is sent: the scan bit for bit, its name as it was, one session, flat memory."""

import base64
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Credentials, Denied, Exchange, NotStored, Stored
from openspp_ftpd.openspp.body import RAW_PIECE, UploadBody

from .scripted import (
    LARGE,
    MIB,
    SMALL,
    Request,
    Scan,
    api_at,
    scripted,
    store,
    success,
)

ROOT = Path(__file__).parents[3]

NAMES = [
    "scan.pdf",
    "فاتورة رقم ٣.pdf",
    "ناسنامە کوردی.pdf",
    "📄 scan 👩‍👩‍👧.pdf",
    "é.pdf",
    'a"b\\c\n\t\x7f.pdf',
    '"}}.pdf',
    " leading and trailing ",
    "\u202efdp.exe",
    "x" * 251 + ".pdf",
]


class Desk:
    """Takes every upload and keeps the parameters."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> None:
        self.taken.append(request.read()["params"])
        assert (request.method, request.path) == ("POST", "/dms/upload")
        request.succeed()

    @property
    def content(self) -> bytes:
        """The last one's bytes; a decoder that would skip what is not base64 is no proof."""
        return base64.b64decode(self.taken[-1]["file"], validate=True)


@pytest.mark.parametrize(
    "size", [1, 2, 3, 4, RAW_PIECE - 1, RAW_PIECE, RAW_PIECE + 1, 2 * RAW_PIECE, 3 * RAW_PIECE + 2]
)
def test_a_scan_of_any_size_arrives_bit_for_bit(size: int) -> None:
    desk = Desk()
    scan = Scan((bytes(range(251)) * (size // 251 + 1))[:size])
    with scripted(desk) as server:
        assert store(server.url, scan) == Stored()
    assert desk.content == scan.data


@pytest.mark.parametrize("name", NAMES)
def test_a_name_arrives_as_it_was(name: str) -> None:
    desk = Desk()
    with scripted(desk) as server:
        assert store(server.url, name=name) == Stored()
    assert desk.taken[0]["filename"] == name


def test_a_user_and_password_arrive_as_they_were() -> None:
    desk = Desk()
    zana = Credentials("زانا.کوردی@example.org", 'پاسسوۆرد-é-🔑\\"')
    with scripted(desk) as server:
        assert api_at(server.url).store(zana, "a.pdf", SMALL, Exchange()) == Stored()
    assert desk.taken[0]["username"] == zana.user
    assert desk.taken[0]["password"] == zana.password


def test_every_upload_forbids_openspp_to_shrink_images_and_pins_the_language() -> None:
    desk = Desk()
    with scripted(desk) as server:
        assert store(server.url) == Stored()
    assert desk.taken[0]["context"] == {"lang": "en_US", "image_no_postprocess": True}


def test_the_length_is_known_and_the_request_is_the_last_on_its_connection() -> None:
    with scripted(Desk()) as server:
        assert store(server.url, LARGE) == Stored()
        request = server.requests[0]
    assert request.length == len(request.body)
    assert request.header("Transfer-Encoding") == ""
    assert request.header("Content-Type") == "application/json"
    assert request.header("Connection") == "close"


def test_a_second_attempt_sends_the_whole_scan_again() -> None:
    scan = Scan(b"%PDF" * 200_000)
    body = UploadBody(b'{"file": "', scan, Exchange())
    first, second = b"".join(map(bytes, body)), b"".join(map(bytes, body))
    assert first == second
    assert len(first) == len(body)


def test_the_closing_brackets_are_a_piece_of_their_own() -> None:
    pieces = [bytes(piece) for piece in UploadBody(b'{"file": "', LARGE, Exchange())]
    assert pieces[-1] == b'"}}'
    assert max(map(len, pieces)) == RAW_PIECE // 3 * 4


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("", "x"),
        Credentials("alice", ""),
        Credentials("alice", "x\0y"),
        Credentials("al\0ice", "x"),
        Credentials("alice", "x\udcff"),
    ],
)
def test_a_user_that_cannot_exist_is_not_asked_about(credentials: Credentials) -> None:
    with scripted(Desk()) as server:
        denied = api_at(server.url).authenticate(credentials, Exchange())
        assert isinstance(denied, Denied)
        assert denied.failure.problem is Problem.WRONG_PASSWORD
        assert server.requests == []


def test_a_redirect_is_not_followed_and_names_the_url_to_write() -> None:
    def redirect(request: Request) -> None:
        request.read()
        where = f"Location: https://127.0.0.1:8443{request.path}"
        request.answer("301 Moved Permanently", "text/html", b"", where)

    with scripted(redirect) as server:
        outcome = store(server.url)
        assert len(server.requests) == 1
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.REDIRECTED
    assert "write url = https://127.0.0.1:8443 in [openspp]" in outcome.failure.detail


@pytest.mark.parametrize(
    "location", ["http://[", "ftp://x/", "https://a b/", "//", "/web/login", "https://x:99999/"]
)
def test_a_redirect_to_nowhere_is_told_as_such(location: str) -> None:
    def redirect(request: Request) -> None:
        request.read()
        request.answer("302 Found", "text/html", b"", f"Location: {location}")

    with scripted(redirect) as server:
        outcome = store(server.url)
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.REDIRECTED
    assert "write url" not in outcome.failure.detail


class TestSecrets:
    def test_are_in_no_log_and_no_failure_even_if_the_server_echoes_everything(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        secret = Credentials("alice", "Geheim-5521")
        scan = Scan(b"%PDF-top-secret-content")

        def echoes(before: bytes) -> Any:
            def echo(request: Request) -> None:
                request.read_head()
                request.read_body()
                request.send(before + request.body + b"\r\n\r\n" + request.body)

            return echo

        for before in (
            b"",
            b"HTTP/1.1 ",
            b"HTTP/1.1 200 ",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: ",
            b"HTTP/1.1 200 OK\r\nX: y\r\nYou asked me ",
            b"HTTP/1.1 302 Found\r\nLocation: http://",
            b"HTTP/1.1 200 OK\r\nContent-Length: ",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<p>Invalid JSON data: ",
        ):
            with scripted(echoes(before)) as server:
                api = api_at(server.url)
                outcome = api.store(secret, "name.pdf", scan, Exchange())
                denied = api.authenticate(secret, Exchange())
            assert not isinstance(outcome, Stored)
            assert denied is not None
            told = repr((outcome, denied, secret, scan)) + caplog.text
            assert secret.password not in told
            assert base64.b64encode(scan.data).decode() not in told
            assert "top-secret" not in told

    def test_a_mistake_of_our_own_is_told_by_its_place_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> Iterator[bytes]:
            raise KeyError("Geheim-5521")

        monkeypatch.setattr(UploadBody, "_encoded", fail)
        with scripted(lambda request: request.read_head()) as server:
            outcome = store(server.url)
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.INTERNAL
        assert "KeyError at test_requests.py:" in outcome.failure.detail
        assert "Geheim" not in repr(outcome)


SEND_256_MB = """
import sys
from openspp_ftpd.openspp import Credentials, Exchange, Stored
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings

class Blank:
    sha256 = ""
    def __init__(self, size):
        self.size = size
    def pieces(self, length):
        for start in range(0, self.size, length):
            yield bytes(min(length, self.size - start))

def most_memory():  # ru_maxrss would count this process's parent
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

api = ScannerApi(OpenSPPSettings(sys.argv[1]))
def send(size):
    assert api.store(Credentials("a", "b"), "a.pdf", Blank(size), Exchange()) == Stored()
    return most_memory()
small = send(1024 * 1024)
print(send(256 * 1024 * 1024) - small)
"""


def test_a_scan_of_256_mb_takes_no_more_memory_than_a_small_one() -> None:
    def swallow(request: Request) -> None:
        request.read_head()
        request.read_body(100)
        left = request.length - len(request.body)
        while left:
            received = len(request.connection.recv(min(left, MIB)))
            assert received
            left -= received
        identifier = request.body.split(b'"id": "')[1].split(b'"')[0].decode()
        request.answer(body=success(identifier))

    with scripted(swallow) as server:
        run = subprocess.run(
            [sys.executable, "-c", SEND_256_MB, server.url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 4096  # KiB
