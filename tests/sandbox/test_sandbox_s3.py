"""S3 as boto3 and a raw client see it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support.clients import RawReply, janitor_keys, owner_keys, raw, signed_s3

from janitor.sandbox import OMIT
from janitor.sandbox.s3_changes import checked_body
from janitor.sandbox.wire import Request

if TYPE_CHECKING:
    from support.clients import Clients

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)

ODD_KEYS = [
    " leading and trailing ",
    "+plus & ampersand=",
    "/leading/slash",
    "a//b",
    "a/../b",
    "a/./b",
    "%2Falready%20escaped",
    "tab\tnewline\nreturn\r",
    "quote\"s'<tag>",
    "ünïcödé/日本語",
    "🦖",
    "semi;colon?question#hash",
]


def _code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"]


def test_an_upload_lives_from_creation_to_completion(clients: Clients, sandbox: Sandbox) -> None:
    """What boto3 uploads in parts becomes an object and is listed no more."""
    s3 = clients.s3()
    s3.create_bucket(Bucket="lake")
    upload = s3.create_multipart_upload(Bucket="lake", Key="k")["UploadId"]
    tags = [
        s3.upload_part(Bucket="lake", Key="k", UploadId=upload, PartNumber=n, Body=b"x" * n)["ETag"]
        for n in (1, 2)
    ]
    listed = s3.list_parts(Bucket="lake", Key="k", UploadId=upload)["Parts"]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(
        Bucket="lake", Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
    )

    assert [1, 2] == [part["Size"] for part in listed]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="lake")
    assert 3 == s3.head_object(Bucket="lake", Key="k")["ContentLength"]
    assert [] == sandbox.accusations


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_are_exact_to_the_byte(clients: Clients, sandbox: Sandbox, key: str) -> None:
    """Whatever boto3 sends as a key is stored, listed and aborted as exactly that key."""
    s3 = clients.s3()
    sandbox.s3.add_container("lake")
    upload = s3.create_multipart_upload(Bucket="lake", Key=key)["UploadId"]
    listed = [
        (u["Key"], u["UploadId"]) for u in s3.list_multipart_uploads(Bucket="lake")["Uploads"]
    ]
    s3.abort_multipart_upload(Bucket="lake", Key=key, UploadId=upload)

    assert [(key, upload)] == listed
    assert [] == sandbox.s3.uploads("lake")


@pytest.mark.parametrize("key", ["bell\x07", "nul\x00", "not a character \uffff"])
def test_a_key_that_xml_cannot_hold_spoils_the_page(
    clients: Clients, sandbox: Sandbox, key: str
) -> None:
    """Only `encoding-type=url` can list a key with characters that XML forbids."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", key)
    s3 = clients.s3()
    with pytest.raises(ClientError):
        s3.list_multipart_uploads(Bucket="lake")
    page = s3.list_multipart_uploads(Bucket="lake", EncodingType="url")

    assert 1 == len(page["Uploads"])
    assert "url" == page["EncodingType"]


def test_url_encoding_is_that_of_aws(clients: Clients, sandbox: Sandbox) -> None:
    """Space becomes plus, slash and asterisk stay, everything else is escaped."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", "a b+c/d*é~")
    page = clients.s3().list_multipart_uploads(Bucket="lake", EncodingType="url")

    assert "a+b%2Bc/d*%C3%A9%7E" == page["Uploads"][0]["Key"]


def _pages(s3: Any, **parameters: Any) -> list[list[tuple[str, str]]]:
    pages: list[list[tuple[str, str]]] = []
    markers: dict[str, str] = {}
    while True:
        page = s3.list_multipart_uploads(**parameters, **markers)
        pages.append([(one["Key"], one["UploadId"]) for one in page.get("Uploads", [])])
        if not page["IsTruncated"]:
            return pages
        markers = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 1000])
def test_paging_straddles_many_uploads_of_one_key(
    clients: Clients, sandbox: Sandbox, size: int
) -> None:
    """However the pages are cut, each upload comes once, same keys by age."""
    sandbox.s3.add_container("lake")
    now = sandbox.clock.now()
    for age in (1, 5, 3, 2, 4):
        sandbox.s3.add_upload(
            "lake", "same", initiated=now - timedelta(days=age), upload_id=f"{age}"
        )
    for key in ("zebra", "alpha"):
        sandbox.s3.add_upload("lake", key, upload_id=key)
    pages = _pages(clients.s3(), Bucket="lake", MaxUploads=size)

    assert ["alpha", "5", "4", "3", "2", "1", "zebra"] == [one for page in pages for _, one in page]
    assert [size] * (len(pages) - 1) == [len(page) for page in pages[:-1]]


def test_a_page_ends_exactly_with_the_list(clients: Clients, sandbox: Sandbox) -> None:
    """A page that the list fills to the brim is not truncated."""
    sandbox.s3.add_container("lake")
    for n in range(4):
        sandbox.s3.add_upload("lake", f"{n}")

    assert [2, 2] == [len(page) for page in _pages(clients.s3(), Bucket="lake", MaxUploads=2)]


def test_a_marker_outlives_its_upload(clients: Clients, sandbox: Sandbox) -> None:
    """Aborting the last upload of a page does not disturb the next page."""
    sandbox.s3.add_container("lake")
    for n in range(4):
        sandbox.s3.add_upload("lake", "same", upload_id=f"{n}")
    s3 = clients.s3()
    first = s3.list_multipart_uploads(Bucket="lake", MaxUploads=2)
    s3.abort_multipart_upload(Bucket="lake", Key="same", UploadId="1")
    second = s3.list_multipart_uploads(
        Bucket="lake",
        KeyMarker=first["NextKeyMarker"],
        UploadIdMarker=first["NextUploadIdMarker"],
    )

    assert ["2", "3"] == [one["UploadId"] for one in second["Uploads"]]


def test_prefix_delimiter_and_key_marker_narrow_the_list(
    clients: Clients, sandbox: Sandbox
) -> None:
    """Groups are listed once, also when a group is where the page ends."""
    sandbox.s3.add_container("lake")
    for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        sandbox.s3.add_upload("lake", key)
    s3 = clients.s3()
    first = s3.list_multipart_uploads(Bucket="lake", Delimiter="/", MaxUploads=1)
    rest = s3.list_multipart_uploads(Bucket="lake", Delimiter="/", KeyMarker=first["NextKeyMarker"])
    inside = s3.list_multipart_uploads(Bucket="lake", Prefix="a/", KeyMarker="a/1")

    assert ["a/"] == [one["Prefix"] for one in first["CommonPrefixes"]]
    assert ["b", "d"] == [one["Key"] for one in rest["Uploads"]]
    assert ["c/"] == [one["Prefix"] for one in rest["CommonPrefixes"]]
    assert ["a/2"] == [one["Key"] for one in inside["Uploads"]]


def test_parts_are_paged(clients: Clients, sandbox: Sandbox) -> None:
    """The part marker is exclusive and comes with the reply."""
    sandbox.s3.add_container("lake")
    upload = sandbox.s3.add_upload("lake", "k", parts=[(5, None)] * 3)
    s3 = clients.s3()
    first = s3.list_parts(Bucket="lake", Key="k", UploadId=upload, MaxParts=2)
    second = s3.list_parts(
        Bucket="lake",
        Key="k",
        UploadId=upload,
        PartNumberMarker=first["NextPartNumberMarker"],
    )

    assert [1, 2] == [part["PartNumber"] for part in first["Parts"]]
    assert first["IsTruncated"]
    assert [3] == [part["PartNumber"] for part in second["Parts"]]
    assert not second["IsTruncated"]


def test_the_page_cap_holds_whatever_is_asked_for(clients: Clients, sandbox: Sandbox) -> None:
    """A server may always return fewer than asked."""
    sandbox.options.page_cap = 2
    sandbox.s3.add_container("lake")
    for n in range(5):
        sandbox.s3.add_upload("lake", f"{n}")

    assert [2, 2, 1] == [len(page) for page in _pages(clients.s3(), Bucket="lake")]


def test_an_unknown_upload_is_no_such_upload(clients: Clients, sandbox: Sandbox) -> None:
    """Aborting twice, or with another key, is refused with 404."""
    sandbox.s3.add_container("lake")
    upload = sandbox.s3.add_upload("lake", "k")
    s3 = clients.s3()
    with pytest.raises(ClientError) as other_key:
        s3.abort_multipart_upload(Bucket="lake", Key="other", UploadId=upload)
    s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)
    with pytest.raises(ClientError) as again:
        s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)

    assert [(404, "NoSuchUpload")] * 2 == [_code(other_key), _code(again)]


def test_an_unknown_bucket_is_no_such_bucket(clients: Clients) -> None:
    """A missing bucket is not a missing upload."""
    with pytest.raises(ClientError) as caught:
        clients.s3().list_multipart_uploads(Bucket="missing")

    assert (404, "NoSuchBucket") == _code(caught)


def test_the_wrong_expected_owner_is_denied(clients: Clients, sandbox: Sandbox) -> None:
    """A bucket of somebody else is not touched by mistake."""
    sandbox.s3.add_container("lake", account_id="210987654321")
    s3 = clients.s3()
    with pytest.raises(ClientError) as caught:
        s3.list_multipart_uploads(Bucket="lake", ExpectedBucketOwner=sandbox.account_id)
    page = s3.list_multipart_uploads(Bucket="lake", ExpectedBucketOwner="210987654321")

    assert (403, "AccessDenied") == _code(caught)
    assert not page["IsTruncated"]


def test_a_bucket_tells_its_region_to_those_who_sign_for_another(
    clients: Clients, sandbox: Sandbox
) -> None:
    """The malformed header of a wrong region names the right one, and botocore goes there."""
    sandbox.s3.add_container("lake", region="eu-west-1")
    refused = signed_s3(sandbox, "GET", "/lake?uploads")
    page = clients.s3().list_multipart_uploads(Bucket="lake")

    assert 400 == refused.status
    assert "eu-west-1" == refused.headers["x-amz-bucket-region"]
    assert b"<Code>AuthorizationHeaderMalformed</Code>" in refused.body
    assert not page["IsTruncated"]


def test_buckets_are_listed_in_pages_with_their_regions(clients: Clients, sandbox: Sandbox) -> None:
    """The paginated form has regions; buckets of other accounts are not in it."""
    sandbox.s3.add_container("one", region="eu-west-1")
    sandbox.s3.add_container("two")
    sandbox.s3.add_container("zoo", account_id="210987654321")
    s3 = clients.s3()
    first = s3.list_buckets(MaxBuckets=1)
    second = s3.list_buckets(MaxBuckets=1, ContinuationToken=first["ContinuationToken"])

    assert [("one", "eu-west-1")] == [(b["Name"], b["BucketRegion"]) for b in first["Buckets"]]
    assert [("two", "us-east-1")] == [(b["Name"], b["BucketRegion"]) for b in second["Buckets"]]
    assert "ContinuationToken" not in second
    assert ["one", "two"] == [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_virtual_host_style_is_understood(clients: Clients, sandbox: Sandbox) -> None:
    """The bucket may be in the Host header; a proxy sends the whole URL then."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", "k//é", upload_id="id")
    s3 = clients.s3(
        url="http://s3.example.test",
        proxies={"http": sandbox.s3_url},
        s3={"addressing_style": "virtual"},
    )
    page = s3.list_multipart_uploads(Bucket="lake")
    s3.abort_multipart_upload(Bucket="lake", Key="k//é", UploadId="id")
    target = sandbox.journal.entries("s3.list_uploads")[0].target

    assert "http://lake.s3.example.test/?uploads" == target
    assert ["k//é"] == [one["Key"] for one in page["Uploads"]]
    assert [] == sandbox.s3.uploads("lake")


@pytest.mark.parametrize(
    ("host", "operation", "container"),
    [
        ("127.0.0.1:9000", "s3.list_buckets", None),
        ("s3.example.test", "s3.list_buckets", None),
        ("sandbox", "s3.list_buckets", None),
        ("lake.example.test", "s3.list_objects", "lake"),
        ("missing.s3.example.test", "s3.list_objects", "missing"),
        ("missing.localhost:9000", "s3.list_objects", "missing"),
    ],
)
def test_the_host_tells_the_style(
    sandbox: Sandbox, host: str, operation: str, container: str | None
) -> None:
    """Addresses and the service's own name are path style, a bucket before a name is not."""
    sandbox.s3.add_container("lake")
    raw(sandbox.s3_url, "GET", "/", {"Host": host})
    (entry,) = sandbox.journal

    assert (operation, container) == (entry.operation, entry.container)


@pytest.mark.parametrize("stamp", ["", "garbage", "2010-11-10 20:48:33", "0001-01-01T00:00:00Z"])
def test_a_seeded_date_may_be_any_text(sandbox: Sandbox, stamp: str) -> None:
    """Raw text goes over the wire as it is."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", "k", initiated=stamp)
    page = signed_s3(sandbox, "GET", "/lake?uploads")

    assert f"<Initiated>{stamp}</Initiated>".encode() in page.body


def test_fields_can_be_left_out(clients: Clients, sandbox: Sandbox) -> None:
    """Some servers tell neither date nor initiator nor storage class."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload(
        "lake",
        "k",
        initiated=OMIT,
        initiator=OMIT,
        storage_class=OMIT,
        upload_id="id",
        parts=[(5, OMIT)],
    )
    s3 = clients.s3()
    page = s3.list_multipart_uploads(Bucket="lake")
    parts = s3.list_parts(Bucket="lake", Key="k", UploadId="id")["Parts"]

    assert {"Key", "UploadId", "Owner"} == set(page["Uploads"][0])
    assert {"PartNumber", "ETag", "Size"} == set(parts[0])


def test_dates_have_whole_seconds(clients: Clients, sandbox: Sandbox) -> None:
    """S3 always says zero milliseconds."""
    sandbox.s3.add_container("lake")
    moment = datetime(2010, 11, 10, 20, 48, 33, 999_000, tzinfo=UTC)
    sandbox.s3.add_upload("lake", "k", initiated=moment)
    page = clients.s3().list_multipart_uploads(Bucket="lake")

    assert datetime(2010, 11, 10, 20, 48, 33, tzinfo=UTC) == page["Uploads"][0]["Initiated"]


def test_a_wrong_hash_is_refused(clients: Clients, sandbox: Sandbox) -> None:
    """Declared hashes are verified, though bodies are not kept."""
    sandbox.s3.add_container("lake")
    upload = sandbox.s3.add_upload("lake", "k")
    with pytest.raises(ClientError) as caught:
        clients.s3().upload_part(
            Bucket="lake",
            Key="k",
            UploadId=upload,
            PartNumber=1,
            Body=b"body",
            ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==",
        )

    assert (400, "BadDigest") == _code(caught)


def test_the_lifecycle_rule_of_a_seed_is_told(clients: Clients, sandbox: Sandbox) -> None:
    """A bucket that cleans itself up says so, and when."""
    sandbox.s3.add_container("lake", lifecycle_days=7)
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    upload = sandbox.s3.add_upload("lake", "k", initiated=moment)
    s3 = clients.s3()
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]
    parts = s3.list_parts(Bucket="lake", Key="k", UploadId=upload)

    assert {"DaysAfterInitiation": 7} == rule["AbortIncompleteMultipartUpload"]
    assert datetime(2026, 11, 9, tzinfo=UTC) == parts["AbortDate"]


def test_permissions_can_be_taken_away_and_given_back(clients: Clients, sandbox: Sandbox) -> None:
    """A denial names an operation, and a container or all of them."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_container("pond")
    upload = sandbox.s3.add_upload("lake", "k")
    s3 = clients.s3(janitor_keys(sandbox))
    sandbox.deny("s3.abort", container="lake")
    sandbox.deny("s3.list_buckets")
    with pytest.raises(ClientError) as abort:
        s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)
    with pytest.raises(ClientError) as buckets:
        s3.list_buckets()
    kept = sandbox.s3.upload_ids("lake")
    sandbox.allow("s3.abort", container="lake")
    s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)

    assert [(403, "AccessDenied")] * 2 == [_code(abort), _code(buckets)]
    assert [upload] == kept
    assert [] == sandbox.s3.uploads("lake")


def test_objects_come_and_go(clients: Clients, sandbox: Sandbox) -> None:
    """Clients that need plain objects find them."""
    s3 = clients.s3()
    s3.create_bucket(Bucket="lake")
    s3.put_object(Bucket="lake", Key="a/b", Body=b"hello")
    read = s3.get_object(Bucket="lake", Key="a/b")["Body"].read()
    listed = s3.list_objects_v2(Bucket="lake", Delimiter="/")
    s3.delete_object(Bucket="lake", Key="a/b")
    s3.delete_bucket(Bucket="lake")

    assert b"hello" == read
    assert ["a/"] == [one["Prefix"] for one in listed["CommonPrefixes"]]
    assert {} == sandbox.s3.containers


def test_sixteen_mebibytes_survive_the_way(clients: Clients, sandbox: Sandbox) -> None:
    """A large body arrives whole; only its size and hash are kept."""
    body = bytes(range(256)) * 65_536
    sandbox.s3.add_container("lake")
    upload = sandbox.s3.add_upload("lake", "k")
    reply = clients.s3().upload_part(
        Bucket="lake", Key="k", UploadId=upload, PartNumber=1, Body=body
    )
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()

    assert f'"{digest}"' == reply["ETag"]
    assert len(body) == sandbox.s3.uploads("lake")[0].size


def test_too_large_a_body_is_refused(sandbox: Sandbox) -> None:
    """Bodies are bounded: the sandbox is not a place to store things."""
    headers = {"Content-Length": str(65 * 1024 * 1024)}
    reply = _refused(sandbox, headers)

    assert (413, b"") == (reply.status, reply.body)


def _refused(sandbox: Sandbox, headers: dict[str, str]) -> RawReply:
    return raw(sandbox.s3_url, "PUT", "/lake/k", headers, b"x" * (64 * 1024 * 1024 + 1))


def test_an_owner_may_do_anything(clients: Clients, sandbox: Sandbox) -> None:
    """The uploaders' own traffic accuses nobody."""
    s3 = clients.s3(owner_keys(sandbox))
    s3.create_bucket(Bucket="lake")
    s3.put_object(Bucket="lake", Key="k", Body=b"")
    s3.delete_object(Bucket="lake", Key="k")

    assert [] == sandbox.accusations


def _refusals(s3: Any) -> dict[str, Any]:
    def complete(*parts: tuple[int, str]) -> Any:
        listed = [{"PartNumber": n, "ETag": tag} for n, tag in parts]
        return s3.complete_multipart_upload(
            Bucket="lake", Key="k", UploadId="id", MultipartUpload={"Parts": listed}
        )

    tag = s3.list_parts(Bucket="lake", Key="k", UploadId="id")["Parts"][0]["ETag"]
    part = {"Bucket": "lake", "Key": "k", "UploadId": "id", "Body": b""}
    source = {"Bucket": "lake", "Key": "whole"}
    return {
        "BucketAlreadyOwnedByYou": lambda: s3.create_bucket(Bucket="lake"),
        "BucketNotEmpty": lambda: s3.delete_bucket(Bucket="lake"),
        "InvalidPartOrder": lambda: complete((2, tag), (1, tag)),
        "InvalidPart": lambda: complete((1, tag), (3, tag)),
        "MalformedXML": complete,
        "InvalidArgument": lambda: s3.upload_part(**part, PartNumber=10_001),
        "NotImplemented": lambda: s3.copy_object(Bucket="lake", Key="copy", CopySource=source),
        "NoSuchKey": lambda: s3.get_object(Bucket="lake", Key="missing"),
        "NoSuchLifecycleConfiguration": lambda: s3.get_bucket_lifecycle_configuration(
            Bucket="lake"
        ),
    }


@pytest.mark.parametrize(
    "code",
    [
        "BucketAlreadyOwnedByYou",
        "BucketNotEmpty",
        "InvalidPartOrder",
        "InvalidPart",
        "MalformedXML",
        "InvalidArgument",
        "NotImplemented",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
    ],
)
def test_mistakes_have_the_codes_of_s3(clients: Clients, sandbox: Sandbox, code: str) -> None:
    """A client is told what is wrong in the words that it knows."""
    sandbox.s3.add_container("lake")
    sandbox.s3.add_upload("lake", "k", upload_id="id", parts=[(5, None)] * 2)
    with pytest.raises(ClientError) as caught:
        _refusals(clients.s3())[code]()

    assert code == _code(caught)[1]


@pytest.mark.parametrize("query", ["max-uploads=many", "max-uploads=-1", "encoding-type=base64"])
def test_wrong_parameters_of_a_list_are_refused(sandbox: Sandbox, query: str) -> None:
    """A list never guesses what was meant."""
    sandbox.s3.add_container("lake")
    reply = signed_s3(sandbox, "GET", f"/lake?uploads&{query}")

    assert 400 == reply.status
    assert b"<Code>InvalidArgument</Code>" in reply.body


def test_more_than_a_thousand_uploads_are_never_on_a_page(
    clients: Clients, sandbox: Sandbox
) -> None:
    """A larger limit counts as a thousand, as on S3."""
    sandbox.s3.add_container("lake")
    for n in range(1001):
        sandbox.s3.add_upload("lake", f"{n}")
    pages = _pages(clients.s3(), Bucket="lake", MaxUploads=5000)

    assert [1000, 1] == [len(page) for page in pages]


def test_an_object_of_parts_has_no_body(clients: Clients, sandbox: Sandbox) -> None:
    """Bodies of parts are not kept, and the sandbox says so instead of inventing one."""
    sandbox.s3.add_container("lake")
    sandbox.s3.complete("lake", sandbox.s3.add_upload("lake", "k", parts=[(5, None)]))
    with pytest.raises(ClientError) as caught:
        clients.s3().get_object(Bucket="lake", Key="k")

    assert (501, "NotImplemented") == _code(caught)


def test_a_body_in_signed_chunks_is_unpacked() -> None:
    """Some SDKs frame their bodies as aws-chunked."""
    request = Request(
        "PUT",
        "/lake/k",
        b"/lake/k",
        b"",
        (("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),),
        b"5;chunk-signature=0\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    )

    assert b"hello world" == checked_body(request)
