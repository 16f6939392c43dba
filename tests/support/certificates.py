"""Certificates, keys and authorities for tests, made anew each time: no repository keeps one."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


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


def _encrypted(key: bytes) -> bytes:
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
