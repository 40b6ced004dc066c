"""An authority and a certificate of its own for a development cluster."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rs3gw.common import clock

# What clients accept at most of a private authority.
VALID_DAYS = 800
# The last two are for virtual-hosted buckets; OpenSSL refuses a wildcard below a top-level name.
HOSTS = ("127.0.0.1", "localhost", "s3.localhost", "*.s3.localhost")
_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the PEM files are: the authority's certificate, the servers', and the servers' key."""

    ca: Path
    cert: Path
    key: Path


def files_in(directory: Path) -> CertificateFiles:
    """Return the names of the files in a directory."""
    return CertificateFiles(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")


def make(directory: Path) -> CertificateFiles:
    """Make an authority, and by it a certificate for loopback; the authority's key is forgotten."""
    files = files_in(directory)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(ca_key)
    certificate = _certificate(key, authority, ca_key)
    _write(files.ca, authority.public_bytes(serialization.Encoding.PEM))
    _write(files.cert, certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(files.key, pem)
    return files


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _started(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    # An hour back, for clients whose clock is behind.
    begins = datetime.fromtimestamp(clock.now(), UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(key: _Key) -> x509.Certificate:
    name = _named("rs3gw development authority")
    usage = _usage(signs=False, certifies=True)
    return (
        _started(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(key: _Key, authority: x509.Certificate, ca_key: _Key) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        for host in HOSTS
    ]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _started(_named(HOSTS[1]), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(signs=True, certifies=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=certifies,
        crl_sign=certifies,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
