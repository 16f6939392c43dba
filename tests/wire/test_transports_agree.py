"""Both ways to ask a provider give the same pages, errors and outcomes, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.harness import EVERY_WAY, Ear, days, hours, sweeper
from support.transports import LISTS, OPERATIONS, Sides, both_sides, both_told, refresh

from janitor.sandbox import Fault, FaultKind, Sandbox

STATUSES = [301, 302, 307, 400, 401, 403, 404, 405, 409, 412, 429, 500, 501, 502, 503, 504, 520]
CODES = {
    "glacier": (None, "ThrottlingException", "ResourceNotFoundException"),
    "qingstor": (None, "max_requests_exceeded", "upload_not_exists"),
    "s3": (None, "SlowDown", "NoSuchUpload"),
}


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    """Start one sandbox for each transport of each provider."""
    with both_sides() as made:
        yield made


@pytest.fixture(autouse=True)
def _fresh(sides: Sides) -> None:
    refresh(sides)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_faults_they_agree(sides: Sides, operation: str) -> None:
    """The pages, the parts, the object and the abort; and the same once more."""
    for again in (False, True):
        wire, sdk = both_told(sides, operation)

        assert sdk == wire
        assert again or {200, 204, 404} >= {status for _, _, status in wire[1]}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_fault_is_the_same_error(sides: Sides, kind: FaultKind, operation: str) -> None:
    """Type, code, status and Retry-After, and each side asks just as often."""
    fault = Fault(operation=operation, kind=kind, location="http://127.0.0.1:9/", times=None)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire
    assert all([] == side.sandbox.faults.unused() for pair in sides.values() for side in pair)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_the_same_error(sides: Sides, status: int, operation: str) -> None:
    """With the store's own document, with a page of a proxy, and with nothing at all."""
    waiting = {"Retry-After": "7", "x-amz-bucket-region": "us-east-1"}
    for kind in (FaultKind.STATUS, FaultKind.HTML_BODY):
        for code in CODES[operation.partition(".")[0]]:
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
@pytest.mark.parametrize("operation", LISTS)
def test_wherever_a_reply_is_cut_they_agree(
    sides: Sides, operation: str, kind: FaultKind, keep: int
) -> None:
    """Short of what was announced, or announced as short as it is."""
    fault = Fault(operation=operation, kind=kind, keep=keep)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire


HEADERS: list[dict[str, str | None]] = [
    {"Content-Type": None},
    {"Content-Type": "text/html"},
    {"Content-Type": "application/x+xml; charset=latin-1"},
    {"Content-Type": "application/x+json; charset=latin-1"},
    {"Date": None},
    {"Date": "yesterday"},
    {"Content-Encoding": "gzip"},
    {"x-amz-request-id": None, "x-amzn-RequestId": "other"},
    {"x-amz-id-2": "host"},
    {"x-amzn-ErrorType": "ThrottlingException:http://x"},
    {"x-qs-request-id": "other"},
    {"Last-Modified": "yesterday"},
    {"Connection": "close"},
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("headers", HEADERS, ids="-".join)
def test_odd_headers_mean_the_same(
    sides: Sides, headers: dict[str, str | None], operation: str
) -> None:
    """What is missing, wrong, or said twice."""
    fault = Fault(operation=operation, kind=FaultKind.NONE, headers=headers)
    wire, sdk = both_told(sides, operation, fault)

    assert sdk == wire


KEYS = ["a", "a", "a", "b&<>'\"", "c\x01", "d\r\n", "e é\u2028🎬", "f/../g", " ", "young"]


@pytest.mark.parametrize("provider", ["glacier", "qingstor", "s3"])
@pytest.mark.parametrize("page_size", [1, 2, 3, 50])
def test_a_sweep_is_the_same_sweep(page_size: int, provider: str) -> None:
    """Any page size, keys of every kind, those too that XML cannot carry: the same is aborted."""
    told = []
    for way in (provider, f"{provider}-sdk"):
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
