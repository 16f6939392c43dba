"""Signs requests without a body by Signature Version 4, as botocore does. Pure but a clock.

The signing key is derived once for each day and secret, and all but the
request itself is put together once in a second: that is most of what a
signature costs. Queries are signed as they are sent. So are paths for S3,
which is also told what stands for the body; every other service wants paths
encoded once more.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from hashlib import _Hash as HASH
from urllib.parse import quote

EMPTY: Final = hashlib.sha256(b"").hexdigest()
# What is the same when it is encoded once more.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~/-]*")
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
# What RFC 2104 makes the two halves of a key with.
_INNER: Final = 0x36
_OUTER: Final = 0x5C


class Keys(Protocol):
    """Credentials that do not change any more, as botocore's frozen ones."""

    @property
    def access_key(self) -> str:
        """Name the key."""

    @property
    def secret_key(self) -> str:
        """Give the secret."""

    @property
    def token(self) -> str | None:
        """Give the session token of temporary credentials."""


# When, the headers, and the three that credentials are made of.
_Asked: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, str, str | None]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is the same for all requests of one second that have the same headers.

    `headers` is the end of the canonical request, `text` what stands before its
    digest in what is signed, and `authorization` what stands before the signature;
    `inner` and `outer` are the halves of the HMAC.
    """

    asked: _Asked
    signed: Mapping[str, str]
    headers: str
    text: str
    authorization: str
    inner: HASH
    outer: HASH


class Signer:
    """Signs for one region and service; safe to use from many threads.

    `payload` is what stands for the body: the hash of nothing, or
    UNSIGNED-PAYLOAD. Services other than S3 take paths out of which botocore
    would have nothing to normalize: no dot segments, none that are empty.
    """

    def __init__(self, region: str, service: str = "s3", payload: str = EMPTY) -> None:
        self._region, self._service, self._payload = region, service, payload
        self._is_s3 = service == "s3"
        self._key = ("", "", (hashlib.sha256(), hashlib.sha256()))
        self._second = (0, "")
        self._frame: _Frame | None = None

    def twin(self) -> Signer:
        """Give another one that signs for the same: each remembers those keys that it saw last."""
        return Signer(self._region, self._service, self._payload)

    def sign(
        self, method: str, path: str, query: str, headers: Mapping[str, str], keys: Keys
    ) -> tuple[Mapping[str, str], str]:
        """Sign a request of now; give all headers that it must have, and the Authorization.

        `headers` must hold the host, and all of them are signed. All names are in lower
        case. For requests of one second with the same headers the same object is given.
        """
        frame, authorization = self._signed(self._now(), method, path, query, headers, keys)
        return frame.signed, authorization

    def sign_at(  # noqa: PLR0913, PLR0917  # all that goes into a signature
        self,
        stamp: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        keys: Keys,
    ) -> dict[str, str]:
        """Sign for a time that is said as 20261120T051049Z; give all headers in one."""
        frame, authorization = self._signed(stamp, method, path, query, headers, keys)
        return {**frame.signed, "authorization": authorization}

    def _signed(  # noqa: PLR0913, PLR0917  # all that goes into a signature
        self,
        stamp: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        keys: Keys,
    ) -> tuple[_Frame, str]:
        asked = (stamp, tuple(headers.items()), keys.access_key, keys.secret_key, keys.token)
        # Read and replaced as one, so that no thread sees half of it.
        frame = self._frame
        if frame is None or frame.asked != asked:
            frame = self._frame = self._framed(asked)
        if not self._is_s3 and not _PLAIN.fullmatch(path):
            path = quote(path, safe="/~")
        canonical = f"{method}\n{path}\n{_canonical_query(query)}\n{frame.headers}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        inner, outer = frame.inner.copy(), frame.outer.copy()
        inner.update(f"{frame.text}{digest}".encode())
        outer.update(inner.digest())
        return frame, frame.authorization + outer.hexdigest()

    def _framed(self, asked: _Asked) -> _Frame:
        stamp, headers, access_key, secret, token = asked
        signed = dict(headers)
        if self._is_s3:
            signed["x-amz-content-sha256"] = self._payload
        signed["x-amz-date"] = stamp
        if token:
            signed["x-amz-security-token"] = token
        names = sorted(signed)
        lines = "".join([f"{name}:{_single_spaced(signed[name])}\n" for name in names])
        listed = ";".join(names)
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        inner, outer = self._signing_key(secret, stamp[:8])
        return _Frame(
            asked,
            signed,
            headers=f"{lines}\n{listed}\n{self._payload}",
            text=f"{_ALGORITHM}\n{stamp}\n{scope}\n",
            authorization=(
                f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={listed}, Signature="
            ),
            inner=inner,
            outer=outer,
        )

    def _now(self) -> str:
        second, stamp = self._second
        now = int(time.time())
        if now != second:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            self._second = (now, stamp)
        return stamp

    def _signing_key(self, secret: str, day: str) -> tuple[HASH, HASH]:
        """Give both halves of an HMAC that has the key of the day.

        The function that does it in one step gives the interpreter to other
        threads meanwhile, and it may take long to get it back.
        """
        # Read and replaced as one tuple, so that no thread sees half of it.
        known_secret, known_day, halves = self._key
        if known_secret != secret or known_day != day:
            key = f"AWS4{secret}".encode()
            for step in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, step.encode(), "sha256")
            padded = key.ljust(hashlib.sha256().block_size, b"\0")
            halves = (
                hashlib.sha256(bytes(byte ^ _INNER for byte in padded)),
                hashlib.sha256(bytes(byte ^ _OUTER for byte in padded)),
            )
            self._key = (secret, day, halves)
        return halves


def _single_spaced(value: str) -> str:
    return " ".join(value.split()) if " " in value or "\t" in value else value


def _canonical_query(query: str) -> str:
    """Sort the parameters, which are encoded already; a bare name gets its `=`."""
    if "&" not in query:
        return query if "=" in query or not query else f"{query}="
    pairs = sorted([pair.partition("=") for pair in query.split("&")])
    return "&".join([f"{name}={value}" for name, _, value in pairs])
