"""Learns from botocore where the requests for a bucket go, and how they are signed.

botocore makes a request as ever, with all its rules for endpoints, and is
stopped when it has signed it, before anything is sent. What comes out is taken
apart, and whatever is not exactly as expected is not covered: such a bucket is
left to boto3.

All plain names are treated alike, so one name that nobody has is asked about
for all of them: asking costs more than a page of a listing. Other names are
asked about one by one.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from janitor.wire.sigv4 import Signer

_SAMPLE: Final = "upload-janitor-asks-where"
_PLAIN: Final = re.compile(r"(?!.*-s3alias$)(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/[0-9]{8}/([^/]+)/s3/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)
_SIGNED: Final = frozenset({"host", "x-amz-content-sha256", "x-amz-date"})
_TOKEN: Final = "x-amz-security-token"  # noqa: S105  # the name of a header
_SENT: Final = _SIGNED - {"host"} | {"authorization", "user-agent"}
# These count boto3's own attempts, for whoever keeps statistics.
_NOISE: Final = frozenset({"amz-sdk-invocation-id", "amz-sdk-request"})
_PORTS: Final = {"http": 80, "https": 443}
_PARTS: Final = "k?uploadId=u"
_UPLOADS: Final = "?uploads"
# No names of users, no dot segments, no query of its own.
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~-]*)*")
_log = logging.getLogger(__name__)
_asking: ContextVar[bool] = ContextVar("asking", default=False)


class _Asked(Exception):  # noqa: N818  # an answer, not an error
    """Carries a finished request out of botocore."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        super().__init__(url)
        self.url, self.headers = url, headers


@dataclass(frozen=True, slots=True)
class Address:
    """Where a bucket is asked: `bucket_url` for itself, `key_url` before each (quoted) key."""

    bucket_url: str
    key_url: str
    host: str
    user_agent: str
    signer: Signer


class Addresses:
    """The addresses of one client of boto3; safe to use from many threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, Address | None] = {}
        self._lock = threading.Lock()
        # Behind the handlers that sign and that name the user agent.
        client.meta.events.register_last("request-created.s3", _hand_out)

    def of(self, bucket: str) -> Address | None:
        """Give the address of a bucket, None if it is not covered.

        Raises what botocore raises where it cannot make a request.
        """
        if bucket in self._known:
            return self._known[bucket]
        with self._lock:
            # Whoever waited for the lock may find it done.
            name = _SAMPLE if _PLAIN.fullmatch(bucket) else bucket
            if name not in self._known:
                self._known[name] = self._ask(name)
            sample = self._known[name]
            found = sample if sample is None or name == bucket else _renamed(sample, bucket)
            if found is None:
                _log.info("requests for bucket %s are left to boto3", bucket)
            self._known[bucket] = found
            return found

    def _ask(self, bucket: str) -> Address | None:
        token = _asking.set(True)
        try:
            parts = _asked_by(self._client.list_parts, Bucket=bucket, Key="k", UploadId="u")
            uploads = _asked_by(self._client.list_multipart_uploads, Bucket=bucket)
        finally:
            _asking.reset(token)
        return None if parts is None or uploads is None else _address(parts, uploads)


def host_of(url: str) -> str:
    """Give the Host header of a URL, as it is signed: lower case, without a usual port."""
    where = urlsplit(url)
    host = f"[{where.hostname}]" if ":" in str(where.hostname) else str(where.hostname)
    usual = where.port is None or where.port == _PORTS.get(where.scheme)
    return host if usual else f"{host}:{where.port}"


def _hand_out(request: Any, **_: object) -> None:
    if _asking.get():
        raise _Asked(request.url, {name.lower(): str(v) for name, v in request.headers.items()})


def _asked_by(call: Callable[..., object], **arguments: str) -> _Asked | None:
    try:
        call(**arguments)
    except _Asked as asked:
        return asked
    return None


def _address(parts: _Asked, uploads: _Asked) -> Address | None:
    """Take two finished requests apart; None if there is anything that we would not send."""
    signer, same = _signer_of(parts), _signer_of(uploads)
    key_url, bucket_url = parts.url.removesuffix(_PARTS), uploads.url.removesuffix(_UPLOADS)
    expected = (key_url + _PARTS, bucket_url + _UPLOADS) == (parts.url, uploads.url)
    plain = all(_URL.fullmatch(url) for url in (key_url, bucket_url))
    if not (expected and plain) or signer is None or signer != same:
        return None
    if host_of(key_url) != host_of(bucket_url):
        return None
    region, payload = signer
    agent = parts.headers["user-agent"]
    return Address(bucket_url, key_url, host_of(key_url), agent, Signer(region, payload=payload))


def _signer_of(asked: _Asked) -> tuple[str, str] | None:
    """Give the region and what stands for the body, None if it is not signed as we sign."""
    names = asked.headers.keys() - _NOISE
    match = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
    if names - {_TOKEN} != _SENT or match is None:
        return None
    signed = _SIGNED | {_TOKEN} if _TOKEN in names else _SIGNED
    if set(match[2].split(";")) != signed:
        return None
    return match[1], asked.headers["x-amz-content-sha256"]


def _renamed(sample: Address, bucket: str) -> Address | None:
    """Give the address of another plain name, which is in the host or in the path, but once."""
    urls = (sample.bucket_url, sample.key_url)
    if any(url.count(_SAMPLE) != 1 for url in urls):
        return None
    bucket_url, key_url = (url.replace(_SAMPLE, bucket) for url in urls)
    host = sample.host.replace(_SAMPLE, bucket)
    return replace(sample, bucket_url=bucket_url, key_url=key_url, host=host)
