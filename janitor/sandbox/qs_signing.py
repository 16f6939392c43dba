"""Verifies QingStor's `Authorization: QS key:signature` over the raw bytes of a request.

Written after QingStor's public description of the scheme, independently of its SDKs.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import parse_http_date
from janitor.sandbox.signing import Flaw, NotBelieved, check_skew
from janitor.sandbox.wire import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from janitor.sandbox.identity import KeyRing, Principal
    from janitor.sandbox.wire import Call, Request

_SIGNED_PARAMETERS: Final = frozenset(
    [
        "acl",
        "append",
        "cname",
        "cors",
        "delete",
        "image",
        "lifecycle",
        "logging",
        "mirror",
        "notification",
        "part_number",
        "policy",
        "position",
        "replication",
        "stats",
        "upload_id",
        "uploads",
    ]
)


def claimed_key(request: Request) -> str:
    """Tell whose key a request says that it was signed with, believed or not."""
    return request.header("authorization").removeprefix("QS ").partition(":")[0]


def verify(call: Call, keys: KeyRing, now: datetime, *, skew: bool = True) -> Principal:
    """Return who signed the request, or raise `NotBelieved`."""
    request = call.request
    header = request.header("authorization")
    if not header:
        raise NotBelieved(Flaw.MISSING)
    scheme, _, rest = header.partition(" ")
    claimed, found, signature = rest.partition(":")
    if scheme != "QS" or not found:
        raise NotBelieved(Flaw.MALFORMED)
    principal = keys.find(claimed)
    if principal is None or principal.token is not None:
        raise NotBelieved(Flaw.UNKNOWN_KEY)
    if skew:
        date = request.header("x-qs-date") or request.header("date")
        check_skew(parse_http_date(date), now)
    if not any(
        hmac.compare_digest(_sign(request, resource, principal), signature)
        for resource in _resources(call)
    ):
        raise NotBelieved(Flaw.BAD_SIGNATURE)
    return principal


def _sign(request: Request, resource: str, principal: Principal) -> str:
    extra = sorted({name for name, _ in request.headers if name.startswith("x-qs-")})
    lines = (
        request.method,
        request.header("content-md5"),
        request.header("content-type"),
        "" if request.header("x-qs-date") else request.header("date"),
        *(f"{name}:{request.header(name).strip()}" for name in extra),
        resource,
    )
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    digest = hmac.digest(principal.secret_access_key.encode(), text, "sha256")
    return base64.b64encode(digest).decode()


def _resources(call: Call) -> Iterable[str]:
    path = call.request.path.decode("ascii")
    paths = [path]
    if call.virtual:
        # The documents name both forms of a bucket's root.
        paths = [f"/{call.container}{path}"] + [f"/{call.container}"] * (path == "/")
    raw = sorted(_signed_pieces(call.request.query))
    decoded = sorted(text_of(piece.encode("ascii")) for piece in raw)
    for resource in paths:
        for pieces in (raw, decoded):
            yield resource + ("?" + "&".join(pieces) if pieces else "")


def _signed_pieces(query: bytes) -> Iterable[str]:
    for piece in query.decode("ascii").split("&"):
        name, _, value = piece.partition("=")
        if name in _SIGNED_PARAMETERS or name.startswith("response-"):
            yield f"{name}={value}" if value else name
