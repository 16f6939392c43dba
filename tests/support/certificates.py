"""Certificates, keys and authorities for tests, made anew each time: no repository keeps one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


def write_certificates(directory: Path) -> None:
    """Write server.pem, server.key, ca.pem, other.key, and encrypted.key, which is server.key."""
    directory.mkdir(exist_ok=True)
    authority, other = trustme.CA(), trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    server.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
    server.private_key_pem.write_to_path(str(directory / "server.key"))
    other.issue_cert("localhost").private_key_pem.write_to_path(str(directory / "other.key"))
    (directory / "encrypted.key").write_bytes(_encrypted(server.private_key_pem.bytes()))


def write_weak_certificate(directory: Path) -> None:
    """Write weak.pem and weak.key, whose key is so short that nobody should trust it."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  # to be refused
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    certificate = made.sign(key, hashes.SHA256())
    (directory / "weak.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "weak.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _encrypted(key: bytes) -> bytes:
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
