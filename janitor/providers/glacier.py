"""Amazon Glacier vaults over a wire of our own or over boto3 (API 2012-06-01)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from janitor.errors import Unexpected, WrongIdentity
from janitor.model import ContainerRef, Part, Upload
from janitor.providers import aws
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.aws_keys import require_at_hand
from janitor.providers.aws_sdk import Wanted
from janitor.providers.aws_wire import WireChannel
from janitor.providers.base import (
    ContainersPage,
    Identity,
    Marker,
    Page,
    PartsPage,
    initiated_of,
    require,
    require_content,
    server_time,
    upload_of,
)
from janitor.providers.common import Common
from janitor.targets import Execution, GlacierOptions, Target
from janitor.wire.glacier_client import GlacierClient, Whereabouts

PERMISSIONS: Mapping[str, Sequence[str]] = {
    "list_containers": ("glacier:ListVaults",),
    "list_page": ("glacier:ListMultipartUploads",),
    "list_parts": ("glacier:ListParts",),
    "abort": ("glacier:AbortMultipartUpload",),
}

# Both say ResourceNotFoundException, for the vault as for the upload: a vault
# that is gone has no uploads either.
_LISTING = aws.Codes(
    upload_gone=frozenset(),
    container_missing=frozenset({"ResourceNotFoundException", "NoLongerSupportedException"}),
)
_UPLOAD = aws.Codes(
    upload_gone=frozenset({"ResourceNotFoundException"}),
    container_missing=frozenset({"NoLongerSupportedException"}),
)
_LARGEST_UPLOADS_PAGE = 50
_LARGEST_VAULTS_PAGE = 10
# No dot segments: whoever takes them out has the address of a vault, and would delete that.
_LABEL = r"(?!\.{1,2}(?:/|$))[^/]+"
_ABORT_PATH = re.compile(rf"/{_LABEL}/vaults/{_LABEL}/multipart-uploads/{_LABEL}")
_VAULT_ARN = re.compile(
    r"arn:[^:]+:glacier:(?P<region>[^:]*):(?P<account>[^:]*):vaults/(?P<vault>.+)"
)
_RANGE = re.compile(r"(?:bytes )?(?P<first>\d+)-(?P<last>\d+)(?:/.*)?")


def connect(
    target: Target, execution: Execution, common: Common | None = None
) -> GlacierConnection:
    """Prepare to read the vaults of one account and region."""
    return GlacierConnection(target, execution, common)


def aborter(target: Target, execution: Execution, common: Common | None = None) -> GlacierAborter:
    """Prepare to abort uploads; called in enforce mode only."""
    return GlacierAborter(target, execution, common)


def _options(target: Target) -> GlacierOptions:
    if not isinstance(target.options, GlacierOptions):
        msg = f"target {target.name} is not a Glacier target"
        raise TypeError(msg)
    return target.options


def _access(options: GlacierOptions, execution: Execution) -> aws.Access:
    return aws.Access(options.identity, options.reach, options.region, execution)


class _GlacierChannel(WireChannel):
    """The wire before a client for Glacier."""

    finder = Whereabouts
    stand_in = GlacierClient


class _Session:
    """One account in one region, with a client that sends what `allow` allows."""

    def __init__(
        self, options: GlacierOptions, execution: Execution, allow: aws.Allow, common: Common | None
    ) -> None:
        shared = Common() if common is None else common
        self._own = shared if common is None else None
        self.common = shared.of(AwsCommon)
        self.access = _access(options, execution)
        transport = None if options.transport == "sdk" else _GlacierChannel
        wanted = Wanted("glacier", self.access, allow, transport=transport)
        self.keys = self.common.keys(self.access)
        self.client: Any = self.common.client(wanted, self.keys)

    def close(self) -> None:
        """Close the client, unless others use it as well."""
        if self._own is not None:
            self._own.close()


class GlacierConnection:
    """The vaults of one account in one region."""

    def __init__(self, target: Target, execution: Execution, common: Common | None) -> None:
        self._target = target
        self._options = _options(target)
        self._session = _Session(self._options, execution, aws.read_only, common)
        self._client = self._session.client

    def identify(self) -> Identity:
        """Tell whose credentials these are; by default they must be the vaults' owner's."""
        owner = None if self._options.account_id == "-" else self._options.account_id
        expected = self._options.identity.caller_account or owner
        endpoint = str(self._client.meta.endpoint_url)
        session, region = self._session, self._options.region
        found = session.common.identify(session.access, endpoint, region, expected)
        return found if self._options.transport == "sdk" else replace(found, transport="wire")

    def list_containers(self, marker: Marker | None) -> ContainersPage:
        """List one page of the account's vaults, ten at most."""
        arguments = {"accountId": self._options.account_id, "limit": str(_LARGEST_VAULTS_PAGE)}
        if marker is not None:
            arguments["marker"] = marker.upload_id
        with aws.ErrorsOf("list_vaults", _LISTING):
            reply = self._client.list_vaults(**arguments)
        _prove(reply, "VaultList")
        names = []
        for vault in reply["VaultList"]:
            name = vault.get("VaultName")
            require(name, "malformed_entry", "a vault in the list has no name")
            _check_arn(vault.get("VaultARN"), name, self._options)
            names.append(name)
        return ContainersPage(tuple(names), _next(reply))

    def reader(self, container: str) -> GlacierReader:
        """Give a reader of one vault."""
        return GlacierReader(self._target, self._options, self._client, container)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class GlacierReader:
    """Reads one vault."""

    can_list_one_key = False
    markers_are_exact = False
    can_split = False
    keeps_uploads_apart = True

    def __init__(
        self, target: Target, options: GlacierOptions, client: Any, container: str
    ) -> None:
        self.where = ContainerRef(target.name, "glacier", container)
        self._options = options
        self._client = client
        self._limit = str(target.page_size or _LARGEST_UPLOADS_PAGE)
        self._arguments = {"accountId": options.account_id, "vaultName": container}

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page of uploads; vaults know no keys, so `key` must be None."""
        if key is not None:
            msg = "Glacier uploads have no keys"
            raise ValueError(msg)
        arguments = self._paged(marker) | ({} if limit is None else {"limit": str(limit)})
        with aws.ErrorsOf("list_multipart_uploads", _LISTING):
            reply = self._client.list_multipart_uploads(**arguments)
        headers = _prove(reply, "UploadsList")
        uploads = tuple(self._upload(entry) for entry in reply["UploadsList"])
        return Page(uploads, _next(reply), server_time(headers))

    def list_parts(self, upload: Upload, marker: Marker | None) -> PartsPage:
        """List one page of parts; Glacier does not say when they arrived."""
        arguments = self._paged(marker) | {"uploadId": upload.upload_id}
        with aws.ErrorsOf("list_parts", _UPLOAD):
            reply = self._client.list_parts(**arguments)
        headers = _prove(reply, "Parts")
        _check_arn(reply.get("VaultARN"), self.where.container, self._options)
        same = reply.get("MultipartUploadId") == upload.upload_id
        if not same:  # asking again would not change it
            message = "the reply is about another upload"
            raise Unexpected(message, code="wrong_upload")
        parts = tuple(_part(entry) for entry in reply["Parts"])
        initiated, _ = initiated_of(reply.get("CreationDate"))
        return PartsPage(parts, _next(reply), initiated, server_time(headers))

    def object_written(self, _upload: Upload) -> datetime | None:
        """Tell None: archives have ids of their own, no abort can touch one."""
        return None

    def _paged(self, marker: Marker | None) -> dict[str, str]:
        paged = self._arguments | {"limit": self._limit}
        return paged if marker is None else paged | {"marker": marker.upload_id}

    def _upload(self, entry: Mapping[str, Any]) -> Upload:
        _check_arn(entry.get("VaultARN"), self.where.container, self._options)
        # The vendor documents null for "no description was given", and the
        # SDK drops nulls: absent is an answer here, not a gap.
        description = entry.get("ArchiveDescription", "")
        return upload_of(
            self.where,
            None,
            entry.get("MultipartUploadId"),
            entry.get("CreationDate"),
            (("description", description), ("initiator", ""), ("storage_class", "")),
        )


class GlacierAborter:
    """Aborts uploads of one account's vaults; its client can send nothing else."""

    def __init__(self, target: Target, execution: Execution, common: Common | None) -> None:
        self._options = _options(target)
        self._session = _Session(self._options, execution, _only_abort, common)
        self._client = self._session.client

    def abort(self, upload: Upload) -> None:
        """Abort one upload; raise UploadGone where there is none, Unsent if it got late for it."""
        with aws.ErrorsOf("abort_multipart_upload", _UPLOAD):
            require_at_hand(self._session.keys)
            reply = self._client.abort_multipart_upload(
                accountId=self._options.account_id,
                vaultName=upload.where.container,
                uploadId=upload.upload_id,
            )
        aws.require_no_content(reply)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _only_abort(method: str, url: str) -> bool:
    parts = urlsplit(url)
    return method == "DELETE" and not parts.query and bool(_ABORT_PATH.fullmatch(parts.path))


def _prove(reply: Mapping[str, Any], witness: str) -> Mapping[str, str]:
    headers = aws.proven(reply)
    require_content(headers, "json")
    found = reply.get(witness)
    whole = isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
    require(whole, "no_witness", f"the reply has no {witness}")
    return headers


def _next(reply: Mapping[str, Any]) -> Marker | None:
    marker = reply.get("Marker")
    # The vendor's examples end a list with the string "null".
    return None if marker in {None, "", "null"} else Marker(upload_id=str(marker))


def _check_arn(arn: object, vault: str, options: GlacierOptions) -> None:
    found = _vault_of(arn) if isinstance(arn, str) else None
    if found is None:
        require(holds=False, code="no_witness", message="the reply does not name its vault")
        return
    expected = options.account_id if options.account_id != "-" else found[1]
    if found != (vault, expected):
        message = (
            f"asked for vault {vault} of account {options.account_id}, the reply is about {arn}"
        )
        raise WrongIdentity(message, code="wrong_vault")


# Every entry of a listing and every page of parts says it again.
@functools.lru_cache(maxsize=1024)
def _vault_of(arn: str) -> tuple[str, str] | None:
    """Read a vault's name and account out of its ARN."""
    found = _VAULT_ARN.fullmatch(arn)
    return None if found is None else (found["vault"], found["account"])


def _part(entry: Mapping[str, Any]) -> Part:
    text = str(entry.get("RangeInBytes", ""))
    first, _, last = text.partition("-")
    if not (last.isdecimal() and first.isdecimal()):
        first, last = _ends_of(text)
    size = int(last) - int(first) + 1
    return Part(text, size, None, str(entry.get("SHA256TreeHash", "")))


def _ends_of(text: str) -> tuple[str, str]:
    """Read a range that has a unit before it or a length behind it."""
    found = _RANGE.fullmatch(text)
    if found is None:
        message = f"a part's range is not understood: {text!r}"
        raise Unexpected(message, code="malformed_entry")
    return found["first"], found["last"]
