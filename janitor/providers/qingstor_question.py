"""What QingStor is asked, and what a request for it must look like before it may go out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from janitor.errors import Refused
from janitor.targets import QingStorOptions
from janitor.wire.line import Reply

_DOTS = frozenset({".", ".."})


class Question(NamedTuple):
    """One request; `verb` is the SDK's name for it, without a bucket it is about the account."""

    verb: str
    method: str
    bucket: str | None = None
    key: str | None = None
    parameters: Mapping[str, str] = MappingProxyType({})


class Transport(Protocol):
    """A way to ask; safe to use from many threads."""

    def ask(self, question: Question) -> Reply:
        """Send one request and wait for its reply, whatever its status.

        Raises Refused where what would go out is not what was meant, and
        otherwise from the tree of `janitor.errors`.
        """

    def close(self) -> None:
        """Close the connections; calling twice is fine."""


class Address(NamedTuple):
    """Where the service is: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Give host and port, without a usual port."""
        usual = (self.scheme, self.port) in {("https", 443), ("http", 80)}
        return self.host if usual else f"{self.host}:{self.port}"


def address_of(options: QingStorOptions) -> Address:
    """Give the address of the service, without a zone."""
    url = options.reach.endpoint_url
    if url is None:
        return Address(options.protocol, options.host, options.port)
    parts = urlsplit(url)
    host = parts.hostname or ""
    default = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, f"[{host}]" if ":" in host else host, parts.port or default)


class Check:
    """Compares requests with what was meant, byte for byte, before they may go out."""

    def __init__(self, options: QingStorOptions) -> None:
        where = address_of(options)
        zone = f"{options.zone.lower()}." if options.zone else ""
        self._scheme, self._account = where.scheme, where.authority
        self._authority = f"{zone}{where.authority}"
        self._virtual = options.addressing == "virtual"

    def require(self, question: Question, method: str, url: str) -> None:
        """Raise Refused unless a request asks exactly this question."""
        where, _, query = url.partition("?")
        meant = self._meant(question)
        fits = (method, where) == (question.method, meant) and _names_the_upload(question, query)
        # Whoever takes dot segments out has the address of something else.
        if not fits or ("/." in where and not _DOTS.isdisjoint(where.split("/"))):
            message = (
                f"refused to send {method} {where}: meant was {question.method} {meant};"
                " this key cannot be addressed"
            )
            raise Refused(message, code="guard")

    def _meant(self, question: Question) -> str:
        bucket, key = question.bucket, question.key
        if bucket is None:
            # The account's own address has no zone in its name.
            return f"{self._scheme}://{self._account}/"
        if self._virtual:
            base = f"{self._scheme}://{bucket}.{self._authority}"
        else:
            base = f"{self._scheme}://{self._authority}/{bucket}"
        if key is None:
            return f"{base}/" if self._virtual else base
        return f"{base}/{quote(key)}"


def _names_the_upload(question: Question, query: str) -> bool:
    """Whether the query has the upload id: without it the object would be deleted, or read."""
    if question.key is None:
        return True
    upload_id = question.parameters.get("upload_id", "")
    pair = f"upload_id={quote(upload_id)}"
    if question.method == "DELETE":
        return bool(upload_id) and query == pair
    return bool(upload_id) and pair in query.split("&")
