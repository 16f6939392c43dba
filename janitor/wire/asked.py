"""Lets botocore make and sign a request, and takes it out before anything is sent.

So endpoints, regions, signatures and what they cover are botocore's own, with
all its rules, and nobody has to know them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

TOKEN: Final = "x-amz-security-token"  # noqa: S105  # the name of a header
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)
# These count boto3's own attempts, for whoever keeps statistics.
_NOISE: Final = frozenset({"amz-sdk-invocation-id", "amz-sdk-request"})
_UNSIGNED: Final = frozenset({"authorization", "user-agent"})
_PORTS: Final = {"http": 80, "https": 443}
_asking: ContextVar[bool] = ContextVar("asking", default=False)


class _Made(Exception):  # noqa: N818  # an answer, not an error
    """Carries a finished request out of botocore."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.url)
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that botocore would have sent; names of headers in lower case."""

    url: str
    headers: Mapping[str, str]

    def region_if(self, service: str, signed: frozenset[str]) -> str | None:
        """Give the region that it is signed for.

        None unless these very headers (and the token of temporary credentials)
        are there and signed, for this service, and nothing else is.
        """
        names = self.headers.keys() - _NOISE
        match = _AUTHORIZATION.fullmatch(self.headers.get("authorization", ""))
        wanted = signed | {TOKEN} if TOKEN in names else signed
        if match is None or match[2] != service or set(match[3].split(";")) != wanted:
            return None
        return match[1] if names == wanted - {"host"} | _UNSIGNED else None


def listen(client: Any, service: str) -> None:
    """Let a client of boto3 hand out what it is asked for by `asked_by`."""
    # Behind the handlers that sign and that name the user agent.
    client.meta.events.register_last(f"request-created.{service}", _hand_out)


def asked_by(call: Callable[..., object], **arguments: str) -> Asked | None:
    """Give what a call would send; raises what botocore raises where it cannot make it."""
    token = _asking.set(True)
    try:
        call(**arguments)
    except _Made as made:
        return made.asked
    finally:
        _asking.reset(token)
    return None


def host_of(url: str) -> str:
    """Give the Host header of a URL, as it is signed: lower case, without a usual port."""
    where = urlsplit(url)
    host = f"[{where.hostname}]" if ":" in str(where.hostname) else str(where.hostname)
    usual = where.port is None or where.port == _PORTS.get(where.scheme)
    return host if usual else f"{host}:{where.port}"


def _hand_out(request: Any, **_: object) -> None:
    if _asking.get():
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        raise _Made(Asked(request.url, headers))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
