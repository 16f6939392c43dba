"""QingStor buckets over a wire of our own or over qingstor-sdk (API 2016-01-06).

Both send the same requests. Their replies are read here: the SDK takes one that
it cannot read for an empty one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.client import responses
from importlib import import_module
from typing import Any, cast

from janitor.errors import (
    ClockSkewed,
    ContainerMissing,
    Denied,
    ProviderError,
    Throttled,
    Transient,
    Unexpected,
    UploadGone,
    WrongIdentity,
)
from janitor.model import ContainerRef, Part, Upload, parse_time
from janitor.providers import qingstor_wire
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
from janitor.providers.common import Common
from janitor.providers.qingstor_question import Question, Transport, address_of
from janitor.targets import Execution, QingStorOptions, Target
from janitor.wire.line import Reply

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


def connect(
    target: Target, execution: Execution, _common: Common | None = None
) -> QingStorConnection:
    """Prepare to read the buckets of one zone."""
    return QingStorConnection(target, execution)


def aborter(target: Target, execution: Execution, _common: Common | None = None) -> QingStorAborter:
    """Prepare to abort uploads; called in enforce mode only."""
    return QingStorAborter(target, execution)


def _options(target: Target) -> QingStorOptions:
    if not isinstance(target.options, QingStorOptions):
        msg = f"target {target.name} is not a QingStor target"
        raise TypeError(msg)
    return target.options


def _by_sdk(options: QingStorOptions, execution: Execution) -> Transport:
    # Importing the SDK takes longer than all else that a sweep of a small bucket does.
    module = import_module("janitor.providers.qingstor_sdk")
    return cast("Transport", module.SdkTransport(options, execution))


def _is_fast(options: QingStorOptions) -> bool:
    return options.transport != "sdk" and qingstor_wire.covers(options)


def _transport(options: QingStorOptions, execution: Execution) -> Transport:
    if _is_fast(options):
        return qingstor_wire.WireTransport(options, execution)
    return _by_sdk(options, execution)


def _answer(transport: Transport, question: Question) -> Reply:
    """Ask one question; raise unless the reply is a success."""
    reply = transport.ask(question)
    if reply.status not in {200, 204}:
        raise _translated(question.verb, reply)
    return reply


class QingStorConnection:
    """The buckets of one zone."""

    def __init__(self, target: Target, execution: Execution) -> None:
        self._target, self._execution = target, execution
        self._options = _options(target)
        self._is_fast = _is_fast(self._options)
        self._transport = _transport(self._options, execution)
        self._making = threading.Lock()
        self._sdk: Transport | None = None

    def identify(self) -> Identity:
        """Tell whose keys these are; the API has no question for that, so the key is the name."""
        options = self._options
        scheme, host, port = address_of(options)
        account = options.credentials.access_key_id
        transport = "wire" if self._is_fast else "sdk"
        return Identity(f"{scheme}://{host}:{port}", options.zone or None, account, transport)

    def list_containers(self, marker: Marker | None) -> ContainersPage:
        """List one page of the account's buckets; the last page is the empty one."""
        zone = self._options.zone
        offset = int(marker.upload_id) if marker is not None else 0
        parameters = {"limit": str(_SAFE_PAGE), "offset": str(offset)}
        parameters |= {"location": zone} if zone else {}
        question = Question("list_buckets", "GET", parameters=parameters)
        body, _ = _proven(_answer(self._for_account(), question), "buckets")
        entries = body["buckets"] or ()
        names = []
        for entry in entries:
            require(entry.get("name"), "malformed_entry", "a bucket in the list has no name")
            if zone.lower() in {"", entry.get("location")}:
                names.append(entry["name"])
        following = Marker(upload_id=str(offset + len(entries))) if entries else None
        return ContainersPage(tuple(names), following)

    def reader(self, container: str) -> QingStorReader:
        """Give a reader of one bucket."""
        return QingStorReader(self._target, self._transport, container)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
        if self._sdk is not None:
            self._sdk.close()

    def _for_account(self) -> Transport:
        """Give the SDK, for what the wire does not know: it is asked once for each target."""
        if not self._is_fast:
            return self._transport
        with self._making:
            if self._sdk is None:
                self._sdk = _by_sdk(self._options, self._execution)
            return self._sdk


class QingStorReader:
    """Reads one bucket."""

    # The order within one key is not defined well enough to page by, but one
    # key can be asked for alone.
    can_list_one_key = True
    markers_are_exact = False
    can_split = False
    # "Uploads with different ids do not affect each other", says the vendor.
    keeps_uploads_apart = True

    def __init__(self, target: Target, transport: Transport, container: str) -> None:
        self.where = ContainerRef(target.name, "qingstor", container)
        self._transport = transport
        self._prefix = target.prefix
        self._page_size = target.page_size or _SAFE_PAGE

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page of uploads."""
        position = marker or Marker()
        parameters = {
            "key_marker": position.key,
            "upload_id_marker": position.upload_id,
            "limit": str(limit or self._page_size),
            "prefix": self._prefix if key is None else key,
        }
        body, headers = self._ask("list_multipart_uploads", "uploads", None, parameters)
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
        parameters = {
            "limit": str(self._page_size),
            "part_number_marker": marker.upload_id if marker is not None else "",
            "upload_id": upload.upload_id,
        }
        body, headers = self._ask("list_multipart", "object_parts", upload.key, parameters)
        parts = tuple(_part(entry) for entry in body["object_parts"] or ())
        following = Marker(upload_id=parts[-1].number) if parts else None
        return PartsPage(parts, following, server_time=server_time(headers))

    def object_written(self, _upload: Upload) -> datetime | None:
        """Tell None: the store keeps uploads and objects apart."""
        return None

    def _ask(
        self, verb: str, witness: str, key: str | None, parameters: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        question = Question(verb, "GET", self.where.container, key, parameters)
        return _proven(_answer(self._transport, question), witness)

    def _upload(self, entry: Mapping[str, Any]) -> Upload:
        absent = (("description", ""), ("initiator", ""), ("storage_class", ""))
        key = entry.get("key")
        date = entry.get("created")
        return upload_of(self.where, key or "", entry.get("upload_id"), date, absent)


class QingStorAborter:
    """Aborts uploads of one zone's buckets, and can send nothing else."""

    def __init__(self, target: Target, execution: Execution) -> None:
        self._transport = _transport(_options(target), execution)

    def abort(self, upload: Upload) -> None:
        """Abort one upload.

        The store says 204 for an upload that never was, too; only the parts,
        listed afterwards, tell. A request whose URL is not exactly bucket,
        quoted key and upload id is refused: without the id it would delete
        the object.
        """
        question = Question(
            "abort_multipart_upload",
            "DELETE",
            upload.where.container,
            upload.key,
            {"upload_id": upload.upload_id},
        )
        status = _answer(self._transport, question).status
        if status != 204:  # noqa: PLR2004  # HTTP
            message = f"the abort was answered with HTTP {status}, not 204"
            raise Unexpected(message, code="status", status=status)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _proven(reply: Reply, witness: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    status, headers = reply.status, reply.headers
    require(status == 200, "status", f"the reply is HTTP {status}, not 200")  # noqa: PLR2004  # HTTP
    require_content(headers, "json")
    body = _json(reply)
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


def _translated(verb: str, reply: Reply) -> ProviderError:
    """Name a refusal; the one place where QingStor's codes become our errors."""
    code, said = _code_of(reply)
    facts: dict[str, Any] = {"code": code, "status": reply.status}
    facts["request_id"] = reply.headers.get("x-qs-request-id")
    kind = _KIND_OF_CODE.get(code) or KIND_OF_STATUS.get(reply.status, Unexpected)
    if issubclass(kind, Transient):
        facts["retry_after"] = retry_after(reply.headers, datetime.now(UTC))
    return kind(f"{verb}: {code}: {said}", **facts)


def _code_of(reply: Reply) -> tuple[str, str]:
    body = _json(reply)
    if isinstance(body, dict) and isinstance(body.get("code"), str):
        return body["code"], str(body.get("message", ""))
    return f"http_{reply.status}", responses.get(reply.status, "")


def _json(reply: Reply) -> Any:
    """Read a document; None where it is none."""
    try:
        return json.loads(reply.body)
    except (RecursionError, ValueError):
        return None
