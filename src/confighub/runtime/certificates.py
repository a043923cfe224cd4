"""The certificate that an environment's HTTPS port shows: the target's own, else one of the project's own authority.

The authority is made once for all environments of a project, so a person has one file to trust. Its key never leaves
the runtime's folder, and it signs nothing but the certificates of these ports.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from confighub.runtime import files, variables

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY = "authority.crt"
"""The file with the authority's certificate, and nothing secret; its key stands beside it."""

_KEY = "authority.key"
_NAME = "confighub laptop runtime"
_VALID_FOR = timedelta(days=825)  # the longest that current browsers and systems accept
_AUTHORITY_VALID_FOR = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)


def context() -> ssl.SSLContext:
    """Return a server's TLS settings without a certificate: version 1.2 at least."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.minimum_version = ssl.TLSVersion.TLSv1_2
    return settings


def load(
    settings: ssl.SSLContext, *, hosts: list[str], folder: Path, authority: Path, secrets_dir: str, secret: str
) -> bool:
    """Give the settings a certificate for the hosts; new connections show it. Tells whether our authority signed it.

    A secret with the keys ``tls.crt`` and ``tls.key`` is used as it is; otherwise one is made, kept in the
    folder and made again when the hosts change or it is about to end. ``authority`` is the authority's folder.
    """
    given = variables.secret(secrets_dir, secret) if secret else None
    if given and "tls.crt" in given and "tls.key" in given:
        certificate, key = given["tls.crt"].encode(), given["tls.key"].encode()
        path = folder / "tls-given.pem"
        files.replace(path, key + b"\n" + certificate, mode=0o600)
        settings.load_cert_chain(path)
        return False
    settings.load_cert_chain(_signed(sorted({*hosts, "localhost"}), folder, authority))
    return True


def _signed(hosts: list[str], folder: Path, authority: Path) -> Path:
    # Most environments have no TLS, and the import takes a tenth of a second.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    signer, signer_key = _authority(authority)
    path = folder / f"tls-{hashlib.sha256(' '.join(hosts).encode()).hexdigest()[:12]}.pem"
    now = datetime.now(UTC)
    if path.exists():
        known = x509.load_pem_x509_certificates(path.read_bytes())
        if known[0].not_valid_after_utc > now + _RENEW_BEFORE and known[-1] == signer:
            return path
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        _builder(hosts[0], signer.subject, key, _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()),
            critical=False,
        )
        .sign(signer_key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files.replace(path, _private(key) + _public(certificate) + _public(signer), mode=0o600)
    return path


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the project's authority with its key; both are made when there are none, or when it is about to end."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public, private = folder / AUTHORITY, folder / _KEY
    if public.exists() and private.exists():
        known = x509.load_pem_x509_certificate(public.read_bytes())
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
        # a crash between the two files leaves a key that is not this certificate's
        fits = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == known.public_key()
        if (
            isinstance(key, ec.EllipticCurvePrivateKey)
            and fits
            and known.not_valid_after_utc > datetime.now(UTC) + _VALID_FOR
        ):
            return known, key
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    name = f"{_NAME} {hashlib.sha256(_public_key(key)).hexdigest()[:8]}"
    certificate = (
        _builder(name, None, key, _AUTHORITY_VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files.replace(private, _private(key), mode=0o600)
    files.replace(public, _public(certificate))
    return certificate, key


def _builder(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, valid_for: timedelta
) -> x509.CertificateBuilder:
    """Return a certificate to be completed; without an issuer it is its own."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + valid_for)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
