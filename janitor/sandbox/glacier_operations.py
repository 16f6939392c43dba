"""The operations of Amazon Glacier's vault service (API 2012-06-01)."""

from __future__ import annotations

import hashlib
import re
import secrets
from bisect import bisect_left
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from janitor.sandbox.context import whole_number
from janitor.sandbox.dates import Omit, Stamp, milliseconds
from janitor.sandbox.paging import cut, shown_name, spoil
from janitor.sandbox.state import Container, FinishedObject, Part, Upload
from janitor.sandbox.treehash import MIB, combine, tree_hash
from janitor.sandbox.wire import Refusal, Reply, json_reply

if TYPE_CHECKING:
    from janitor.sandbox.context import Context

INVALID: Final = "InvalidParameterValueException"
PAGE: Final = 50
VAULT_PAGE: Final = 10
PART_SIZES: Final = frozenset(MIB << power for power in range(13))
ABORT_AGAIN: Final = timedelta(hours=1)
"""So long an abort of an aborted upload succeeds; the guide only says "for a short time"."""


def list_vaults(context: Context) -> Reply:
    """Answer ListVaults: those of the caller's account and the signature's region."""
    limit, marker = _limit(context, VAULT_PAGE), context.call.marker
    names = [
        name for name, found in sorted(context.store.containers.items()) if _mine(context, found)
    ]
    arns = [_arn(context.store.containers[name]) for name in names]
    start = bisect_left(arns, marker) if marker else 0
    page = cut(arns, start, limit, _text_marker, inclusive=True)
    spoil(page, context.fault, (marker, ""), lambda: arns, _text_marker)
    vaults = [context.store.containers[arn.rpartition("/")[2]] for arn in page.entries]
    return json_reply(
        {"Marker": _marker(context, page.next[0]), "VaultList": [_vault(v) for v in vaults]}
    )


def _text_marker(text: str) -> tuple[str, str]:
    return text, ""


def _mine(context: Context, found: Container) -> bool:
    in_region = not context.world.options.check_region or found.region == context.caller.region
    return in_region and found.account_id == context.caller.principal.account_id


def _vault(found: Container, fault_name: str | None = None) -> dict[str, object]:
    return {
        "CreationDate": milliseconds(found.created),
        "LastInventoryDate": None,
        "NumberOfArchives": None,
        "SizeInBytes": None,
        "VaultARN": _arn(found),
        "VaultName": fault_name or found.name,
    }


def list_uploads(context: Context) -> Reply:
    """Answer ListMultipartUploads; the marker is the id that the page begins with."""
    home, limit, marker = vault(context), _limit(context, PAGE), context.call.marker
    try:
        page = home.page_from(marker or None, limit)
    except KeyError:
        raise Refusal(400, INVALID, f"The marker is not valid: {marker}") from None
    spoil(page, context.fault, ("", marker), home.snapshot, lambda one: ("", one.upload_id))
    arn = _shown_arn(context, home)
    uploads = [_upload(one, arn) for one in page.entries]
    return json_reply({"Marker": _marker(context, page.next[1]), "UploadsList": uploads})


def _upload(one: Upload, arn: str) -> dict[str, object]:
    fields = {
        "ArchiveDescription": one.description,
        "CreationDate": _date(one.initiated),
        "MultipartUploadId": one.upload_id,
        "PartSizeInBytes": one.part_size,
        "VaultARN": arn,
    }
    return {name: value for name, value in fields.items() if not isinstance(value, Omit)}


def _date(stamp: Stamp) -> str | Omit:
    return milliseconds(stamp) if isinstance(stamp, datetime) else stamp


def list_parts(context: Context) -> Reply:
    """Answer ListParts; a marker is the byte range that the page begins with."""
    found, limit, marker = upload(context), _limit(context, PAGE), context.call.marker
    first = whole_number(marker.partition("-")[0]) if marker else 0
    if first is None:
        raise Refusal(400, INVALID, f"The marker is not valid: {marker}")
    parts = found.sorted_parts()
    start = bisect_left(parts, first, key=lambda part: part.number)
    page = cut(parts, start, limit, _range_marker, inclusive=True)
    spoil(page, context.fault, (marker, ""), lambda: parts, _range_marker)
    listed = [{"RangeInBytes": _range(part), "SHA256TreeHash": part.etag} for part in page.entries]
    common = _upload(found, _shown_arn(context, vault(context)))
    return json_reply({**common, "Marker": _marker(context, page.next[0]), "Parts": listed})


def _range(part: Part) -> str:
    return f"{part.number}-{part.number + part.size - 1}"


def _range_marker(part: Part) -> tuple[str, str]:
    return _range(part), ""


def create_vault(context: Context) -> Reply:
    """Answer CreateVault; an existing one is no error."""
    name, principal = context.call.container or "", context.caller.principal
    if context.found() is None:
        try:
            context.store.add_container(
                name, context.caller.region, account_id=principal.account_id
            )
        except ValueError as error:
            raise Refusal(400, INVALID, str(error)) from error
    return Reply(201, {"Location": f"/{principal.account_id}/vaults/{name}"})


def describe_vault(context: Context) -> Reply:
    """Answer DescribeVault."""
    found = vault(context)
    return json_reply(_vault(found, shown_name(found.name, context.fault)))


def delete_vault(context: Context) -> Reply:
    """Answer DeleteVault; archives may not be left."""
    found = vault(context)
    if found.objects:
        raise Refusal(400, INVALID, "The vault is not empty.")
    del context.store.containers[found.name]
    return Reply(204)


def delete_archive(context: Context) -> Reply:
    """Answer DeleteArchive; a missing archive is no error."""
    vault(context).objects.pop(context.key, None)
    return Reply(204)


def upload_archive(context: Context) -> Reply:
    """Answer UploadArchive, an archive in one piece."""
    home, body = vault(context), context.request.body
    etag = _checked_tree_hash(context, body)
    archive = secrets.token_urlsafe(103)
    made = FinishedObject(archive, len(body), etag, context.world.clock.now())
    home.objects[archive] = made
    return _archived(home, made)


def create_upload(context: Context) -> Reply:
    """Answer InitiateMultipartUpload."""
    home, request = vault(context), context.request
    size = whole_number(request.header("x-amz-part-size"))
    if size not in PART_SIZES:
        raise Refusal(400, INVALID, "Invalid part size: it must be a power of two MiB.")
    upload_id = context.store.add_upload(
        home.name,
        part_size=size,
        description=request.header("x-amz-archive-description") or None,
    )
    location = f"{_path(home)}/multipart-uploads/{upload_id}"
    return Reply(201, {"Location": location, "x-amz-multipart-upload-id": upload_id})


def upload_part(context: Context) -> Reply:
    """Answer UploadMultipartPart; the range must lie on a part's border."""
    found, body = upload(context), context.request.body
    told = re.fullmatch(r"bytes (\d+)-(\d+)/\*", context.request.header("content-range"))
    if told is None:
        raise Refusal(400, INVALID, "Invalid Content-Range.")
    first, last = int(told[1]), int(told[2])
    size = last - first + 1
    if size != len(body) or first % found.part_size or size > found.part_size:
        raise Refusal(400, INVALID, f"Invalid Content-Range: {told[0]}")
    etag = _checked_tree_hash(context, body)
    found.parts[first] = Part(first, size, etag, context.world.clock.now())
    return Reply(204, {"x-amz-sha256-tree-hash": etag})


def _checked_tree_hash(context: Context, body: bytes) -> str:
    declared = context.request.header("x-amz-sha256-tree-hash")
    if not declared:
        raise Refusal(400, "MissingParameterValueException", "Required: x-amz-sha256-tree-hash")
    linear = context.request.header("x-amz-content-sha256")
    if linear and linear != hashlib.sha256(body).hexdigest():
        raise Refusal(400, INVALID, "Checksum mismatch: x-amz-content-sha256")
    actual = tree_hash(body).hex()
    if declared != actual:
        raise Refusal(400, INVALID, f"Checksum mismatch: expected {declared}, actual {actual}")
    return actual


def complete(context: Context) -> Reply:
    """Answer CompleteMultipartUpload: the size and the tree hash of the whole are checked."""
    found, home = upload(context), vault(context)
    parts = found.sorted_parts()
    if whole_number(context.request.header("x-amz-archive-size")) != found.size or not parts:
        raise Refusal(400, INVALID, "The archive size does not fit the parts.")
    ends = [0, *(part.number + part.size for part in parts)]
    if [part.number for part in parts] != ends[:-1]:
        raise Refusal(400, INVALID, "There are gaps between the parts.")
    whole = combine([bytes.fromhex(part.etag) for part in parts]).hex()
    if context.request.header("x-amz-sha256-tree-hash") != whole:
        raise Refusal(400, INVALID, "Checksum mismatch: x-amz-sha256-tree-hash")
    made = context.store.finish(home.name, found, secrets.token_urlsafe(103))
    made = replace(made, etag=whole)
    home.objects[made.key] = made
    return _archived(home, made)


def _archived(home: Container, made: FinishedObject) -> Reply:
    headers = {
        "Location": f"{_path(home)}/archives/{made.key}",
        "x-amz-sha256-tree-hash": made.etag,
        "x-amz-archive-id": made.key,
    }
    return Reply(201, headers)


def abort(context: Context) -> Reply:
    """Answer AbortMultipartUpload; for a while also for one that was aborted before."""
    home, now = vault(context), context.world.clock.now()
    if not context.upload_id:
        raise Refusal(400, "MissingParameterValueException", "Required: uploadId")
    before = home.ended.get(context.upload_id)
    if before is not None and not before.completed and now - before.when < ABORT_AGAIN:
        return Reply(204)
    found = upload(context)
    context.abort(home, found)
    return Reply(204)


def vault(context: Context) -> Container:
    """Find the vault in the account and region that the request is for."""
    name, found = context.call.container or "", context.found()
    account, options = context.caller.principal.account_id, context.world.options
    elsewhere = found is not None and options.check_region and found.region != context.caller.region
    if found is None or elsewhere:
        arn = f"arn:aws:glacier:{context.caller.region}:{account}:vaults/{name}"
        raise Refusal(404, "ResourceNotFoundException", f"Vault not found for ARN: {arn}")
    told = context.request.path.split(b"/")[1].decode("ascii", "replace")
    if (account if told == "-" else told) != found.account_id:
        raise Refusal(403, "AccessDeniedException", "You are not authorized for this account.")
    return found


def upload(context: Context) -> Upload:
    """Find the upload."""
    home, found = vault(context), context.upload()
    if found is None:
        message = f"The upload ID was not found: {context.upload_id} in {_arn(home)}"
        raise Refusal(404, "ResourceNotFoundException", message)
    return found


def _limit(context: Context, most: int) -> int:
    text = context.request.params.get("limit", "")
    value = whole_number(text) if text else most
    if value is None or not 1 <= value <= most:
        raise Refusal(400, INVALID, f"Invalid limit: {text}; it must be between 1 and {most}.")
    return context.world.options.capped(value)


def _marker(context: Context, marker: str) -> str | None:
    return marker or context.world.options.glacier_last_marker


def _arn(found: Container) -> str:
    return f"arn:aws:glacier:{found.region}:{found.account_id}:vaults/{found.name}"


def _shown_arn(context: Context, found: Container) -> str:
    return _arn(found).rpartition("/")[0] + "/" + shown_name(found.name, context.fault)


def _path(found: Container) -> str:
    return f"/{found.account_id}/vaults/{found.name}"
