"""Amazon S3's REST protocol: understands requests, checks signatures, writes errors."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from janitor.sandbox import s3_changes, s3_lists, sigv4
from janitor.sandbox.context import Context
from janitor.sandbox.s3_context import access_denied
from janitor.sandbox.signing import Flaw, NotBelieved
from janitor.sandbox.wire import Call, Refusal, Reply, text_of
from janitor.sandbox.world import Caller, World
from janitor.sandbox.xml import document, leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from janitor.sandbox.wire import Request

_OPERATIONS: Final[Mapping[str, Callable[[Context], Reply]]] = {
    "s3.list_buckets": s3_lists.list_buckets,
    "s3.list_uploads": s3_lists.list_uploads,
    "s3.list_parts": s3_lists.list_parts,
    "s3.list_objects": s3_lists.list_objects,
    "s3.create_bucket": s3_changes.create_bucket,
    "s3.delete_bucket": s3_changes.delete_bucket,
    "s3.head_bucket": s3_changes.head_bucket,
    "s3.bucket_location": s3_changes.bucket_location,
    "s3.bucket_versioning": s3_changes.bucket_versioning,
    "s3.bucket_lifecycle": s3_changes.bucket_lifecycle,
    "s3.create_upload": s3_changes.create_upload,
    "s3.upload_part": s3_changes.upload_part,
    "s3.complete": s3_changes.complete,
    "s3.abort": s3_changes.abort,
    "s3.put_object": s3_changes.put_object,
    "s3.get_object": s3_changes.get_object,
    "s3.head_object": s3_changes.head_object,
    "s3.delete_object": s3_changes.delete_object,
}
_BUCKET: Final = {
    "GET": "list_objects",
    "HEAD": "head_bucket",
    "PUT": "create_bucket",
    "DELETE": "delete_bucket",
}
_BUCKET_GET: Final = {
    "uploads": "list_uploads",
    "location": "bucket_location",
    "versioning": "bucket_versioning",
    "lifecycle": "bucket_lifecycle",
}
_OTHER_SUBRESOURCES: Final = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "tagging",
        "torrent",
        "versions",
        "website",
        "attributes",
        "select",
    ]
)
_OBJECT: Final = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}
# An empty uploadId falls through to the plain object operation: the worst that a server could do.
_UPLOAD: Final = {
    "GET": "list_parts",
    "PUT": "upload_part",
    "POST": "complete",
    "DELETE": "abort",
}
_FLAWS: Final = {
    Flaw.MISSING: (403, "AccessDenied", "Access Denied"),
    Flaw.MALFORMED: (400, "AuthorizationHeaderMalformed", "The authorization header is malformed"),
    Flaw.UNKNOWN_KEY: (
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Flaw.BAD_SIGNATURE: (
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    ),
    Flaw.SKEWED: (
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Flaw.EXPIRED: (400, "ExpiredToken", "The provided token has expired."),
    Flaw.BAD_TOKEN: (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
    Flaw.BODY_MISMATCH: (
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}


class S3:
    """The S3 service."""

    name = "s3"
    operations = frozenset(_OPERATIONS) | {"s3.unknown"}

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.s3

    def route(self, request: Request) -> Call:
        """Understand a request, path style or virtual-host style."""
        bucket, path = self._virtual(request)
        virtual = bucket is not None
        if bucket is None:
            bucket, slash, path = text_of_segment(request.path.removeprefix(b"/"))
            path = path if slash else b""
        key, params = text_of(path), request.params
        upload_id = params.get("uploadId")
        marker = params.get("key-marker") or params.get("part-number-marker") or ""
        return Call(
            operation="s3." + _operation(request, bucket, key),
            request=request,
            container=bucket or None,
            key=key if key or upload_id is not None else None,
            upload_id=upload_id,
            marker=marker or params.get("continuation-token", ""),
            virtual=virtual,
        )

    def claimed_key(self, request: Request) -> str:
        """Tell whose key the request claims."""
        return sigv4.claimed_key(request)

    def authenticate(self, call: Call) -> Caller:
        """Check Signature Version 4 and the session token."""
        options = self.world.options
        try:
            principal, region = sigv4.verify(
                call.request, self.world.keys, "s3", self.world.clock.now(), skew=options.check_skew
            )
        except NotBelieved as flaw:
            status, code, message = _FLAWS[flaw.flaw]
            text = f"{message} ({flaw.detail})" if flaw.detail else message
            raise Refusal(status, code, text) from None
        return Caller(principal, region)

    def denied(self, call: Call) -> Refusal:
        """Say AccessDenied."""
        del call
        return access_denied()

    def perform(self, call: Call, caller: Caller) -> Reply:
        """Do what was asked."""
        operation = _OPERATIONS.get(call.operation, s3_changes.forbidden_root)
        return operation(Context(self.world, self.store, call, caller))

    def refused(self, call: Call, refusal: Refusal) -> Reply:
        """Write an `<Error>` document; a HEAD gets none."""
        if call.request.method == "HEAD":
            return Reply(refusal.status, refusal.headers)
        fields = {
            "Code": refusal.code,
            "Message": refusal.message,
            **refusal.fields,
            "RequestId": "SANDBOX",
            "HostId": "sandbox",
        }
        children = (leaf(name, value) for name, value in fields.items())
        reply = document("Error", *children, namespace="", status=refusal.status)
        return Reply(reply.status, {**reply.headers, **refusal.headers}, reply.body)

    def _virtual(self, request: Request) -> tuple[str | None, bytes]:
        path, host = request.path.removeprefix(b"/"), request.hostname
        if _is_address(host) or "." not in host or host.startswith(("s3.", "s3-")):
            return None, path
        for name in sorted(self.store.containers, key=len, reverse=True):
            if host.startswith(name.lower() + "."):
                return name, path
        first, _, rest = host.partition(".")
        if rest == "localhost" or rest.startswith(("s3.", "s3-")):
            return first, path
        return None, path


def text_of_segment(path: bytes) -> tuple[str, bytes, bytes]:
    """Split a path-style path into the bucket's name, the slash and the rest."""
    first, slash, rest = path.partition(b"/")
    return text_of(first), slash, rest


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _operation(request: Request, bucket: str, key: str) -> str:
    method, params = request.method, request.params
    if not bucket:
        return "list_buckets" if method == "GET" and not key else "unknown"
    if not _OTHER_SUBRESOURCES.isdisjoint(params):
        return "unknown"
    if not key:
        return _bucket_operation(method, params)
    if params.get("uploadId"):
        return _UPLOAD.get(method, "unknown")
    if "uploads" in params:
        return "create_upload" if method == "POST" else "unknown"
    return _OBJECT.get(method, "unknown")


def _bucket_operation(method: str, params: Mapping[str, str]) -> str:
    for name, operation in _BUCKET_GET.items():
        if name in params:
            return operation if method == "GET" else "unknown"
    if params.get("uploadId"):
        # An abort without a key: never anything but an accusation.
        return "abort" if method == "DELETE" else "unknown"
    return _BUCKET.get(method, "unknown")
