"""Reads the XML of S3's replies into the dicts that boto3 would give. Pure.

Document types are never followed: one that declares anything is refused, and
one that only names itself (a web page has one) is read as a document that says
nothing, so that whoever wants a witness finds none. Stricter than boto3 in two
points, where it would take a doubtful listing for a whole one: what may be
there once must not be there twice, and a boolean that is neither true nor
false stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.parsers import expat

from botocore.parsers import ResponseParserError

_BOOLEANS: Final = {"true": True, "false": False}


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text.strip().lower(), text)


# Names of elements to what makes their value: a function of the text, a table
# of children, or (member, table) for what is repeated. What is not here is not
# read: nobody asks for owners.
_INITIATOR: Final = {"ID": str}
UPLOAD: Final[Mapping[str, Any]] = {
    "Key": str,
    "UploadId": str,
    "Initiated": str,
    "StorageClass": str,
    "Initiator": _INITIATOR,
}
UPLOADS: Final[Mapping[str, Any]] = {
    "Bucket": str,
    "KeyMarker": str,
    "UploadIdMarker": str,
    "NextKeyMarker": str,
    "NextUploadIdMarker": str,
    "Prefix": str,
    "Delimiter": str,
    "EncodingType": str,
    "MaxUploads": int,
    "IsTruncated": _boolean,
    "Upload": ("Uploads", UPLOAD),
    "CommonPrefixes": ("CommonPrefixes", {"Prefix": str}),
}
_PART: Final = {"PartNumber": int, "LastModified": str, "ETag": str, "Size": int}
PARTS: Final[Mapping[str, Any]] = {
    "Bucket": str,
    "Key": str,
    "UploadId": str,
    "PartNumberMarker": int,
    "NextPartNumberMarker": int,
    "MaxParts": int,
    "IsTruncated": _boolean,
    "Initiator": _INITIATOR,
    "StorageClass": str,
    "Part": ("Parts", _PART),
}
NOTHING: Final[Mapping[str, Any]] = {}


def kind_in_parts(name: str) -> Callable[[str], Any]:
    """Say how the text of an element of a page of parts is read; names mean the same anywhere."""
    kind = PARTS.get(name, _PART.get(name, str))
    return kind if callable(kind) else str


def read(body: bytes, table: Mapping[str, Any]) -> dict[str, Any]:
    """Read a document; an empty body is one that says nothing.

    Raises ResponseParserError, in the context of a ParseError where the
    document is not well-formed, and ValueError where a number is none.
    """
    return _members(root_of(body), table) if body else {}


def root_of(body: bytes) -> Element:
    """Parse a document; one with a bare document type becomes an element without anything."""
    if b"<!DOCTYPE" in body and _has_type(body):
        return Element("")
    parser = XMLParser(target=TreeBuilder(), encoding="utf-8")  # noqa: S314  # it has no type
    try:
        parser.feed(body)
        return parser.close()
    except ParseError as error:
        message = f"Unable to parse response ({error}), invalid XML received"
        raise ResponseParserError(message) from error


def name_of(node: Element) -> str:
    """Give an element's name without its namespace."""
    return node.tag.rpartition("}")[2]


def text_of(node: Element) -> str:
    """Give the text of an element, which may be empty."""
    return node.text or ""


def _members(node: Element, table: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in node:
        name = name_of(child)
        kind = table.get(name)
        if kind is None:
            continue
        if isinstance(kind, tuple):
            member, inner = kind
            found.setdefault(member, []).append(_members(child, inner))
        elif name in found:
            msg = f"Unable to parse response, element {name} is there twice"
            raise ResponseParserError(msg)
        else:
            found[name] = _members(child, kind) if isinstance(kind, dict) else kind(text_of(child))
    return found


def _has_type(body: bytes) -> bool:
    """Whether the document has a type (it may only be spoken of); refuse one that declares."""
    types: list[object] = []

    def note(_name: str, _system: object, _public: object, declares: object) -> None:
        if declares:
            msg = "Unable to parse response, it declares a document type of its own"
            raise ResponseParserError(msg)
        types.append(None)

    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = note
    try:
        parser.Parse(body, True)  # noqa: FBT003  # it takes no name
    except expat.ExpatError:
        return False  # whoever parses it in earnest says what is wrong
    return bool(types)
