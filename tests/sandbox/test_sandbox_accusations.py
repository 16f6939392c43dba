"""The sandbox accuses whoever changes what nobody may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from support.clients import janitor_keys, raw, signed_s3

if TYPE_CHECKING:
    from support.clients import Clients

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)


def _accused(sandbox: Sandbox) -> list[str]:
    return [accusation.why for accusation in sandbox.accusations]


def test_an_abort_of_one_named_upload_accuses_nobody(clients: Clients, sandbox: Sandbox) -> None:
    """This is the one thing that the janitor may change, with any provider."""
    for store, key in ((sandbox.s3, "k"), (sandbox.glacier, ""), (sandbox.qingstor, "k")):
        store.add_container("example")
        store.add_upload("example", key, upload_id="id")
    keys = janitor_keys(sandbox)
    clients.s3(keys).abort_multipart_upload(Bucket="example", Key="k", UploadId="id")
    clients.glacier(keys).abort_multipart_upload(vaultName="example", uploadId="id")
    clients.bucket("example", keys).abort_multipart_upload("k", upload_id="id")
    clients.sts(keys).get_caller_identity()

    assert [] == _accused(sandbox)
    assert ["s3.abort", "glacier.abort", "qingstor.abort", "sts.get_caller_identity"] == (
        sandbox.journal.operations()
    )


@pytest.mark.parametrize("upload_id", ["", None])
def test_qingstor_deletes_the_object_when_the_id_is_empty(
    clients: Clients, sandbox: Sandbox, upload_id: str | None
) -> None:
    """An abort without an id is a DELETE of the live object: done, and accused."""
    sandbox.qingstor.add_container("movies")
    sandbox.qingstor.add_object("movies", "k", b"precious")
    bucket = clients.bucket("movies", janitor_keys(sandbox))
    reply = bucket.abort_multipart_upload("k", upload_id=upload_id)

    assert 204 == reply.status_code
    assert {} == sandbox.qingstor.objects("movies")
    assert ["qingstor.delete_object changes something and is no abort"] == _accused(sandbox)


def test_s3_deletes_the_object_when_the_id_is_empty(clients: Clients, sandbox: Sandbox) -> None:
    """The worst that a server could make of `?uploadId=`: done, and accused."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_object("lake", "k", b"precious")
    s3 = clients.s3(janitor_keys(sandbox))
    s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId="")

    assert {} == sandbox.s3.objects("lake")
    assert ["s3.delete_object changes something and is no abort"] == _accused(sandbox)


def test_glacier_refuses_an_empty_id(clients: Clients, sandbox: Sandbox) -> None:
    """Nothing is lost, and still it is an accusation."""
    sandbox.glacier.add_container("vault")
    glacier = clients.glacier(janitor_keys(sandbox))
    with pytest.raises(ClientError):
        glacier.abort_multipart_upload(vaultName="vault", uploadId="")

    assert ["an abort without upload id"] == _accused(sandbox)


@pytest.mark.parametrize(
    ("method", "target", "why"),
    [
        ("DELETE", "/lake", "s3.delete_bucket changes something and is no abort"),
        ("DELETE", "/lake?uploadId=id", "an abort without key"),
        ("POST", "/lake?delete", "s3.unknown changes something and is no abort"),
        ("PUT", "/lake/k", "s3.put_object changes something and is no abort"),
        ("POST", "/lake/k?uploads", "s3.create_upload changes something and is no abort"),
        ("PUT", "/lake/k?tagging", "s3.unknown changes something and is no abort"),
    ],
)
def test_other_changes_are_accused(sandbox: Sandbox, method: str, target: str, why: str) -> None:
    """Whatever the reply was, the intent is recorded."""
    sandbox.s3.add_container("lake")
    signed_s3(sandbox, method, target)

    assert [why] == _accused(sandbox)


def test_a_change_by_a_stranger_is_accused_and_not_done(sandbox: Sandbox) -> None:
    """Without a valid signature nothing happens, but it is told."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_object("lake", "k", b"precious")
    reply = raw(sandbox.s3_url, "DELETE", "/lake/k", {})

    assert 403 == reply.status
    assert ["k"] == list(sandbox.s3.objects("lake"))
    assert ["s3.delete_object changes something and is no abort"] == _accused(sandbox)


def test_reading_accuses_nobody(sandbox: Sandbox) -> None:
    """GET and HEAD change nothing."""
    sandbox.s3.add_container("lake")
    for method, target in (("GET", "/"), ("GET", "/lake"), ("HEAD", "/lake/k")):
        signed_s3(sandbox, method, target)

    assert [] == _accused(sandbox)


def test_the_journal_tells_what_was_asked(sandbox: Sandbox) -> None:
    """An entry has the raw target, the decoded identity and the status."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", "a b", upload_id="id")
    signed_s3(sandbox, "DELETE", "/lake/a%20b?uploadId=id")
    (entry,) = sandbox.journal.entries("s3.abort")

    assert ("s3", "DELETE", "/lake/a%20b?uploadId=id", "lake", "a b", "id", 204, None) == (
        entry.provider,
        entry.method,
        entry.target,
        entry.container,
        entry.key,
        entry.upload_id,
        entry.status,
        entry.fault,
    )
    assert sandbox.access_key_id == entry.access_key_id


def test_the_journal_can_be_cleared(sandbox: Sandbox) -> None:
    """A test that prepares its case through a client starts afresh."""
    signed_s3(sandbox, "GET", "/")
    before = len(sandbox.journal)
    sandbox.journal.clear()

    assert (1, []) == (before, list(sandbox.journal))
