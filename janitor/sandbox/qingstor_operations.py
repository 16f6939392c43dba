"""The operations of QingStor (API 2016-01-06)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from janitor.sandbox.context import md5_hex, whole_number, wrong_checksum
from janitor.sandbox.dates import Omit, Stamp, seconds, whole_seconds
from janitor.sandbox.listing import (
    page_of_names,
    page_of_parts,
    page_of_uploads,
    upload_query,
)
from janitor.sandbox.paging import shown_name
from janitor.sandbox.state import Container, Part, Upload
from janitor.sandbox.wire import Refusal, Reply, json_reply

if TYPE_CHECKING:
    from janitor.sandbox.context import Context

INVALID: Final = "invalid_argument"
DEFAULT_LIMIT: Final = 200
PARTS_LIMIT: Final = 1000
LAST_PART: Final = 10_000
ZONES: Final = frozenset({"ap2a", "gd1", "gd2", "gd2a", "gd2b", "pek3a", "pek3b", "sh1a", "sh1b"})


def zone_of(host: str) -> str:
    """Find the zone in a host name such as `bucket.pek3a.qingstor.com`; '' if there is none."""
    return next((label for label in host.split(".")[:2] if label in ZONES), "")


def list_buckets(context: Context) -> Reply:
    """Answer Get Service; a zone in the host or in the Location header narrows it."""
    request = context.request
    zone = request.header("location") or zone_of(request.hostname)
    limit = limit_of(context, DEFAULT_LIMIT, context.world.options.qingstor_max_limit)
    offset = whole_number(request.params.get("offset") or "0")
    if offset is None:
        raise Refusal(400, INVALID, "The argument offset is not valid.")
    names = [
        n for n, found in sorted(context.store.containers.items()) if zone in {"", found.region}
    ]
    page = page_of_names(context, names, offset, limit, "")
    buckets = [_bucket(context.store.containers[name]) for name in page.entries]
    return json_reply({"count": len(buckets), "buckets": buckets})


def _bucket(found: Container) -> dict[str, str]:
    return {
        "name": found.name,
        "location": found.region,
        "url": f"https://{found.name}.{found.region}.qingstor.com",
        "created": seconds(found.created),
    }


def list_uploads(context: Context) -> Reply:
    """Answer List Multipart Uploads."""
    home = bucket(context)
    limit = limit_of(context, DEFAULT_LIMIT, context.world.options.qingstor_max_limit)
    query = upload_query(context, limit, "key_marker", "upload_id_marker")
    page = page_of_uploads(context, home, query)
    uploads = [
        _dated({"created": one.initiated, "key": one.key, "upload_id": one.upload_id})
        for one in page.entries
    ]
    return json_reply(
        {
            "name": shown_name(home.name, context.fault),
            "prefix": query.prefix,
            "delimiter": query.delimiter,
            "limit": limit,
            "marker": query.marker[0],
            "next_key_marker": page.next[0],
            "next_upload_id_marker": page.next[1],
            "has_more": page.truncated,
            "common_prefixes": page.prefixes,
            "uploads": uploads,
        }
    )


def _dated(fields: dict[str, Stamp | int]) -> dict[str, object]:
    return {
        name: whole_seconds(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
        if not isinstance(value, Omit)
    }


def list_parts(context: Context) -> Reply:
    """Answer List Multipart; the marker is a part number and comes not again."""
    found, marker = upload(context), context.request.params.get("part_number_marker", "")
    limit = limit_of(context, PARTS_LIMIT, PARTS_LIMIT)
    after = whole_number(marker) if marker else -1
    if after is None:
        raise Refusal(400, INVALID, "The argument part_number_marker is not valid.")
    page = page_of_parts(context, found, after, limit, marker)
    listed = [
        _dated({"part_number": p.number, "size": p.size, "created": p.received, "etag": p.etag})
        for p in page.entries
    ]
    return json_reply({"count": len(listed), "object_parts": listed})


def create_bucket(context: Context) -> Reply:
    """Answer Put Bucket, in the zone of the host name if it has one."""
    if context.found() is not None:
        raise Refusal(409, "bucket_already_exists", "The bucket exists already.")
    zone = zone_of(context.request.hostname) or None
    try:
        context.store.add_container(context.call.container or "", zone)
    except ValueError as error:
        raise Refusal(400, "invalid_bucket_name", str(error)) from error
    return Reply(201)


def delete_bucket(context: Context) -> Reply:
    """Answer Delete Bucket."""
    home = bucket(context)
    if home.objects or len(home):
        raise Refusal(409, "bucket_not_empty", "The bucket is not empty.")
    del context.store.containers[home.name]
    return Reply(204)


def head_bucket(context: Context) -> Reply:
    """Answer Head Bucket."""
    bucket(context)
    return Reply(200)


def bucket_statistics(context: Context) -> Reply:
    """Answer Get Bucket Statistics, which rclone asks before it creates a bucket."""
    home = bucket(context)
    created, objects = seconds(home.created), home.objects.values()
    counted = {"count": len(objects), "size": sum(one.size for one in objects)}
    status = {"status": "active", "status_time": created}
    return json_reply({**_bucket(home), **status, **counted})


def bucket_lifecycle(context: Context) -> Reply:
    """Answer Get Bucket Lifecycle with the one rule that a seed can set."""
    days = bucket(context).lifecycle_days
    if days is None:
        raise Refusal(404, "lifecycle_not_exists", "The bucket has no lifecycle rules.")
    rule = {
        "id": "sandbox",
        "status": "enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": days},
    }
    return json_reply({"rule": [rule]})


def create_upload(context: Context) -> Reply:
    """Answer Initiate Multipart Upload."""
    home = bucket(context)
    upload_id = context.store.add_upload(
        home.name, context.key, initiator=context.caller.principal.arn
    )
    return json_reply({"bucket": home.name, "key": context.key, "upload_id": upload_id})


def upload_part(context: Context) -> Reply:
    """Answer Upload Multipart; part numbers are 0 to 10,000."""
    found, body = upload(context), checked_body(context)
    where = whole_number(context.request.params.get("part_number", ""))
    if where is None or where > LAST_PART:
        raise Refusal(400, INVALID, "The argument part_number is not valid.")
    etag = md5_hex(body)
    found.parts[where] = Part(where, len(body), etag, context.world.clock.now())
    return Reply(201, {"ETag": f'"{etag}"'})


def complete(context: Context) -> Reply:
    """Answer Complete Multipart Upload; the sandbox does not ask for 4 MB a part."""
    found, home = upload(context), bucket(context)
    numbers = _listed_parts(context.request.body)
    if numbers is None or not numbers <= found.parts.keys():
        raise Refusal(400, "invalid_request", "The parts do not fit those that were received.")
    found.parts = {where: found.parts[where] for where in sorted(numbers)}
    made = context.store.finish(home.name, found, context.key)
    return Reply(201, {"ETag": f'"{made.etag}"'})


def _listed_parts(body: bytes) -> set[int] | None:
    try:
        parts = {part["part_number"] for part in json.loads(body)["object_parts"]}
    except (ValueError, KeyError, TypeError):
        return None
    return parts if parts and all(isinstance(where, int) for where in parts) else None


def abort(context: Context) -> Reply:
    """Answer Abort Multipart Upload: 204 whether or not the upload exists."""
    home, found = bucket(context), context.upload()
    if found is not None:
        context.abort(home, found)
    return Reply(204)


def checked_body(context: Context) -> bytes:
    """Compare the body with the Content-MD5, if there is one."""
    body = context.request.body
    if wrong_checksum(context.request, body):
        raise Refusal(400, "bad_digest", "The Content-MD5 does not match the body.")
    return body


def bucket(context: Context) -> Container:
    """Find the bucket."""
    found = context.found()
    if found is None:
        message = "The bucket you are accessing does not exist."
        raise Refusal(404, "bucket_not_exists", message)
    return found


def upload(context: Context) -> Upload:
    """Find the upload of the request's key and id."""
    bucket(context)
    found = context.upload()
    if found is None:
        raise Refusal(404, "upload_not_exists", "The upload you are accessing does not exist.")
    return found


def limit_of(context: Context, default: int, most: int) -> int:
    """Read the limit of a list; a larger one than `most` is an error, as rclone's author met it."""
    text = context.request.params.get("limit", "")
    value = whole_number(text) if text else min(default, most)
    if value is None or not 1 <= value <= most:
        raise Refusal(400, INVALID, "The argument limit is not valid.")
    return value
