"""Certificates: read at the start, read again when their files change, never worse than before."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import structlog

from janitor.errors import JanitorError
from janitor.settings.types import Tls

# How often the files are looked at, in seconds, and only when somebody connects.
_GLANCE = 3.0
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

# What tells one state of the files from another; a symlink swap changes the inode.
_Identity: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]


class Certificates:
    """The TLS context for the next connection.

    Made, it raises JanitorError for files that cannot be used. Later it keeps
    what it has, and logs once for each state of the files why. Only for one
    thread at a time. `clock` gives seconds and must not jump.
    """

    def __init__(self, tls: Tls, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble: str | None = None
        self._tls = tls
        self._clock = clock
        self._looked = clock()
        # Before they are read: what is written meanwhile is a change.
        self._seen = _identity(tls)
        self._context = context_of(tls)
        self._log = structlog.get_logger("janitor.web")

    def context(self) -> ssl.SSLContext:
        """Give the newest context that works."""
        now = self._clock()
        if now - self._looked >= _GLANCE:
            self._looked = now
            self._look()
        return self._context

    def _look(self) -> None:
        seen = _identity(self._tls)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._context = context_of(self._tls)
        except JanitorError as error:
            self.trouble = f"{error}; the former certificate stays in use"
            self._log.error("tls.unusable", error=self.trouble)
        else:
            self.trouble = None
            self._log.info("tls.renewed", certificate=self._tls.cert)


def context_of(tls: Tls) -> ssl.SSLContext:
    """Read the files; JanitorError says which one cannot be used, and why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    for path in (tls.cert, tls.key):
        _readable(path)
    try:
        context.load_cert_chain(tls.cert, tls.key, _no_passphrase)
    except (OSError, _Encrypted) as error:
        msg = f"cannot use the certificate {tls.cert} with the key {tls.key}: {_reason(error)}"
        raise JanitorError(msg) from error
    if tls.client_ca is not None:
        _trust(context, tls.client_ca)
        context.verify_mode = _CLIENT_AUTH[tls.client_auth]
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    _readable(path)
    try:
        context.load_verify_locations(path)
    except OSError as error:
        msg = f"cannot use the client CA {path}: {_reason(error)}"
        raise JanitorError(msg) from error


def _readable(path: str) -> None:
    """Find out first: the ssl module does not say which of its files it could not read."""
    try:
        Path(path).read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise JanitorError(msg) from error


class _Encrypted(Exception):  # noqa: N818  # the reason of an error
    def __str__(self) -> str:
        return "the key is encrypted, and nobody is here to type its passphrase"


def _no_passphrase() -> str:
    """Refuse, where OpenSSL would ask the terminal."""
    raise _Encrypted


def _reason(error: Exception) -> str:
    """Put OpenSSL's words into a sentence; an SSLError is an OSError as well."""
    if not isinstance(error, ssl.SSLError):
        return str(error)
    return error.reason.lower().replace("_", " ") if error.reason else "it is no PEM"


def _identity(tls: Tls) -> _Identity:
    paths = (tls.cert, tls.key, tls.client_ca)
    return tuple(None if path is None else _stat(path) for path in paths)


def _stat(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # one call, four numbers
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
