"""TLS to OpenSPP: only a certificate that is checked, only the authorities that are named."""

import datetime
import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp import Exchange, NotStored, Outcome, Stored, Unsettled
from openspp_ftpd.openspp.transport import tls_context

from .scripted import ALICE, LARGE, MIB, SMALL, Request, Scan, api_at, scripted

CLOCK = datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Certificate:
    """A certificate file and its key's."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make(folder: Path, *names: str, days: int = 30) -> Certificate:
    """A certificate that signs itself, for these addresses and host names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OpenSPP of a test")])
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(CLOCK - datetime.timedelta(days=60))
        .not_valid_after(CLOCK + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def succeed(request: Request) -> None:
    request.read()
    request.succeed()


def store(url: str, ca_file: Path | str = "", scan: Scan = SMALL) -> Outcome:
    return api_at(url, ca_file=str(ca_file)).store(ALICE, "scan.pdf", scan, Exchange())


def refusal(outcome: Outcome) -> str:
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.CERTIFICATE
    assert not outcome.may_retry
    assert "ca_file" in outcome.failure.detail
    return outcome.failure.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_ca_file_is_accepted(tmp_path: Path, host: str) -> None:
    own = make(tmp_path, "127.0.0.1", "localhost")
    with scripted(succeed, own.context()) as server:
        url = server.url.replace("127.0.0.1", host)
        assert store(url, own.certificate, LARGE) == Stored()


def test_a_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    own = make(tmp_path, "127.0.0.1")
    with scripted(succeed, own.context()) as server:
        assert "self" in refusal(store(server.url))
    assert all(request.head == b"" for request in server.requests)


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    own = make(tmp_path, "openspp.example", "192.0.2.1")
    with scripted(succeed, own.context()) as server:
        assert "127.0.0.1" in refusal(store(server.url, own.certificate))
        url = server.url.replace("127.0.0.1", "localhost")
        assert "localhost" in refusal(store(url, own.certificate))


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    own = make(tmp_path, "127.0.0.1", days=-1)
    with scripted(succeed, own.context()) as server:
        assert "expired" in refusal(store(server.url, own.certificate))


def test_a_ca_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(OSError):
            api_at("https://openspp.example", ca_file=str(tmp_path / name))


def test_the_authorities_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make(tmp_path, "127.0.0.1")
    with scripted(succeed, own.context()) as server:
        api = api_at(server.url, ca_file=str(own.certificate))
        read: list[object] = []
        for name in ("load_verify_locations", "load_default_certs", "set_default_verify_paths"):
            monkeypatch.setattr(ssl.SSLContext, name, lambda *_, name=name, **__: read.append(name))
        for _ in range(3):
            assert api.store(ALICE, "scan.pdf", SMALL, Exchange()) == Stored()
        assert read == []


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make(tmp_path, "127.0.0.1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own.certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(own.certificate))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with scripted(succeed, own.context()) as server:
        refusal(store(server.url))
        assert store(server.url, own.certificate) == Stored()
        assert server.requests[-1].header("Authorization") == ""
    with scripted(succeed) as plain:
        assert store(plain.url) == Stored()
        assert plain.requests[-1].header("Authorization") == ""


def test_an_openspp_without_tls_is_told_from_a_bad_certificate() -> None:
    def answer(request: Request) -> None:
        request.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with scripted(answer) as server:
        outcome = store(server.url.replace("http:", "https:"))
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.UNREACHABLE
    assert "is url in [openspp] right about https?" in outcome.failure.detail


def test_a_handshake_that_is_dropped_may_be_tried_again() -> None:
    def drop(request: Request) -> None:
        request.connection.recv(65536)

    with scripted(drop) as server:
        outcome = store(server.url.replace("http:", "https:"))
    assert isinstance(outcome, NotStored)
    assert outcome.failure.problem is Problem.UNREACHABLE
    assert outcome.may_retry


def test_a_connection_cut_within_tls_is_certain_before_the_end_and_open_after_it(
    tmp_path: Path,
) -> None:
    own = make(tmp_path, "127.0.0.1")

    def read_some(request: Request) -> None:
        request.read_head()
        request.read_body(MIB)

    def read_all(request: Request) -> None:
        request.read()

    with scripted(read_some, own.context()) as server:
        outcome = store(server.url, own.certificate, LARGE)
        assert isinstance(outcome, NotStored)
        assert outcome.may_retry
    with scripted(read_all, own.context()) as server:
        assert isinstance(store(server.url, own.certificate, LARGE), Unsettled)


def test_an_early_answer_within_tls_is_understood(tmp_path: Path) -> None:
    own = make(tmp_path, "127.0.0.1")

    def answer_early(request: Request) -> None:
        request.read_head()
        request.answer("413 Request Entity Too Large", "text/html", b"<html>no</html>")
        request.wait_for_end()

    with scripted(answer_early, own.context()) as server:
        outcome = store(server.url, own.certificate, LARGE)
        assert isinstance(outcome, NotStored)
        assert outcome.failure.problem is Problem.TOO_LARGE_FOR_PROXY


def test_an_early_answer_is_understood_although_the_server_closes_on_us(tmp_path: Path) -> None:
    own = make(tmp_path, "127.0.0.1")

    def answer_and_close(request: Request) -> None:
        request.read_head()
        request.answer("413 Request Entity Too Large", "text/html", b"<html>no</html>")

    with scripted(answer_and_close, own.context()) as server:
        for _ in range(5):
            outcome = store(server.url, own.certificate, LARGE)
            assert isinstance(outcome, NotStored)
            assert outcome.failure.problem is Problem.TOO_LARGE_FOR_PROXY


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
def test_the_time_for_connecting_does_not_bound_the_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypted: bool
) -> None:
    monkeypatch.setattr("openspp_ftpd.openspp.client.CONNECT_WITHIN", 0.2)
    own = make(tmp_path, "127.0.0.1")

    def pause(request: Request) -> None:
        request.read_head()
        request.read_body(MIB)
        time.sleep(0.6)
        assert request.read_body()
        request.succeed()

    with scripted(pause, own.context() if encrypted else None) as server:
        assert store(server.url, own.certificate, LARGE) == Stored()


def test_a_certificate_authority_without_the_finer_extensions_will_do(tmp_path: Path) -> None:
    """Python 3.13 is stricter than 3.11 by default; the same certificate has to do for both."""
    own = make(tmp_path, "127.0.0.1")
    context = tls_context(str(own.certificate))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
