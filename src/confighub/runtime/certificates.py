"""The certificate that an environment's HTTPS port shows: the target's own, else one we sign ourselves."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confighub.runtime import files, variables

_VALID_FOR = timedelta(days=825)  # the longest that current browsers and systems accept
_RENEW_BEFORE = timedelta(days=30)


def context() -> ssl.SSLContext:
    """Return a server's TLS settings without a certificate: version 1.2 at least."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.minimum_version = ssl.TLSVersion.TLSv1_2
    return settings


def load(settings: ssl.SSLContext, *, hosts: list[str], folder: Path, secrets_dir: str, secret: str) -> None:
    """Give the settings a certificate for the hosts; new connections show it.

    A secret with the keys ``tls.crt`` and ``tls.key`` is used as it is; otherwise one is made, kept in the
    folder and made again when the hosts change or it is about to end.
    """
    given = variables.secret(secrets_dir, secret) if secret else None
    if given and "tls.crt" in given and "tls.key" in given:
        certificate, key = given["tls.crt"].encode(), given["tls.key"].encode()
        path = folder / "tls-given.pem"
        files.replace(path, key + b"\n" + certificate, mode=0o600)
    else:
        path = _self_signed(sorted({*hosts, "localhost"}), folder)
    settings.load_cert_chain(path)


def _self_signed(hosts: list[str], folder: Path) -> Path:
    # Most environments have no TLS, and the import takes a tenth of a second.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    path = folder / f"tls-{hashlib.sha256(' '.join(hosts).encode()).hexdigest()[:12]}.pem"
    now = datetime.now(UTC)
    if path.exists():
        known = x509.load_pem_x509_certificate(path.read_bytes())
        if known.not_valid_after_utc > now + _RENEW_BEFORE:
            return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(parents=True, exist_ok=True)
    files.replace(path, private + certificate.public_bytes(serialization.Encoding.PEM), mode=0o600)
    return path
