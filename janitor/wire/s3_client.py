"""A client of S3 that takes boto3's place where it is hot: four calls are its own.

They take the same arguments, give the same replies as far as anybody reads
them, and raise the same exceptions. Everything else, and every bucket whose
address is not covered, is left to the client of boto3 that it stands before,
which also decides about endpoints, regions and credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from janitor.wire import s3_scan, s3_xml
from janitor.wire.aws_client import AwsClient, Read
from janitor.wire.http import Wire
from janitor.wire.line import Reply
from janitor.wire.molds import Molds
from janitor.wire.s3_address import Address, Addresses
from janitor.wire.s3_errors import parse_error

_HEADERS: Final = {
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "RequestPayer": "x-amz-request-payer",
}
_QUERY: Final = {
    "EncodingType": "encoding-type",
    "KeyMarker": "key-marker",
    "MaxParts": "max-parts",
    "MaxUploads": "max-uploads",
    "PartNumberMarker": "part-number-marker",
    "Prefix": "prefix",
    "UploadId": "uploadId",
    "UploadIdMarker": "upload-id-marker",
}
_NUMBERS: Final = frozenset({"MaxParts", "MaxUploads", "PartNumberMarker"})
_KNOWN: Final = {
    name: int if name in _NUMBERS else str for name in ("Bucket", "Key", *_HEADERS, *_QUERY)
}
_PARTS: Final = Molds(lambda body: s3_xml.read(body, s3_xml.PARTS), s3_xml.kind_in_parts)
# What is the same when it is encoded.
_SAFE: Final = re.compile(r"[A-Za-z0-9_.~-]*")


class FastClient(AwsClient):
    """Stands before a client of boto3 for S3; `addresses` are those that others know of it."""

    def __init__(
        self, sdk: Any, credentials: Any, wire: Wire, addresses: Addresses | None = None
    ) -> None:
        super().__init__(sdk, credentials, wire)
        self._addresses = Addresses(sdk) if addresses is None else addresses

    def list_multipart_uploads(self, **arguments: Any) -> dict[str, Any]:
        """List one page of uploads."""
        address = self._address_for(arguments, with_key=False)
        if address is None:
            return self._left_to_sdk("list_multipart_uploads", arguments)
        url = "&".join([f"{address.bucket_url}?uploads", *_query(arguments)])
        return self._ask("ListMultipartUploads", "GET", address, url, arguments, _uploads)

    def list_parts(self, **arguments: Any) -> dict[str, Any]:
        """List one page of an upload's parts."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("list_parts", arguments)
        url = f"{_key_url(address, arguments)}?{'&'.join(_query(arguments))}"
        return self._ask("ListParts", "GET", address, url, arguments, _parts)

    def abort_multipart_upload(self, **arguments: Any) -> dict[str, Any]:
        """Abort one upload."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("abort_multipart_upload", arguments)
        url = f"{_key_url(address, arguments)}?{'&'.join(_query(arguments))}"
        return self._ask("AbortMultipartUpload", "DELETE", address, url, arguments, _nothing)

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        """Tell of a finished object; only when it was written is read."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("head_object", arguments)
        url = _key_url(address, arguments)
        return self._ask("HeadObject", "HEAD", address, url, arguments, _object)

    def _address_for(self, arguments: Mapping[str, Any], *, with_key: bool) -> Address | None:
        """Give the address of the bucket; None if there is anything that we do not know."""
        for name, value in arguments.items():
            if type(value) is not _KNOWN.get(name):
                return None
        if ("Key" in arguments) is not with_key or arguments.get("Key") == "":
            return None
        return self._addresses.of(arguments.get("Bucket", ""))

    def _ask(  # noqa: PLR0913, PLR0917  # all that one request needs
        self,
        operation: str,
        method: str,
        address: Address,
        url: str,
        arguments: Mapping[str, Any],
        read: Read,
    ) -> dict[str, Any]:
        headers = {_HEADERS[name]: arguments[name] for name in _HEADERS if name in arguments}
        return self._call(operation, method, address, url, headers, read)

    def _refusal(self, reply: Reply) -> dict[str, Any]:
        return parse_error(reply)


def _query(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Encode what goes into the query, in the order in which it was given, as boto3 does."""
    for name, value in arguments.items():
        if name in _QUERY:
            yield f"{_QUERY[name]}={_encoded(str(value))}"


def _encoded(value: str) -> str:
    return value if _SAFE.fullmatch(value) else quote(value, safe="")


def _key_url(address: Address, arguments: Mapping[str, Any]) -> str:
    return address.key_url + quote(arguments["Key"], safe="/")


def _uploads(reply: Reply) -> dict[str, Any]:
    return s3_scan.read_uploads(reply.body)


def _parts(reply: Reply) -> dict[str, Any]:
    return _PARTS.read(reply.body)


def _nothing(reply: Reply) -> dict[str, Any]:
    return s3_xml.read(reply.body, s3_xml.NOTHING)


def _object(reply: Reply) -> dict[str, Any]:
    written = reply.headers.get("last-modified")
    return {} if written is None else {"LastModified": written}
