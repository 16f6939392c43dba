"""What a request and a reply are, before and after any protocol. Pure: no sockets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from janitor.sandbox.faults import Fault

Headers = tuple[tuple[str, str], ...]


def text_of(raw: bytes) -> str:
    """Percent-decode once and keep every byte, even those that are no UTF-8."""
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Undo `text_of`'s decoding: the exact bytes of a key."""
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came over the wire.

    `target` is the request line's target, `path` its raw path in origin form and `query`
    the raw query: neither is decoded nor normalised, because keys are exact.
    """

    method: str
    target: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes = b""

    @cached_property
    def _first(self) -> Mapping[str, str]:
        return dict(reversed(self.headers))

    @cached_property
    def params(self) -> Mapping[str, str]:
        """The decoded query; the first of several values counts, `?uploads` is ''."""
        return dict(reversed(list(self._pairs())))

    def _pairs(self) -> Iterable[tuple[str, str]]:
        for piece in self.query.replace(b"+", b"%20").split(b"&"):
            name, _, value = piece.partition(b"=")
            if name:
                yield text_of(name), text_of(value)

    def header(self, name: str, default: str = "") -> str:
        """Look a header up by its lower-case name."""
        return self._first.get(name, default)

    def all(self, name: str) -> list[str]:
        """Return every value of a repeated header, in order."""
        return [value for key, value in self.headers if key == name]

    @cached_property
    def hostname(self) -> str:
        """The Host header without its port, in lower case."""
        host = self.header("host").lower()
        return host if host.startswith("[") else host.partition(":")[0]


@dataclass(frozen=True)
class Call:
    """A request that was understood: which operation, on what.

    `key` and `upload_id` are None where the operation has none, and '' where the client
    sent an empty one. `marker` is the page marker as the client sent it, '' for none.
    `virtual` tells that the container came from the Host header.
    """

    operation: str
    request: Request
    container: str | None = None
    key: str | None = None
    upload_id: str | None = None
    marker: str = ""
    virtual: bool = False
    fault: Fault | None = None


@dataclass(frozen=True)
class Reply:
    """One HTTP reply; `length` overrides the Content-Length, to cut bodies short."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None

    def with_headers(self, more: Mapping[str, str]) -> Reply:
        """Add headers to those that the reply has."""
        return replace(self, headers={**self.headers, **more})


def json_reply(value: Mapping[str, object], status: int = 200) -> Reply:
    """Reply with a JSON document."""
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


class Refusal(Exception):  # noqa: N818 -- it is a normal answer of a server, not an error of ours
    """A request that the service answers with an error document.

    `fields` become further elements of that document, `headers` go beside it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = int(status)
        self.code = code
        self.message = message or code
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
