"""`openspp-ftpd sandbox` as it is run: it says where it listens, and ends as it should."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import certificates
from tests.unit.sandbox.harness import OK, read_to_end, split

ROOT = Path(__file__).parents[3]
UPLOAD = (
    b'{"params": {"username": "alice", "password": "scan-alice", '
    b'"filename": "a.pdf", "file": "eA=="}}'
)


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "openspp_ftpd.sandbox", *options]


@contextlib.contextmanager
def running(*options: str, lines: int = 1) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command on a free port; yields it with the lines it printed."""
    listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
    with subprocess.Popen(
        command(*listen, *options), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, "".join(process.stdout.readline() for _ in range(lines))
        finally:
            process.kill()


def ended(*options: str) -> tuple[int, str]:
    """Run the command to its end; returns its exit status and what it said."""
    done = subprocess.run(
        command(*options), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def url_in(text: str) -> str:
    found = re.search(r"https?://[^ ]+", text)
    assert found is not None
    return found[0].strip()


def upload(url: str, filename: str, content: bytes, trust: ssl.SSLContext | None = None) -> str:
    params = {"username": "alice", "password": "scan-alice", "filename": filename}
    file = base64.b64encode(content).decode()
    request = urllib.request.Request(
        f"{url}/dms/upload",
        json.dumps({"params": params | {"file": file}}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
        return str(json.loads(answer.read())["result"])


class TestStart:
    def test_tells_where_it_listens_and_that_it_is_for_trying(self) -> None:
        with running() as (_, line):
            expected = (
                r"Embedded OpenSPP listens on http://127\.0\.0\.1:\d+ "
                r"\(for trying only; the newest documents stay in memory\)\n"
            )
            assert re.fullmatch(expected, line)
            assert upload(url_in(line), "a.pdf", b"x") == OK

    def test_tells_where_documents_are_kept(self, tmp_path: Path) -> None:
        with running("--store", str(tmp_path)) as (_, line):
            assert f"(for trying only; documents are kept in {tmp_path})" in line

    def test_listens_on_ipv6(self) -> None:
        with running("--listen", "[::1]:0") as (_, line):
            assert upload(url_in(line), "a.pdf", b"x") == OK

    def test_taken_port_is_told_in_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            status, said = ended("--listen", address)
        assert status == 1
        assert said == (
            f"openspp-ftpd sandbox: cannot listen on {address}: Address already in use; "
            "another port can be given by --listen\n"
        )

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--listen", "8069"], "--listen 8069: ADDRESS:PORT is wanted"),
            (["--listen", "127.0.0.1:99999"], "ADDRESS:PORT is wanted"),
            (["--listen", "no.invalid:1"], "--listen no.invalid:1: "),
            (["--listen", "0.0.0.0:0"], "name a user by --user NAME:PASSWORD"),
            (["--user", "alice"], "NAME:PASSWORD is wanted"),
            (["--key", "k.pem"], "of no use without --certificate"),
            (["--certificate", "/nonexistent"], "/nonexistent: No such file or directory"),
            (["--certificate", "/etc/passwd"], "--certificate /etc/passwd: "),
        ],
    )
    def test_mistaken_option_is_told_in_one_line(self, options: list[str], said: str) -> None:
        status, error = ended("--listen", "127.0.0.1:0", *options)
        assert status == 2
        assert error.startswith("openspp-ftpd sandbox: ")
        assert said in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        "options", [["--fail-rate", "2"], ["--slow-login", "-1"], ["--max-size", "0"]]
    )
    def test_number_out_of_range_is_told(self, options: list[str]) -> None:
        status, error = ended(*options)
        assert status == 2
        assert f"argument {options[0]}: " in error

    @pytest.mark.parametrize("option", ["--record", "--store"])
    def test_impossible_file_is_told_in_one_line(self, option: str) -> None:
        status, error = ended("--listen", "127.0.0.1:0", option, "/proc/nonexistent/file")
        assert status == 1
        assert error.startswith("openspp-ftpd sandbox: /proc/")
        assert error.count("\n") == 1


class TestElsewhereThanOnLoopback:
    def test_has_no_users_but_those_named_and_a_page_with_a_key(self) -> None:
        options = ("--listen", "0.0.0.0:0", "--user", "zana:s:ecret")
        with running(*options, lines=2) as (_, text):
            first, second = text.splitlines()
            url = url_in(first).replace("0.0.0.0", "127.0.0.1")
            assert login(url, "zana", "s:ecret") == OK
            assert login(url, "alice", "scan-alice") == "<Response 5 bytes [401 UNAUTHORIZED]>"
            page = url_in(second).replace("0.0.0.0", "127.0.0.1")
            assert len(page.removeprefix(url).strip("/")) >= 20
            with urllib.request.urlopen(page, timeout=30) as answer:
                assert b"Embedded OpenSPP" in answer.read()


def login(url: str, user: str, password: str) -> str:
    request = urllib.request.Request(
        f"{url}/dms/auth",
        json.dumps({"params": {"username": user, "password": password}}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.loads(answer.read())["result"])


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_ends_it_well_and_finishes_what_is_under_way(self, number: int) -> None:
        with running("--slow-upload", "60") as (process, line):
            port = int(url_in(line).rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(
                    b"POST /dms/upload HTTP/1.1\r\nContent-Type: application/json\r\n"
                    b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(UPLOAD)
                )
                # From here on the request is under way.
                assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
                process.send_signal(number)
                connection.sendall(UPLOAD)
                assert split(read_to_end(connection)).result == OK
            assert process.wait(10) == 0

    def test_kill_leaves_in_the_record_all_that_was_answered(self, tmp_path: Path) -> None:
        record = tmp_path / "record"
        for round_ in range(3):
            with running("--record", str(record)) as (process, line):
                answered: list[str] = []
                uploads = [
                    threading.Thread(target=keep_uploading, args=(url_in(line), name, answered))
                    for name in (f"{round_}-{number}" for number in range(4))
                ]
                for one in uploads:
                    one.start()
                end = time.monotonic() + 20
                while len(answered) < 20 and time.monotonic() < end:
                    time.sleep(0.01)
                process.kill()
                for one in uploads:
                    one.join()
            recorded = {json.loads(text)["filename"] for text in record.read_text().splitlines()}
            assert len(answered) >= 20
            assert set(answered) <= recorded
            assert record.read_bytes().endswith(b"\n")


def keep_uploading(url: str, name: str, answered: list[str]) -> None:
    """Upload until the other side is gone, and note what was answered."""
    for number in range(10_000):
        try:
            result = upload(url, f"{name}-{number}", os.urandom(1000))
        except OSError:
            return
        assert result == OK
        answered.append(f"{name}-{number}")


class TestTLS:
    def test_is_spoken_with_the_certificate(self, tmp_path: Path) -> None:
        pair = certificates.make(tmp_path, "localhost")
        trust = ssl.create_default_context(cafile=pair.certificate)
        trust.check_hostname = False
        content = os.urandom(3_000_000)
        record = tmp_path / "record"
        options = ("--certificate", pair.certificate, "--key", pair.key, "--record", str(record))
        with running(*options) as (_, line):
            url = url_in(line)
            assert url.startswith("https://")
            port = int(url.rpartition(":")[2])
            # One that never finishes its handshake holds nobody else up.
            with socket.create_connection(("127.0.0.1", port)):
                assert upload(url, "a.pdf", content, trust) == OK
                # A reset in the middle of the body stores nothing.
                with pytest.raises(OSError):
                    upload(url, "b@reset-in-body.pdf", content, trust)
        (document,) = map(json.loads, record.read_text().splitlines())
        assert document["sha256"] == hashlib.sha256(content).hexdigest()


class TestInterfaces:
    def test_all_have_a_port_each_and_one_record(self, tmp_path: Path) -> None:
        record = tmp_path / "record"
        with running("--api", "all", "--record", str(record), lines=4) as (_, text):
            first, *others = text.splitlines()
            urls = [url_in(line) for line in others]
            assert len(set(urls)) == 3
            assert url_in(first) == urls[0]
            assert [line.split("--api ")[1].split(":")[0] for line in others] == [
                "scanner",
                "odoo17",
                "odoo19",
            ]
            assert upload(urls[0], "a.pdf", b"x") == OK
            assert post(f"{urls[1]}/jsonrpc", VERSION)["result"]["server_serie"] == "17.0"
            assert post(f"{urls[2]}/jsonrpc", VERSION)["result"]["server_serie"] == "19.0"
            for number, url in ((17, urls[1]), (19, urls[2])):
                assert own_api_upload(url, number, "b.pdf", b"y")
        stored = [json.loads(line) for line in record.read_text().splitlines()]
        assert [line.get("api") for line in stored] == [None, "odoo17", "odoo19"]

    def test_wrong_filter_is_told_in_one_line(self) -> None:
        status, error = ended("--listen", "127.0.0.1:0", "--database-filter", "(")
        assert status == 2
        assert error.startswith("openspp-ftpd sandbox: --database-filter: ")
        assert error.count("\n") == 1


VERSION = {"params": {"service": "common", "method": "version", "args": []}}


def post(url: str, value: object, **headers: str) -> Any:
    """Post JSON and return the JSON that comes back; a header's name is written with _ for -."""
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    request = urllib.request.Request(
        url, json.dumps(value).encode(), {"Content-Type": "application/json", **sent}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def own_api_upload(url: str, version: int, name: str, content: bytes) -> Any:
    """Store a document as alice by Odoo's own API."""
    file = base64.b64encode(content).decode()
    vals = {"name": name, "directory_id": 2, "content": file, "image_1920": False}
    if version == 19:
        named = {"vals": vals, "specification": {}}
        authorization = "bearer scan-alice"
        return post(f"{url}/json/2/spp.dms.file/web_save", named, Authorization=authorization)
    args = ["spp17", 6, "scan-alice", "spp.dms.file", "web_save", [[], vals]]
    params = {"service": "object", "method": "execute_kw", "args": [*args, {"specification": {}}]}
    return post(f"{url}/jsonrpc", {"params": params})["result"]


class TestMemory:
    @pytest.mark.parametrize("version", [17, 19])
    def test_does_not_grow_with_a_document_by_the_own_api(self, version: int) -> None:
        with running("--api", f"odoo{version}") as (process, line):
            own_api_upload(url_in(line), version, "small.bin", b"x")
            before = highest(process.pid)
            own_api_upload(url_in(line), version, "large.bin", b"x" * 32 * 1024 * 1024)
            assert highest(process.pid) - before < 8 * 1024

    def test_does_not_grow_with_a_document(self) -> None:
        with running("--max-size", "100") as (process, line):
            upload(url_in(line), "small.bin", b"x")
            before = highest(process.pid)
            upload(url_in(line), "large.bin", b"x" * 32 * 1024 * 1024)
            assert highest(process.pid) - before < 8 * 1024


def highest(process: int) -> int:
    """Return the most memory that a process has held, in KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])
