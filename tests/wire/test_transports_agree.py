"""Both ways to ask S3 give the same pages, errors and outcomes, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.harness import EVERY_WAY, S3_WAYS, Ear, days, hours, sweeper
from support.outcomes import outcome_of

from janitor.model import ContainerRef, Upload
from janitor.providers import s3
from janitor.providers.base import Marker
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.targets import Execution

OPERATIONS = ("s3.list_uploads", "s3.list_parts", "s3.head_object", "s3.abort")
STATUSES = [301, 302, 307, 400, 401, 403, 404, 405, 409, 412, 429, 500, 501, 502, 503, 504, 520]
IDS = [f"id-{number}" for number in range(5)]


@dataclass
class Side:
    """One transport, with a sandbox of its own that is like the other's."""

    sandbox: Sandbox
    reader: s3.S3Reader
    aborter: s3.S3Aborter

    def ask(self, operation: str) -> Any:
        """Make the provider's call of an operation about the second upload, or for a page."""
        where = ContainerRef("s3", "s3", "container")
        upload = Upload(where, "key-1", IDS[1], initiated=None)
        calls: dict[str, Callable[[], Any]] = {
            "s3.list_uploads": lambda: self.reader.list_page(Marker("key-1", IDS[1])),
            "s3.list_parts": lambda: self.reader.list_parts(upload, Marker(upload_id="1")),
            "s3.head_object": lambda: self.reader.object_written(upload),
            "s3.abort": lambda: self.aborter.abort(upload),
        }
        return calls[operation]()

    def told(self, operation: str) -> Any:
        """Give what came of the call, as far as both transports must agree."""
        found = outcome_of(lambda: self.ask(operation))
        error: Any = found.error
        if error is not None:
            # Of a reply that is no error document of S3's boto3 forgets the request id.
            return found.kind, error.code, error.status, getattr(error, "retry_after", None)
        # The sandbox's clock goes on.
        timed = hasattr(found.result, "server_time")
        result = replace(found.result, server_time=None) if timed else found.result
        return result, timed and found.result.server_time is not None

    def journal(self) -> list[tuple[str, str, int | None]]:
        """Give the requests as the store saw them."""
        return [(e.method, e.operation, e.status) for e in self.sandbox.journal]


@pytest.fixture(scope="module")
def sides() -> Iterator[list[Side]]:
    """Start one sandbox for each transport."""
    with ExitStack() as stack:
        made = []
        for way in S3_WAYS:
            sandbox = stack.enter_context(Sandbox.start())
            target = EVERY_WAY[way].target(sandbox)
            connection = stack.enter_context(closing(s3.connect(target, Execution())))
            aborter = stack.enter_context(closing(s3.aborter(target, Execution())))
            made.append(Side(sandbox, connection.reader("container"), aborter))
        yield made
        for side in made:
            assert [] == side.sandbox.accusations


@pytest.fixture(autouse=True)
def _fresh(sides: list[Side]) -> None:
    """Give both the same uploads and no faults."""
    now = sides[0].sandbox.clock.now()
    for side in sides:
        side.sandbox.faults.clear()
        side.sandbox.journal.clear()
        store = side.sandbox.s3
        if "container" not in store.containers:
            store.add_container("container", region="us-east-1")
        for left in store.upload_ids("container"):
            store.abort("container", left)
        for number, name in enumerate(IDS):
            parts = [(size, now - days(8)) for size in (5, 6, 7, 8)]
            began = now - days(9)
            store.add_upload(
                "container", f"key-{number}", upload_id=name, initiated=began, parts=parts
            )


def both_told(sides: list[Side], operation: str, fault: Fault | None = None) -> list[Any]:
    """Make the same call on both sides, and give what came of it and what the store saw."""
    for side in sides:
        if fault is not None:
            side.sandbox.faults.add(fault)
    return [(side.told(operation), side.journal()) for side in sides]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_faults_they_agree(sides: list[Side], operation: str) -> None:
    """The pages, the parts, the object and the abort; and the same once more."""
    for _ in range(2):
        wire, sdk = both_told(sides, operation)

        assert sdk == wire


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_fault_is_the_same_error(sides: list[Side], kind: FaultKind, operation: str) -> None:
    """Type, code, status and Retry-After, and each side asks just as often."""
    fault = Fault(operation=operation, kind=kind, location="http://127.0.0.1:9/", times=None)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire
    assert all([] == side.sandbox.faults.unused() for side in sides)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_the_same_error(sides: list[Side], status: int, operation: str) -> None:
    """With the store's own document, with a page of a proxy, and with nothing at all."""
    waiting = {"Retry-After": "7", "x-amz-bucket-region": "us-east-1"}
    for kind in (FaultKind.STATUS, FaultKind.HTML_BODY):
        for code in (None, "SlowDown", "NoSuchUpload"):
            fault = Fault(
                operation=operation,
                kind=kind,
                status=status,
                code=code,
                headers=waiting,
                location="http://127.0.0.1:9/",
            )
            wire, sdk = both_told(sides, operation, fault)

            assert sdk == wire


@pytest.mark.parametrize("keep", [0, 1, 40, 200, 700])
@pytest.mark.parametrize("kind", [FaultKind.CUT_BODY, FaultKind.CUT_DOCUMENT])
@pytest.mark.parametrize("operation", ["s3.list_uploads", "s3.list_parts"])
def test_wherever_a_reply_is_cut_they_agree(
    sides: list[Side], operation: str, kind: FaultKind, keep: int
) -> None:
    """Short of what was announced, or announced as short as it is."""
    fault = Fault(operation=operation, kind=kind, keep=keep)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire


HEADERS: list[dict[str, str | None]] = [
    {"Content-Type": None},
    {"Content-Type": "text/html"},
    {"Content-Type": "application/x+xml; charset=latin-1"},
    {"Date": None},
    {"Date": "yesterday"},
    {"Content-Encoding": "gzip"},
    {"x-amz-request-id": None, "x-amzn-RequestId": "other"},
    {"x-amz-id-2": "host"},
    {"Last-Modified": "yesterday"},
    {"Connection": "close"},
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("headers", HEADERS, ids="-".join)
def test_odd_headers_mean_the_same(
    sides: list[Side], headers: dict[str, str | None], operation: str
) -> None:
    """What is missing, wrong, or said twice."""
    fault = Fault(operation=operation, kind=FaultKind.NONE, headers=headers)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire


KEYS = ["a", "a", "a", "b&<>'\"", "c\x01", "d\r\n", "e é\u2028🎬", "f/../g", " ", "young"]


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_a_sweep_is_the_same_sweep(page_size: int) -> None:
    """Any page size, keys of every kind, those too that XML cannot carry: the same is aborted."""
    told = []
    for way in S3_WAYS:
        harness, ear = EVERY_WAY[way], Ear()
        with Sandbox.start() as sandbox:
            harness.add_container(sandbox, "container")
            for number, key in enumerate(KEYS):
                age = hours(1) if key == "young" else days(9)
                name = f"id-{number}"
                harness.add(sandbox, "container", key, age=age, upload_id=name, parts=[days(8)])
            target = harness.target(sandbox, page_size=page_size)
            (result,) = sweeper(sandbox, target, ear=ear).sweep().results
            asked = sorted((e.operation, e.key or "", e.upload_id or "") for e in sandbox.journal)
        counts = (result.outcome, result.listed, result.aborted, dict(result.kept))
        told.append((counts, ear.outcomes(), ear.reasons(), asked))

    assert told[0] == told[1]
    assert 9 <= told[0][0][2] + sum(told[0][0][3].values())
