"""Verifies AWS Signature Version 4 over the raw bytes of a request.

Written after the public description of the scheme, independently of any SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from janitor.sandbox.signing import (
    Flaw,
    NotBelieved,
    check_skew,
    check_token,
    encoded,
    reencoded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from janitor.sandbox.identity import KeyRing, Principal
    from janitor.sandbox.wire import Request

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request,\s*"
    r"SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)
_UNSIGNED_BODIES: Final = ("UNSIGNED-PAYLOAD", "STREAMING-")


@dataclass(frozen=True)
class Signature:
    """The parts of an Authorization header."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: str
    value: str

    @property
    def scope(self) -> str:
        """The credential scope that the signature is bound to."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def read(request: Request) -> Signature:
    """Take the Authorization header apart."""
    header = request.header("authorization")
    if not header:
        raise NotBelieved(Flaw.MISSING)
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        raise NotBelieved(Flaw.MALFORMED, "the Authorization header is not Signature Version 4")
    return Signature(*found.groups())


def claimed_key(request: Request) -> str:
    """Tell whose key a request says that it was signed with, believed or not."""
    return request.header("authorization").partition("Credential=")[2].partition("/")[0]


def verify(
    request: Request, keys: KeyRing, service: str, now: datetime, *, skew: bool = True
) -> tuple[Principal, str]:
    """Return who signed the request and for which region, or raise `NotBelieved`."""
    signature = read(request)
    principal = keys.find(signature.access_key_id)
    if principal is None:
        raise NotBelieved(Flaw.UNKNOWN_KEY)
    date = request.header("x-amz-date")
    _check_scope(request, signature, service, date)
    if skew:
        check_skew(_parse(date), now)
    payload = _payload_hash(request)
    if not any(
        hmac.compare_digest(_sign(text, signature, principal, date), signature.value)
        for text in _canonical_requests(request, signature, payload)
    ):
        raise NotBelieved(Flaw.BAD_SIGNATURE)
    check_token(principal, request.header("x-amz-security-token"), now)
    return principal, signature.region


def _check_scope(request: Request, signature: Signature, service: str, date: str) -> None:
    if signature.service != service:
        raise NotBelieved(Flaw.MALFORMED, f"the service is {service!r}, not {signature.service!r}")
    if not date.startswith(signature.day):
        raise NotBelieved(Flaw.MALFORMED, "the credential's day is not that of X-Amz-Date")
    signed = set(signature.signed_headers.split(";"))
    must = {"host"} | {name for name, _ in request.headers if name.startswith("x-amz-")}
    if not must <= signed:
        detail = ", ".join(sorted(must - signed))
        raise NotBelieved(Flaw.BAD_SIGNATURE, f"headers that are not signed: {detail}")


def _parse(date: str) -> datetime | None:
    try:
        return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _payload_hash(request: Request) -> str:
    declared = request.header("x-amz-content-sha256")
    if declared.startswith(_UNSIGNED_BODIES):
        return declared
    actual = hashlib.sha256(request.body).hexdigest()
    if declared and declared != actual:
        raise NotBelieved(Flaw.BODY_MISMATCH)
    return actual


def _canonical_requests(request: Request, signature: Signature, payload: str) -> Iterable[str]:
    query = _canonical_query(request.query)
    headers = "".join(
        f"{name}:{','.join(' '.join(value.split()) for value in request.all(name))}\n"
        for name in signature.signed_headers.split(";")
    )
    for path in _canonical_paths(request.path, signature.service):
        lines = (request.method, path, query, headers, signature.signed_headers, payload)
        yield "\n".join(lines)


def _canonical_paths(raw: bytes, service: str) -> Iterable[str]:
    path = raw or b"/"
    if service == "s3":
        # S3 signs the path once encoded and not normalised: keys are exact.
        yield path.decode("ascii")
        yield reencoded(path, "/")
    else:
        yield encoded(path, "/")
        yield encoded(_without_dots(path), "/")


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            kept = kept[:-1]
        elif segment not in {b"", b"."}:
            kept.append(segment)
    end = b"/" if path.endswith(b"/") and kept else b""
    return b"/" + b"/".join(kept) + end


def _canonical_query(raw: bytes) -> str:
    pairs = []
    for piece in raw.replace(b"+", b"%20").split(b"&"):
        name, _, value = piece.partition(b"=")
        if piece:
            pairs.append((reencoded(name), reencoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _sign(canonical: str, signature: Signature, principal: Principal, date: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{signature.scope}\n{digest}"
    key = f"AWS4{principal.secret_access_key}".encode()
    for step in (signature.day, signature.region, signature.service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
