"""TLS of the FTP side: contexts from the configuration, what a certificate is, how a stream ended.

The only user of OpenSSL. No callback is ever handed to it: under MemoryDenyWriteExecute= pyOpenSSL
cannot make one.
"""

from __future__ import annotations

import enum
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from OpenSSL import SSL, crypto

from openspp_ftpd.settings import TlsSettings

_INTERMEDIATE: Final = ("ECDHE+AESGCM", "ECDHE+CHACHA20")
_COMPATIBLE: Final = (*_INTERMEDIATE, "ECDHE+AES", "AESGCM", "AES")
_NEVER: Final = ("!AESCCM", "!aNULL", "!eNULL", "!PSK", "!SRP", "!aDSS", "!DH")
CIPHERS: Final = {
    "intermediate": ":".join((*_INTERMEDIATE, *_NEVER)),
    "compatible": ":".join((*_COMPATIBLE, *_NEVER)),
}
"""TLS 1.2 cipher suites, best first. Intermediate is Mozilla's profile of that name without DHE,
since who has its suites has ECDHE too. Compatible ends with AES-CBC and RSA key exchange: a scanner
of 2012 has nothing else."""

# OpenSSL's SSL_OP_NO_RENEGOTIATION; older releases of pyOpenSSL have no name for it.
_NO_RENEGOTIATION: Final[int] = getattr(SSL, "OP_NO_RENEGOTIATION", 0x40000000)
_SESSION_ID: Final = b"openspp-ftpd"
_SESSION_SECONDS: Final = 24 * 3600  # data connections resume it as long as the control one lives
_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN (?:X509 )?CERTIFICATE-----.+?-----END (?:X509 )?CERTIFICATE-----", re.DOTALL
)
_LARGEST_FILE: Final = 1024 * 1024
_UNEXPECTED_EOF: Final = "unexpected eof while reading"  # OpenSSL 3's reason for a bare end


class CertificateProblem(Exception):
    """Certificate or key cannot be used: which of the two options, the file, what is wrong and how
    it is mended."""

    def __init__(self, option: Literal["certificate", "key"], path: str, text: str) -> None:
        super().__init__(f"{path} {text}")
        self.option = option
        self.path = path
        self.text = text


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says of itself; names as in RFC 4514."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    self_signed: bool
    fits_key: bool


@dataclass(frozen=True, slots=True)
class Contexts:
    """What a handshake begins with: TLS 1.2 and 1.3 on the control connection, 1.2 on data.

    With TLS 1.3 on the data connection a client that does not read its session tickets resets the
    connection when it closes, and the tail of the scan is lost. Where a data connection is to
    resume the control connection's session, both are the same context, of TLS 1.2: neither 1.3's
    sessions nor another context's can be resumed there.
    """

    control: SSL.Context
    data: SSL.Context


class Wait(enum.Enum):
    """TLS cannot go on before the socket is readable or writable."""

    READ = enum.auto()
    WRITE = enum.auto()


class End(enum.Enum):
    """How a TLS stream ended."""

    CLOSED_PROPERLY = enum.auto()  # close_notify (RFC 5246 section 7.2.1): the sender was finished
    CLOSED_BARE = enum.auto()  # FIN without close_notify: finished, killed or cut by somebody
    RESET = enum.auto()  # the network or the client tore it off; data may be missing
    BROKEN = enum.auto()  # what came was not this TLS connection's data


def contexts(settings: TlsSettings) -> Contexts:
    """Contexts that serve the configured certificate. Raises CertificateProblem."""
    # Looked at before OpenSSL gets the files, for it tells less, and would ask for a passphrase.
    if not _fits(read_chain(settings.certificate)[0], read_key(settings.key)):
        raise CertificateProblem(
            "key",
            settings.key,
            f"does not belong to the certificate {settings.certificate}; name the key that the"
            " certificate was made with",
        )
    try:
        data = _context(settings, SSL.TLS1_2_VERSION)
        if settings.session_reuse != "off":
            return Contexts(control=data, data=data)
        return Contexts(control=_context(settings, SSL.TLS1_3_VERSION), data=data)
    except SSL.Error as error:
        raise CertificateProblem(
            "certificate",
            settings.certificate,
            f"is refused by OpenSSL ({_reason(error)}); use one with an RSA key of 2048 bits or"
            " more, or an EC key, signed with SHA-256",
        ) from None


def examine_certificate(certificate: str, key: str) -> CertificateFacts:
    """What the certificate in this PEM file says, and whether the key file fits it.

    Raises CertificateProblem where one of the two cannot be read.
    """
    first = read_chain(certificate)[0]
    name = first.to_cryptography()
    return CertificateFacts(
        subject=name.subject.rfc4514_string(),
        issuer=name.issuer.rfc4514_string(),
        not_before=_time(first.get_notBefore()),
        not_after=_time(first.get_notAfter()),
        self_signed=name.subject == name.issuer,
        fits_key=_fits(first, read_key(key)),
    )


def expires(certificate: str) -> datetime:
    """Until when the certificate in this PEM file is valid. Raises CertificateProblem."""
    return _time(read_chain(certificate)[0].get_notAfter())


def read_chain(path: str) -> list[crypto.X509]:
    """The certificates of a PEM file, the server's own first. Raises CertificateProblem."""
    blocks = _CERTIFICATE.findall(_read("certificate", path))
    if not blocks:
        raise CertificateProblem(
            "certificate",
            path,
            "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); convert it with:"
            " openssl x509 -inform DER -in FILE -out FILE.pem",
        )
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
    except crypto.Error:
        raise CertificateProblem(
            "certificate", path, "is damaged; copy it again from whoever issued it"
        ) from None


def read_key(path: str) -> crypto.PKey:
    """The private key of a PEM file. Raises CertificateProblem."""
    content = _read("key", path)
    # Looked for by hand, because OpenSSL would ask for the passphrase at the terminal. Both forms
    # of encrypted PEM say so: by a header (RFC 1421 section 4.6.1.1) or by the label (RFC 7468
    # section 11).
    if b"ENCRYPTED" in content:
        raise CertificateProblem(
            "key",
            path,
            "is encrypted, and nobody is there to type its passphrase; decrypt it with:"
            " openssl pkey -in FILE -out FILE.plain",
        )
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, content)
    except crypto.Error:
        raise CertificateProblem(
            "key",
            path,
            "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); name the file that"
            " was made together with the certificate",
        ) from None


def receive(connection: SSL.Connection, size: int) -> bytes | Wait | End:
    """At most `size` bytes that have arrived, or why there are none. The socket is non-blocking.

    Call it until it says Wait: what OpenSSL has decrypted already wakes no poll. An End is final.
    """
    try:
        return connection.recv(size)
    except SSL.WantReadError:
        return Wait.READ
    except SSL.WantWriteError:
        return Wait.WRITE
    except SSL.ZeroReturnError:
        return End.CLOSED_PROPERLY
    except SSL.SysCallError as error:
        # pyOpenSSL's own way to tell the bare end: an errno that none is.
        return End.CLOSED_BARE if error.args[0] == -1 else End.RESET
    except SSL.Error as error:
        return End.CLOSED_BARE if _reason(error) == _UNEXPECTED_EOF else End.BROKEN


def send(connection: SSL.Connection, data: bytes) -> int | None:
    """Send what fits now; the number of bytes (0: try again later), None when the stream is over.

    After 0 the same bytes must come again. The socket is non-blocking.
    """
    try:
        return connection.send(data)
    except (SSL.WantReadError, SSL.WantWriteError):
        return 0
    except (SSL.Error, OSError):
        return None


def resumed(data: SSL.Connection, control: SSL.Connection) -> bool:
    """Whether `data` resumed the very session of `control`; both are established, with TLS 1.2.

    A resumed session has the master secret of the one before (RFC 5246 section 7.3), and nobody
    else has it.
    """
    ours, theirs = data.master_key(), control.master_key()
    return ours is not None and theirs is not None and hmac.compare_digest(ours, theirs)


def say_goodbye(connection: SSL.Connection) -> None:
    """Send close_notify, once, as far as that is possible without waiting. Never raises.

    It does not wait for the other side's, and leaves the socket open. The socket is non-blocking.
    """
    try:
        if not connection.get_shutdown() & SSL.SENT_SHUTDOWN:
            connection.shutdown()
    except (SSL.Error, OSError):
        pass  # not established, broken or full: whoever looks for a close_notify misses it rightly


def _context(settings: TlsSettings, highest: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(highest)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | _NO_RENEGOTIATION)
    context.set_cipher_list(CIPHERS[settings.ciphers].encode("ascii"))
    context.set_session_id(_SESSION_ID)
    context.set_timeout(_SESSION_SECONDS)
    context.use_certificate_chain_file(settings.certificate)
    context.use_privatekey_file(settings.key)
    return context


def _read(option: Literal["certificate", "key"], path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST_FILE)
    except FileNotFoundError:
        raise CertificateProblem(
            option,
            path,
            "does not exist; name your own, or install the package ssl-cert, which makes a"
            " self-signed one",
        ) from None
    except PermissionError:
        raise CertificateProblem(
            option, path, "cannot be read by the user of this process; let its group read it"
        ) from None
    except OSError as error:
        raise CertificateProblem(
            option, path, f"cannot be read ({error.strerror}); name a file in PEM form"
        ) from None


def _fits(certificate: crypto.X509, key: crypto.PKey) -> bool:
    public = (certificate.get_pubkey(), key)
    ours, theirs = (crypto.dump_publickey(crypto.FILETYPE_ASN1, each) for each in public)
    return ours == theirs


def _time(asn1: bytes | None) -> datetime:
    """A moment of a certificate (RFC 5280 section 4.1.2.5)."""
    return datetime.strptime((asn1 or b"").decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for the first error in its queue."""
    queue = error.args[0] if error.args else ()
    return str(queue[0][2]) if isinstance(queue, list) and queue else ""
