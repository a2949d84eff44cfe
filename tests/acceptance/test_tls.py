"""TLS on both connections: what is offered, required and refused, and renewed by a reload."""

from __future__ import annotations

import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected, running
from tests.acceptance.promises import until
from tests.acceptance.running import make_certificate
from tests.acceptance.scanner import Scanner, end_properly, tls_context


class TestWhatIsOffered:
    @pytest.mark.parametrize("auth", ["TLS", "SSL", "tls", "TLS-C"])
    def test_optional_takes_both(self, auth: str, ground: Ground) -> None:
        with ground.scanner() as clear, ground.scanner() as secured:
            assert clear.login(ground.user).code == 230
            assert clear.store("clear.pdf", pdf(2000, 1)).code == 226
            assert secured.command(f"AUTH {auth}").code == 234
            secured.begin_tls()
            secured.tls = "explicit"
            assert secured.command("PBSZ 0").code == 200
            assert secured.command("PROT P").code == 200
            assert secured.login(ground.user).code == 230
            assert secured.store("secured.pdf", pdf(2000, 2)).code == 226
        documents = {"clear.pdf": pdf(2000, 1), "secured.pdf": pdf(2000, 2)}
        assert ground.recorded() == expected(documents)

    def test_data_in_the_clear_when_the_scanner_wants_it_so(self, ground: Ground) -> None:
        with ground.scanner("explicit") as scanner:
            assert scanner.command("PROT C").code == 200
            scanner.tls = ""
            assert scanner.login(ground.user).code == 230
            assert scanner.store("page.pdf", pdf(2000)).code == 226

    def test_off(self, tmp_path: Path) -> None:
        with running(tmp_path) as off, off.scanner() as scanner:
            assert scanner.command("AUTH TLS").code == 502
            assert "TLS" not in scanner.command("FEAT").text
            assert scanner.login().code == 230
            assert scanner.store("page.pdf", pdf(2000)).code == 226

    def test_required(self, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
        options = {"tls": {"mode": "required"}}
        with running(tmp_path, certificate, options) as required:
            with required.scanner() as scanner:
                assert scanner.command("USER alice").code == 530
                assert scanner.command("PASS scan-alice").code == 503
            with required.scanner("explicit") as scanner:
                assert scanner.login().code == 230
                assert scanner.command("PROT C").code == 200
                scanner.passive()
                assert scanner.command("STOR page.pdf").code == 521
                assert scanner.command("PROT P").code == 200
                assert scanner.store("page.pdf", pdf(2000)).code == 226
            with required.scanner("implicit") as scanner:
                assert scanner.login().code == 230
                assert scanner.store("other.pdf", pdf(2000)).code == 226
            assert len(required.recorded()) == 2

    def test_a_login_before_auth_does_not_outlive_it(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("AUTH TLS").code == 234
            scanner.begin_tls()
            assert scanner.command("PASV").code == 530


class TestVersions:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    def test_control_takes_1_2_and_1_3_and_data_1_2(
        self, tls: str, version: ssl.TLSVersion, ground: Ground
    ) -> None:
        with Scanner(ground.port(tls), tls, context=tls_context(version)) as scanner:
            assert isinstance(scanner.connection, ssl.SSLSocket)
            assert scanner.connection.version() == version.name.replace("_", ".")
            assert scanner.login(ground.user).code == 230
            scanner.context = tls_context()
            data = scanner.begin("page.pdf")
            assert isinstance(data, ssl.SSLSocket)
            assert data.version() == "TLSv1.2"
            data.sendall(pdf(2000))
            end_properly(data)
            assert scanner.answer().code == 226

    def test_a_scanner_that_insists_on_1_3_for_data_is_told(self, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            scanner.context = tls_context(ssl.TLSVersion.TLSv1_3)
            data = scanner.passive()
            assert scanner.command("STOR page.pdf").code == 150
            with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
                scanner.secured(data)
            assert scanner.answer().code == 522
            scanner.context = tls_context()
            assert scanner.store("page.pdf", pdf(2000)).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    @pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
    @pytest.mark.parametrize("where", ["explicit", "implicit", "data"])
    def test_1_0_and_1_1_are_refused(self, where: str, version: str, ground: Ground) -> None:
        old = tls_context(ssl.TLSVersion[version])
        old.set_ciphers("ALL:@SECLEVEL=0")  # else the client itself would refuse
        with ground.logged_in(tls="explicit") as scanner:
            if where == "data":
                connection = scanner.passive()
                assert scanner.command("STOR page.pdf").code == 150
            elif where == "implicit":
                connection = socket.create_connection(("127.0.0.1", ground.port("implicit")), 30)
            else:
                fresh = ground.scanner()
                assert fresh.command("AUTH TLS").code == 234
                connection = fresh.connection
            with (
                connection,
                pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"),
            ):
                old.wrap_socket(connection)
            if where == "data":
                assert scanner.answer().code == 522
        assert ground.recorded() == []


class TestNothingInClearIsObeyedBehindAuth:
    """CVE-2011-0411 and its kind: an attacker puts commands in clear before the handshake."""

    @pytest.mark.parametrize(
        "behind",
        [b"NOOP\r\n", b"USER %s\r\n", b"PBSZ 0\r\nPROT C\r\nNOOP\r\n", b"USER %s", b"USER "],
    )
    def test_in_the_same_segment(self, behind: bytes, ground: Ground) -> None:
        with ground.scanner() as scanner:
            if b"%s" in behind:
                behind %= ground.user.encode()
            scanner.connection.sendall(b"AUTH TLS\r\n" + behind)
            assert scanner.answer().code == 234
            scanner.begin_tls()
            assert scanner.command("PBSZ 0") == (200, "PBSZ=0")
            assert scanner.command(f"PASS scan-{ground.user}").code == 503
            assert scanner.login(ground.user).code == 230

    def test_in_a_segment_of_their_own_they_end_the_session(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            assert scanner.command("AUTH TLS").code == 234
            scanner.connection.sendall(b"USER alice\r\nPASS scan-alice\r\nNOOP\r\n")
            scanner.connection.settimeout(5)
            answered = b"".join(iter(lambda: read(scanner.connection), b""))
            assert not re.search(rb"\d{3} ", answered)


def read(connection: socket.socket) -> bytes:
    """What comes next; nothing at the end, however it ends."""
    try:
        return connection.recv(4096)
    except (ConnectionError, ssl.SSLError):
        return b""


class TestReload:
    """SIGHUP reads configuration and certificate again, for new sessions."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[Ground]:
        with running(tmp_path, make_certificate(tmp_path)) as made:
            yield made

    def shown(self, ground: Ground) -> bytes:
        """The certificate that a new session is shown."""
        with ground.scanner("explicit") as scanner:
            assert isinstance(scanner.connection, ssl.SSLSocket)
            return scanner.connection.getpeercert(binary_form=True) or b""

    def test_a_renewed_certificate_is_for_new_sessions_and_old_ones_go_on(
        self, own: Ground, tmp_path: Path
    ) -> None:
        before = self.shown(own)
        with own.logged_in(tls="explicit") as old:
            make_certificate(tmp_path, "renewed.example.org")
            assert self.shown(own) == before
            own.daemon.signal(signal.SIGHUP)
            assert until(lambda: self.shown(own) != before)
            assert b"renewed.example.org" in self.shown(own)
            assert old.store("old.pdf", pdf(2000, 1)).code == 226
            with own.logged_in(tls="implicit") as new:
                assert new.store("new.pdf", pdf(2000, 2)).code == 226
        assert own.recorded() == expected({"old.pdf": pdf(2000, 1), "new.pdf": pdf(2000, 2)})
        assert "reloaded" in own.daemon.log()

    def test_a_renewal_in_the_middle_of_an_upload(self, own: Ground, tmp_path: Path) -> None:
        before = self.shown(own)
        with own.logged_in(tls="explicit") as old:
            data = old.begin("page.pdf")
            data.sendall(pdf(2000)[:1000])
            make_certificate(tmp_path, "renewed.example.org")
            own.daemon.signal(signal.SIGHUP)
            assert until(lambda: self.shown(own) != before)
            data.sendall(pdf(2000)[1000:])
            end_properly(data)
            assert old.answer().code == 226

    @pytest.mark.parametrize("mistake", ["option", "certificate", "key of another"])
    def test_a_mistake_keeps_the_old_settings_and_says_so(
        self, mistake: str, own: Ground, tmp_path: Path
    ) -> None:
        before = self.shown(own)
        if mistake == "option":
            wrong = {**own.daemon.sections, "limits": {"sesions": "1"}}
            own.daemon.write_configuration(wrong)
        elif mistake == "certificate":
            (tmp_path / "certificate.pem").write_text("no certificate\n")
        else:
            (tmp_path / "other").mkdir()
            make_certificate(tmp_path / "other")[1].replace(tmp_path / "key.pem")
        own.daemon.signal(signal.SIGHUP)
        assert until(lambda: "not reloaded" in own.daemon.log())
        told = next(line for line in own.daemon.log().splitlines() if "not reloaded" in line)
        assert "ERROR" in told
        named = {"option": "sesions", "certificate": "certificate.pem", "key of another": "key.pem"}
        assert named[mistake] in told
        assert self.shown(own) == before
        with own.logged_in(tls="explicit") as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226

    def test_a_changed_option_is_for_new_sessions(self, own: Ground) -> None:
        with own.scanner() as old:
            tls = {**own.daemon.sections["tls"], "mode": "required"}
            own.daemon.write_configuration({**own.daemon.sections, "tls": tls})
            own.daemon.signal(signal.SIGHUP)
            assert until(lambda: "Configuration reloaded" in own.daemon.log())
            assert old.login().code == 230
            with own.scanner() as new:
                assert new.command("USER alice").code == 530
