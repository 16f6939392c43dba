"""QingStor's operations on finished objects, so that clients work and wrong deletions show."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from janitor.sandbox.context import md5_hex
from janitor.sandbox.dates import http_date, whole_seconds
from janitor.sandbox.paging import cut
from janitor.sandbox.qingstor_operations import (
    DEFAULT_LIMIT,
    PARTS_LIMIT,
    bucket,
    checked_body,
    json_reply,
    limit_of,
)
from janitor.sandbox.wire import Refusal, Reply

if TYPE_CHECKING:
    from janitor.sandbox.context import Context
    from janitor.sandbox.state import FinishedObject


def list_objects(context: Context) -> Reply:
    """Answer Get Bucket (List Objects)."""
    home, params = bucket(context), context.request.params
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    limit, marker = limit_of(context, DEFAULT_LIMIT, PARTS_LIMIT), params.get("marker", "")
    keys = sorted(key for key in home.objects if key.startswith(prefix))
    heads = [key[len(prefix) :].partition(delimiter) for key in keys] if delimiter else []
    if delimiter:
        keys = [key for key in keys if delimiter not in key[len(prefix) :]]
    page = cut(keys, bisect_right(keys, marker), limit, lambda key: (key, ""))
    return json_reply(
        {
            "name": home.name,
            "prefix": prefix,
            "delimiter": delimiter,
            "limit": limit,
            "marker": marker,
            "next_marker": page.next[0],
            "has_more": page.truncated,
            "keys": [_object(home.objects[key]) for key in page.entries],
            "common_prefixes": sorted({prefix + head + found for head, found, _ in heads if found}),
        }
    )


def _object(found: FinishedObject) -> dict[str, object]:
    return {
        "key": found.key,
        "size": found.size,
        "modified": int(found.modified.timestamp()),
        "created": whole_seconds(found.modified),
        "etag": f'"{found.etag}"',
        "mime_type": "application/octet-stream",
        "encrypted": False,
        "storage_class": "STANDARD",
    }


def put_object(context: Context) -> Reply:
    """Answer Put Object."""
    home, body = bucket(context), checked_body(context)
    context.store.add_object(home.name, context.key, body)
    return Reply(201, {"ETag": f'"{md5_hex(body)}"'})


def head_object(context: Context) -> Reply:
    """Answer Head Object."""
    found = _existing(context)
    return Reply(200, _object_headers(found), length=found.size)


def get_object(context: Context) -> Reply:
    """Answer Get Object for objects that came in one piece: parts are not kept."""
    found = _existing(context)
    if found.body is None:
        raise Refusal(501, "not_implemented", "The sandbox keeps no bodies of parts.")
    return Reply(200, _object_headers(found), found.body)


def delete_object(context: Context) -> Reply:
    """Answer Delete Object; a missing object is no error."""
    bucket(context).objects.pop(context.key, None)
    return Reply(204)


def _object_headers(found: FinishedObject) -> dict[str, str]:
    return {
        "ETag": f'"{found.etag}"',
        "Last-Modified": http_date(found.modified),
        "Content-Type": "application/octet-stream",
    }


def _existing(context: Context) -> FinishedObject:
    found = bucket(context).objects.get(context.key)
    if found is None:
        raise Refusal(404, "object_not_exists", "The object you are accessing does not exist.")
    return found
