"""Amazon S3's REST protocol: understands requests, checks signatures, writes errors."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from janitor.sandbox import s3_changes, s3_lists
from janitor.sandbox.aws import AwsService
from janitor.sandbox.buckets import Routes
from janitor.sandbox.context import Context
from janitor.sandbox.s3_context import access_denied
from janitor.sandbox.signing import Flaw
from janitor.sandbox.wire import Reply
from janitor.sandbox.xml import document, leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from janitor.sandbox.wire import Call, Refusal, Request
    from janitor.sandbox.world import Caller, World

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
_ROUTES: Final = Routes(
    provider="s3",
    upload_id="uploadId",
    markers=("key-marker", "part-number-marker", "continuation-token"),
    bucket_reads={
        "uploads": "list_uploads",
        "location": "bucket_location",
        "versioning": "bucket_versioning",
        "lifecycle": "bucket_lifecycle",
    },
    other_subresources=frozenset(
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
    ),
)
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


class S3(AwsService):
    """The S3 service."""

    name = "s3"
    operations = frozenset(_OPERATIONS) | {"s3.unknown"}
    flaws = _FLAWS

    def __init__(self, world: World) -> None:
        super().__init__(world, world.s3)

    def route(self, request: Request) -> Call:
        """Understand a request, path style or virtual-host style."""
        return _ROUTES.call(request, self._virtual_host(request))

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
        error = document("Error", *children, namespace="", status=refusal.status)
        return error.with_headers(refusal.headers)

    def _virtual_host(self, request: Request) -> str | None:
        host = request.hostname
        if _is_address(host) or "." not in host or host.startswith(("s3.", "s3-")):
            return None
        for name in sorted(self.store.containers, key=len, reverse=True):
            if host.startswith(name.lower() + "."):
                return name
        first, _, rest = host.partition(".")
        return first if rest == "localhost" or rest.startswith(("s3.", "s3-")) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
