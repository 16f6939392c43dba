"""Amazon Glacier's REST protocol: understands requests, checks signatures, writes errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from janitor.sandbox import glacier_operations as operations
from janitor.sandbox.aws import AwsService
from janitor.sandbox.context import Context
from janitor.sandbox.signing import Flaw
from janitor.sandbox.wire import Call, Refusal, Reply, json_reply, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from janitor.sandbox.wire import Request
    from janitor.sandbox.world import Caller, World

_OPERATIONS: Final[Mapping[str, Callable[[Context], Reply]]] = {
    "glacier.list_vaults": operations.list_vaults,
    "glacier.create_vault": operations.create_vault,
    "glacier.describe_vault": operations.describe_vault,
    "glacier.delete_vault": operations.delete_vault,
    "glacier.upload_archive": operations.upload_archive,
    "glacier.delete_archive": operations.delete_archive,
    "glacier.list_uploads": operations.list_uploads,
    "glacier.list_parts": operations.list_parts,
    "glacier.create_upload": operations.create_upload,
    "glacier.upload_part": operations.upload_part,
    "glacier.complete": operations.complete,
    "glacier.abort": operations.abort,
}
# By method and by what stands behind /{account}/vaults: `v` is any name, '' an empty one.
_ROUTES: Final = {
    ("GET", ()): "list_vaults",
    ("PUT", ("v",)): "create_vault",
    ("GET", ("v",)): "describe_vault",
    ("DELETE", ("v",)): "delete_vault",
    ("POST", ("v", "archives")): "upload_archive",
    ("DELETE", ("v", "archives", "id")): "delete_archive",
    ("GET", ("v", "multipart-uploads")): "list_uploads",
    ("POST", ("v", "multipart-uploads")): "create_upload",
    ("GET", ("v", "multipart-uploads", "id")): "list_parts",
    ("PUT", ("v", "multipart-uploads", "id")): "upload_part",
    ("POST", ("v", "multipart-uploads", "id")): "complete",
    ("DELETE", ("v", "multipart-uploads", "id")): "abort",
}
_NAMES: Final = ("v", "", "id")
_FLAWS: Final = {
    Flaw.MISSING: (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    Flaw.MALFORMED: (400, "IncompleteSignatureException", "The signature is incomplete."),
    Flaw.UNKNOWN_KEY: (
        400,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    Flaw.BAD_SIGNATURE: (
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
    ),
    Flaw.SKEWED: (403, "InvalidSignatureException", "Signature expired or not yet current."),
    Flaw.EXPIRED: (
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    Flaw.BAD_TOKEN: (
        400,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    Flaw.BODY_MISMATCH: (403, "InvalidSignatureException", "The payload's hash does not match."),
}
_API_VERSION: Final = "2012-06-01"


class Glacier(AwsService):
    """The Glacier service."""

    name = "glacier"
    operations = frozenset(_OPERATIONS) | {"glacier.unknown"}
    flaws = _FLAWS

    def __init__(self, world: World) -> None:
        super().__init__(world, world.glacier)

    def route(self, request: Request) -> Call:
        """Understand a request."""
        pieces = [text_of(piece) for piece in request.path.split(b"/")[2:]]
        rest = pieces[1:] if pieces[:1] == ["vaults"] else ["?"] * 4
        empty_id = len(rest) == len(_NAMES) and not rest[2]
        shape = tuple(_NAMES[i] or piece for i, piece in enumerate(rest[: len(_NAMES)]))
        if empty_id and request.method != "DELETE":
            shape = shape[:2]
        known = _ROUTES.get((request.method, shape)) if len(rest) <= len(_NAMES) else None
        container, collection, identity = (*rest, None, None, None)[: len(_NAMES)]
        return Call(
            operation=f"glacier.{known or 'unknown'}",
            request=request,
            container=container if known else None,
            key=identity if known and collection == "archives" else None,
            upload_id=identity if known and collection == "multipart-uploads" else None,
            marker=request.params.get("marker", ""),
        )

    def denied(self, call: Call) -> Refusal:
        """Say AccessDeniedException."""
        message = f"You are not authorized to perform {call.operation}."
        return Refusal(403, "AccessDeniedException", message)

    def perform(self, call: Call, caller: Caller) -> Reply:
        """Do what was asked."""
        version = call.request.header("x-amz-glacier-version")
        if version != _API_VERSION:
            code = "InvalidParameterValueException" if version else "MissingParameterValueException"
            raise Refusal(400, code, f"x-amz-glacier-version must be {_API_VERSION}.")
        if call.request.path.startswith(b"//"):
            raise Refusal(400, "MissingParameterValueException", "Required: accountId")
        operation = _OPERATIONS.get(call.operation)
        if operation is None:
            raise Refusal(404, "UnknownOperationException", "The sandbox does not know this path.")
        return operation(Context(self.world, self.store, call, caller))

    def refused(self, call: Call, refusal: Refusal) -> Reply:
        """Write `{"code", "message", "type"}`."""
        del call
        kind = "Client" if refusal.status < 500 else "Server"  # noqa: PLR2004 -- the HTTP class
        body = {"code": refusal.code, "message": refusal.message, "type": kind}
        return json_reply(body, refusal.status).with_headers(refusal.headers)
