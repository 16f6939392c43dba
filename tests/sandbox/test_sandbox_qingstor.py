"""QingStor as its SDK and a raw client see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.clients import janitor_keys, raw

if TYPE_CHECKING:
    from support.clients import Clients

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)

ODD_KEYS = [
    "space and + plus",
    "/leading/slash",
    "a//b",
    "%2Falready%20escaped",
    "tab\tnewline\n",
    "quote\"s'<zone>",
    "ünïcödé/日本語",
    "🦖",
    "semi;colon?question#hash&=",
    "nul\x00bell\x07",
]


def test_an_upload_lives_from_creation_to_completion(clients: Clients, sandbox: Sandbox) -> None:
    """Parts count from 0; what is complete is listed no more."""
    bucket = clients.bucket("movies")
    bucket.put()
    upload = bucket.initiate_multipart_upload("k")["upload_id"]
    for n in (0, 1):
        bucket.upload_multipart("k", upload_id=upload, part_number=f"{n}", body=b"x" * (n + 1))
    parts = bucket.list_multipart("k", upload_id=upload)
    done = bucket.complete_multipart_upload(
        "k", upload_id=upload, object_parts=[{"part_number": 0}, {"part_number": 1}]
    )

    assert [(0, 1), (1, 2)] == [(p["part_number"], p["size"]) for p in parts["object_parts"]]
    assert 201 == done.status_code
    assert [] == bucket.list_multipart_uploads()["uploads"]
    assert "3" == bucket.head_object("k").headers["Content-Length"]
    assert [] == sandbox.accusations


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_are_exact_to_the_byte(clients: Clients, sandbox: Sandbox, key: str) -> None:
    """Whatever the SDK sends as a key is stored, listed and aborted as exactly that key."""
    sandbox.qingstor.add_container("movies")
    bucket = clients.bucket("movies")
    upload = bucket.initiate_multipart_upload(key)["upload_id"]
    listed = bucket.list_multipart_uploads()["uploads"]
    status = bucket.abort_multipart_upload(key, upload_id=upload).status_code

    assert [(key, upload)] == [(one["key"], one["upload_id"]) for one in listed]
    assert 204 == status
    assert [] == sandbox.qingstor.uploads("movies")


def _pages(bucket: Any, **parameters: str) -> list[list[str]]:
    pages: list[list[str]] = []
    markers: dict[str, str] = {}
    while True:
        page = bucket.list_multipart_uploads(**parameters, **markers)
        pages.append([one["upload_id"] for one in page["uploads"]])
        if not page["has_more"]:
            return pages
        markers = {
            "key_marker": page["next_key_marker"],
            "upload_id_marker": page["next_upload_id_marker"],
        }


@pytest.mark.parametrize(("count", "sizes"), [(200, [200]), (201, [200, 1])])
def test_two_hundred_uploads_fit_on_a_page(
    clients: Clients, sandbox: Sandbox, count: int, sizes: list[int]
) -> None:
    """The default limit is 200, also when all uploads have one key."""
    sandbox.qingstor.add_container("movies")
    expected = [sandbox.qingstor.add_upload("movies", "same") for _ in range(count)]
    pages = _pages(clients.bucket("movies"))

    assert sizes == [len(page) for page in pages]
    assert expected == [one for page in pages for one in page]


def test_prefix_and_delimiter_narrow_the_list(clients: Clients, sandbox: Sandbox) -> None:
    """Uploads behind the delimiter hide in the common prefixes."""
    sandbox.qingstor.add_container("movies")
    for key in ("a/1", "a/2/3", "b"):
        sandbox.qingstor.add_upload("movies", key)
    page = clients.bucket("movies").list_multipart_uploads(prefix="a/", delimiter="/")

    assert ["a/1"] == [one["key"] for one in page["uploads"]]
    assert ["a/2/"] == page["common_prefixes"]


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_other_limits_are_refused(clients: Clients, sandbox: Sandbox, limit: str) -> None:
    """A limit is a number from 1 to 1000."""
    sandbox.qingstor.add_container("movies")
    reply = clients.bucket("movies").list_multipart_uploads(limit=limit)

    assert (400, "invalid_argument") == (reply.status_code, reply["code"])


def test_the_largest_limit_can_be_lowered(clients: Clients, sandbox: Sandbox) -> None:
    """Some installations refuse more than 200."""
    sandbox.options.qingstor_max_limit = 200
    sandbox.qingstor.add_container("movies")
    bucket = clients.bucket("movies")
    statuses = [bucket.list_multipart_uploads(limit=n).status_code for n in ("200", "201")]

    assert [200, 400] == statuses


def test_part_markers_are_exclusive(clients: Clients, sandbox: Sandbox) -> None:
    """A marker of 0 skips part 0."""
    sandbox.qingstor.add_container("movies")
    upload = sandbox.qingstor.add_upload("movies", "k", parts=[(5, None)] * 3)
    bucket = clients.bucket("movies")
    first = bucket.list_multipart("k", upload_id=upload, limit="1")
    rest = bucket.list_multipart("k", upload_id=upload, part_number_marker="0")

    assert [0] == [part["part_number"] for part in first["object_parts"]]
    assert [1, 2] == [part["part_number"] for part in rest["object_parts"]]


def test_the_page_cap_spares_lists_where_a_short_page_is_the_end(
    clients: Clients, sandbox: Sandbox
) -> None:
    """Uploads say `has_more`; parts and buckets do not, so their pages stay full."""
    sandbox.options.page_cap = 2
    for name in ("bucket-a", "bucket-b", "bucket-c"):
        sandbox.qingstor.add_container(name)
    uploads = [sandbox.qingstor.add_upload("bucket-a", "k", parts=[(5, None)] * 3) for _ in "123"]
    bucket = clients.bucket("bucket-a")
    parts = bucket.list_multipart("k", upload_id=uploads[0])["object_parts"]

    assert [2, 1] == [len(page) for page in _pages(bucket)]
    assert 3 == len(parts)
    assert 3 == len(clients.qingstor().list_buckets()["buckets"])


def test_an_abort_succeeds_whether_or_not_the_upload_exists(
    clients: Clients, sandbox: Sandbox
) -> None:
    """204 proves nothing: only the list of parts does."""
    sandbox.qingstor.add_container("movies")
    upload = sandbox.qingstor.add_upload("movies", "k")
    bucket = clients.bucket("movies")
    statuses = [bucket.abort_multipart_upload("k", upload_id=upload).status_code for _ in "12"]
    parts = bucket.list_multipart("k", upload_id=upload)
    nowhere = clients.bucket("missing").abort_multipart_upload("k", upload_id=upload)

    assert [204, 204] == statuses
    assert (404, "upload_not_exists") == (parts.status_code, parts["code"])
    assert (404, "bucket_not_exists") == (nowhere.status_code, nowhere["code"])


def test_buckets_are_listed_by_zone_and_offset(clients: Clients, sandbox: Sandbox) -> None:
    """The Location header narrows the list, limit and offset page it."""
    for name, zone in (("bucket-a", "pek3a"), ("bucket-b", "pek3b"), ("bucket-c", "pek3a")):
        sandbox.qingstor.add_container(name, zone)
    service = clients.qingstor()
    everywhere = service.list_buckets(limit="2", offset="1")
    in_zone = service.list_buckets(location="pek3a")

    assert ["bucket-b", "bucket-c"] == [one["name"] for one in everywhere["buckets"]]
    assert ["bucket-a", "bucket-c"] == [one["name"] for one in in_zone["buckets"]]


def test_dates_are_those_of_the_documents(clients: Clients, sandbox: Sandbox) -> None:
    """Uploads have milliseconds that are always zero, buckets have none."""
    moment = datetime(2016, 12, 25, 16, 2, 5, 999_000, tzinfo=UTC)
    sandbox.qingstor.add_container("movies", created=moment)
    sandbox.qingstor.add_upload("movies", "k", initiated=moment)
    (upload,) = clients.bucket("movies").list_multipart_uploads()["uploads"]
    (bucket,) = clients.qingstor().list_buckets()["buckets"]

    assert "2016-12-25T16:02:05.000Z" == upload["created"]
    assert "2016-12-25T16:02:05Z" == bucket["created"]


def test_virtual_host_style_is_understood(clients: Clients, sandbox: Sandbox) -> None:
    """The SDK may put the bucket into the host; a proxy sends the whole URL then."""
    sandbox.qingstor.add_container("movies")
    upload = sandbox.qingstor.add_upload("movies", "a é")
    service = clients.qingstor()
    service.config.enable_virtual_host_style = True
    service.config.host = "qs.test"
    service.client.proxies = {"http": sandbox.qingstor_url}
    bucket = service.Bucket("movies", "pek3a")
    page = bucket.list_multipart_uploads()
    status = bucket.abort_multipart_upload("a é", upload_id=upload).status_code

    assert [upload] == [one["upload_id"] for one in page["uploads"]]
    assert 204 == status
    assert [] == sandbox.qingstor.uploads("movies")


def test_a_denied_operation_is_permission_denied(clients: Clients, sandbox: Sandbox) -> None:
    """A denial has QingStor's own code."""
    sandbox.qingstor.add_container("movies")
    sandbox.deny("qingstor.list_uploads", container="movies")
    reply = clients.bucket("movies", janitor_keys(sandbox)).list_multipart_uploads()

    assert (403, "permission_denied") == (reply.status_code, reply["code"])


def test_a_lifecycle_rule_is_told(clients: Clients, sandbox: Sandbox) -> None:
    """A bucket that cleans itself up says so; another one says that it does not."""
    sandbox.qingstor.add_container("movies", lifecycle_days=7)
    sandbox.qingstor.add_container("series")
    (rule,) = clients.bucket("movies").get_lifecycle()["rule"]
    none = clients.bucket("series").get_lifecycle()

    assert {"days_after_initiation": 7} == rule["abort_incomplete_multipart_upload"]
    assert 404 == none.status_code


def test_objects_come_and_go(clients: Clients, sandbox: Sandbox) -> None:
    """Clients that need plain objects find them."""
    bucket = clients.bucket("movies")
    bucket.put()
    bucket.put_object("a/b", body=b"hello")
    read = bucket.get_object("a/b").content
    listed = bucket.list_objects(delimiter="/")
    bucket.delete_object("a/b")
    bucket.delete()

    assert b"hello" == read
    assert ["a/"] == listed["common_prefixes"]
    assert {} == sandbox.qingstor.containers


def test_anonymous_calls_are_refused(sandbox: Sandbox) -> None:
    """Without a signature there is nothing to see."""
    assert 403 == raw(sandbox.qingstor_url, "GET", "/", {}).status


@pytest.mark.parametrize(
    "code",
    [
        "bucket_already_exists",
        "bucket_not_empty",
        "invalid_bucket_name",
        "invalid_request",
        "invalid_argument",
        "bad_digest",
        "object_not_exists",
        "method_not_allowed",
        "not_implemented",
    ],
)
def test_mistakes_have_codes(clients: Clients, sandbox: Sandbox, code: str) -> None:
    """A client is told what is wrong."""
    sandbox.qingstor.add_container("movies")
    sandbox.qingstor.add_upload("movies", "k", upload_id="id", parts=[(5, None)])
    done = sandbox.qingstor.add_upload("movies", "done", parts=[(5, None)])
    sandbox.qingstor.complete("movies", done)

    assert code == _mistakes(clients)[code]()["code"]


def _mistakes(clients: Clients) -> dict[str, Any]:
    bucket = clients.bucket("movies")
    wrong_part = [{"part_number": 7}]
    return {
        "bucket_already_exists": bucket.put,
        "bucket_not_empty": bucket.delete,
        "invalid_bucket_name": clients.bucket("Movies").put,
        "invalid_request": lambda: bucket.complete_multipart_upload(
            "k", upload_id="id", object_parts=wrong_part
        ),
        "invalid_argument": lambda: bucket.upload_multipart(
            "k", upload_id="id", part_number="10001", body=b"x"
        ),
        "bad_digest": lambda: bucket.put_object("k", content_md5="AAAA", body=b"x"),
        "object_not_exists": lambda: bucket.get_object("missing"),
        "method_not_allowed": bucket.get_acl,
        "not_implemented": lambda: bucket.get_object("done"),
    }


def test_statistics_count_finished_objects(clients: Clients, sandbox: Sandbox) -> None:
    """What rclone asks first is answered."""
    sandbox.qingstor.add_container("movies")
    sandbox.qingstor.add_object("movies", "k", b"hello")
    reply = clients.bucket("movies").get_statistics()

    assert (200, 1, 5) == (reply.status_code, reply["count"], reply["size"])
