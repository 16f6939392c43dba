"""Reads error replies of S3 into what boto3 puts into its ClientError. Pure."""

from __future__ import annotations

from http.client import responses
from typing import Any, Final
from xml.etree.ElementTree import Element

from botocore.parsers import ResponseParserError

from janitor.wire.aws_client import metadata_of
from janitor.wire.line import Reply
from janitor.wire.molds import Molds
from janitor.wire.s3_xml import name_of, root_of

_SERVER_ERROR: Final = 500


def parse_error(reply: Reply) -> dict[str, Any]:
    """Give what boto3 would make of an error reply: `Error` and `ResponseMetadata`.

    Where the body tells nothing, the code is the status.
    """
    body = reply.body.strip()
    generic = reply.status >= _SERVER_ERROR and body.startswith(b"<html>")
    told = None if generic or not body else _told(reply.body)
    if told is None:
        told = {"Code": str(reply.status), "Message": responses.get(reply.status, "")}
    return {"Error": told, "ResponseMetadata": metadata_of(reply)}


def _told(body: bytes) -> dict[str, Any] | None:
    children: dict[str, Any]
    try:
        ((tag, children),) = _ERRORS.read(body).items()
    except ResponseParserError:
        return None
    if tag == "Error":
        children.pop("RequestId", None)
        children.pop("HostId", None)
        return children
    # Any other document has nothing to say, but for an error within it.
    inner = children.get("Error")
    return {"Message": "", "Code": ""} | (inner if isinstance(inner, dict) else {})


def _document(body: bytes) -> dict[str, Any]:
    root = root_of(body)
    return {root.tag: _children(root)}


def _text_or_none(text: str) -> str | None:
    return text or None


def _children(node: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in node:
        found.setdefault(name_of(child), _children(child) if len(child) else child.text)
    return found


_ERRORS: Final = Molds(_document, lambda _name: _text_or_none)
