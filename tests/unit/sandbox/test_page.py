"""The page shows what arrived, and nothing that arrived can do anything there."""

from __future__ import annotations

from tests.unit.sandbox.harness import PDF, openspp
from tests.unit.sandbox.test_rules import png


def test_shows_documents_the_newest_first() -> None:
    with openspp() as server:
        server.upload("first.pdf")
        server.upload("second.png", png(2480, 3508))
        answer = server.ask("GET", "/")
        first, second = server.documents.all()
    text = answer.body.decode()
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert "not OpenSPP" in text
    assert "2 documents arrived" in text
    assert text.index("second.png") < text.index("first.pdf")
    for shown in ("alice", first.sha256, second.sha256, f"{len(PDF)}", "altered"):
        assert shown in text
    assert text.count("altered") == 1
    assert 'http-equiv="refresh"' in text


def test_says_when_nothing_has_arrived() -> None:
    with openspp() as server:
        assert b"Nothing has arrived yet" in server.ask("GET", "/").body


def test_name_is_only_text() -> None:
    with openspp() as server:
        server.upload("<img src=x onerror=alert(1)>&\"'.pdf")
        answer = server.ask("GET", "/")
    assert b"<img" not in answer.body
    assert b"&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#x27;.pdf" in answer.body
    assert "default-src 'none'" in answer.header("Content-Security-Policy")


def test_is_found_only_with_the_key_where_real_papers_may_come() -> None:
    with openspp(key="secret-key") as server:
        server.upload("paper.pdf")
        assert b"paper.pdf" in server.ask("GET", "/secret-key/").body
        for target in ("/", "/secret-key", "/secret-kez/", "/%00", "/é"):
            answer = server.ask("GET", target)
            assert (answer.status, b"paper.pdf" in answer.body) == (404, False)
        assert server.ask("GET", "/secret-key/").header("Referrer-Policy") == "no-referrer"
