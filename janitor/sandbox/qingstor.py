"""QingStor's HTTP protocol: understands requests, checks signatures, writes errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from janitor.sandbox import qingstor_objects as objects
from janitor.sandbox import qingstor_operations as operations
from janitor.sandbox import qs_signing
from janitor.sandbox.buckets import Routes
from janitor.sandbox.context import Context
from janitor.sandbox.signing import Flaw, NotBelieved
from janitor.sandbox.wire import Refusal, Reply, json_reply
from janitor.sandbox.world import Caller, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from janitor.sandbox.wire import Call, Request

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
_ROUTES: Final = Routes(
    provider="qingstor",
    upload_id="upload_id",
    markers=("key_marker", "part_number_marker"),
    bucket_reads={
        "uploads": "list_uploads",
        "lifecycle": "bucket_lifecycle",
        "stats": "bucket_statistics",
    },
    other_subresources=frozenset(
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
    ),
)
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
        return _ROUTES.call(request, self._virtual_host(request))

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
        return json_reply(body, refusal.status).with_headers(refusal.headers)

    def _virtual_host(self, request: Request) -> str | None:
        first, _, rest = request.hostname.partition(".")
        if not first or first in operations.ZONES or not rest:
            return None
        second = rest.partition(".")[0]
        return first if second in operations.ZONES or first in self.store.containers else None
