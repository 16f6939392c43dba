"""QingStor buckets over qingstor-sdk (API 2016-01-06).

The SDK builds and signs each request; we look at it before it goes out, send
it through the SDK's own session, and read the reply ourselves: the SDK takes
a reply that it cannot read for an empty one.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from qingstor.sdk.config import Config
from qingstor.sdk.service.qingstor import QingStor
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from janitor.errors import (
    ClockSkewed,
    ContainerMissing,
    Denied,
    JanitorError,
    ProviderError,
    Refused,
    Throttled,
    Transient,
    Unexpected,
    UploadGone,
    WrongIdentity,
)
from janitor.model import ContainerRef, Part, Upload, parse_time
from janitor.providers.base import (
    KIND_OF_STATUS,
    ContainersPage,
    Identity,
    Marker,
    Page,
    PartsPage,
    require,
    require_content,
    retry_after,
    server_time,
    upload_of,
)
from janitor.targets import Execution, QingStorOptions, Target

# The actions that a bucket policy knows; listing buckets is for the account itself.
PERMISSIONS: Mapping[str, Sequence[str]] = {
    "list_containers": (),
    "list_page": ("list_multipart",),
    "list_parts": ("list_multipart",),
    "abort": ("abort_multipart",),
}

_KIND_OF_CODE: Mapping[str, type[ProviderError]] = {
    "access_denied": Denied,
    "bucket_not_exists": ContainerMissing,
    "fetch_throttled": Throttled,
    "max_requests_exceeded": Throttled,
    "request_expired": ClockSkewed,
    "upload_not_exists": UploadGone,
}
# More than this is documented, but was seen to be refused.
_SAFE_PAGE = 200


def connect(target: Target, execution: Execution) -> QingStorConnection:
    """Prepare to read the buckets of one zone."""
    return QingStorConnection(target, execution)


def aborter(target: Target, execution: Execution) -> QingStorAborter:
    """Prepare to abort uploads; called in enforce mode only."""
    return QingStorAborter(target, execution)


class _Wire:
    """The SDK's service object with everything switched off that hides a reply."""

    def __init__(self, target: Target, execution: Execution) -> None:
        if not isinstance(target.options, QingStorOptions):
            msg = f"target {target.name} is not a QingStor target"
            raise TypeError(msg)
        self.options = target.options
        self._config = _sdk_config(target.options)
        self.service = QingStor(self._config)
        self._session: requests.Session = self.service.client
        retries = Retry(
            total=0, redirect=False, raise_on_status=False, respect_retry_after_header=False
        )
        pool = execution.connections
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=pool, max_retries=retries)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        reach = target.options.reach
        self._session.trust_env = reach.proxy_from_environment
        if reach.proxy_url is not None:
            self._session.proxies = {"http": reach.proxy_url, "https": reach.proxy_url}
        verify = reach.ca_file or True
        timeout = (
            execution.connect_timeout.total_seconds(),
            execution.read_timeout.total_seconds(),
        )
        self._send = functools.partial(
            self._session.send, timeout=timeout, allow_redirects=False, verify=verify
        )

    def bucket(self, name: str) -> Any:
        """Give the SDK's request builder for one bucket."""
        return self.service.Bucket(name, self.options.zone)

    def exchange(self, verb: str, request: Any, expected: _Expected) -> requests.Response:
        """Sign, inspect and send one request; raise unless the reply is a success."""
        with _errors_of(verb):
            prepared = request.sign()
            expected.check(prepared)
            response: requests.Response = self._send(prepared)
        if response.status_code not in {200, 204}:
            raise _translated(verb, response)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _sdk_config(options: QingStorOptions) -> Config:
    root, sdk = logging.getLogger(), logging.getLogger("qingstor-sdk")
    handlers = list(root.handlers)
    credentials = options.credentials
    config = Config(credentials.access_key_id, credentials.secret_access_key.reveal())
    # Config() sets up the logging of the whole process. Take that back; and at
    # debug level the SDK logs signatures.
    for handler in [added for added in root.handlers if added not in handlers]:
        root.removeHandler(handler)
    sdk.setLevel(logging.WARNING)
    config.protocol, config.host, config.port = _address(options)
    config.enable_virtual_host_style = options.addressing == "virtual"
    config.timeout = 0
    return config


def _address(options: QingStorOptions) -> tuple[str, str, int]:
    url = options.reach.endpoint_url
    if url is None:
        return options.protocol, options.host, options.port
    parts = urlsplit(url)
    host = parts.hostname or ""
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, f"[{host}]" if ":" in host else host, parts.port or default


class _Expected:
    """What a prepared request must look like, byte for byte, before it may go out."""

    def __init__(
        self, options: QingStorOptions, method: str, bucket: str | None, key: str | None
    ) -> None:
        protocol, host, port = _address(options)
        is_default = (protocol, port) in {("https", 443), ("http", 80)}
        authority = host if is_default else f"{host}:{port}"
        zone = options.zone.lower()
        authority = f"{zone}.{authority}" if zone else authority
        path = "/"
        if bucket is not None and options.addressing == "virtual":
            authority = f"{bucket}.{authority}"
        elif bucket is not None:
            path = f"/{bucket}"
        if key is not None:
            path = f"{path.rstrip('/')}/{quote(key)}"
        self._method = method
        self._url = f"{protocol}://{authority}{path}"
        self._query: str | None = None

    def with_query(self, query: str) -> _Expected:
        """Demand this query as well, and nothing beside it."""
        self._query = query
        return self

    def check(self, prepared: requests.PreparedRequest) -> None:
        """Raise Refused unless this is exactly what was meant."""
        url, _, query = (prepared.url or "").partition("?")
        fits = (prepared.method, url) == (self._method, self._url)
        if not fits or (self._query is not None and query != self._query):
            message = (
                f"refused to send {prepared.method} {url}: meant was {self._method} {self._url};"
                " the SDK cannot address this key"
            )
            raise Refused(message, code="guard")


class QingStorConnection:
    """The buckets of one zone."""

    def __init__(self, target: Target, execution: Execution) -> None:
        self._target = target
        self._wire = _Wire(target, execution)

    def identify(self) -> Identity:
        """Tell whose keys these are; the API has no question for that, so the key is the name."""
        options = self._wire.options
        protocol, host, port = _address(options)
        account = options.credentials.access_key_id
        return Identity(f"{protocol}://{host}:{port}", options.zone or None, account)

    def list_containers(self, marker: Marker | None) -> ContainersPage:
        """List one page of the account's buckets; the last page is the empty one."""
        options = self._wire.options
        offset = int(marker.upload_id) if marker is not None else 0
        request = self._wire.service.list_buckets_request(
            limit=str(_SAFE_PAGE), offset=str(offset), location=options.zone or None
        )
        # The account's own address has no zone in its name.
        expected = _Expected(replace(options, zone=""), "GET", None, None)
        response = self._wire.exchange("list_buckets", request, expected)
        body, _ = _proven(response, "buckets")
        entries = body["buckets"] or ()
        names = []
        for entry in entries:
            require(entry.get("name"), "malformed_entry", "a bucket in the list has no name")
            if options.zone.lower() in {"", entry.get("location")}:
                names.append(entry["name"])
        following = Marker(upload_id=str(offset + len(entries))) if entries else None
        return ContainersPage(tuple(names), following)

    def reader(self, container: str) -> QingStorReader:
        """Give a reader of one bucket."""
        return QingStorReader(self._target, self._wire, container)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


class QingStorReader:
    """Reads one bucket."""

    # The order within one key is not defined well enough to page by, but one
    # key can be asked for alone.
    can_list_one_key = True
    markers_are_exact = False
    can_split = False
    # "Uploads with different ids do not affect each other", says the vendor.
    keeps_uploads_apart = True

    def __init__(self, target: Target, wire: _Wire, container: str) -> None:
        self.where = ContainerRef(target.name, "qingstor", container)
        self._wire = wire
        self._prefix = target.prefix
        self._page_size = target.page_size or _SAFE_PAGE

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page of uploads."""
        position = marker or Marker()
        request = self._wire.bucket(self.where.container).list_multipart_uploads_request(
            key_marker=position.key,
            upload_id_marker=position.upload_id,
            limit=str(limit or self._page_size),
            prefix=self._prefix if key is None else key,
        )
        expected = _Expected(self._wire.options, "GET", self.where.container, None)
        response = self._wire.exchange("list_multipart_uploads", request, expected)
        body, headers = _proven(response, "uploads")
        told = body.get("name")
        require(told, "no_witness", "the reply does not name its bucket")
        if told != self.where.container:
            message = f"asked for bucket {self.where.container}, the reply is about {told}"
            raise WrongIdentity(message, code="wrong_bucket")
        uploads = tuple(self._upload(entry) for entry in body["uploads"] or ())
        return Page(uploads, _next(body), server_time(headers))

    def list_parts(self, upload: Upload, marker: Marker | None) -> PartsPage:
        """List one page of parts; the last page is the empty one.

        The API does not say whether a page is the last, and a server may give
        fewer parts than were asked for: only "nothing after this" is proof.
        """
        assert upload.key is not None  # noqa: S101  # for mypy: Upload saw to it
        request = self._wire.bucket(self.where.container).list_multipart_request(
            upload.key,
            limit=str(self._page_size),
            part_number_marker=marker.upload_id if marker is not None else None,
            upload_id=upload.upload_id,
        )
        expected = _Expected(self._wire.options, "GET", self.where.container, upload.key)
        response = self._wire.exchange("list_multipart", request, expected)
        body, headers = _proven(response, "object_parts")
        parts = tuple(_part(entry) for entry in body["object_parts"] or ())
        following = Marker(upload_id=parts[-1].number) if parts else None
        return PartsPage(parts, following, server_time=server_time(headers))

    def object_written(self, _upload: Upload) -> datetime | None:
        """Tell None: the store keeps uploads and objects apart."""
        return None

    def _upload(self, entry: Mapping[str, Any]) -> Upload:
        absent = (("description", ""), ("initiator", ""), ("storage_class", ""))
        key = entry.get("key")
        date = entry.get("created")
        return upload_of(self.where, key or "", entry.get("upload_id"), date, absent)


class QingStorAborter:
    """Aborts uploads of one zone's buckets, and can send nothing else."""

    def __init__(self, target: Target, execution: Execution) -> None:
        self._wire = _Wire(target, execution)

    def abort(self, upload: Upload) -> None:
        """Abort one upload.

        The store says 204 for an upload that never was, too; only the parts,
        listed afterwards, tell. A request whose URL is not exactly bucket,
        quoted key and upload id is refused: without the id it would delete
        the object.
        """
        assert upload.key is not None  # noqa: S101  # for mypy: Upload saw to it
        bucket = upload.where.container
        request = self._wire.bucket(bucket).abort_multipart_upload_request(
            upload.key, upload_id=upload.upload_id
        )
        query = f"upload_id={quote(upload.upload_id)}"
        expected = _Expected(self._wire.options, "DELETE", bucket, upload.key).with_query(query)
        response = self._wire.exchange("abort_multipart_upload", request, expected)
        if response.status_code != 204:  # noqa: PLR2004  # HTTP
            message = f"the abort was answered with HTTP {response.status_code}, not 204"
            raise Unexpected(message, code="status", status=response.status_code)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


def _proven(
    response: requests.Response, witness: str
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    status = response.status_code
    require(status == 200, "status", f"the reply is HTTP {status}, not 200")  # noqa: PLR2004  # HTTP
    require_content(headers, "json")
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    whole = isinstance(body, dict) and witness in body
    require(whole, "no_witness", f"the reply is not readable JSON with {witness}")
    fits = body[witness] is None or _is_list_of_objects(body[witness])
    require(fits, "no_witness", f"{witness} in the reply is not a list")
    return body, headers


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _next(body: Mapping[str, Any]) -> Marker | None:
    told = "has_more" in body or "next_key_marker" in body
    require(told, "no_witness", "the reply does not say whether there is more")
    more = body.get("has_more")
    marker = Marker(body.get("next_key_marker") or "", body.get("next_upload_id_marker") or "")
    if more is False:
        return None
    require(any(marker) or more is not True, "no_marker", "there is more, but not said where")
    return marker if any(marker) else None


def _part(entry: Mapping[str, Any]) -> Part:
    number, size = entry.get("part_number"), entry.get("size")
    require(isinstance(number, int), "malformed_entry", "a part in the list has no number")
    return Part(
        str(number),
        size if isinstance(size, int) else None,
        parse_time(entry.get("created")),
        str(entry.get("etag", "")),
    )


@contextmanager
def _errors_of(verb: str) -> Iterator[None]:
    """Translate what requests raises; replies are translated by `_translated`."""
    try:
        yield
    except JanitorError:
        raise
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        message = f"{verb}: {type(error).__name__}: {error}"
        raise Transient(message, code="connection") from error
    except UnicodeEncodeError as error:
        message = f"{verb}: the key cannot be sent: {error.reason}"
        raise Refused(message, code="guard") from error
    except (requests.RequestException, ValueError) as error:
        message = f"{verb}: {type(error).__name__}: {error}"
        raise Unexpected(message, code="sdk_error") from error


def _translated(verb: str, response: requests.Response) -> ProviderError:
    """Name a refusal; the one place where QingStor's codes become our errors."""
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.items()}
    code, said = _code_of(response)
    message = f"{verb}: {code}: {said}"
    facts: dict[str, Any] = {"code": code, "status": status}
    facts["request_id"] = headers.get("x-qs-request-id")
    kind = _KIND_OF_CODE.get(code) or KIND_OF_STATUS.get(status, Unexpected)
    if issubclass(kind, Transient):
        facts["retry_after"] = retry_after(headers, datetime.now(UTC))
    return kind(message, **facts)


def _code_of(response: requests.Response) -> tuple[str, str]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("code"), str):
        return body["code"], str(body.get("message", ""))
    return f"http_{response.status_code}", response.reason or ""
