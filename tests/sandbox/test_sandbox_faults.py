"""Every kind of fault, as a client meets it."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support.clients import RawReply, janitor_keys, signed_s3

from janitor.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.clients import Clients

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)

LIST = "/lake?uploads"
LISTED = "s3.list_uploads"


@dataclass(frozen=True)
class Seen:
    """What a reply looked like: status, how it ended, its type, and whether it is the true body."""

    status: int
    error: str | None
    content_type: str | None
    true: bool


XML = "application/xml"
REPLIES: dict[FaultKind, Seen] = {
    FaultKind.NONE: Seen(200, None, XML, true=True),
    FaultKind.STATUS: Seen(500, None, XML, true=False),
    FaultKind.STATUS_AFTER: Seen(500, None, XML, true=False),
    FaultKind.CUT_BODY: Seen(200, "IncompleteRead", XML, true=False),
    FaultKind.CUT_DOCUMENT: Seen(200, None, XML, true=False),
    FaultKind.WRONG_TYPE: Seen(200, None, "text/plain", true=True),
    FaultKind.EMPTY_BODY: Seen(200, None, XML, true=False),
    FaultKind.HTML_BODY: Seen(200, None, "text/html", true=False),
    FaultKind.REDIRECT: Seen(307, None, None, true=False),
    FaultKind.DROP_BEFORE: Seen(0, "RemoteDisconnected", None, true=False),
    FaultKind.DROP_AFTER: Seen(0, "RemoteDisconnected", None, true=False),
}
PAGES: dict[FaultKind, list[tuple[list[str], str | None]]] = {
    FaultKind.NONE: [(["0", "1"], "1"), (["2", "3"], "3"), (["4"], None)],
    FaultKind.REPEAT_MARKER: [(["0", "1"], "1"), (["2", "3"], "1"), (["2", "3"], "1")],
    FaultKind.CYCLE_MARKERS: [(["0", "1"], "0"), (["1", "2"], "1"), (["2", "3"], "0")],
    FaultKind.NO_MARKER: [(["0", "1"], "")],
    FaultKind.DUPLICATES: [
        (["0", "1", "0", "1"], "1"),
        (["0", "1", "2", "3"], "3"),
        (["3", "4"], None),
    ],
}


def test_no_kind_of_fault_is_forgotten() -> None:
    """A new kind without a test fails here, by name."""
    elsewhere = {FaultKind.WRONG_CONTAINER, FaultKind.PRETEND}

    assert set(FaultKind) == REPLIES.keys() | PAGES.keys() | elsewhere


@pytest.fixture
def lake(sandbox: Sandbox) -> Sandbox:
    """Hold five uploads, two on a page."""
    sandbox.options.page_cap = 2
    sandbox.s3.add_container("lake")
    for n in range(5):
        sandbox.s3.add_upload("lake", f"{n}", upload_id=f"id-{n}")
    return sandbox


@pytest.mark.parametrize("kind", REPLIES)
def test_a_reply_is_spoiled_once(lake: Sandbox, kind: FaultKind) -> None:
    """The planned call is struck, the next one is not."""
    lake.faults.add(Fault(operation=LISTED, kind=kind))
    struck, after = signed_s3(lake, "GET", LIST), signed_s3(lake, "GET", LIST)
    seen = Seen(
        struck.status,
        struck.error,
        struck.headers.get("content-type"),
        true=struck.body == after.body,
    )

    assert REPLIES[kind] == seen
    assert (200, None) == (after.status, after.error)
    assert [kind.value, None] == [entry.fault for entry in lake.journal]


def _page(reply: RawReply) -> tuple[list[str], str | None]:
    text = reply.body.decode()
    keys = re.findall("<Upload><Key>([^<]*)<", text)
    marker = re.search("<NextKeyMarker>([^<]*)<", text)
    if "<IsTruncated>true<" not in text:
        return keys, None
    return keys, marker[1] if marker else ""


@pytest.mark.parametrize("kind", PAGES)
def test_paging_is_spoiled_for_ever(lake: Sandbox, kind: FaultKind) -> None:
    """A client that only follows the markers sees what a broken server shows."""
    lake.faults.add(Fault(operation=LISTED, kind=kind, times=None))
    pages, target = [], LIST
    for _ in PAGES[kind]:
        keys, marker = _page(signed_s3(lake, "GET", target))
        pages.append((keys, marker))
        target = f"{LIST}&key-marker={marker}&upload-id-marker=id-{marker}"

    assert PAGES[kind] == pages


def test_a_fault_strikes_the_nth_matching_call(lake: Sandbox) -> None:
    """Operation, container, key and marker narrow the match, nth and times count it."""
    lake.s3.add_container("pond")
    lake.faults.add(Fault(operation="s3.*", container="lake", nth=2, times=2, status=503))
    targets = ["/pond?uploads", LIST, LIST, "/pond?uploads", LIST, LIST]
    statuses = [signed_s3(lake, "GET", target).status for target in targets]

    assert [200, 200, 503, 200, 503, 200] == statuses


def test_a_fault_may_strike_one_page_only(lake: Sandbox) -> None:
    """A marker picks the page, and '' the first one."""
    lake.faults.add(Fault(operation=LISTED, marker="1", times=None))
    lake.faults.add(Fault(operation=LISTED, marker="", times=None, status=503))
    statuses = [
        signed_s3(lake, "GET", LIST + more).status
        for more in ("", "&key-marker=1", "&key-marker=2")
    ]

    assert [503, 500, 200] == statuses


def test_a_fault_may_strike_one_key_only(lake: Sandbox) -> None:
    """One poisonous upload, the others are well."""
    lake.faults.add(Fault(operation="s3.abort", key="1", times=None, status=500))
    statuses = [signed_s3(lake, "DELETE", f"/lake/{n}?uploadId=id-{n}").status for n in range(3)]

    assert [204, 500, 204] == statuses
    assert ["id-1", "id-3", "id-4"] == lake.s3.upload_ids("lake")


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (FaultKind.STATUS, True),
        (FaultKind.DROP_BEFORE, True),
        (FaultKind.PRETEND, True),
        (FaultKind.STATUS_AFTER, False),
        (FaultKind.DROP_AFTER, False),
    ],
)
def test_an_abort_is_done_or_not_whatever_the_reply_says(
    lake: Sandbox, kind: FaultKind, *, left: bool
) -> None:
    """A lost or wrong reply tells nothing about the action."""
    lake.faults.add(Fault(operation="s3.abort", kind=kind))
    signed_s3(lake, "DELETE", "/lake/0?uploadId=id-0")

    assert left == ("id-0" in lake.s3.upload_ids("lake"))


def test_pretending_works_for_every_provider(clients: Clients, sandbox: Sandbox) -> None:
    """204 and the upload is still there: survivors exist everywhere."""
    for store in (sandbox.s3, sandbox.glacier, sandbox.qingstor):
        store.add_container("example")
    uploads = (
        sandbox.s3.add_upload("example", "k"),
        sandbox.glacier.add_upload("example"),
        sandbox.qingstor.add_upload("example", "k"),
    )
    sandbox.faults.add(Fault(operation="*.abort", kind=FaultKind.PRETEND, times=None))
    clients.s3().abort_multipart_upload(Bucket="example", Key="k", UploadId=uploads[0])
    clients.glacier().abort_multipart_upload(vaultName="example", uploadId=uploads[1])
    clients.bucket("example").abort_multipart_upload("k", upload_id=uploads[2])
    kept = [s.upload_ids("example") for s in (sandbox.s3, sandbox.glacier, sandbox.qingstor)]

    assert [204] * 3 == [entry.status for entry in sandbox.journal]
    assert [[upload] for upload in uploads] == kept


def test_the_wrong_container_may_answer(clients: Clients, sandbox: Sandbox) -> None:
    """Each provider names the container in its lists, and each name can be wrong."""
    for store in (sandbox.s3, sandbox.glacier, sandbox.qingstor):
        store.add_container("example")
    sandbox.glacier.add_upload("example")
    sandbox.faults.add(Fault(operation="*", kind=FaultKind.WRONG_CONTAINER, times=None))
    (vault,) = clients.glacier().list_multipart_uploads(vaultName="example")["UploadsList"]
    names = [
        clients.s3().list_multipart_uploads(Bucket="example")["Bucket"],
        clients.bucket("example").list_multipart_uploads()["name"],
        vault["VaultARN"].rpartition("/")[2],
    ]

    assert ["somebody-elses-container"] * 3 == names


def test_errors_carry_the_providers_own_codes(clients: Clients, sandbox: Sandbox) -> None:
    """A bare status becomes the provider's usual code for it; a code may be chosen."""
    sandbox.qingstor.add_container("example")
    bucket = clients.bucket("example")
    sandbox.faults.add(Fault(operation="qingstor.*", status=503))
    sandbox.faults.add(Fault(operation="qingstor.*", nth=2, status=400, code="delinquent_account"))
    replies = [bucket.list_multipart_uploads() for _ in "12"]

    assert [(503, "service_unavailable"), (400, "delinquent_account")] == [
        (reply.status_code, reply["code"]) for reply in replies
    ]


def test_headers_can_be_added_and_taken_away(lake: Sandbox) -> None:
    """Retry-After comes in, a wrong Date replaces the right one, None removes it."""
    added: dict[str, str | None] = {"Retry-After": "7", "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
    lake.faults.add(Fault(operation=LISTED, status=503, headers=added))
    lake.faults.add(Fault(operation=LISTED, kind=FaultKind.NONE, nth=2, headers={"Date": None}))
    first, second = signed_s3(lake, "GET", LIST), signed_s3(lake, "GET", LIST)

    assert ("7", "Thu, 01 Jan 1970 00:00:00 GMT") == (
        first.headers["retry-after"],
        first.headers["date"],
    )
    assert (503, 200) == (first.status, second.status)
    assert "date" not in second.headers


def test_a_redirect_says_where_to(lake: Sandbox) -> None:
    """The location and the kind of redirect can be chosen."""
    lake.faults.add(
        Fault(operation=LISTED, kind=FaultKind.REDIRECT, status=302, location="http://x.test/")
    )
    reply = signed_s3(lake, "GET", LIST)

    assert (302, "http://x.test/") == (reply.status, reply.headers["location"])


def test_a_cut_keeps_as_much_as_was_planned(lake: Sandbox) -> None:
    """The cut may fall anywhere, also before the first byte."""
    lake.faults.add(Fault(operation=LISTED, kind=FaultKind.CUT_BODY, keep=0))
    lake.faults.add(Fault(operation=LISTED, kind=FaultKind.CUT_DOCUMENT, nth=2, keep=38))
    first, second = signed_s3(lake, "GET", LIST), signed_s3(lake, "GET", LIST)

    assert (b"", "IncompleteRead") == (first.body, first.error)
    assert b'<?xml version="1.0" encoding="UTF-8"?>' == second.body


def test_latency_delays_one_call_only(lake: Sandbox) -> None:
    """While one call is held back for an hour, the next one is answered."""
    held = threading.Event()
    lake.on(LISTED, lambda _: held.set())
    lake.faults.add(Fault(operation=LISTED, kind=FaultKind.NONE, latency=3600))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(signed_s3, lake, "GET", LIST)
        held.wait()
        statuses = [signed_s3(lake, "GET", "/").status for _ in "12"]
        answered = slow.done()
        lake.stop()

    assert ([200, 200], False) == (statuses, answered)
    assert "RemoteDisconnected" == slow.result().error


def test_a_short_latency_ends_with_the_true_reply(lake: Sandbox) -> None:
    """Slow is not broken."""
    lake.faults.add(Fault(operation=LISTED, kind=FaultKind.NONE, latency=0.001))

    assert (["0", "1"], "1") == _page(signed_s3(lake, "GET", LIST))


def test_a_fault_for_an_operation_that_does_not_exist_is_refused(sandbox: Sandbox) -> None:
    """A misspelt fault would never strike, and its test would pass."""
    with pytest.raises(ValueError, match=r"no operation is called 's3\.list_upload'"):
        sandbox.faults.add(Fault(operation="s3.list_upload"))
    with pytest.raises(ValueError, match="no operation is called"):
        sandbox.on("s3.lists", print)
    with pytest.raises(ValueError, match="no operation is called"):
        sandbox.deny("glacier.aborts")


@pytest.mark.parametrize("kind", [FaultKind.CYCLE_MARKERS, FaultKind.REPEAT_MARKER])
def test_a_paging_fault_that_cannot_be_played_is_an_error(lake: Sandbox, kind: FaultKind) -> None:
    """An empty list has no markers to repeat: better no reply than a harmless one."""
    lake.s3.add_container("pond")
    lake.faults.add(Fault(operation=LISTED, kind=kind))

    assert 500 == signed_s3(lake, "GET", "/pond?uploads").status


def test_part_and_container_lists_can_be_spoiled_too(clients: Clients, sandbox: Sandbox) -> None:
    """The paging faults work on every list with markers."""
    sandbox.options.page_cap = 1
    for n in range(3):
        sandbox.glacier.add_container(f"vault-{n}")
    upload = sandbox.glacier.add_upload("vault-0", parts=[(5, None)] * 3)
    sandbox.faults.add(Fault(operation="*", kind=FaultKind.REPEAT_MARKER, times=None))
    glacier = clients.glacier()

    def twice(call: Callable[..., Any], **parameters: str) -> list[str]:
        first = call(**parameters)["Marker"]
        return [first, call(**parameters, marker=first)["Marker"]]

    vaults = twice(glacier.list_vaults)
    parts = twice(glacier.list_parts, vaultName="vault-0", uploadId=upload)

    assert [vaults[0]] * 2 == vaults
    assert [parts[0]] * 2 == parts


def test_a_plan_knows_what_never_struck(lake: Sandbox) -> None:
    """A test can prove that its fault was reached."""
    reached = Fault(operation=LISTED)
    missed = Fault(operation=LISTED, nth=3)
    lake.faults.add(reached)
    lake.faults.add(missed)
    signed_s3(lake, "GET", LIST)

    assert [missed] == lake.faults.unused()


def test_a_hook_can_race_with_the_client(clients: Clients, sandbox: Sandbox) -> None:
    """What happens between list and recheck happens in a hook, through real clients too."""
    sandbox.s3.add_container("lake")
    upload = sandbox.s3.add_upload("lake", "k")
    owner, janitor = clients.s3(), clients.s3(janitor_keys(sandbox))
    sandbox.on("s3.list_parts", lambda _: sandbox.s3.add_part("lake", upload, 7))
    sandbox.on(
        "s3.abort",
        lambda _: owner.put_object(Bucket="lake", Key="made-meanwhile", Body=b""),
    )
    parts = janitor.list_parts(Bucket="lake", Key="k", UploadId=upload)["Parts"]
    janitor.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)

    assert [7] == [part["Size"] for part in parts]
    assert ["made-meanwhile"] == list(sandbox.s3.objects("lake"))


def test_hooks_may_wait_for_each_other(lake: Sandbox) -> None:
    """A race of sixteen clients can be lined up at one point."""
    line = threading.Barrier(16, timeout=30)
    lake.on("s3.list_*", lambda _: line.wait())
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: signed_s3(lake, "GET", LIST), range(16)))

    assert [200] * 16 == [reply.status for reply in replies]


def test_glacier_and_qingstor_cycle_too(clients: Clients, sandbox: Sandbox) -> None:
    """Markers that alternate for ever, in both JSON protocols."""
    sandbox.options.page_cap = 1
    for store, key in ((sandbox.glacier, ""), (sandbox.qingstor, "k")):
        store.add_container("example")
        for n in range(3):
            store.add_upload("example", key, upload_id=f"id-{n}")
    sandbox.faults.add(Fault(operation="*", kind=FaultKind.CYCLE_MARKERS, times=None))
    glacier, bucket = clients.glacier(), clients.bucket("example")
    more: dict[str, str] = {}
    after: dict[str, str] = {}
    markers, seen = [], []
    for _ in range(3):
        page = glacier.list_multipart_uploads(vaultName="example", **more)
        more = {"marker": page["Marker"]}
        markers.append(page["Marker"])
    for _ in range(3):
        reply = bucket.list_multipart_uploads(**after)
        after = {"key_marker": "k", "upload_id_marker": reply["next_upload_id_marker"]}
        seen.append(reply["next_upload_id_marker"])

    assert ["id-0", "id-1", "id-0"] == markers
    assert ["id-0", "id-1", "id-0"] == seen


def test_a_faulty_error_document_is_still_one(sandbox: Sandbox, clients: Clients) -> None:
    """Glacier's planned errors are JSON with a type."""
    bodies: list[bytes] = []
    glacier = clients.glacier()
    glacier.meta.events.register(
        "before-parse.glacier.*", lambda response_dict, **_: bodies.append(response_dict["body"])
    )
    sandbox.faults.add(Fault(operation="glacier.*", status=500, message="Out of order."))
    with pytest.raises(glacier.exceptions.ServiceUnavailableException):
        glacier.list_vaults()

    assert [
        {"code": "ServiceUnavailableException", "message": "Out of order.", "type": "Server"}
    ] == [json.loads(body) for body in bodies]
