"""Builds, signs and sends the three requests of the hot path as qingstor-sdk does.

Address, content type and signature are the SDK's, to the last byte; what comes
back is for the provider to read.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from mimetypes import guess_type
from typing import Final, NamedTuple
from urllib.parse import quote

from janitor.wire.http import Wire
from janitor.wire.line import Reply

_DEFAULT_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Keys:
    """A static pair of keys; the secret is not printed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a zone's buckets are asked.

    `authority` is host and port, without a usual port. `virtual` puts the
    bucket before it instead of behind it.
    """

    scheme: str
    authority: str
    virtual: bool


class Request(NamedTuple):
    """What is sent; `resource` is what of it is signed beside type and date."""

    method: str
    url: str
    host: str
    resource: str
    content_type: str


class QingStorClient:
    """Asks about the uploads of a zone's buckets; safe to use from many threads."""

    def __init__(self, place: Place, keys: Keys, wire: Wire, user_agent: str) -> None:
        self._place, self._keys, self._wire = place, keys, wire
        self._secret = keys.secret_access_key.encode()
        self._always = [f"User-Agent: {user_agent}", "Accept-Encoding: identity", "Accept:"]
        self._second = (0, "")

    def send(self, request: Request) -> Reply:
        """Sign a request of now and send it; raises as the wire does."""
        return self._wire.send(request.method, request.url, self.signed(request, self._now()))

    def request(
        self, method: str, bucket: str, key: str | None, parameters: Mapping[str, str]
    ) -> Request:
        """Build a request about a key's upload, or (None) for a page of uploads.

        Empty parameters are left out. Raises UnicodeEncodeError where a text
        cannot be sent.
        """
        place, name = self._place, quote(bucket)
        quoted = {name: quote(value) for name, value in parameters.items() if value}
        query = [f"{name}={value}" for name, value in quoted.items()]
        if key is None:
            query.append("uploads")
            signed, path = "uploads", "" if place.virtual else f"/{name}"
            resource = path or f"/{name}/"
        else:
            signed = f"upload_id={quoted['upload_id']}" if "upload_id" in quoted else ""
            resource = f"/{name}/{quote(key)}"
            path = resource[len(name) + 1 :] if place.virtual else resource
        host = f"{name}.{place.authority}" if place.virtual else place.authority
        return Request(
            method,
            f"{place.scheme}://{host}{path or '/'}?{'&'.join(sorted(query))}",
            host,
            f"{resource}?{signed}" if signed else resource,
            _type_of(path),
        )

    def signed(self, request: Request, date: str) -> list[str]:
        """Give all headers of a request that is sent at a date of HTTP."""
        text = f"{request.method}\n\n{request.content_type}\n{date}\n{request.resource}"
        digest = hmac.digest(self._secret, text.encode(), "sha256")
        lines = [
            f"Host: {request.host}",
            f"Date: {date}",
            f"Content-Type: {request.content_type}",
            f"Authorization: QS {self._keys.access_key_id}:{base64.b64encode(digest).decode()}",
            *self._always,
        ]
        return [*lines, "Content-Length: 0"] if request.method == "DELETE" else lines

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _now(self) -> str:
        second, date = self._second
        now = int(time.time())
        if now != second:
            date = formatdate(now, usegmt=True)
            self._second = (now, date)
        return date


def _type_of(path: str) -> str:
    """Guess as the SDK does, which knows the type of a file by all that is behind a dot."""
    name, dot, behind = path.rpartition("/")[2].partition(".")
    if not dot:
        return _DEFAULT_TYPE
    return _type_behind(behind) if name else guess_type(path)[0] or _DEFAULT_TYPE


@lru_cache(maxsize=1024)
def _type_behind(behind: str) -> str:
    return guess_type(f"/name.{behind}")[0] or _DEFAULT_TYPE
