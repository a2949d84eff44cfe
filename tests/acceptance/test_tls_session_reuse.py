"""`[tls] session_reuse`: a data connection resumes the TLS session of its control connection."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.clients import curl, lftp
from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, one_daemon
from tests.acceptance.scanner import Answer, Scanner, end_properly
from tests.acceptance.test_tls_openssl import agreed, s_client

NOT_REUSED = Answer(522, "TLS session reuse is required for data. Switch it on.")


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[dict[str, Iterator[Ground]]]:
    """Daemons by `session_reuse`."""
    with contextlib.ExitStack() as stack:
        yield {
            wanted: stack.enter_context(
                one_daemon(
                    tmp_path_factory.mktemp(wanted),
                    certificate,
                    {"tls": {"session_reuse": wanted}},
                )
            )
            for wanted in ("off", "log", "require")
        }


@pytest.fixture
def ground(start: dict[str, Iterator[Ground]]) -> Ground:
    """As it is installed."""
    return next(start["off"])


@pytest.fixture
def logging(start: dict[str, Iterator[Ground]]) -> Ground:
    """`[tls] session_reuse = log`."""
    return next(start["log"])


@pytest.fixture
def requiring(start: dict[str, Iterator[Ground]]) -> Ground:
    """`[tls] session_reuse = require`."""
    return next(start["require"])


class TestSessionReuse:
    """Who resumes it is the client that logged in, and nobody else at his address."""

    def reused(self, scanner: Scanner, name: str, content: bytes) -> Answer:
        """An upload whose data connection resumes the session."""
        data = scanner.passive()
        assert scanner.command(f"STOR {name}").code == 150
        assert isinstance(scanner.connection, ssl.SSLSocket)
        secured = scanner.context.wrap_socket(data, session=scanner.connection.session)
        with secured:
            assert secured.session_reused
            secured.sendall(content)
            end_properly(secured)
        return scanner.answer()

    def fresh(self, scanner: Scanner, name: str, content: bytes) -> Answer:
        """An upload whose data connection has a session of its own."""
        data = scanner.begin(name)
        data.sendall(content)
        end_properly(data)
        return scanner.answer()

    def test_require_takes_who_resumes(self, requiring: Ground) -> None:
        with requiring.logged_in(tls="explicit") as scanner:
            for number in range(3):  # every one resumes the first
                reply = self.reused(scanner, f"page-{number}.pdf", pdf(2000, number))
                assert reply.code == 226
        documents = {f"page-{number}.pdf": pdf(2000, number) for number in range(3)}
        assert requiring.recorded() == expected(documents)

    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    def test_require_refuses_who_does_not(self, tls: str, requiring: Ground) -> None:
        with requiring.logged_in(tls=tls) as scanner:
            assert self.fresh(scanner, "page.pdf", pdf(2000)) == NOT_REUSED
            assert self.reused(scanner, "page.pdf", pdf(2000)).code == 226
        assert requiring.recorded() == expected({"page.pdf": pdf(2000)})

    def test_require_refuses_a_thief_of_the_port_at_the_same_address(
        self, requiring: Ground
    ) -> None:
        """He has a session of his own, and an address like his victim's: a NAT, a shared host."""
        with (
            requiring.logged_in(tls="explicit") as victim,
            requiring.scanner("explicit") as thief,
        ):
            port = victim.passive_port()
            stolen = thief.connect_data(port)
            assert victim.command("STOR page.pdf").code == 150
            assert isinstance(thief.connection, ssl.SSLSocket)
            session = thief.connection.session
            with thief.context.wrap_socket(stolen, session=session) as secured:
                secured.sendall(pdf(2000))
                end_properly(secured)
            assert victim.answer() == NOT_REUSED
            assert self.reused(victim, "page.pdf", pdf(2000, 2)).code == 226
        assert requiring.recorded() == expected({"page.pdf": pdf(2000, 2)})

    def test_require_refuses_before_the_command_too(self, requiring: Ground) -> None:
        """TLS may be up before STOR comes."""
        with requiring.logged_in(tls="explicit") as scanner:
            data = scanner.secured(scanner.passive())
            data.sendall(pdf(2000))
            assert scanner.command("STOR page.pdf").code == 150
            end_properly(data)
            assert scanner.answer() == NOT_REUSED
        assert requiring.recorded() == []

    def test_who_goes_on_sending_is_told_in_the_end(self, requiring: Ground) -> None:
        with requiring.logged_in(tls="explicit") as scanner:
            data = scanner.begin("page.pdf")
            data.sendall(pdf(2000))
            assert scanner.answer() == NOT_REUSED
            assert scanner.command("NOOP").code == 200
        assert requiring.recorded() == []

    def test_listings_too(self, requiring: Ground) -> None:
        with requiring.logged_in(tls="explicit") as scanner:
            data = scanner.passive()
            assert scanner.command("LIST").code == 150
            scanner.secured(data)
            assert scanner.answer() == NOT_REUSED

    @pytest.mark.parametrize("wanted", ["log", "require"])
    def test_the_control_connection_has_tls_1_2(
        self, wanted: str, start: dict[str, Iterator[Ground]]
    ) -> None:
        found = agreed(s_client(next(start[wanted]).daemon.port))
        assert found is not None
        assert found[0] == "TLSv1.2"

    def test_log_takes_both_and_tells_of_one(self, logging: Ground) -> None:
        told = f"{logging.user} at 127.0.0.1: a data connection did not resume the TLS session"
        with logging.logged_in(tls="explicit") as scanner:
            assert self.reused(scanner, "reused.pdf", pdf(2000, 1)).code == 226
            assert told not in logging.daemon.log()
            assert self.fresh(scanner, "fresh.pdf", pdf(2000, 2)).code == 226
            assert logging.daemon.log().count(told) == 1
        documents = {"reused.pdf": pdf(2000, 1), "fresh.pdf": pdf(2000, 2)}
        assert logging.recorded() == expected(documents)

    def test_off_takes_both_and_tells_nothing(self, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            assert self.fresh(scanner, "fresh.pdf", pdf(2000)).code == 226
        assert f"{ground.user} at 127.0.0.1: a data connection" not in ground.daemon.log()

    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    def test_curl_and_lftp_resume(self, tls: str, requiring: Ground, tmp_path: Path) -> None:
        documents = {}
        for number in range(4):
            documents[f"page-{number}.pdf"] = content = pdf(50_000, number)
            (tmp_path / f"page-{number}.pdf").write_bytes(content)
        files = [tmp_path / name for name in documents]
        by_curl = curl(requiring.way(tls), files[:2])
        assert (by_curl.status, by_curl.count(226)) == (0, 2), by_curl.output
        by_lftp = lftp(requiring.way(tls), files[2:])
        assert by_lftp.status == 0, by_lftp.output
        assert requiring.recorded() == expected(documents)

    def test_curl_without_sessions_is_told(self, requiring: Ground, tmp_path: Path) -> None:
        file = tmp_path / "page.pdf"
        file.write_bytes(pdf(50_000))
        ran = curl(requiring.way("explicit"), [file], "--no-sessionid")
        assert ran.status != 0
        assert f"522 {NOT_REUSED.text}" in ran.replies
        assert requiring.recorded() == []
