"""Glacier as boto3 sees it."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.utils import calculate_tree_hash
from support.clients import raw

if TYPE_CHECKING:
    from support.clients import Clients

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)

MIB = 1024 * 1024


def _code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"]


def test_an_upload_lives_from_creation_to_completion(clients: Clients, sandbox: Sandbox) -> None:
    """Parts with checked ranges and tree hashes become an archive."""
    glacier, body = clients.glacier(), b"z" * MIB + b"tail"
    glacier.create_vault(vaultName="vault")
    upload = glacier.initiate_multipart_upload(
        vaultName="vault", partSize=str(MIB), archiveDescription="nightly"
    )["uploadId"]
    for first in range(0, len(body), MIB):
        piece = body[first : first + MIB]
        glacier.upload_multipart_part(
            vaultName="vault",
            uploadId=upload,
            range=f"bytes {first}-{first + len(piece) - 1}/*",
            body=piece,
        )
    parts = glacier.list_parts(vaultName="vault", uploadId=upload)
    (listed,) = glacier.list_multipart_uploads(vaultName="vault")["UploadsList"]
    tree_hash = calculate_tree_hash(io.BytesIO(body))
    done = glacier.complete_multipart_upload(
        vaultName="vault", uploadId=upload, archiveSize=str(len(body)), checksum=tree_hash
    )

    assert ["0-1048575", "1048576-1048579"] == [p["RangeInBytes"] for p in parts["Parts"]]
    assert "nightly" == parts["ArchiveDescription"]
    assert listed.items() <= parts.items()
    assert tree_hash == done["checksum"]
    assert [done["archiveId"]] == list(sandbox.glacier.objects("vault"))
    assert [] == glacier.list_multipart_uploads(vaultName="vault")["UploadsList"]


def test_a_seeded_upload_can_be_completed(clients: Clients, sandbox: Sandbox) -> None:
    """The tree hash of the whole follows from those of the parts."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault", parts=[(MIB, None), (5, None)])
    glacier = clients.glacier()
    parts = glacier.list_parts(vaultName="vault", uploadId=upload)["Parts"]
    digests = b"".join(bytes.fromhex(part["SHA256TreeHash"]) for part in parts)
    done = glacier.complete_multipart_upload(
        vaultName="vault",
        uploadId=upload,
        archiveSize=str(MIB + 5),
        checksum=hashlib.sha256(digests).hexdigest(),
    )

    assert [done["archiveId"]] == list(sandbox.glacier.objects("vault"))


@pytest.mark.parametrize(
    ("span", "body"),
    [
        ("bytes 1-1048576/*", b"z" * MIB),
        ("bytes 0-9/*", b"z" * 11),
        ("bytes 0-1048576/*", b"z" * (MIB + 1)),
        ("nonsense", b"z"),
    ],
)
def test_a_wrong_range_is_refused(
    clients: Clients, sandbox: Sandbox, span: str, body: bytes
) -> None:
    """A part lies on a part's border and is as long as it says."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault", part_size=MIB)
    with pytest.raises(ClientError) as caught:
        clients.glacier().upload_multipart_part(
            vaultName="vault", uploadId=upload, range=span, body=body
        )

    assert (400, "InvalidParameterValueException") == _code(caught)


def test_a_wrong_tree_hash_is_refused(clients: Clients, sandbox: Sandbox) -> None:
    """A declared tree hash must be that of the body."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault", part_size=MIB)
    with pytest.raises(ClientError) as caught:
        clients.glacier().upload_multipart_part(
            vaultName="vault",
            uploadId=upload,
            range="bytes 0-3/*",
            body=b"body",
            checksum="0" * 64,
        )

    assert (400, "InvalidParameterValueException") == _code(caught)


def _listed(glacier: Any, **parameters: Any) -> list[list[str]]:
    pages: list[list[str]] = []
    marker: dict[str, str] = {}
    while True:
        page = glacier.list_multipart_uploads(**parameters, **marker)
        pages.append([one["MultipartUploadId"] for one in page["UploadsList"]])
        if page.get("Marker") is None:
            return pages
        marker = {"marker": page["Marker"]}


@pytest.mark.parametrize(("count", "sizes"), [(50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_fifty_uploads_fit_on_a_page(
    clients: Clients, sandbox: Sandbox, count: int, sizes: list[int]
) -> None:
    """The default and the largest limit are 50; each upload comes once."""
    sandbox.glacier.add_container("vault")
    expected = [sandbox.glacier.add_upload("vault") for _ in range(count)]
    pages = _listed(clients.glacier(), vaultName="vault")

    assert sizes == [len(page) for page in pages]
    assert expected == [one for page in pages for one in page]


@pytest.mark.parametrize("limit", ["0", "51", "many"])
def test_other_limits_are_refused(clients: Clients, sandbox: Sandbox, limit: str) -> None:
    """A limit is a number from 1 to 50."""
    sandbox.glacier.add_container("vault")
    with pytest.raises(ClientError) as caught:
        clients.glacier().list_multipart_uploads(vaultName="vault", limit=limit)

    assert (400, "InvalidParameterValueException") == _code(caught)


def test_the_marker_names_the_next_upload_and_dies_with_it(
    clients: Clients, sandbox: Sandbox
) -> None:
    """A marker is inclusive; when its upload is gone the listing must be begun again."""
    sandbox.glacier.add_container("vault")
    _, second = [sandbox.glacier.add_upload("vault") for _ in range(2)]
    glacier = clients.glacier()
    marker = glacier.list_multipart_uploads(vaultName="vault", limit="1")["Marker"]
    sandbox.glacier.abort("vault", second)
    with pytest.raises(ClientError) as caught:
        glacier.list_multipart_uploads(vaultName="vault", marker=marker)

    assert second == marker
    assert (400, "InvalidParameterValueException") == _code(caught)


def test_a_list_may_end_with_the_text_null(clients: Clients, sandbox: Sandbox) -> None:
    """The vendor's own example page ends so."""
    sandbox.glacier.add_container("vault")
    sandbox.options.glacier_last_marker = "null"
    page = clients.glacier().list_multipart_uploads(vaultName="vault")

    assert "null" == page["Marker"]


def test_parts_and_vaults_are_paged(clients: Clients, sandbox: Sandbox) -> None:
    """All three lists of Glacier have markers."""
    for n in range(12):
        sandbox.glacier.add_container(f"vault-{n:02}")
    upload = sandbox.glacier.add_upload("vault-00", parts=[(MIB, None)] * 3)
    glacier = clients.glacier()
    vaults = [
        [one["VaultName"] for one in page["VaultList"]]
        for page in glacier.get_paginator("list_vaults").paginate()
    ]
    pages = glacier.get_paginator("list_parts").paginate(
        vaultName="vault-00", uploadId=upload, PaginationConfig={"PageSize": 2}
    )

    assert [10, 2] == [len(page) for page in vaults]
    assert [2, 1] == [len(page["Parts"]) for page in pages]


def test_an_abort_can_be_repeated_for_a_while(clients: Clients, sandbox: Sandbox) -> None:
    """An aborted upload stays abortable for a short time, then it is not found."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault")
    sandbox.options.check_skew = False
    glacier = clients.glacier()
    glacier.abort_multipart_upload(vaultName="vault", uploadId=upload)
    again = glacier.abort_multipart_upload(vaultName="vault", uploadId=upload)
    sandbox.clock.move(timedelta(hours=2))
    with pytest.raises(ClientError) as later:
        glacier.abort_multipart_upload(vaultName="vault", uploadId=upload)

    assert 204 == again["ResponseMetadata"]["HTTPStatusCode"]
    assert (404, "ResourceNotFoundException") == _code(later)


def test_a_completed_upload_cannot_be_aborted(clients: Clients, sandbox: Sandbox) -> None:
    """Completion wins."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault", parts=[(5, None)])
    sandbox.glacier.complete("vault", upload)
    with pytest.raises(ClientError) as caught:
        clients.glacier().abort_multipart_upload(vaultName="vault", uploadId=upload)

    assert (404, "ResourceNotFoundException") == _code(caught)


def test_a_vault_belongs_to_its_region_and_account(clients: Clients, sandbox: Sandbox) -> None:
    """A vault elsewhere is not found; another account's vault is denied."""
    sandbox.glacier.add_container("vault", region="eu-west-1")
    sandbox.glacier.add_container("foreign", account_id="210987654321")
    glacier = clients.glacier()
    with pytest.raises(ClientError) as elsewhere:
        glacier.list_multipart_uploads(vaultName="vault")
    with pytest.raises(ClientError) as foreign:
        glacier.list_multipart_uploads(vaultName="foreign")
    named = glacier.list_multipart_uploads(accountId="210987654321", vaultName="foreign")

    assert (404, "ResourceNotFoundException") == _code(elsewhere)
    assert (403, "AccessDeniedException") == _code(foreign)
    assert [] == named["UploadsList"]


def test_json_nulls_are_on_the_wire(clients: Clients, sandbox: Sandbox) -> None:
    """What is not there is null, not absent: botocore hides that from its users."""
    sandbox.glacier.add_container("vault")
    sandbox.glacier.add_upload(
        "vault", initiated=datetime(2012, 3, 19, 23, 20, 59, 130_000, tzinfo=UTC), upload_id="id"
    )
    bodies: list[bytes] = []
    glacier = clients.glacier()
    glacier.meta.events.register(
        "before-parse.glacier.*", lambda response_dict, **_: bodies.append(response_dict["body"])
    )
    glacier.list_multipart_uploads(vaultName="vault")
    expected = {
        "ArchiveDescription": None,
        "CreationDate": "2012-03-19T23:20:59.130Z",
        "MultipartUploadId": "id",
        "PartSizeInBytes": 4 * MIB,
        "VaultARN": "arn:aws:glacier:us-west-2:012345678901:vaults/vault",
    }

    assert [{"Marker": None, "UploadsList": [expected]}] == [json.loads(body) for body in bodies]


def test_errors_have_code_message_and_type(sandbox: Sandbox) -> None:
    """The error document is Glacier's own."""
    reply = raw(sandbox.glacier_url, "GET", "/-/vaults", {})

    assert 400 == reply.status
    assert {
        "code": "MissingAuthenticationTokenException",
        "message": "Missing Authentication Token",
        "type": "Client",
    } == json.loads(reply.body)


def test_a_vault_can_be_made_described_and_deleted(clients: Clients, sandbox: Sandbox) -> None:
    """What Glacier's own clients do around uploads works too."""
    glacier = clients.glacier()
    glacier.create_vault(vaultName="vault")
    name = glacier.describe_vault(vaultName="vault")["VaultName"]
    archive = glacier.upload_archive(vaultName="vault", body=b"hello")["archiveId"]
    glacier.delete_archive(vaultName="vault", archiveId=archive)
    glacier.delete_vault(vaultName="vault")

    assert "vault" == name
    assert {} == sandbox.glacier.containers


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingParameterValueException"),
        ({"x-amz-glacier-version": "2011-01-01"}, "InvalidParameterValueException"),
    ],
)
def test_the_api_version_is_required(
    clients: Clients, sandbox: Sandbox, headers: dict[str, str], code: str
) -> None:
    """Every request must say which version of the API it speaks."""
    glacier = clients.glacier()

    def change(request: Any, **_: Any) -> None:
        del request.headers["x-amz-glacier-version"]
        for name, value in headers.items():
            request.headers[name] = value

    glacier.meta.events.register("before-sign.glacier.*", change)
    with pytest.raises(ClientError) as caught:
        glacier.list_vaults()

    assert (400, code) == _code(caught)
    assert 1 == len(sandbox.journal)


def test_a_completion_that_does_not_fit_is_refused(clients: Clients, sandbox: Sandbox) -> None:
    """Size, order and tree hash of the whole are checked; the upload stays."""
    sandbox.glacier.add_container("vault")
    upload = sandbox.glacier.add_upload("vault", parts=[(MIB, None)])
    glacier = clients.glacier()
    for size, checksum in ((1, "0" * 64), (MIB, "0" * 64)):
        with pytest.raises(glacier.exceptions.InvalidParameterValueException):
            glacier.complete_multipart_upload(
                vaultName="vault", uploadId=upload, archiveSize=str(size), checksum=checksum
            )

    assert [upload] == sandbox.glacier.upload_ids("vault")


def test_an_odd_part_size_is_refused(clients: Clients, sandbox: Sandbox) -> None:
    """Parts are a power of two MiB."""
    sandbox.glacier.add_container("vault")
    with pytest.raises(ClientError) as caught:
        clients.glacier().initiate_multipart_upload(vaultName="vault", partSize=str(3 * MIB))

    assert (400, "InvalidParameterValueException") == _code(caught)
