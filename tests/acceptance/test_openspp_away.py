"""An OpenSPP that is down, slow, behind a wrong certificate or behind a dead name server."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance import openspp_doubles
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.own_network import HOST, NameServer, in_a_network_of_its_own
from tests.acceptance.promises import (
    ANSWER_WITHIN,
    LARGE,
    OPTIONS,
    SMALL,
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


class TestOpenSPPThatStopsAndComesBack:
    """kill -9 of the embedded OpenSPP."""

    def test_down_before_the_body(self, gateway: Gateway) -> None:
        document = pdf()
        with gateway.session() as scanner:
            gateway.openspp.kill()
            assert gateway.store(scanner, unique("scan.pdf"), document) == UNREACHABLE
        gateway.openspp.start()
        assert gateway.copies(document) == 0

    def test_down_before_the_body_and_back_in_time(self, gateway: Gateway) -> None:
        document = pdf()
        with gateway.session() as scanner:
            gateway.openspp.kill()
            replies = at_once(
                lambda: gateway.store(scanner, unique("scan.pdf"), document),
                lambda: _come_back(gateway.openspp, after=0.5),
            )
        assert replies[0] == STORED
        assert gateway.copies(document) == 1

    def test_down_within_the_body(self, gateway: Gateway) -> None:
        document = pdf(LARGE)
        with gateway.session() as scanner:
            replies = at_once(
                lambda: gateway.store(scanner, unique("scan@stop-reading=30.pdf"), document),
                lambda: _die(gateway.openspp, after=1.0),
            )
        gateway.openspp.start()
        assert replies[0] == UNREACHABLE
        assert gateway.copies(document) == 0

    def test_down_within_the_body_and_back_in_time(self, gateway: Gateway) -> None:
        document = pdf(LARGE)

        def die_and_come_back() -> str:
            _die(gateway.openspp, after=0.5)
            return _come_back(gateway.openspp, after=0)

        with gateway.session() as scanner:
            replies = at_once(
                lambda: gateway.store(scanner, unique("scan@stop-reading=0.9.pdf"), document),
                die_and_come_back,
            )
        assert replies[0] == STORED
        assert gateway.copies(document) == 1

    @pytest.mark.parametrize(
        ("fault", "openspp_has"),
        [
            row("after the body, before it stored", "slow=30", 0),
            row("after it stored, before the answer", "late=30", 1),
            row("within the head of the answer", "trickle-head=30", 1),
            row("within the body of the answer", "trickle-body=30", 1),
        ],
    )
    def test_down_after_the_body(self, gateway: Gateway, fault: str, openspp_has: int) -> None:
        name, document = unique(f"scan@{fault}-once.pdf"), pdf()
        with gateway.session() as scanner:
            replies = at_once(
                lambda: gateway.store(scanner, name, document),
                lambda: _die(gateway.openspp, after=1.0),
            )
        gateway.openspp.start()
        assert replies[0] == UNCERTAIN
        assert gateway.copies(document) == openspp_has


def _come_back(openspp: EmbeddedOpenSPP, after: float) -> str:
    time.sleep(after)
    openspp.start()
    return ""


def _die(openspp: EmbeddedOpenSPP, after: float) -> str:
    time.sleep(after)
    openspp.kill()
    return ""


class TestSlowBeyondAnswerWithin:
    """Eight scans of four users at once, as many as `parallel_requests`, and then the next one."""

    USERS: Final = ("alice", "frank", "dbuser", "gina")

    @pytest.mark.parametrize(
        ("fault", "size", "reply", "openspp_has"),
        [
            row("in the body", "stop-reading=5", LARGE, TOO_SLOW, 0),
            row("after the body, before it stores", "slow=30", SMALL, UNCERTAIN, 0),
            row("after it stored", "late=30", SMALL, UNCERTAIN, 1),
            row("head of the answer trickled", "trickle-head=30", SMALL, UNCERTAIN, 1),
            row("body of the answer trickled", "trickle-body=30", SMALL, UNCERTAIN, 1),
        ],
    )
    def test_eight_at_once(
        self, gateway: Gateway, fault: str, size: int, reply: str, openspp_has: int
    ) -> None:
        scans = [pdf(size) for _ in range(8)]
        with gateway.sessions(*self.USERS * 2) as sessions:
            replies, seconds = gateway.store_together(sessions, f"scan@{fault}.pdf", scans)
        assert replies == [reply] * 8
        assert seconds < ANSWER_WITHIN + 12, "and not one after the other"
        gateway.serves_the_next_scan()
        if reply == TOO_SLOW:
            time.sleep(3)  # OpenSPP reads on, and finds the rest missing
        assert [gateway.copies(scan) for scan in scans] == [openspp_has] * 8

    @pytest.mark.parametrize("way", ["no connection comes about", "the connection is not read"])
    def test_eight_at_once_before_the_body(
        self, doubled: tuple[Gateway, OpenSPPDouble], way: str
    ) -> None:
        gateway, double = doubled
        scans = [pdf(LARGE // 2) for _ in range(8)]
        deaf = way == "no connection comes about"
        with (
            gateway.sessions(*self.USERS * 2) as sessions,
            double.deaf() if deaf else double.at_the_door(openspp_doubles.reads_nothing),
        ):
            replies, seconds = gateway.store_together(sessions, "scan.pdf", scans)
        assert replies == [TOO_SLOW] * 8
        assert seconds < ANSWER_WITHIN + 2
        gateway.serves_the_next_scan()
        assert [gateway.copies(scan) for scan in scans] == [0] * 8


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
