"""S3 buckets, and buckets of S3-compatible stores, over a wire of our own or over boto3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ErrorString, errors

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from janitor.batch import Batch, keys_of
from janitor.errors import Unexpected, WrongIdentity
from janitor.model import ContainerRef, Part, Upload, parse_time, parse_times
from janitor.providers import aws, s3_transport
from janitor.providers.aws_clients import AwsCommon, Client
from janitor.providers.aws_keys import require_at_hand
from janitor.providers.aws_sdk import Wanted
from janitor.providers.base import (
    ContainersPage,
    Identity,
    Marker,
    Page,
    PartsPage,
    http_date,
    require,
    require_content,
    server_time,
    upload_of,
)
from janitor.providers.common import Common
from janitor.targets import Execution, S3Options, Target
from janitor.wire.s3_rows import Rows

PERMISSIONS: Mapping[str, Sequence[str]] = {
    "list_containers": ("s3:ListAllMyBuckets",),
    "list_page": ("s3:ListBucketMultipartUploads",),
    "list_parts": ("s3:ListMultipartUploadParts",),
    # Asked only of stores that are not known to keep uploads and objects apart. Without the
    # right to list, a store that follows AWS answers 403 where there is no object.
    "head_object": ("s3:GetObject", "s3:ListBucket"),
    "abort": ("s3:AbortMultipartUpload",),
}

_CODES = aws.Codes(
    upload_gone=frozenset({"NoSuchUpload"}), container_missing=frozenset({"NoSuchBucket"})
)
_LARGEST_PAGE = 1000
# What expat says of a key that XML cannot carry, and not of a reply that was cut.
_BEYOND_XML = frozenset({errors.XML_ERROR_INVALID_TOKEN, errors.XML_ERROR_BAD_CHAR_REF})
# A path, and a query that is nothing but an upload id, and not an empty one.
_ABORTED = re.compile(r"[^?#]*\?uploadId=[^&;#=+]+")
_ALIAS_SUFFIX = "-s3alias"
# Names that no ordinary bucket can have.
_UNUSUAL_SUFFIXES = (
    _ALIAS_SUFFIX,
    s3_transport.DIRECTORY_BUCKET_SUFFIX,
    "--ol-s3",
    "--op-s3",
    "--table-s3",
    "--xa-s3",
    ".mrap",
)


def connect(target: Target, execution: Execution, common: Common | None = None) -> S3Connection:
    """Prepare to read the buckets of one account or endpoint."""
    return S3Connection(target, execution, common)


def aborter(target: Target, execution: Execution, common: Common | None = None) -> S3Aborter:
    """Prepare to abort uploads; called in enforce mode only."""
    return S3Aborter(target, execution, common)


class _Clients:
    """One client for each region, because S3 answers for a bucket only in its own.

    With an `endpoint_url` they differ in what they sign, not in whom they ask.
    """

    def __init__(
        self, target: Target, execution: Execution, allow: aws.Allow, common: Common | None
    ) -> None:
        if not isinstance(target.options, S3Options):
            msg = f"target {target.name} is not an S3 target"
            raise TypeError(msg)
        self.options = target.options
        self.transport = s3_transport.chosen(target.options, target.containers)
        self._execution = execution
        self._allow = allow
        shared = Common() if common is None else common
        self._own = shared if common is None else None
        self.common = shared.of(AwsCommon)
        self.keys = self.common.keys(self.access(target.options.region))
        self._clients: dict[tuple[str | None, bool], Client] = {}
        self._regions: dict[str, str] = {}

    def of(self, bucket: str | None) -> Any:
        """Give the client for a bucket, or (None) for the account."""
        return self._in(self._region_of(bucket or ""), bucket or "")

    def learn_region(self, bucket: str, region: str) -> None:
        """Remember where a bucket is."""
        self._regions[bucket] = region

    def in_its_region(self, bucket: str, call: Callable[[Any], Any]) -> Any:
        """Make a call; once more where the reply says that the bucket is in another region."""
        region = self._region_of(bucket)
        try:
            return call(self._in(region, bucket))
        except ClientError as error:
            told = _region_told(error)
            if told in {None, region}:
                raise
        self._regions[bucket] = str(told)
        return call(self._in(told, bucket))

    def _region_of(self, bucket: str) -> str | None:
        return self._regions.get(bucket, self.options.region)

    def _in(self, region: str | None, bucket: str) -> Any:
        # Boto3 keeps its sessions by the name of the bucket, whoever they are for.
        alone = s3_transport.is_directory_bucket(bucket)
        client = self._clients.get((region, alone))
        if client is None:
            # Threads that come at once make the same.
            client = self._clients[region, alone] = self._connect(region, alone=alone)
        return client

    def close(self) -> None:
        """Close them all, unless others use them as well."""
        if self._own is not None:
            self._own.close()

    def _connect(self, region: str | None, *, alone: bool) -> Client:
        options, is_sdk = self.options, self.transport == s3_transport.SDK
        return self.common.client(
            Wanted(
                "s3",
                self.access(region),
                self._allow,
                {
                    "signature_version": options.signature_version,
                    "s3": {"addressing_style": options.addressing},
                },
                None if is_sdk else s3_transport.S3Channel,
                options.identity if alone else None,
            ),
            self.keys,
        )

    def access(self, region: str | None) -> aws.Access:
        """Say whom to be and where."""
        options = self.options
        # Compatible stores mostly do not care, but SigV4 needs a word.
        fallback = "us-east-1" if options.reach.endpoint_url is not None else None
        return aws.Access(options.identity, options.reach, region or fallback, self._execution)

    def arguments(self, bucket: str) -> dict[str, Any]:
        """Give what every request about a bucket carries."""
        found: dict[str, Any] = {"Bucket": bucket}
        if self.options.expected_owner is not None:
            found["ExpectedBucketOwner"] = self.options.expected_owner
        if self.options.request_payer:
            found["RequestPayer"] = "requester"
        return found


def _keeps_uploads_apart(options: S3Options) -> bool:
    """Say so only of AWS itself, or where the config vouches for the store."""
    if options.finished_object_check == "auto":
        return options.reach.endpoint_url is None
    return options.finished_object_check == "never"


def _has_exact_markers(options: S3Options, container: str) -> bool:
    """Say so only of ordinary buckets, of AWS itself or where the config vouches for the store."""
    is_known = options.reach.endpoint_url is None or options.listing == "parallel"
    is_ordinary = not container.startswith("arn:") and not container.endswith(_UNUSUAL_SUFFIXES)
    return is_known and is_ordinary


def _is_access_point(container: str) -> bool:
    return container.startswith("arn:") or container.endswith(_ALIAS_SUFFIX)


def _region_told(error: ClientError) -> str | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    told = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return str(told) if told and status in {301, 307, 400} else None


class S3Connection:
    """The buckets of one account or endpoint."""

    def __init__(self, target: Target, execution: Execution, common: Common | None) -> None:
        self._target = target
        self._clients = _Clients(target, execution, aws.read_only, common)

    def identify(self) -> Identity:
        """Tell whose credentials these are."""
        options, meta = self._clients.options, self._clients.of(None).meta
        access = self._clients.access(options.region)
        expected = options.identity.caller_account
        endpoint, region = str(meta.endpoint_url), meta.region_name
        found = self._clients.common.identify(access, endpoint, region, expected)
        return replace(found, transport=self._clients.transport)

    def list_containers(self, marker: Marker | None) -> ContainersPage:
        """List one page of the account's buckets, and learn their regions."""
        paged = {} if marker is None else {"ContinuationToken": marker.upload_id}
        with aws.ErrorsOf("list_buckets", _CODES):
            reply = self._clients.of(None).list_buckets(MaxBuckets=_LARGEST_PAGE, **paged)
        require_content(aws.proven(reply), "xml")
        require("Buckets" in reply, "no_witness", "the reply has no list of buckets")
        names = []
        for bucket in reply["Buckets"]:
            name = bucket.get("Name")
            require(name, "malformed_entry", "a bucket in the list has no name")
            region = bucket.get("BucketRegion")
            # Compatible stores say what they like here.
            if region and self._clients.options.reach.endpoint_url is None:
                self._clients.learn_region(name, region)
            names.append(name)
        token = reply.get("ContinuationToken")
        return ContainersPage(tuple(names), Marker(upload_id=token) if token else None)

    def reader(self, container: str) -> S3Reader:
        """Give a reader of one bucket."""
        return S3Reader(self._target, self._clients, container)

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class S3Reader:
    """Reads one bucket."""

    def __init__(self, target: Target, clients: _Clients, container: str) -> None:
        self.where = ContainerRef(target.name, "s3", container)
        # Directory buckets are not sorted, and take only folders as a prefix.
        self.can_list_one_key = not s3_transport.is_directory_bucket(container)
        self._clients = clients
        self._prefix = target.prefix
        self._page_size = target.page_size or _LARGEST_PAGE
        self._arguments = clients.arguments(container)
        self.keeps_uploads_apart = _keeps_uploads_apart(clients.options)
        self.markers_are_exact = _has_exact_markers(clients.options, container)
        self.can_split = self.markers_are_exact and clients.options.listing != "sequential"

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page of uploads.

        A page with keys that XML cannot carry is asked for again in
        url-encoding; servers differ too much in that to ask for it always.
        """
        arguments = self._arguments | {"MaxUploads": limit or self._page_size}
        prefix = self._prefix if key is None else key
        arguments |= {"Prefix": prefix} if prefix else {}
        if marker is not None:
            arguments |= {"KeyMarker": marker.key} if marker.key else {}
            arguments |= {"UploadIdMarker": marker.upload_id} if marker.upload_id else {}
        with aws.ErrorsOf("list_multipart_uploads", _CODES):
            try:
                return self._page(arguments, _as_it_is)
            except ResponseParserError as error:
                if not _has_characters_beyond_xml(error):
                    raise
            return self._page(arguments | {"EncodingType": "url"}, unquote_plus)

    def _page(self, arguments: Mapping[str, Any], decode: Callable[[str], str]) -> Page:
        reply = self._clients.in_its_region(
            self.where.container, lambda client: client.list_multipart_uploads(**arguments)
        )
        headers = self._prove(reply)
        uploads = self._uploads(reply.get("Uploads", ()), decode)
        following = _next_of_uploads(reply, decode, uploads) if reply["IsTruncated"] else None
        return Page(uploads, following, server_time(headers))

    def list_parts(self, upload: Upload, marker: Marker | None) -> PartsPage:
        """List one page of parts; the reply must name bucket, key and upload id exactly."""
        named = {"Key": upload.key, "UploadId": upload.upload_id}
        arguments = self._arguments | named | {"MaxParts": self._page_size}
        if marker is not None:
            arguments["PartNumberMarker"] = int(marker.upload_id)
        with aws.ErrorsOf("list_parts", _CODES):
            reply = self._clients.in_its_region(
                self.where.container, lambda client: client.list_parts(**arguments)
            )
        headers = self._prove(reply)
        told = {name: reply.get(name) for name in named}
        if told != named:  # asking again would not change it
            message = "the reply is about another upload"
            raise Unexpected(message, code="wrong_upload")
        parts = tuple(_part(entry) for entry in reply.get("Parts", ()))
        following = _next_of_parts(reply) if reply["IsTruncated"] else None
        return PartsPage(parts, following, server_time=server_time(headers))

    def object_written(self, upload: Upload) -> datetime | None:
        """Ask for the object of this key; needs the right to read it."""
        arguments = self._arguments | {"Key": upload.key}
        with aws.ErrorsOf("head_object", _CODES):
            try:
                reply = self._clients.in_its_region(
                    self.where.container, lambda client: client.head_object(**arguments)
                )
            except ClientError as error:
                # A HEAD has no body, and so no code but its status.
                if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                    return None
                raise
        written = http_date(str(reply.get("LastModified", "")))
        require(written, "no_witness", "the reply does not say when the object was written")
        return written

    def _prove(self, reply: Mapping[str, Any]) -> Mapping[str, str]:
        headers = aws.proven(reply)
        require_content(headers, "xml")
        witness = isinstance(reply.get("IsTruncated"), bool)
        require(witness, "no_witness", "the reply does not say whether it is truncated")
        told = reply.get("Bucket")
        require(told, "no_witness", "the reply does not name its bucket")
        # Behind an access point is a bucket that we do not know.
        asked = self.where.container
        if told != asked and not _is_access_point(asked):
            message = f"asked for bucket {asked}, the reply is about {told}"
            raise WrongIdentity(message, code="wrong_bucket")
        return headers

    def _uploads(
        self, entries: Sequence[Mapping[str, Any]], decode: Callable[[str], str]
    ) -> Sequence[Upload]:
        if isinstance(entries, Rows) and entries.dates is not None:
            keys = list(map(decode, entries.keys))
            # One without an identity is refused below, in the words for it.
            if all(keys) and all(entries.upload_ids):
                return self._batch(keys, entries, entries.dates)
        return tuple(self._upload(entry, decode) for entry in entries)

    def _batch(self, keys: Sequence[str], rows: Rows, dates: Sequence[str]) -> Batch:
        moments, unknown = parse_times(dates), [None] * len(keys)
        texts = [
            None if moment is not None else text
            for moment, text in zip(moments, dates, strict=True)
        ]
        return Batch(
            self.where,
            keys,
            rows.upload_ids,
            moments,
            texts,
            rows.initiators or unknown,
            rows.storage_classes or unknown,
            description="",
        )

    def _upload(self, entry: Mapping[str, Any], decode: Callable[[str], str]) -> Upload:
        key = entry.get("Key")
        return upload_of(
            self.where,
            decode(key) if isinstance(key, str) else "",
            entry.get("UploadId"),
            entry.get("Initiated"),
            (
                ("description", ""),
                ("initiator", entry.get("Initiator", {}).get("ID")),
                ("storage_class", entry.get("StorageClass")),
            ),
        )


class S3Aborter:
    """Aborts uploads of one account's buckets; its clients can send nothing else."""

    def __init__(self, target: Target, execution: Execution, common: Common | None) -> None:
        self._clients = _Clients(target, execution, _only_abort, common)

    def abort(self, upload: Upload) -> None:
        """Abort one upload; raise UploadGone where there is none, Unsent if it got late for it."""
        named = {"Key": upload.key, "UploadId": upload.upload_id}
        bucket = upload.where.container
        arguments = self._clients.arguments(bucket) | named
        with aws.ErrorsOf("abort_multipart_upload", _CODES):
            require_at_hand(self._clients.keys)
            reply = self._clients.in_its_region(
                bucket, lambda client: client.abort_multipart_upload(**arguments)
            )
        aws.require_no_content(reply)

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


def _only_abort(method: str, url: str) -> bool:
    # Without its upload id the same request would delete the object.
    return method == "DELETE" and _ABORTED.fullmatch(url) is not None


def _has_characters_beyond_xml(error: ResponseParserError) -> bool:
    cause = error.__context__
    return isinstance(cause, ParseError) and ErrorString(cause.code) in _BEYOND_XML


def _as_it_is(text: str) -> str:
    return text


def _next_of_uploads(
    reply: Mapping[str, Any], decode: Callable[[str], str], uploads: Sequence[Upload]
) -> Marker:
    """Take exactly the markers that the server gave; a truncated page without any is no page."""
    told, upload_id = reply.get("NextKeyMarker") or "", reply.get("NextUploadIdMarker") or ""
    require(told or upload_id, "no_marker", "the page is truncated, but does not say where")
    last = keys_of(uploads)[-1] if uploads else None
    # In url-encoding some servers encode the marker too, and some do not.
    key = told if told == last else decode(told)
    return Marker(key, upload_id)


def _next_of_parts(reply: Mapping[str, Any]) -> Marker:
    told = reply.get("NextPartNumberMarker")
    require(isinstance(told, int), "no_marker", "the page is truncated, but does not say where")
    return Marker(upload_id=str(told))


def _part(entry: Mapping[str, Any]) -> Part:
    return Part(
        str(entry.get("PartNumber", "")),
        entry.get("Size"),
        parse_time(entry.get("LastModified")),
        str(entry.get("ETag", "")),
    )
