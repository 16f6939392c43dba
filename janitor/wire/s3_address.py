"""Learns from botocore where the requests for a bucket go, and how they are signed.

What botocore would send is taken apart, and whatever is not exactly as expected
is not covered: such a bucket is left to boto3.

All plain names are treated alike, so one name that nobody has is asked about
for all of them: asking costs more than a page of a listing. Other names are
asked about one by one.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass, replace
from typing import Any, Final

from janitor import fibers
from janitor.wire.asked import Asked, asked_by, host_of, listen
from janitor.wire.sigv4 import Signer

_SAMPLE: Final = "upload-janitor-asks-where"
_PLAIN: Final = re.compile(r"(?!.*-s3alias$)(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")
_SIGNED: Final = frozenset({"host", "x-amz-content-sha256", "x-amz-date"})
_PARTS: Final = "k?uploadId=u"
_UPLOADS: Final = "?uploads"
# No names of users, no dot segments, no query of its own.
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~-]*)*")
_log = logging.getLogger(__name__)


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
        listen(client, "s3")

    def of(self, bucket: str) -> Address | None:
        """Give the address of a bucket, None if it is not covered.

        Raises what botocore raises where it cannot make a request.
        """
        if bucket in self._known:
            return self._known[bucket]
        # It may sign, and so may ask somebody for credentials.
        return fibers.offload(lambda: self._find(bucket))

    def _find(self, bucket: str) -> Address | None:
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
        parts = asked_by(self._client.list_parts, Bucket=bucket, Key="k", UploadId="u")
        uploads = asked_by(self._client.list_multipart_uploads, Bucket=bucket)
        return None if parts is None or uploads is None else _address(parts, uploads)


def _address(parts: Asked, uploads: Asked) -> Address | None:
    """Take two finished requests apart; None if there is anything that we would not send."""
    region, same = (asked.region_if("s3", _SIGNED) for asked in (parts, uploads))
    payload = parts.headers.get("x-amz-content-sha256", "")
    key_url, bucket_url = parts.url.removesuffix(_PARTS), uploads.url.removesuffix(_UPLOADS)
    expected = (key_url + _PARTS, bucket_url + _UPLOADS) == (parts.url, uploads.url)
    plain = all(_URL.fullmatch(url) for url in (key_url, bucket_url))
    if not (expected and plain) or region is None or region != same:
        return None
    if payload != uploads.headers["x-amz-content-sha256"]:
        return None
    if host_of(key_url) != host_of(bucket_url):
        return None
    agent = parts.headers["user-agent"]
    return Address(bucket_url, key_url, host_of(key_url), agent, Signer(region, payload=payload))


def _renamed(sample: Address, bucket: str) -> Address | None:
    """Give the address of another plain name, which is in the host or in the path, but once."""
    urls = (sample.bucket_url, sample.key_url)
    if any(url.count(_SAMPLE) != 1 for url in urls):
        return None
    bucket_url, key_url = (url.replace(_SAMPLE, bucket) for url in urls)
    host = sample.host.replace(_SAMPLE, bucket)
    return replace(sample, bucket_url=bucket_url, key_url=key_url, host=host)
