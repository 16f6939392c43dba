"""Turns results into the JSON objects of a report. Pure: no I/O, no clock.

Times are ISO 8601 in UTC with milliseconds; sizes are in bytes. None is
"unknown", never "nothing there".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict

from janitor.model import ContainerResult, UploadResult
from janitor.observe.events import SweepFinished

SCHEMA_VERSION = 1


class SweepRow(TypedDict):
    """The run itself; `uploads_lost` counts uploads that could not be recorded, if any."""

    schema_version: int
    run_id: str
    mode: str
    started_at: str
    finished_at: str
    complete: bool
    exit_code: int
    uploads_lost: NotRequired[int]


class ContainerRow(TypedDict):
    """One container; counts as in `ContainerResult`.

    `transport` is what sent the requests: the provider's SDK, or our own wire;
    None where the target could not be opened.
    """

    target: str
    provider: str
    container: str
    outcome: str
    listed: int
    stale: int
    kept: dict[str, int]
    aborted: int
    already_gone: int
    withheld: int
    failed: int
    survived: int
    deferred: int
    waiting: int
    bytes_stale: int
    bytes_freed: int
    oldest_initiated: str | None
    duration_seconds: float
    transport: str | None
    error: str | None


class UploadRow(TypedDict):
    """One upload; `initiated_text`, the provider's own words, only where `initiated` is None.

    `bytes` and `parts` are None unless all parts were read. `age_seconds` is
    the age when the sweep began. `outcome` is None for what was kept.
    """

    target: str
    provider: str
    container: str
    key: str | None
    upload_id: str
    initiated: str | None
    age_seconds: int | None
    last_activity: str | None
    bytes: int | None
    parts: int | None
    description: str | None
    initiator: str | None
    storage_class: str | None
    verdict: str
    reason: str
    rule: str
    outcome: str | None
    bytes_freed: int
    eligible_at: str | None
    error: str | None
    initiated_text: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a writer needs.

    `uploads` gives the rows from the beginning each time it is called; there
    may be millions, so that a writer must not hold them all. `lines` gives the
    same rows as JSON, where somebody has them ready.
    """

    sweep: SweepRow
    targets: Sequence[ContainerRow]
    uploads: Callable[[], Iterable[UploadRow]]
    lines: Callable[[], Iterable[str]] | None = None

    def uploads_as_json(self) -> Iterable[str]:
        """Give each row as one line of JSON, without its end."""
        if self.lines is not None:
            return self.lines()
        return map(json.dumps, self.uploads())


def sweep_row(finished: SweepFinished, uploads_lost: int = 0) -> SweepRow:
    """Describe the run; it is complete when its exit code is 0."""
    row = SweepRow(
        schema_version=SCHEMA_VERSION,
        run_id=finished.run_id,
        mode=finished.mode,
        started_at=utc(finished.started_at),
        finished_at=utc(finished.finished_at),
        complete=finished.exit_code == 0,
        exit_code=finished.exit_code,
    )
    if uploads_lost:
        row["uploads_lost"] = uploads_lost
    return row


def container_row(result: ContainerResult, transport: str | None = None) -> ContainerRow:
    """Describe what became of one container."""
    duration = result.finished_at - result.started_at
    return ContainerRow(
        target=result.where.target,
        provider=result.where.provider,
        container=result.where.container,
        outcome=result.outcome.value,
        listed=result.listed,
        stale=result.stale,
        kept={reason.value: number for reason, number in sorted(result.kept.items())},
        aborted=result.aborted,
        already_gone=result.already_gone,
        withheld=result.withheld,
        failed=result.failed,
        survived=result.survived,
        deferred=result.deferred,
        waiting=result.waiting,
        bytes_stale=result.bytes_stale,
        bytes_freed=result.bytes_freed,
        oldest_initiated=_utc_or_none(result.oldest_initiated),
        # A clock that was put back must not make a duration below nothing.
        duration_seconds=round(max(0.0, duration.total_seconds()), 3),
        transport=transport,
        error=result.error,
    )


def upload_row(result: UploadResult, started_at: datetime | None) -> UploadRow:
    """Describe what became of one upload in the sweep that began at `started_at` (aware)."""
    decision = result.decision
    upload, activity = decision.upload, decision.activity
    whole = activity if activity is not None and activity.complete else None
    row = UploadRow(
        target=upload.where.target,
        provider=upload.where.provider,
        container=upload.where.container,
        key=upload.key,
        upload_id=upload.upload_id,
        initiated=_utc_or_none(upload.initiated),
        age_seconds=age_of(upload.initiated, started_at),
        last_activity=_utc_or_none(decision.last_activity),
        bytes=whole.size if whole is not None else None,
        parts=whole.parts if whole is not None else None,
        description=upload.description or None,
        initiator=upload.initiator or None,
        storage_class=upload.storage_class or None,
        verdict=decision.verdict.value,
        reason=decision.reason.value,
        rule=decision.rule,
        outcome=result.outcome.value if result.outcome is not None else None,
        bytes_freed=result.bytes_freed,
        eligible_at=_utc_or_none(decision.eligible_at),
        error=result.error,
    )
    if upload.initiated is None:
        row["initiated_text"] = upload.initiated_text
    return row


def age_of(initiated: datetime | None, started_at: datetime | None) -> int | None:
    """Give how old an upload was when the sweep began, in whole seconds."""
    if initiated is None or started_at is None:
        return None
    return (started_at - initiated) // timedelta(seconds=1)


def _utc_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else utc(moment)


def utc(moment: datetime) -> str:
    """Write an instant; nothing in a report has it in another zone."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # `isoformat` takes twice as long. Cut, and not rounded: no time is ever shown later
    # than it was.
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (  # noqa: UP031  # five times as quick
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 1000,
    )
