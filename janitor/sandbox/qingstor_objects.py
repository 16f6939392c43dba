"""QingStor's operations on finished objects, so that clients work and wrong deletions show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from janitor.sandbox.context import md5_hex
from janitor.sandbox.dates import whole_seconds
from janitor.sandbox.finished import body_reply, head_reply
from janitor.sandbox.qingstor_operations import (
    DEFAULT_LIMIT,
    PARTS_LIMIT,
    bucket,
    checked_body,
    limit_of,
)
from janitor.sandbox.state import Query
from janitor.sandbox.wire import Refusal, Reply, json_reply

if TYPE_CHECKING:
    from janitor.sandbox.context import Context
    from janitor.sandbox.state import FinishedObject


def list_objects(context: Context) -> Reply:
    """Answer Get Bucket (List Objects)."""
    home, params = bucket(context), context.request.params
    limit = limit_of(context, DEFAULT_LIMIT, PARTS_LIMIT)
    query = Query(
        limit, params.get("prefix", ""), params.get("delimiter", ""), params.get("marker", "")
    )
    page = home.page_of_objects(query)
    return json_reply(
        {
            "name": home.name,
            "prefix": query.prefix,
            "delimiter": query.delimiter,
            "limit": limit,
            "marker": query.key_marker,
            "next_marker": page.next[0],
            "has_more": page.truncated,
            "keys": [_object(home.objects[key]) for key in page.entries],
            "common_prefixes": page.prefixes,
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
    return head_reply(_existing(context))


def get_object(context: Context) -> Reply:
    """Answer Get Object for objects that came in one piece: parts are not kept."""
    return body_reply(_existing(context), "not_implemented")


def delete_object(context: Context) -> Reply:
    """Answer Delete Object; a missing object is no error."""
    bucket(context).objects.pop(context.key, None)
    return Reply(204)


def _existing(context: Context) -> FinishedObject:
    found = bucket(context).objects.get(context.key)
    if found is None:
        raise Refusal(404, "object_not_exists", "The object you are accessing does not exist.")
    return found
