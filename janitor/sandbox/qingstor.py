"""QingStor's HTTP protocol: understands requests, checks signatures, writes errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from janitor.sandbox import qingstor_objects as objects
from janitor.sandbox import qingstor_operations as operations
from janitor.sandbox import qs_signing
from janitor.sandbox.context import Context
from janitor.sandbox.signing import Flaw, NotBelieved
from janitor.sandbox.wire import Call, Refusal, Reply, text_of
from janitor.sandbox.world import Caller, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from janitor.sandbox.wire import Request

_OPERATIONS: Final[Mapping[str, Callable[[Context], Reply]]] = {
    "qingstor.list_buckets": operations.list_buckets,
    "qingstor.list_uploads": operations.list_uploads,
    "qingstor.list_parts": operations.list_parts,
    "qingstor.list_objects": objects.list_objects,
    "qingstor.create_bucket": operations.create_bucket,
    "qingstor.delete_bucket": operations.delete_bucket,
    "qingstor.head_bucket": operations.head_bucket,
    "qingstor.bucket_lifecycle": operations.bucket_lifecycle,
    "qingstor.bucket_statistics": operations.bucket_statistics,
    "qingstor.create_upload": operations.create_upload,
    "qingstor.upload_part": operations.upload_part,
    "qingstor.complete": operations.complete,
    "qingstor.abort": operations.abort,
    "qingstor.put_object": objects.put_object,
    "qingstor.get_object": objects.get_object,
    "qingstor.head_object": objects.head_object,
    "qingstor.delete_object": objects.delete_object,
}
_BUCKET: Final = {
    "GET": "list_objects",
    "HEAD": "head_bucket",
    "PUT": "create_bucket",
    "DELETE": "delete_bucket",
}
_BUCKET_GET: Final = {
    "uploads": "list_uploads",
    "lifecycle": "bucket_lifecycle",
    "stats": "bucket_statistics",
}
_OTHER_SUBRESOURCES: Final = frozenset(
    [
        "acl",
        "append",
        "cname",
        "cors",
        "delete",
        "image",
        "logging",
        "mirror",
        "notification",
        "policy",
        "position",
        "replication",
    ]
)
_OBJECT: Final = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}
_UPLOAD: Final = {
    "GET": "list_parts",
    "PUT": "upload_part",
    "POST": "complete",
    "DELETE": "abort",
}
_FLAWS: Final = {
    Flaw.MISSING: (403, "permission_denied", "Anonymous access is not allowed."),
    Flaw.MALFORMED: (400, "invalid_request", "The Authorization header is not valid."),
    Flaw.UNKNOWN_KEY: (401, "invalid_access_key_id", "The access key id does not exist."),
    Flaw.BAD_SIGNATURE: (401, "signature_not_matched", "The signature does not match."),
    Flaw.SKEWED: (403, "request_expired", "The request's time is too far from the server's."),
}
_HELP: Final = "http://docs.qingcloud.com/qingstor/api/error_code.html"


class QingStor:
    """The QingStor service."""

    name = "qingstor"
    operations = frozenset(_OPERATIONS) | {"qingstor.unknown"}

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.qingstor

    def route(self, request: Request) -> Call:
        """Understand a request, path style or virtual-host style."""
        bucket, path = self._virtual(request), request.path.removeprefix(b"/")
        virtual = bool(bucket)
        if not virtual:
            first, _, path = path.partition(b"/")
            bucket = text_of(first)
        key, params = text_of(path), request.params
        upload_id = params.get("upload_id")
        marker = params.get("key_marker") or params.get("part_number_marker") or ""
        return Call(
            operation="qingstor." + _operation(request, bucket, key),
            request=request,
            container=bucket or None,
            key=key if key or upload_id is not None else None,
            upload_id=upload_id,
            marker=marker,
            virtual=virtual,
        )

    def claimed_key(self, request: Request) -> str:
        """Tell whose key the request claims."""
        return qs_signing.claimed_key(request)

    def authenticate(self, call: Call) -> Caller:
        """Check the `QS` signature."""
        world = self.world
        try:
            principal = qs_signing.verify(
                call, world.keys, world.clock.now(), skew=world.options.check_skew
            )
        except NotBelieved as flaw:
            raise Refusal(*_FLAWS[flaw.flaw]) from None
        return Caller(principal)

    def denied(self, call: Call) -> Refusal:
        """Say permission_denied."""
        del call
        return Refusal(403, "permission_denied", "You don't have enough permission.")

    def perform(self, call: Call, caller: Caller) -> Reply:
        """Do what was asked."""
        operation = _OPERATIONS.get(call.operation)
        if operation is None:
            raise Refusal(405, "method_not_allowed", "The sandbox does not know this operation.")
        return operation(Context(self.world, self.store, call, caller))

    def refused(self, call: Call, refusal: Refusal) -> Reply:
        """Write `{"code", "message", "request_id", "url"}`; a HEAD gets none."""
        if call.request.method == "HEAD":
            return Reply(refusal.status, refusal.headers)
        body = {
            "code": refusal.code,
            "message": refusal.message,
            "request_id": "sandbox",
            "url": _HELP,
        }
        headers = {"Content-Type": "application/json", **refusal.headers}
        return Reply(refusal.status, headers, json.dumps(body).encode())

    def _virtual(self, request: Request) -> str:
        first, _, rest = request.hostname.partition(".")
        if first in operations.ZONES or not rest:
            return ""
        second = rest.partition(".")[0]
        named = second in operations.ZONES or first in self.store.containers
        return first if named else ""


def _operation(request: Request, bucket: str, key: str) -> str:
    method, params = request.method, request.params
    if not bucket:
        return "list_buckets" if method == "GET" and not key else "unknown"
    if not _OTHER_SUBRESOURCES.isdisjoint(params):
        return "unknown"
    if not key:
        return _bucket_operation(method, params)
    if params.get("upload_id"):
        return _UPLOAD.get(method, "unknown")
    if "uploads" in params:
        return "create_upload" if method == "POST" else "unknown"
    # An empty upload id is no upload id: the real service deletes the object then.
    return _OBJECT.get(method, "unknown")


def _bucket_operation(method: str, params: Mapping[str, str]) -> str:
    for name, operation in _BUCKET_GET.items():
        if name in params:
            return operation if method == "GET" else "unknown"
    if params.get("upload_id"):
        return "abort" if method == "DELETE" else "unknown"
    return _BUCKET.get(method, "unknown")
