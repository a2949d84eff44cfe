"""Certificates for tests, made on the spot."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """The paths of a certificate and its key, both PEM."""

    certificate: str
    key: str


@functools.cache
def private_key(kind: Literal["ec", "rsa"], bits: int = 2048, number: int = 0) -> PrivateKey:
    """A key; another `number` gives another one."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, bits)


def make(
    directory: Path,
    name: str = "scan.test",
    *,
    key: PrivateKey | None = None,
    valid_from: datetime | None = None,
    valid_for: timedelta = timedelta(days=30),
    passphrase: str = "",
    issuer: tuple[str, PrivateKey] | None = None,
) -> Pair:
    """A certificate for `name` and its key, as NAME.pem and NAME.key in `directory`.

    Self-signed, or signed by `issuer` (a name and a key), whose own certificate then follows in the
    file. With a `passphrase` the key is encrypted.
    """
    key = key or private_key("ec")
    valid_from = valid_from or datetime.now(UTC) - timedelta(hours=1)
    signed = _certificate(name, key, issuer or (name, key), valid_from, valid_for)
    chain = [signed]
    if issuer:
        chain.append(_certificate(issuer[0], issuer[1], issuer, valid_from, valid_for))
    pem = serialization.Encoding.PEM
    certificate_file, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    certificate_file.write_bytes(b"".join(each.public_bytes(pem) for each in chain))
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, encryption)
    )
    return Pair(str(certificate_file), str(key_file))


def _certificate(
    name: str,
    key: PrivateKey,
    issuer: tuple[str, PrivateKey],
    valid_from: datetime,
    valid_for: timedelta,
) -> x509.Certificate:
    # Everything that a client which verifies strictly (Python 3.13's default) asks for.
    is_authority = name == issuer[0]
    usage = dict.fromkeys(
        [
            "content_commitment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer[0]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + valid_for)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_encipherment=True, key_cert_sign=is_authority, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key()),
            critical=False,
        )
        .sign(issuer[1], hashes.SHA256())
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
