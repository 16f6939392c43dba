"""The operations of S3 that change or read one bucket, upload or object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from janitor.sandbox.context import md5_hex, whole_number, wrong_checksum
from janitor.sandbox.finished import body_reply, head_reply
from janitor.sandbox.s3_context import access_denied, bucket, number, upload
from janitor.sandbox.state import Part
from janitor.sandbox.wire import Refusal, Reply
from janitor.sandbox.xml import document, leaf, tree

if TYPE_CHECKING:
    from janitor.sandbox.context import Context
    from janitor.sandbox.state import FinishedObject, Upload
    from janitor.sandbox.wire import Request

MAX_PARTS = 10_000
_NO_RANGES = {"Accept-Ranges": "none"}


def create_bucket(context: Context) -> Reply:
    """Answer CreateBucket, in the region of the body or else of the signature."""
    name = context.call.container or ""
    if context.found() is not None:
        raise Refusal(409, "BucketAlreadyOwnedByYou", "You already own this bucket.")
    told = re.search(rb"<LocationConstraint>([^<]+)<", context.request.body)
    region = told[1].decode("ascii", "replace") if told else context.caller.region
    try:
        context.store.add_container(name, region, account_id=context.caller.principal.account_id)
    except ValueError as error:
        raise Refusal(400, "InvalidBucketName", str(error)) from error
    return Reply(200, {"Location": f"/{name}"})


def delete_bucket(context: Context) -> Reply:
    """Answer DeleteBucket; neither objects nor uploads may be left."""
    home = bucket(context)
    if len(home) or home.objects:
        raise Refusal(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
    del context.store.containers[home.name]
    return Reply(204)


def head_bucket(context: Context) -> Reply:
    """Answer HeadBucket."""
    return Reply(200, {"x-amz-bucket-region": bucket(context).region})


def bucket_location(context: Context) -> Reply:
    """Answer GetBucketLocation; us-east-1 is the empty text there."""
    region = bucket(context).region
    return document("LocationConstraint", "" if region == "us-east-1" else region)


def bucket_versioning(context: Context) -> Reply:
    """Answer GetBucketVersioning: never enabled."""
    bucket(context)
    return document("VersioningConfiguration")


def bucket_lifecycle(context: Context) -> Reply:
    """Answer GetBucketLifecycleConfiguration with the one rule that a seed can set."""
    days = bucket(context).lifecycle_days
    if days is None:
        message = "The lifecycle configuration does not exist"
        raise Refusal(404, "NoSuchLifecycleConfiguration", message)
    action = tree("AbortIncompleteMultipartUpload", leaf("DaysAfterInitiation", days))
    rule = tree(
        "Rule",
        leaf("ID", "sandbox"),
        tree("Filter", leaf("Prefix", "")),
        leaf("Status", "Enabled"),
        action,
    )
    return document("LifecycleConfiguration", rule)


def create_upload(context: Context) -> Reply:
    """Answer CreateMultipartUpload."""
    home, request = bucket(context), context.request
    upload_id = context.store.add_upload(
        home.name,
        context.key,
        initiator=context.caller.principal.arn,
        storage_class=request.header("x-amz-storage-class", "STANDARD"),
    )
    algorithm = request.header("x-amz-checksum-algorithm")
    reply = document(
        "InitiateMultipartUploadResult",
        leaf("Bucket", home.name),
        leaf("Key", context.key),
        leaf("UploadId", upload_id),
    )
    return reply.with_headers({"x-amz-checksum-algorithm": algorithm} if algorithm else {})


def upload_part(context: Context) -> Reply:
    """Answer UploadPart; part numbers are 1 to 10,000."""
    found, where = upload(context), number(context, "partNumber", 0, 10**9)
    if not 1 <= where <= MAX_PARTS:
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise Refusal(400, "InvalidArgument", message)
    body = checked_body(context.request)
    etag = md5_hex(body)
    found.parts[where] = Part(where, len(body), etag, context.world.clock.now())
    return Reply(200, {"ETag": f'"{etag}"', **_checksums(context.request)})


def complete(context: Context) -> Reply:
    """Answer CompleteMultipartUpload; the sandbox does not ask for 5 MiB a part."""
    found = upload(context)
    listed = _listed_parts(context.request.body)
    if [where for where, _ in listed] != sorted({where for where, _ in listed}):
        message = "The list of parts was not in ascending order."
        raise Refusal(400, "InvalidPartOrder", message)
    for where, etag in listed:
        if where not in found.parts or found.parts[where].etag != etag:
            raise Refusal(400, "InvalidPart", f"Part {where} could not be found.")
    return _finished(context, found, {where for where, _ in listed})


def _finished(context: Context, found: Upload, numbers: set[int]) -> Reply:
    found.parts = {where: part for where, part in found.parts.items() if where in numbers}
    made = context.store.finish(context.call.container or "", found, context.key)
    return document(
        "CompleteMultipartUploadResult",
        leaf("Bucket", context.call.container),
        leaf("Key", made.key),
        leaf("ETag", f'"{made.etag}"'),
    )


def _listed_parts(body: bytes) -> list[tuple[int, str]]:
    malformed = Refusal(400, "MalformedXML", "The XML you provided was not well-formed")
    try:
        root = ET.fromstring(body)  # noqa: S314 -- a bounded body from a local client
    except ET.ParseError:
        raise malformed from None
    parts = []
    for part in root.iterfind("{*}Part"):
        where = whole_number(part.findtext("{*}PartNumber", ""))
        if where is None:
            raise malformed
        parts.append((where, part.findtext("{*}ETag", "").strip('"')))
    if not parts:
        raise malformed
    return parts


def abort(context: Context) -> Reply:
    """Answer AbortMultipartUpload."""
    found, home = upload(context), bucket(context)
    context.abort(home, found)
    return Reply(204)


def put_object(context: Context) -> Reply:
    """Answer PutObject; copies are not known here."""
    home, request = bucket(context), context.request
    if request.header("x-amz-copy-source"):
        raise Refusal(501, "NotImplemented", "The sandbox does not copy objects.")
    body = checked_body(request)
    context.store.add_object(home.name, context.key, body)
    return Reply(200, {"ETag": f'"{md5_hex(body)}"', **_checksums(request)})


def head_object(context: Context) -> Reply:
    """Answer HeadObject."""
    return head_reply(_existing(context)).with_headers(_NO_RANGES)


def get_object(context: Context) -> Reply:
    """Answer GetObject for objects that came in one piece: parts are not kept."""
    return body_reply(_existing(context), "NotImplemented").with_headers(_NO_RANGES)


def delete_object(context: Context) -> Reply:
    """Answer DeleteObject; a missing object is no error."""
    bucket(context).objects.pop(context.key, None)
    return Reply(204)


def forbidden_root(context: Context) -> Reply:
    """Answer what has no meaning here."""
    if not context.call.container:
        raise access_denied()
    raise Refusal(501, "NotImplemented", "The sandbox does not know this operation.")


def _existing(context: Context) -> FinishedObject:
    found = bucket(context).objects.get(context.key)
    if found is None:
        message = "The specified key does not exist."
        raise Refusal(404, "NoSuchKey", message, fields={"Key": context.key})
    return found


def checked_body(request: Request) -> bytes:
    """Unpack the body and compare it with every hash that was declared for it."""
    body = request.body
    if request.header("x-amz-content-sha256").startswith("STREAMING-"):
        body = _unchunked(body)
    wrong = wrong_checksum(request, body)
    if wrong is not None:
        message = f"The {wrong} you specified did not match what we received."
        raise Refusal(400, "BadDigest", message)
    return body


def _unchunked(body: bytes) -> bytes:
    """Take an aws-chunked body apart; its chunk signatures are not checked."""
    pieces, position = [], 0
    while position < len(body):
        line_end = body.find(b"\r\n", position)
        size = int(body[position:line_end].partition(b";")[0], 16) if line_end >= 0 else 0
        if size == 0:
            break
        pieces.append(body[line_end + 2 : line_end + 2 + size])
        position = line_end + 2 + size + 2
    return b"".join(pieces)


def _checksums(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers if name.startswith("x-amz-checksum-")}
