"""The lists of S3: buckets, uploads, parts, objects."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import Omit, Stamp, Text, http_date, whole_seconds
from janitor.sandbox.listing import (
    page_of_names,
    page_of_parts,
    page_of_uploads,
    upload_query,
)
from janitor.sandbox.paging import NO_MARKER, shown_name
from janitor.sandbox.s3_context import bucket, number, upload
from janitor.sandbox.state import FinishedObject, Part, Query, Upload
from janitor.sandbox.wire import Refusal, Reply
from janitor.sandbox.xml import document, leaf, tree, url_encoded

if TYPE_CHECKING:
    from janitor.sandbox.context import Context
    from janitor.sandbox.state import Container

PAGE: Final = 1000
MAX_BUCKETS: Final = 10_000
OWNER: Final = tree(
    "Owner", leaf("ID", "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a")
)


def list_buckets(context: Context) -> Reply:
    """Answer ListBuckets; the region is told to those who page."""
    params = context.request.params
    account, prefix = context.caller.principal.account_id, params.get("prefix", "")
    wanted, token = params.get("bucket-region", ""), params.get("continuation-token", "")
    names = sorted(
        name
        for name, found in context.store.containers.items()
        if found.account_id == account and name.startswith(prefix) and wanted in {"", found.region}
    )
    limit = number(context, "max-buckets", MAX_BUCKETS, MAX_BUCKETS)
    page = page_of_names(context, names, bisect_right(names, token), limit, token)
    paged = not params.keys().isdisjoint({"max-buckets", "continuation-token", "bucket-region"})
    return document(
        "ListAllMyBucketsResult",
        OWNER,
        tree("Buckets", *(_bucket(context.store.containers[n], paged=paged) for n in page.entries)),
        leaf("ContinuationToken", page.next[0]) if page.next[0] else "",
        leaf("Prefix", prefix) if prefix else "",
    )


def _bucket(found: Container, *, paged: bool) -> str:
    return tree(
        "Bucket",
        leaf("Name", found.name),
        leaf("CreationDate", whole_seconds(found.created)),
        leaf("BucketRegion", found.region) if paged else "",
    )


def list_uploads(context: Context) -> Reply:
    """Answer ListMultipartUploads."""
    home, params, code = bucket(context), context.request.params, _encoding(context)
    most = number(context, "max-uploads", PAGE, PAGE)
    query = upload_query(context, most, "key-marker", "upload-id-marker")
    page = page_of_uploads(context, home, query)
    return document(
        "ListMultipartUploadsResult",
        leaf("Bucket", shown_name(home.name, context.fault)),
        leaf("KeyMarker", code(query.marker[0])),
        leaf("UploadIdMarker", query.marker[1]),
        leaf("NextKeyMarker", code(page.next[0])) if page.next != NO_MARKER else "",
        leaf("NextUploadIdMarker", page.next[1]) if page.next != NO_MARKER else "",
        leaf("Delimiter", code(query.delimiter)) if query.delimiter else "",
        leaf("Prefix", code(query.prefix)) if query.prefix else "",
        leaf("EncodingType", "url") if "encoding-type" in params else "",
        leaf("MaxUploads", most),
        leaf("IsTruncated", str(page.truncated).lower()),
        *(_upload(one, code) for one in page.entries),
        *(tree("CommonPrefixes", leaf("Prefix", code(prefix))) for prefix in page.prefixes),
    )


def _encoding(context: Context) -> Callable[[str], str]:
    wanted = context.request.params.get("encoding-type", "")
    if wanted not in {"", "url"}:
        raise Refusal(400, "InvalidArgument", "Invalid Encoding Method specified in Request")
    return url_encoded if wanted else str


def _upload(one: Upload, code: Callable[[str], str]) -> str:
    return tree(
        "Upload",
        leaf("Key", code(one.key)),
        leaf("UploadId", one.upload_id),
        _initiator(one.initiator),
        OWNER,
        _unless_omitted("StorageClass", one.storage_class),
        _unless_omitted("Initiated", one.initiated),
    )


def _initiator(arn: Text) -> str:
    return "" if isinstance(arn, Omit) else tree("Initiator", leaf("ID", arn))


def _unless_omitted(name: str, value: Stamp) -> str:
    if isinstance(value, Omit):
        return ""
    return leaf(name, value if isinstance(value, str) else whole_seconds(value))


def list_parts(context: Context) -> Reply:
    """Answer ListParts."""
    found, home = upload(context), bucket(context)
    marker = number(context, "part-number-marker", 0, 10**9)
    most = number(context, "max-parts", PAGE, PAGE)
    limit = context.world.options.capped(most)
    page = page_of_parts(context, found, marker, limit, str(marker or ""))
    reply = document(
        "ListPartsResult",
        leaf("Bucket", shown_name(home.name, context.fault)),
        leaf("Key", found.key),
        leaf("UploadId", found.upload_id),
        _initiator(found.initiator),
        OWNER,
        _unless_omitted("StorageClass", found.storage_class),
        leaf("PartNumberMarker", marker),
        leaf("NextPartNumberMarker", page.next[0]) if page.next[0] else "",
        leaf("MaxParts", most),
        leaf("IsTruncated", str(page.truncated).lower()),
        *(_part(one) for one in page.entries),
    )
    return reply.with_headers(_abort_plan(home, found))


def _part(one: Part) -> str:
    return tree(
        "Part",
        leaf("PartNumber", one.number),
        _unless_omitted("LastModified", one.received),
        leaf("ETag", f'"{one.etag}"'),
        leaf("Size", one.size),
    )


def _abort_plan(home: Container, found: Upload) -> dict[str, str]:
    if home.lifecycle_days is None or isinstance(found.initiated, (str, Omit)):
        return {}
    due = found.initiated + timedelta(days=home.lifecycle_days + 1)
    midnight = due.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"x-amz-abort-date": http_date(midnight), "x-amz-abort-rule-id": "sandbox"}


def list_objects(context: Context) -> Reply:
    """Answer ListObjects and ListObjectsV2, without owners and versions."""
    home, params, code = bucket(context), context.request.params, _encoding(context)
    second, prefix = params.get("list-type") == "2", params.get("prefix", "")
    token = params.get("continuation-token") or params.get("start-after") or ""
    marker = token if second else params.get("marker", "")
    most = number(context, "max-keys", PAGE, PAGE)
    page = home.page_of_objects(Query(most, prefix, params.get("delimiter", ""), marker))
    next_name = "NextContinuationToken" if second else "NextMarker"
    return document(
        "ListBucketResult",
        leaf("Name", home.name),
        leaf("Prefix", code(prefix)),
        leaf("EncodingType", "url") if "encoding-type" in params else "",
        leaf("KeyCount", len(page.entries)) if second else "",
        leaf("MaxKeys", most),
        leaf("IsTruncated", str(page.truncated).lower()),
        leaf(next_name, page.next[0]) if page.truncated else "",
        *(_object(home.objects[key], code) for key in page.entries),
        *(tree("CommonPrefixes", leaf("Prefix", code(one))) for one in page.prefixes if not marker),
    )


def _object(one: FinishedObject, code: Callable[[str], str]) -> str:
    return tree(
        "Contents",
        leaf("Key", code(one.key)),
        leaf("LastModified", whole_seconds(one.modified)),
        leaf("ETag", f'"{one.etag}"'),
        leaf("Size", one.size),
        leaf("StorageClass", "STANDARD"),
    )
