"""A client of S3 that takes boto3's place where it is hot: four calls are its own.

They take the same arguments, give the same replies as far as anybody reads
them, and raise the same exceptions. Everything else, and every bucket whose
address is not covered, is left to the client of boto3 that it stands before,
which also decides about endpoints, regions and credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from botocore.exceptions import NoCredentialsError

from janitor.errors import Incomplete
from janitor.wire import s3_scan, s3_xml
from janitor.wire.http import Wire
from janitor.wire.line import Reply
from janitor.wire.s3_address import Address, Addresses
from janitor.wire.s3_errors import metadata_of, parse_error

_OK: Final = 200
_NO_SUCCESS: Final = 300
_ERROR: Final = 301
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
_KNOWN: Final = {"Bucket", "Key", *_HEADERS, *_QUERY}
# As boto3 spells them, for servers that know only that.
_SPELLED: Final = {
    "authorization": "Authorization",
    "host": "Host",
    "x-amz-content-sha256": "X-Amz-Content-SHA256",
    "x-amz-date": "X-Amz-Date",
    "x-amz-security-token": "X-Amz-Security-Token",
}

Read = Callable[[Reply], dict[str, Any]]


class FastClient:
    """Stands before a client of boto3; safe to use from many threads.

    `credentials` are botocore's own object, which renews itself; None where
    nobody has any.
    """

    def __init__(self, sdk: Any, credentials: Any, wire: Wire) -> None:
        self._sdk, self._credentials, self._wire = sdk, credentials, wire
        self._addresses = Addresses(sdk)

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to boto3."""
        return getattr(self._sdk, name)

    def list_multipart_uploads(self, **arguments: Any) -> dict[str, Any]:
        """List one page of uploads."""
        address = self._address_for(arguments, with_key=False)
        if address is None:
            return self._left_to_sdk("list_multipart_uploads", arguments)
        url = "&".join([f"{address.bucket_url}?uploads", *_query(arguments)])
        return self._call("ListMultipartUploads", "GET", address, url, arguments, _uploads)

    def list_parts(self, **arguments: Any) -> dict[str, Any]:
        """List one page of an upload's parts."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("list_parts", arguments)
        url = f"{_key_url(address, arguments)}?{'&'.join(_query(arguments))}"
        return self._call("ListParts", "GET", address, url, arguments, _parts)

    def abort_multipart_upload(self, **arguments: Any) -> dict[str, Any]:
        """Abort one upload."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("abort_multipart_upload", arguments)
        url = f"{_key_url(address, arguments)}?{'&'.join(_query(arguments))}"
        return self._call("AbortMultipartUpload", "DELETE", address, url, arguments, _nothing)

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        """Tell of a finished object; only when it was written is read."""
        address = self._address_for(arguments, with_key=True)
        if address is None:
            return self._left_to_sdk("head_object", arguments)
        url = _key_url(address, arguments)
        return self._call("HeadObject", "HEAD", address, url, arguments, _object)

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()
        self._sdk.close()

    def _left_to_sdk(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = getattr(self._sdk, name)(**arguments)
        return found

    def _address_for(self, arguments: Mapping[str, Any], *, with_key: bool) -> Address | None:
        """Give the address of the bucket; None if there is anything that we do not know."""
        sound = all(type(v) is (int if n in _NUMBERS else str) for n, v in arguments.items())
        keyed = ("Key" in arguments) is with_key and arguments.get("Key") != ""
        if not (sound and keyed and arguments.keys() <= _KNOWN):
            return None
        return self._addresses.of(arguments.get("Bucket", ""))

    def _call(  # noqa: PLR0913, PLR0917  # all that one request needs
        self,
        operation: str,
        method: str,
        address: Address,
        url: str,
        arguments: Mapping[str, Any],
        read: Read,
    ) -> dict[str, Any]:
        headers = self._signed(method, address, url, arguments)
        reply = self._wire.send(method, url, headers)
        if reply.status >= _ERROR:
            raise self._error(parse_error(reply), operation)
        if reply.status == _OK and not reply.whole:
            announced = reply.headers["content-length"]
            message = f"the reply has {len(reply.body)} bytes of {announced}"
            raise Incomplete(message, code="short_body")
        parsed = read(reply) | {"ResponseMetadata": metadata_of(reply)}
        if reply.status >= _NO_SUCCESS:
            raise self._error(parsed, operation)
        return parsed

    def _signed(
        self, method: str, address: Address, url: str, arguments: Mapping[str, Any]
    ) -> list[str]:
        if self._credentials is None:
            raise NoCredentialsError
        wanted = {"host": address.host}
        for name in _HEADERS.keys() & arguments.keys():
            wanted[_HEADERS[name]] = arguments[name]
        path, _, query = url[url.index("/", len("https://")) :].partition("?")
        keys = self._credentials.get_frozen_credentials()
        signed = address.signer.sign(method, path, query, wanted, keys)
        lines = [f"{_SPELLED.get(name, name)}: {value}" for name, value in signed.items()]
        lines += [f"User-Agent: {address.user_agent}", "Accept-Encoding: identity", "Accept:"]
        return [*lines, "Content-Length: 0"] if method == "DELETE" else lines

    def _error(self, parsed: dict[str, Any], operation: str) -> Exception:
        code = parsed.get("Error", {}).get("Code")
        kind = self._sdk.exceptions.from_code(code if isinstance(code, str) else None)
        made: Exception = kind(parsed, operation)
        return made


def _query(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Encode what goes into the query, in the order in which it was given, as boto3 does."""
    for name, value in arguments.items():
        if name in _QUERY:
            yield f"{_QUERY[name]}={quote(str(value), safe='')}"


def _key_url(address: Address, arguments: Mapping[str, Any]) -> str:
    return address.key_url + quote(arguments["Key"], safe="/")


def _uploads(reply: Reply) -> dict[str, Any]:
    return s3_scan.read_uploads(reply.body)


def _parts(reply: Reply) -> dict[str, Any]:
    return s3_xml.read(reply.body, s3_xml.PARTS)


def _nothing(reply: Reply) -> dict[str, Any]:
    return s3_xml.read(reply.body, s3_xml.NOTHING)


def _object(reply: Reply) -> dict[str, Any]:
    written = reply.headers.get("last-modified")
    return {} if written is None else {"LastModified": written}
