"""A scripted sweep: what the logs and the metrics of one eventful day are made from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from janitor.model import (
    ContainerRef,
    ContainerResult,
    Decision,
    Outcome,
    Reason,
    TargetOutcome,
    Upload,
    UploadResult,
    Verdict,
)
from janitor.observe.events import (
    ContainerCrashed,
    ContainerFinished,
    Event,
    LimitReached,
    Load,
    PageListed,
    RequestFinished,
    RequestRetried,
    RequestsBegun,
    SweepFinished,
    SweepStarted,
    UploadFinished,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VAULT = ContainerRef("archive", "glacier", "examplevault")
BUCKET = ContainerRef("media", "qingstor", "your-bucket-name")
LAKE = ContainerRef("lake", "s3", "raw")


def upload(where: ContainerRef, upload_id: str, days: int) -> Upload:
    """Make an upload that is some days old."""
    key = None if where.provider == "glacier" else "Movies/Cube.avi"
    return Upload(where, key, upload_id, NOW - timedelta(days=days))


def ended(
    found: Upload,
    reason: Reason,
    outcome: Outcome | None = None,
    error: str | None = None,
    freed: int = 0,
) -> UploadFinished:
    """Tell how an upload ended; without an outcome it was kept."""
    verdict = Verdict.KEEP if outcome is None else Verdict.ABORT
    decision = Decision(found, verdict, reason, "default")
    return UploadFinished(UploadResult(decision, outcome, error, freed))


def result(
    where: ContainerRef, outcome: TargetOutcome = TargetOutcome.COMPLETE, **facts: object
) -> ContainerResult:
    """Make a result of a sweep that took a minute and a half."""
    times = {"started_at": NOW, "finished_at": NOW + timedelta(seconds=90)}
    return ContainerResult(where, outcome, **{**times, **facts})  # type: ignore[arg-type]


def finished(*results: ContainerResult, exit_code: int = 0, mode: str = "enforce") -> SweepFinished:
    """Make the end of a sweep."""
    return SweepFinished("run-1", mode, NOW, NOW + timedelta(seconds=90), results, exit_code)


RESULTS = (
    result(
        VAULT,
        listed=3,
        stale=2,
        kept={Reason.YOUNG: 1},
        aborted=1,
        already_gone=1,
        bytes_stale=8_388_608,
        bytes_freed=4_194_304,
        oldest_initiated=NOW - timedelta(days=400),
    ),
    result(LAKE, TargetOutcome.FORBIDDEN, error="Denied: AccessDenied: not you"),
    result(
        BUCKET,
        TargetOutcome.CAPPED,
        listed=5,
        stale=4,
        kept={Reason.FUTURE_DATE: 1, Reason.LIMIT: 1},
        failed=1,
        survived=1,
        withheld=1,
        deferred=1,
        oldest_initiated=NOW - timedelta(days=9),
    ),
)
EVENTS: tuple[Event, ...] = (
    SweepStarted("run-1", "enforce", NOW, 3),
    RequestsBegun(lambda: [Load("archive", "glacier", 0, 16), Load("lake", "s3", 3, 70)]),
    RequestFinished(VAULT, "list_page", 0.0625),
    PageListed(VAULT, 3),
    RequestFinished(LAKE, "list_page", 0.003, "AccessDenied"),
    RequestFinished(BUCKET, "list_page", 2.0, "fetch_throttled"),
    RequestRetried(BUCKET, "list_page", "fetch_throttled", 0.5),
    RequestFinished(BUCKET, "list_page", 0.25),
    PageListed(BUCKET, 5),
    ended(upload(BUCKET, "u-0", -3), Reason.FUTURE_DATE),
    ended(upload(BUCKET, "u-1", 1), Reason.ACTIVE),
    LimitReached("aborts_per_run", 1),
    ended(upload(VAULT, "v-1", 400), Reason.STALE, Outcome.ABORTED, freed=4_194_304),
    ended(upload(VAULT, "v-2", 8), Reason.STALE, Outcome.ALREADY_GONE),
    RequestFinished(BUCKET, "abort", 0.5, "TheDogAteIt"),
    ended(upload(BUCKET, "u-2", 9), Reason.STALE, Outcome.FAILED, "TheDogAteIt: sorry"),
    ended(upload(BUCKET, "u-3", 9), Reason.STALE, Outcome.SURVIVED, "its parts are still listed"),
    ended(upload(BUCKET, "u-4", 9), Reason.STALE, Outcome.WITHHELD),
    ended(upload(BUCKET, "u-5", 8), Reason.LIMIT),
    ContainerCrashed(LAKE, "Traceback (most recent call last):\nValueError: oh\n"),
    *(ContainerFinished(each) for each in RESULTS),
    finished(*RESULTS, exit_code=3),
)
