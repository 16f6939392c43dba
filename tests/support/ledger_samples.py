"""What the ledger's tests write down: one container, uploads, decisions, headers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from janitor.ledger.types import RunHeader, Seen, TargetHeader
from janitor.model import (
    Activity,
    ContainerRef,
    ContainerResult,
    Decision,
    Reason,
    TargetOutcome,
    Upload,
    Verdict,
)

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LAKE = ContainerRef("lake", "s3", "raw")
OTHER = ContainerRef("lake", "s3", "other")
ARCHIVE = ContainerRef("archive", "glacier", "examplevault")
LAKE_HEADER = TargetHeader("lake", "s3", "https://s3.example", "eu-west-1", "012345678901", "p1")


def header_of(run_id: str = "run-1", *targets: TargetHeader, at: datetime = NOW) -> RunHeader:
    """Give the header of a run; without targets it has the lake."""
    return RunHeader(run_id, "enforce", at, "0.1.0", "c1", targets or (LAKE_HEADER,))


def upload_of(upload_id: str = "id-1", **changes: Any) -> Upload:
    """Give an upload to the lake, thirty days old."""
    return replace(Upload(LAKE, "a/b", upload_id, NOW - 30 * DAY), **changes)


def seen_of(upload_id: str = "id-1", fingerprint: str = "f1", **changes: Any) -> Seen:
    """Give a candidate of the lake."""
    return Seen(upload_of(upload_id, **changes), fingerprint, 5)


def decision_of(upload_id: str = "id-1", size: int | None = 5, **changes: Any) -> Decision:
    """Give a decision to abort an upload to the lake."""
    activity = Activity(known=True, complete=True, parts=1, size=size, last_part=NOW - 20 * DAY)
    return Decision(
        upload_of(upload_id, **changes),
        Verdict.ABORT,
        Reason.STALE,
        "default",
        NOW - 20 * DAY,
        activity,
    )


def result_of(**changes: Any) -> ContainerResult:
    """Give the result of a complete scan of the lake."""
    result = ContainerResult(LAKE, TargetOutcome.COMPLETE, NOW, NOW + HOUR, listed=10)
    return replace(result, **changes)
