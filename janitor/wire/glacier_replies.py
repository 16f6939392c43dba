"""Reads the JSON of Glacier's replies into the dicts that boto3 would give. Pure.

Where boto3 stumbles over JSON of another form than it expects, this reads a
document that says nothing, so that whoever wants a witness finds none.
"""

from __future__ import annotations

import json
from http.client import responses
from typing import Any, Final

from janitor.wire.aws_client import metadata_of
from janitor.wire.line import Reply

_SERVER_ERROR: Final = 500
_UPLOADS: Final = ("UploadsList", "Marker")
_PARTS: Final = (
    "MultipartUploadId",
    "VaultARN",
    "ArchiveDescription",
    "PartSizeInBytes",
    "CreationDate",
    "Parts",
    "Marker",
)


def uploads(reply: Reply) -> dict[str, Any]:
    """Read a page of uploads; raises UnicodeDecodeError as boto3 does."""
    return _members(reply.body, _UPLOADS)


def parts(reply: Reply) -> dict[str, Any]:
    """Read a page of parts; raises UnicodeDecodeError as boto3 does."""
    return _members(reply.body, _PARTS)


def nothing(_reply: Reply) -> dict[str, Any]:
    """Read the reply to an abort, which says all by its status."""
    return {}


def parse_error(reply: Reply) -> dict[str, Any]:
    """Give what boto3 would make of an error reply: `Error` and `ResponseMetadata`.

    Where nothing else tells, the code is the status.
    """
    body = reply.body.strip()
    if reply.status >= _SERVER_ERROR and (not body or body.startswith(b"<html>")):
        told = {"Code": str(reply.status), "Message": responses.get(reply.status, "")}
    else:
        told = _told(reply)
    return {"Error": told, "ResponseMetadata": metadata_of(reply)}


def _told(reply: Reply) -> dict[str, Any]:
    found = _object(reply.body)
    header = reply.headers.get("x-amzn-errortype")
    code = found.get("code", found.get("Code")) if header is None else header
    if code is None:
        code = found.get("__type", str(reply.status))
    if isinstance(code, str):
        code = code.split(":", 1)[0].rsplit("#", 1)[-1]
    return {"Message": found.get("message", found.get("Message", "")), "Code": code}


def _members(body: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    """Take what boto3 would; what is null is not there, in the entries of lists neither."""
    found = _object(body)
    members = {name: found[name] for name in names if found.get(name) is not None}
    if b"null" in body:
        for name, value in members.items():
            if isinstance(value, list):
                members[name] = [_without_nulls(entry) for entry in value]
    return members


def _without_nulls(entry: Any) -> Any:
    if not isinstance(entry, dict) or None not in entry.values():
        return entry
    return {name: value for name, value in entry.items() if value is not None}


def _object(body: bytes) -> dict[str, Any]:
    """Read an object; what cannot be read is a message, what is no object says nothing."""
    if not body:
        return {}
    text = body.decode()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": text}
    return found if isinstance(found, dict) else {}
