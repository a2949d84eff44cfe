"""An OpenSPP that is down, slow, behind a wrong certificate or behind a dead name server."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance import plays
from tests.acceptance.interfaces import SCANNER
from tests.acceptance.openspp_doubles import DoubledGateway
from tests.acceptance.own_network import HOST, NameServer, in_a_network_of_its_own
from tests.acceptance.promises import (
    ANSWER_WITHIN,
    LARGE,
    OPTIONS,
    STORED,
    TOO_SLOW,
    UNCERTAIN,
    UNREACHABLE,
    Gateway,
    at_once,
    gateway_of,
    pdf,
    row,
    unique,
)
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, make_certificate
from tests.acceptance.scanner import Scanner
from tests.acceptance.tables import Ahead, Row, Told, rows
from tests.acceptance.test_failing_uploads import ASKED


@dataclass(frozen=True)
class Death:
    """kill -9 of the embedded OpenSPP: before a scan with this fault is sent, or `after` so many
    seconds; it is `back` so many seconds later, or once the scanner has its reply."""

    fault: str = ""
    after: float | None = None
    back: float | None = None


def _killed(gateway: Gateway, row: Row) -> Told:
    """A scan, and the row's death of OpenSPP."""
    death, document = row.fault, pdf(row.size)

    def die_and_come_back() -> str:
        if death.after is not None:
            time.sleep(death.after)
            gateway.openspp.kill()
        if death.back is not None:
            time.sleep(death.back)
            gateway.openspp.start()
        return ""

    with gateway.session() as scanner:
        if death.after is None:
            gateway.openspp.kill()
        reply, _ = at_once(
            lambda: gateway.store(scanner, unique(f"scan{death.fault}.pdf"), document),
            die_and_come_back,
        )
    if death.back is None:
        gateway.openspp.start()
    return reply, gateway.copies(document)


class TestOpenSPPThatIsKilled:
    play = staticmethod(_killed)

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("before the body", Death(), UNREACHABLE),
            Row("within the body", Death("@stop-reading=30", 1.0), UNREACHABLE, size=LARGE),
            Row("before it stored", Death("@slow=30-once", 1.0), UNCERTAIN),
            Row("before the answer", Death("@late=30-once", 1.0), UNCERTAIN, 1),
            Row("within its head", Death("@trickle-head=30-once", 1.0), UNCERTAIN, 1),
            Row("within its body", Death("@trickle-body=30-once", 1.0), UNCERTAIN, 1),
        ),
    )
    def test_and_stays_away(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestOpenSPPThatIsKilledAndComesBackInTime:
    play = staticmethod(_killed)
    answer_within = 25.0

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("before the body", Death(back=0.5), STORED, 1),
            Row("within the body", Death("@stop-reading=2", 1.0, 0), STORED, 1, size=LARGE),
            Row(
                "before the answer",
                Death("@late=60-once", 2.0, 0),
                {SCANNER: UNCERTAIN, "odoo": STORED},
                1,
            ),
        ),
    )
    def test_what_is_not_there_is_sent_again(
        self, played: Ahead[Gateway], api: str, row: Row
    ) -> None:
        assert played.told(api, row) == row.told(api)


USERS: Final = ("alice", "frank", "dbuser", "gina") * 2
"""Eight scans at once, as many as `parallel_requests`."""
TOGETHER: Final = 12.0
"""Seconds beyond the deadline that sending eight may take; less than one deadline for each."""


class TestSlowBeyondAnswerWithin:
    """And then the next scan."""

    answer_within = 6.0

    @staticmethod
    def play(gateway: Gateway, row: Row) -> Told:
        """Eight, none of which waits for another; each is told the same."""
        scans = [pdf(row.size) for _ in USERS]
        with gateway.sessions(*USERS) as sessions:
            replies, seconds = gateway.store_together(sessions, f"scan@{row.fault}.pdf", scans)
        assert seconds < 6 + TOGETHER, "and not one after the other"
        if row.size == LARGE:
            gateway.serves_the_next_scan()
            time.sleep(3)  # OpenSPP reads on, and finds the rest missing
        (reply,), (copies,) = set(replies), {gateway.copies(scan) for scan in scans}
        return reply, copies

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("in the body", "stop-reading=9", TOO_SLOW, size=LARGE),
            Row("after the body, before it stores", "slow=60", UNCERTAIN),
            Row("after it stored", "late=60", ASKED, 1),
            Row("head of the answer trickled", "trickle-head=60", UNCERTAIN, 1),
            Row("body of the answer trickled", "trickle-body=60", UNCERTAIN, 1),
        ),
    )
    def test_eight_at_once(self, played: Ahead[Gateway], api: str, row: Row) -> None:
        assert played.told(api, row) == row.told(api)


class TestSlowBeforeTheBody:
    @staticmethod
    def play(gateway: DoubledGateway, row: Row) -> Told:
        """`fault` is where the double lets them stand."""
        scans = [pdf(LARGE // 2) for _ in USERS]
        double = gateway.double
        with (
            gateway.sessions(*USERS) as sessions,
            double.at_the_door(row.fault) if row.fault else double.deaf(),
        ):
            replies, seconds = gateway.store_together(sessions, "scan.pdf", scans)
        assert seconds < ANSWER_WITHIN + TOGETHER
        (reply,), (copies,) = set(replies), {gateway.copies(scan) for scan in scans}
        return reply, copies

    @pytest.mark.parametrize(
        ("api", "row"),
        rows(
            Row("no connection comes about", None, TOO_SLOW),
            Row("the connection is not read", plays.reads_nothing, TOO_SLOW),
        ),
    )
    def test_eight_at_once(
        self, played_by_doubles: Ahead[DoubledGateway], api: str, row: Row
    ) -> None:
        assert played_by_doubles.told(api, row) == row.told(api)


class TestTheCertificateOfOpenSPP:
    """https: the daemon trusts the system's authorities, or the ones in ca_file."""

    REPLY: Final = "OpenSPP's certificate is not valid. Tell the administrator."

    def test_self_signed_and_no_ca_file(
        self, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        """Nobody gets as far as an upload, and no password is sent."""
        with (
            EmbeddedOpenSPP(tmp_path, *_https(certificate)) as openspp,
            Daemon(tmp_path, openspp.url, OPTIONS) as daemon,
            Scanner(daemon.port) as scanner,
        ):
            assert scanner.login() == (421, self.REPLY)
            Gateway(daemon, openspp).keeps_secrets()

    def test_in_ca_file(self, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
        with gateway_of(tmp_path, _trusting(certificate[0]), _https(certificate)) as gateway:
            document = pdf(2_000_000)
            assert gateway.send("scan.pdf", document) == STORED
            assert gateway.copies(document) == 1
            gateway.check()

    @pytest.mark.parametrize(
        ("address", "is_trusted"),
        [
            row("one of another authority", "127.0.0.1", False),
            row("a trusted one for another host", "192.0.2.1", True),
        ],
    )
    def test_exchanged_between_login_and_upload(
        self, tmp_path: Path, certificate: tuple[Path, Path], address: str, is_trusted: bool
    ) -> None:
        other = make_certificate(tmp_path, address=address)
        ca_file = tmp_path / "authorities.pem"
        both = [certificate[0], *([other[0]] if is_trusted else [])]
        ca_file.write_text("".join(each.read_text() for each in both))
        with gateway_of(tmp_path, _trusting(ca_file), _https(certificate)) as gateway:
            document = pdf()
            with gateway.session() as scanner:
                gateway.openspp.kill()
                with EmbeddedOpenSPP(tmp_path, *_https(other), port=gateway.openspp.port):
                    assert gateway.store(scanner, "scan.pdf", document) == f"451 {self.REPLY}"
            gateway.openspp.start()
            assert gateway.copies(document) == 0
            gateway.check()


def _https(certificate: tuple[Path, Path]) -> list[str]:
    return ["--certificate", str(certificate[0]), "--key", str(certificate[1])]


def _trusting(authorities: Path) -> dict[str, dict[str, str]]:
    return {**OPTIONS, "openspp": {**OPTIONS["openspp"], "ca_file": str(authorities)}}


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
class TestTheNameServer:
    """The name in `url` is looked up for every request, and nothing can shut a look-up."""

    def test_dead(self, tmp_path: Path) -> None:
        """Eight scans that hang in the look-up, and the next one when it answers again."""

        def test(name_server: NameServer) -> None:
            with (
                EmbeddedOpenSPP(tmp_path) as openspp,
                Daemon(tmp_path, f"http://{HOST}:{openspp.port}", OPTIONS) as daemon,
            ):
                gateway = Gateway(daemon, openspp)
                gateway.serves_the_next_scan()
                scans = [pdf() for _ in range(8)]
                with gateway.sessions(*("alice", "frank") * 4) as sessions:
                    name_server.behaviour = "silent"
                    replies, seconds = gateway.store_together(sessions, "scan.pdf", scans)
                assert replies == [TOO_SLOW] * 8
                assert seconds < ANSWER_WITHIN + 2
                name_server.behaviour = "answers"
                gateway.check()
                assert [gateway.copies(scan) for scan in scans] == [0] * 8

        in_a_network_of_its_own(test)

    def test_no_such_name(self, tmp_path: Path) -> None:
        def test(name_server: NameServer) -> None:
            with (
                EmbeddedOpenSPP(tmp_path) as openspp,
                Daemon(tmp_path, f"http://{HOST}:{openspp.port}", OPTIONS) as daemon,
            ):
                gateway, document = Gateway(daemon, openspp), pdf()
                with gateway.session() as scanner:
                    name_server.behaviour = "unknown"
                    assert gateway.store(scanner, "scan.pdf", document) == UNREACHABLE
                    assert gateway.journal_tells(f"the name {HOST} cannot be resolved")
                    name_server.behaviour = "answers"
                assert gateway.copies(document) == 0
                gateway.check()

        in_a_network_of_its_own(test)
