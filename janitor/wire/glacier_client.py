"""A client of Glacier that takes boto3's place where it is hot: three calls are its own.

They take the same arguments, give the same replies as far as anybody reads
them, and raise the same exceptions. Everything else is left to the client of
boto3 that it stands before, which also decides about endpoint, region and
credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from janitor import fibers
from janitor.wire.asked import Asked, asked_by, host_of, listen
from janitor.wire.aws_client import AwsClient, Read
from janitor.wire.glacier_replies import nothing, parse_error, parts, uploads
from janitor.wire.http import Wire
from janitor.wire.line import Reply
from janitor.wire.sigv4 import Signer

_VERSION: Final = "x-amz-glacier-version"
_SIGNED: Final = frozenset({"host", "x-amz-date", _VERSION})
_SAMPLE: Final = "/a/vaults/v/multipart-uploads/u"
_VAULT: Final = ("accountId", "vaultName")
_UPLOAD: Final = (*_VAULT, "uploadId")
_PAGE: Final = frozenset({"limit", "marker"})
# Whoever normalizes a path would take these out, and another resource would be meant.
_SWALLOWED: Final = frozenset({"", ".", ".."})
# What is the same when it is encoded.
_SAFE: Final = re.compile(r"[A-Za-z0-9_.~-]*")
# No names of users, no dot or empty segments, no query of its own.
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where all vaults of a region are asked; `base` goes before the account."""

    base: str
    host: str
    user_agent: str
    signer: Signer
    headers: Mapping[str, str]


class Whereabouts:
    """Where one client of boto3 asks for all vaults; safe to use from many threads."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        listen(sdk, "glacier")
        self._known: list[Address | None] = []

    def address(self) -> Address | None:
        """Give the address, None if it is not covered; raises what botocore raises."""
        if not self._known:
            # Threads that come at once find the same. It signs, and may ask for credentials.
            self._known = [fibers.offload(lambda: _asked(self._sdk))]
        return self._known[0]


class GlacierClient(AwsClient):
    """Stands before a client of boto3 for Glacier; `place` is what others know of it."""

    def __init__(
        self, sdk: Any, credentials: Any, wire: Wire, place: Whereabouts | None = None
    ) -> None:
        super().__init__(sdk, credentials, wire)
        self._place = Whereabouts(sdk) if place is None else place

    def list_multipart_uploads(self, **arguments: Any) -> dict[str, Any]:
        """List one page of a vault's uploads."""
        address = self._address_for(arguments, _VAULT, _PAGE)
        if address is None:
            return self._left_to_sdk("list_multipart_uploads", arguments)
        return self._get("ListMultipartUploads", address, _url(address, arguments), uploads)

    def list_parts(self, **arguments: Any) -> dict[str, Any]:
        """List one page of an upload's parts."""
        address = self._address_for(arguments, _UPLOAD, _PAGE)
        if address is None:
            return self._left_to_sdk("list_parts", arguments)
        return self._get("ListParts", address, _url(address, arguments), parts)

    def abort_multipart_upload(self, **arguments: Any) -> dict[str, Any]:
        """Abort one upload."""
        address = self._address_for(arguments, _UPLOAD, frozenset())
        if address is None:
            return self._left_to_sdk("abort_multipart_upload", arguments)
        url, headers = _url(address, arguments), address.headers
        return self._call("AbortMultipartUpload", "DELETE", address, url, headers, nothing)

    def _get(self, operation: str, address: Address, url: str, read: Read) -> dict[str, Any]:
        return self._call(operation, "GET", address, url, address.headers, read)

    def _refusal(self, reply: Reply) -> dict[str, Any]:
        return parse_error(reply)

    def _address_for(
        self, arguments: Mapping[str, Any], labels: tuple[str, ...], more: frozenset[str]
    ) -> Address | None:
        """Give the address; None if there is anything in the arguments that we do not know."""
        for name, value in arguments.items():
            if type(value) is not str or (name not in labels and name not in more):
                return None
        for label in labels:
            if arguments.get(label, "") in _SWALLOWED:
                return None
        return self._place.address()


def _asked(sdk: Any) -> Address | None:
    asked = asked_by(sdk.list_parts, accountId="a", vaultName="v", uploadId="u")
    return None if asked is None else _address(asked)


def _address(asked: Asked) -> Address | None:
    """Take a finished request apart; None if there is anything that we would not send."""
    region, base = asked.region_if("glacier", _SIGNED), asked.url.removesuffix(_SAMPLE)
    if region is None or base + _SAMPLE != asked.url or not _URL.fullmatch(base):
        return None
    version = {_VERSION: asked.headers[_VERSION]}
    agent = asked.headers["user-agent"]
    return Address(base, host_of(base), agent, Signer(region, "glacier"), version)


def _url(address: Address, arguments: Mapping[str, str]) -> str:
    account, vault = _encoded(arguments["accountId"]), _encoded(arguments["vaultName"])
    url = f"{address.base}/{account}/vaults/{vault}/multipart-uploads"
    if "uploadId" in arguments:
        url += f"/{_encoded(arguments['uploadId'])}"
    query = "&".join(_query(arguments))
    return f"{url}?{query}" if query else url


def _query(arguments: Mapping[str, str]) -> Iterator[str]:
    """Encode what goes into the query, in the order in which it was given, as boto3 does."""
    for name, value in arguments.items():
        if name in _PAGE:
            yield f"{name}={_encoded(value)}"


def _encoded(value: str) -> str:
    return value if _SAFE.fullmatch(value) else quote(value, safe="")
