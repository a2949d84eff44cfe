"""`api = odoo`: scans in OpenSPP 17 and OpenSPP 2, through Odoo's own API and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance import documents
from tests.acceptance.interfaces import ODOO, configured
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.own_api import control, odoo_gateway_of
from tests.acceptance.promises import (
    OPTIONS,
    OTHER_NAME,
    OUT_OF_ORDER,
    STORED,
    UNCERTAIN,
    Gateway,
    marked,
    pdf,
    unique,
    until,
)
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.scanner import Scanner, end_properly

A4 = (2480, 3508)  # pixels at 300 dpi
A3 = (7016, 9921)  # at 600 dpi: more than Odoo decodes


def login(gateway: Gateway, user: str, password: str = "") -> str:
    """The reply to PASS."""
    with Scanner(gateway.daemon.port) as scanner:
        answer = scanner.login(user, password or f"scan-{user}")
        return f"{answer.code} {answer.text}"


class TestScans:
    def test_one_of_each_kind_byte_for_byte(self, odoo_gateway: tuple[str, Gateway]) -> None:
        _, gateway = odoo_gateway
        for document in (pdf(), pdf(3_000_001), marked(documents.noise(5_000))):
            name = unique("scan.pdf")
            assert gateway.send(name, document) == STORED
            assert gateway.names(document) == [name]

    @pytest.mark.parametrize("pixels", [A4, A3], ids=["A4 at 300 dpi", "A3 at 600 dpi"])
    @pytest.mark.parametrize("kind", ["jpg", "png"])
    def test_a_large_image_is_neither_shrunk_nor_refused(
        self, odoo_gateway: tuple[str, Gateway], pixels: tuple[int, int], kind: str
    ) -> None:
        _, gateway = odoo_gateway
        image = _image(*pixels, kind)
        assert gateway.send(unique(f"scan.{kind}"), image) == STORED
        assert gateway.copies(image) == 1

    def test_a_name_that_is_there_gets_a_time(self, odoo_gateway: tuple[str, Gateway]) -> None:
        _, gateway = odoo_gateway
        name = unique("scan.pdf")
        first, second = pdf(), pdf()
        assert gateway.send(name, first) == STORED
        assert gateway.send(name, second).startswith(OTHER_NAME)
        (renamed,) = gateway.names(second)
        assert renamed != name
        assert renamed.startswith(name.removesuffix(".pdf") + "-")

    def test_or_is_refused_where_that_is_wanted(self, tmp_path: Path) -> None:
        with odoo_gateway_of(tmp_path, "odoo17", on_duplicate="refuse") as gateway:
            first, second = pdf(), pdf()
            assert gateway.send("scan.pdf", first) == STORED
            assert (
                gateway.send("scan.pdf", second)
                == "553 OpenSPP has a file of this name already. Use another name."
            )
            assert gateway.copies(second) == 0
            gateway.check()

    def test_names_are_cleaned_here(self, odoo_gateway: tuple[str, Gateway]) -> None:
        """Odoo takes every name as it is (WIRE17.md section 4)."""
        _, gateway = odoo_gateway
        for wanted in ("../{}.pdf", "/x/{}.pdf", "a\\{}.pdf", "{}\x1b.pdf"):
            name, document = unique("clean"), pdf()
            assert gateway.send(wanted.format(name), document) == STORED
            assert gateway.names(document) == [f"{name}.pdf"]

    def test_an_empty_one_is_refused(self, odoo_gateway: tuple[str, Gateway]) -> None:
        _, gateway = odoo_gateway
        before = len(gateway.openspp.record())
        assert gateway.send(unique("empty.pdf"), b"").startswith("550 ")
        assert len(gateway.openspp.record()) == before

    @pytest.mark.parametrize("api", ODOO)
    def test_where_change_requests_are_installed(self, tmp_path: Path, api: str) -> None:
        """spp_change_request breaks `create` on 17 (WIRE17.md section 1)."""
        with odoo_gateway_of(tmp_path, api, "--change-requests") as gateway:
            gateway.check()


@pytest.mark.parametrize("api", ODOO)
def test_a_scan_is_one_request(tmp_path: Path, api: str) -> None:
    """In the steady state; each request has a connection of its own."""
    with (
        EmbeddedOpenSPP(tmp_path, "--api", api) as openspp,
        OpenSPPDouble(openspp.port) as between,
        Daemon(tmp_path, between.url, configured(api, OPTIONS)) as daemon,
    ):
        gateway = Gateway(daemon, openspp)
        with gateway.session() as scanner:
            assert gateway.store(scanner, unique("scan.pdf"), pdf()) == STORED
            before = between.connections
            for _ in range(10):
                assert gateway.store(scanner, unique("scan.pdf"), pdf()) == STORED
            assert between.connections - before == 10
        gateway.check()


class TestNothingTwice:
    def test_sent_again_after_a_reply_that_did_not_arrive(
        self, odoo_gateway: tuple[str, Gateway]
    ) -> None:
        _, gateway = odoo_gateway
        name, document = unique("scan@slow=1.pdf"), pdf()
        with gateway.session() as scanner:
            data = scanner.begin(name)
            data.sendall(document)
            end_properly(data)
        assert gateway.send(name, document) == STORED
        assert gateway.copies(document) == 1

    def test_stored_while_the_scanner_sends_it_again_and_again(
        self, odoo_gateway: tuple[str, Gateway]
    ) -> None:
        """Its answers come after answer_within each time, and never in time."""
        _, gateway = odoo_gateway
        name, document = unique("scan@slow=5.pdf"), pdf()
        replies = [gateway.send(name, document)]
        while replies[-1] != STORED and len(replies) < 10:
            replies.append(gateway.send(name, document))
        assert set(replies[:-1]) == {UNCERTAIN}
        assert replies[-1] == STORED
        assert gateway.copies(document) == 1

    @pytest.mark.parametrize("api", ODOO)
    def test_the_daemon_is_killed_while_openspp_stores(self, tmp_path: Path, api: str) -> None:
        with odoo_gateway_of(tmp_path, api, answer_within="20s") as gateway:
            name, document = "scan@late=3-once.pdf", pdf()
            with gateway.session() as scanner:
                data = scanner.begin(name)
                data.sendall(document)
                end_properly(data)
                assert until(lambda: gateway.copies(document), 30.0)
                gateway.daemon.kill()
            gateway.daemon.start()
            assert gateway.send(name, document) == STORED
            assert gateway.copies(document) == 1
            gateway.check()


class TestLogins:
    @pytest.mark.parametrize(
        ("user", "password", "reply"),
        [
            ("alice", "", "230"),
            ("dave", "", "230"),  # two factors: with an API key all the same
            ("alice", "wrong", "530 Wrong OpenSPP user or scanner password."),
            ("alice", "scan-dave", "530 Wrong OpenSPP user or scanner password."),
            ("Alice", "scan-alice", "530 Wrong OpenSPP user or scanner password."),
            ("nobody", "", "530 Wrong OpenSPP user or scanner password."),
            ("erin", "", "530 Wrong OpenSPP user or scanner password."),
            (
                "bob",
                "",
                "530 This user may not store documents in OpenSPP. Tell the administrator.",
            ),
            (
                "carol",
                "",
                "530 This user may not store documents in OpenSPP. Tell the administrator.",
            ),
        ],
    )
    def test_who_may_send(
        self, odoo_gateway: tuple[str, Gateway], user: str, password: str, reply: str
    ) -> None:
        _, gateway = odoo_gateway
        assert login(gateway, user, password).startswith(reply)

    @pytest.mark.parametrize("api", ODOO)
    def test_a_key_that_was_removed_stops_working(self, tmp_path: Path, api: str) -> None:
        with odoo_gateway_of(tmp_path, api) as gateway:
            # What is not well empties the memory of logins, so that the next one is a real one.
            assert gateway.send("scan@http=503-once.pdf", pdf()) == STORED
            control(gateway, "key", {"user": "alice", "removed": True})
            assert login(gateway, "alice").startswith("530 ")

    @pytest.mark.parametrize("api", ODOO)
    def test_a_database_that_is_not_there_is_no_wrong_password(
        self, tmp_path: Path, api: str
    ) -> None:
        with odoo_gateway_of(tmp_path, api, database="nosuchdb") as gateway:
            assert login(gateway, "alice").startswith("421 ")
            assert gateway.journal_tells("could not log in", "is not there, or PostgreSQL is away")

    def test_neither_is_a_database_server_that_is_away(
        self, odoo_gateway: tuple[str, Gateway]
    ) -> None:
        _, gateway = odoo_gateway
        document = pdf()
        with gateway.session() as scanner:
            control(gateway, "faults", {"database_down": 60})
            try:
                assert gateway.store(scanner, unique("scan.pdf"), document) == OUT_OF_ORDER
                assert login(gateway, "dave").startswith("421 ")
            finally:
                control(gateway, "faults", {})
            assert gateway.store(scanner, unique("scan.pdf"), document) == STORED

    def test_a_key_that_expires_soon_is_told_in_the_journal(self, tmp_path: Path) -> None:
        with odoo_gateway_of(tmp_path, "odoo19") as gateway:
            soon = datetime.now(UTC) + timedelta(days=3)
            order = {"user": "alice", "expires": f"{soon:%Y-%m-%dT%H:%M:%S}"}
            control(gateway, "key", order)
            assert login(gateway, "alice").startswith("230 ")
            assert gateway.journal_tells("WARNING", "alice", f"{soon:%Y-%m-%d}", "API key")


class TestDirectories:
    def test_none_for_this_user(self, odoo_gateway: tuple[str, Gateway]) -> None:
        _, gateway = odoo_gateway
        document = pdf()
        reply = gateway.send(unique("scan.pdf"), document, "dave")
        assert reply == "550 OpenSPP has no directory for this user. Tell the administrator."
        assert gateway.copies(document) == 0

    @pytest.mark.parametrize("api", ODOO)
    def test_made_where_that_is_wanted(self, tmp_path: Path, api: str) -> None:
        wanted = {"directory": "New / {user} / scans", "make_directories": "yes"}
        with odoo_gateway_of(tmp_path, api, **wanted) as gateway:
            for user in ("alice", "dave", "alice"):
                document = pdf()
                assert gateway.send(unique("scan.pdf"), document, user) == STORED
                assert gateway.copies(document) == 1
            gateway.check()

    @pytest.mark.parametrize("api", ODOO)
    def test_by_its_id(self, tmp_path: Path, api: str) -> None:
        with odoo_gateway_of(tmp_path, api, directory="2") as gateway:
            document = pdf()
            assert gateway.send("scan.pdf", document, "dave") == STORED
            assert gateway.copies(document) == 1


def _image(width: int, height: int, kind: str) -> bytes:
    """An image that claims so many pixels."""
    if kind == "png":
        head = documents.png(1, 1)
        sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        return marked(head[:16] + sizes + head[24:-12] + documents.noise(20_000) + head[-12:])
    frame = b"\xff\xc0\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    rest = b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01" + documents.noise(20_000, int(time.time_ns()))
    return marked(b"\xff\xd8" + frame + rest + b"\xff\xd9")
