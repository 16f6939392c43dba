"""How S3 and QingStor alike serve finished objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from janitor.sandbox.dates import http_date
from janitor.sandbox.wire import Refusal, Reply

if TYPE_CHECKING:
    from janitor.sandbox.state import FinishedObject


def head_reply(found: FinishedObject) -> Reply:
    """Tell of an object without its body."""
    return Reply(200, _headers(found), length=found.size)


def body_reply(found: FinishedObject, not_implemented: str) -> Reply:
    """Send an object that came in one piece, or refuse with that code: parts are not kept."""
    if found.body is None:
        raise Refusal(501, not_implemented, "The sandbox keeps no bodies of parts.")
    return Reply(200, _headers(found), found.body)


def _headers(found: FinishedObject) -> dict[str, str]:
    return {
        "ETag": f'"{found.etag}"',
        "Last-Modified": http_date(found.modified),
        "Content-Type": "application/octet-stream",
    }
