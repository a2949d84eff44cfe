"""What is wrong with a certificate or its key, and how it is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from openspp_ftpd import tls
from openspp_ftpd.settings import TlsSettings
from tests.unit import certificates
from tests.unit.tls_connections import tls_pair


def settings(pair: certificates.Pair) -> TlsSettings:
    return TlsSettings(certificate=pair.certificate, key=pair.key)


class TestCertificate:
    def test_its_facts(self, tmp_path: Path) -> None:
        start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        pair = certificates.make(tmp_path, "scan.test", valid_from=start)
        facts = tls.examine_certificate(pair.certificate, pair.key)
        assert facts == tls.CertificateFacts(
            subject="CN=scan.test",
            issuer="CN=scan.test",
            not_before=start,
            not_after=start + timedelta(days=30),
            self_signed=True,
            fits_key=True,
        )

    def test_one_that_an_authority_signed(self, tmp_path: Path) -> None:
        issuer = ("Scan CA", certificates.private_key("ec", number=1))
        pair = certificates.make(tmp_path, "scan.test", issuer=issuer)
        facts = tls.examine_certificate(pair.certificate, pair.key)
        assert (facts.issuer, facts.self_signed) == ("CN=Scan CA", False)

    @pytest.mark.parametrize("kind", ["ec", "rsa"])
    def test_another_key_does_not_fit(self, tmp_path: Path, kind: Literal["ec", "rsa"]) -> None:
        pair = certificates.make(tmp_path, "scan.test")
        other = certificates.make(
            tmp_path, "other.test", key=certificates.private_key(kind, number=3)
        )
        assert not tls.examine_certificate(pair.certificate, other.key).fits_key
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.contexts(TlsSettings(certificate=pair.certificate, key=other.key))
        assert caught.value.option == "key"
        assert str(caught.value) == (
            f"{other.key} does not belong to the certificate {pair.certificate}; name the key"
            " that the certificate was made with"
        )

    def test_certificate_and_key_may_share_a_file(self, tmp_path: Path) -> None:
        pair = certificates.make(tmp_path, "scan.test")
        both = tmp_path / "both.pem"
        both.write_text(Path(pair.key).read_text() + Path(pair.certificate).read_text())
        shared = certificates.Pair(str(both), str(both))
        with tls_pair(tls.contexts(settings(shared)).data) as (_, client):
            assert client.version() == "TLSv1.2"

    def test_a_missing_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "none.pem")
        for option, read in (("certificate", tls.read_chain), ("key", tls.read_key)):
            with pytest.raises(tls.CertificateProblem) as caught:
                read(path)
            assert caught.value.option == option
            assert str(caught.value) == (
                f"{path} does not exist; name your own, or install the package ssl-cert, which"
                " makes a self-signed one"
            )

    def test_a_directory_is_no_certificate(self, tmp_path: Path) -> None:
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.read_chain(str(tmp_path))
        assert caught.value.text == "cannot be read (Is a directory); name a file in PEM form"

    @pytest.mark.parametrize("content", [b"", b"\x30\x82\x01\x0a", b"-----BEGIN CERTIFICATE-----"])
    def test_no_pem(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "scan.pem"
        path.write_bytes(content)
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.read_chain(str(path))
        assert caught.value.text == (
            "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); convert it with:"
            " openssl x509 -inform DER -in FILE -out FILE.pem"
        )
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.read_key(str(path))
        assert caught.value.text == (
            "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); name the file that"
            " was made together with the certificate"
        )

    def test_a_damaged_one(self, tmp_path: Path) -> None:
        pair = certificates.make(tmp_path, "scan.test")
        content = Path(pair.certificate).read_text().replace("MII", "AAA")
        content = content[:100] + content[120:]
        Path(pair.certificate).write_text(content)
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.contexts(settings(pair))
        assert caught.value.option == "certificate"
        assert caught.value.text == "is damaged; copy it again from whoever issued it"

    def test_an_encrypted_key_is_named_and_nobody_is_asked_for_a_passphrase(
        self, tmp_path: Path
    ) -> None:
        pair = certificates.make(tmp_path, "scan.test", passphrase="correct horse")
        pkcs8 = tmp_path / "pkcs8.key"
        pkcs8.write_text(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH=\n-----END ENCRYPTED PRIVATE KEY-----\n"
        )
        for path in (pair.key, str(pkcs8)):
            with pytest.raises(tls.CertificateProblem) as caught:
                tls.read_key(path)
            assert caught.value.option == "key"
            assert caught.value.text == (
                "is encrypted, and nobody is there to type its passphrase; decrypt it with:"
                " openssl pkey -in FILE -out FILE.plain"
            )

    def test_one_too_weak_for_openssl(self, tmp_path: Path) -> None:
        key = certificates.private_key("rsa", bits=1024)
        pair = certificates.make(tmp_path, "weak.test", key=key)
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.contexts(settings(pair))
        assert caught.value.option == "certificate"
        assert caught.value.text == (
            "is refused by OpenSSL (ee key too small); use one with an RSA key of 2048 bits or"
            " more, or an EC key, signed with SHA-256"
        )

    def test_a_problem_never_shows_the_key(self, tmp_path: Path) -> None:
        pair = certificates.make(tmp_path, "scan.test")
        damaged = Path(pair.key).read_text().replace("BEGIN EC", "BEGIN XX")
        Path(pair.key).write_text(damaged)
        with pytest.raises(tls.CertificateProblem) as caught:
            tls.contexts(settings(pair))
        assert caught.value.__suppress_context__
        assert damaged.split("\n")[1] not in repr(caught.value)
