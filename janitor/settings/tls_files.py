"""Looks into certificates, keys and authorities before a server has to. Keeps nothing of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from janitor.settings.source import Unreadable, read_beside

Part = Literal["cert", "key", "client_ca"]

_BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY_ENDS = b"PRIVATE KEY-----"
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


def objections(files: Mapping[Part, Path]) -> Iterator[tuple[Part, str]]:
    """Say what is wrong with which file, and what to do."""
    readable: set[Part] = set()
    for part, path in files.items():
        sentence = _objection(part, path)
        if sentence is None:
            readable.add(part)
        else:
            yield part, sentence
    if {"cert", "key"} <= readable:
        yield from _pair_objection(files["cert"], files["key"])


def _objection(part: Part, path: Path) -> str | None:
    try:
        content = read_beside(path)
    except Unreadable as error:
        return str(error)
    if part == "key":
        return _key_objection(content)
    if _BEGIN_CERTIFICATE not in content:
        return "has no certificate in PEM: use a file with -----BEGIN CERTIFICATE-----"
    return None if _can_be_read(path) else "is not a certificate that OpenSSL reads: make it new"


def _key_objection(content: bytes) -> str | None:
    if any(mark in content for mark in _ENCRYPTED):
        return (
            "is encrypted, and nobody is there to type its password: "
            "write it without one, by openssl pkey -in OLD -out NEW"
        )
    if _KEY_ENDS not in content:
        return "has no key in PEM: use a file with -----BEGIN PRIVATE KEY-----"
    return None


def _can_be_read(certificates: Path) -> bool:
    import ssl  # noqa: PLC0415  # costs time, which only who uses TLS shall spend

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificates)
    except OSError:
        return False
    return True


def _pair_objection(cert: Path, key: Path) -> Iterator[tuple[Part, str]]:
    import ssl  # noqa: PLC0415  # see above

    try:
        # Without a password to give, OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except OSError as error:  # of which ssl's own is one
        reason = getattr(error, "reason", None) or ""
        if reason == "KEY_VALUES_MISMATCH":
            yield "key", "is not the key of the certificate: use the one that belongs to it"
        elif "TOO_SMALL" in reason or "TOO_WEAK" in reason:
            yield "cert", "is too weak for OpenSSL on this machine: make a new one, with a new key"
        else:
            yield "key", "is not a key that OpenSSL reads: make it new, with its certificate"
