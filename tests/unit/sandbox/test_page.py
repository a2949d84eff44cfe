"""The page shows what arrived, and nothing that arrived can do anything there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.sandbox.harness import PDF, Answer, OpenSPP, openspp
from tests.unit.sandbox.own_api_client import Client
from tests.unit.sandbox.test_rules import jpeg, png

ARABIC = "پسوولەی ژمارە ١٢٣.pdf"


def arrivals(server: OpenSPP, query: str = "") -> dict[str, Any]:
    answer = server.ask("GET", f"/sandbox/arrivals?{query}")
    assert answer.header("Content-Type") == "application/json"
    found: dict[str, Any] = answer.json
    return found


def document(server: OpenSPP, number: int = 1) -> Answer:
    return server.ask("GET", f"/sandbox/documents/{number}")


class TestWhatIsShown:
    def test_every_document_with_directory_name_size_time_and_sum(self) -> None:
        with openspp() as server:
            server.upload(ARABIC)
            server.upload("second.png", png(2480, 3508), user="frank")
            first, second = arrivals(server)["documents"]
            kept = server.documents.all()
        assert (first["directory"], first["filename"]) == ("alice", ARABIC)
        assert (second["directory"], second["altered"]) == ("frank", True)
        assert first["size"] == len(PDF)
        assert [first["sha256"], second["sha256"]] == [one.sha256 for one in kept]
        assert [first["time"], second["time"]] == [one.time for one in kept]
        assert [first["kind"], second["kind"]] == ["pdf", "png"]

    def test_directory_is_that_of_the_document_store(self) -> None:
        with openspp(interface="odoo17") as server:
            Client(server, "odoo17").save("a.pdf")
            (shown,) = arrivals(server)["documents"]
        assert (shown["directory"], shown["api"]) == ("Scans / alice", "odoo17")

    def test_what_is_new_since_it_was_asked_last(self) -> None:
        with openspp() as server:
            server.upload("a.pdf")
            told = arrivals(server)
            assert told["last"] == 1
            server.upload("b.pdf")
            query = f"run={told['run']}&after=1"
            assert [one["filename"] for one in arrivals(server, query)["documents"]] == ["b.pdf"]
            # Of another run: everything.
            assert len(arrivals(server, "run=other&after=1")["documents"]) == 2

    def test_no_more_than_two_hundred(self) -> None:
        with openspp() as server:
            for number in range(205):
                server.upload(f"{number}.pdf", b"%d" % number)
            names = [one["filename"] for one in arrivals(server)["documents"]]
        assert names == [f"{number}.pdf" for number in range(5, 205)]

    def test_where_documents_stay(self, tmp_path: Path) -> None:
        with openspp() as server:
            assert "stay in memory and are gone" in arrivals(server)["kept"]
        with openspp(folder=tmp_path) as server:
            assert "in a folder" in arrivals(server)["kept"]


class TestDocument:
    @pytest.mark.parametrize(
        ("content", "content_type"),
        [(PDF, "application/pdf"), (png(10, 10), "image/png"), (jpeg(10, 10), "image/jpeg")],
    )
    def test_is_handed_out_as_what_it_is_whatever_its_name(
        self, content: bytes, content_type: str
    ) -> None:
        with openspp() as server:
            server.upload("page.html", content)
            answer = document(server)
        assert answer.body == content
        assert answer.header("Content-Type") == content_type
        assert answer.header("Content-Length") == str(len(content))
        assert answer.header("X-Content-Type-Options") == "nosniff"
        policy = "default-src 'none'; frame-ancestors 'self'; sandbox"
        assert answer.header("Content-Security-Policy") == policy
        assert answer.header("Cache-Control") == "no-store"

    @pytest.mark.parametrize(
        "content",
        [b"<script>alert(1)</script>", b" %PDF-1.4", b"GIF89a", b"\x89PNG", b"<svg onload=x>"],
    )
    def test_of_another_kind_is_never_handed_out(self, content: bytes) -> None:
        with openspp() as server:
            server.upload("a.pdf", content)
            (shown,) = arrivals(server)["documents"]
            assert (shown["kind"], shown["kept"]) == ("", True)
            answer = document(server)
            assert answer.status == 404
            assert content not in answer.body

    @pytest.mark.parametrize("number", ["0", "2", "-1", "1e0", "../1", "", "9" * 30, "١"])
    def test_that_is_not_there_is_not_found(self, number: str) -> None:
        with openspp() as server:
            server.upload("a.pdf")
            assert server.ask("GET", f"/sandbox/documents/{number}").status == 404

    def test_name_cannot_leave_its_header(self, tmp_path: Path) -> None:
        with openspp(interface="odoo17", folder=tmp_path) as server:
            Client(server, "odoo17").save('a\r\nX-Evil: 1"; b.pdf')
            answer = document(server)
        assert answer.header("X-Evil") == ""
        assert answer.header("Content-Disposition").startswith("inline; filename*=UTF-8''a%0D%0AX")


class TestPage:
    def test_says_what_it_is_and_takes_nothing_from_elsewhere(self) -> None:
        with openspp() as server:
            page = server.ask("GET", "/")
            style = server.ask("GET", "/sandbox/page.css")
            script = server.ask("GET", "/sandbox/page.js")
        assert page.header("Content-Type") == "text/html; charset=utf-8"
        assert style.header("Content-Type") == "text/css; charset=utf-8"
        assert script.header("Content-Type") == "text/javascript; charset=utf-8"
        assert b"a tool for trying, not your OpenSPP" in page.body
        for answer in (page, style, script):
            assert b"//" not in answer.body.replace(b"// ", b"")
            assert answer.header("X-Content-Type-Options") == "nosniff"
        policy = page.header("Content-Security-Policy")
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy

    def test_is_found_only_with_the_key_where_real_papers_may_come(self) -> None:
        with openspp(key="secret-key") as server:
            server.upload("paper.pdf")
            assert b"paper.pdf" in server.ask("GET", "/secret-key/sandbox/arrivals").body
            assert server.ask("GET", "/secret-key/sandbox/documents/1").body == PDF
            assert server.ask("GET", "/secret-key/").status == 200
            assert server.ask("GET", "/secret-key/").header("Referrer-Policy") == "no-referrer"
            for start in ("", "/secret-kez", "/secret-key2", "/%00", "/é"):
                for target in (
                    "/",
                    "/sandbox/arrivals",
                    "/sandbox/documents/1",
                    "/sandbox/page.js",
                ):
                    answer = server.ask("GET", start + target)
                    assert answer.status == 404
                    assert b"paper" not in answer.body
            assert server.ask("GET", "/secret-key").status == 404

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8069", "127.0.0.1.evil.example"]
    )
    def test_is_not_shown_under_the_name_of_another_site(self, host: str) -> None:
        with openspp() as server:
            server.upload("paper.pdf")
            for target in ("/", "/sandbox/arrivals", "/sandbox/documents/1"):
                request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                assert server.exchange(request).startswith(b"HTTP/1.0 404 ")

    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:80", "[::1]:80", "[::1]", "127.0.0.2"]
    )
    def test_is_shown_under_an_address(self, host: str) -> None:
        with openspp() as server:
            request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            assert server.exchange(request).startswith(b"HTTP/1.0 200 ")
