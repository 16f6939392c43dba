"""Sweeps to report on: one that may only look, and one in which much went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from janitor.model import (
    Activity,
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
    ContainerFinished,
    ContainerListed,
    Event,
    PageListed,
    SweepFinished,
    SweepStarted,
    TargetOpened,
    UploadFinished,
)

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MIB = 1024 * 1024
GIB = 1024 * MIB

ARCHIVE = ContainerRef("archive", "glacier", "examplevault")
MEDIA = ContainerRef("media", "qingstor", "your-bucket-name")
LAKE = ContainerRef("lake", "s3", "analytics-landing-zone-eu-west-1-production")
DENIED = ContainerRef("lake", "s3", "payroll")

GLACIER_ID = (
    "19gaRezEXAMPLES6Ry5YYdqthHOC_kGRCT03L9yetr220UmPtBYKk-OssZtLqyFu7sY1_lR7vgFuJV6NtcV5zpsJ"
)
HOSTILE = "tmp/\x1b[31mred\x07\u202egpj.\u2028\ud800[bold]not markup[/bold]|`code`.bin"


def upload_of(
    where: ContainerRef, key: str | None, upload_id: str, age: timedelta | None
) -> Upload:
    """One upload that began `age` before `NOW`; None is a date that nobody can read."""
    return Upload(
        where,
        key,
        upload_id,
        None if age is None else NOW - age,
        "yesterday" if age is None else None,
        description="",
        initiator="",
        storage_class="STANDARD",
    )


def parts_of(size: int, idle: timedelta, *, complete: bool = True) -> Activity:
    """Parts of which the newest came `idle` before `NOW`."""
    parts = max(1, size // (8 * MIB))
    return Activity(known=True, complete=complete, parts=parts, size=size, last_part=NOW - idle)


def done(
    upload: Upload, outcome: Outcome, size: int, *, error: str | None = None, freed: int = 0
) -> UploadResult:
    """Say what became of a stale upload."""
    decision = Decision(
        upload, Verdict.ABORT, Reason.STALE, "default", NOW - DAY, parts_of(size, 2 * DAY)
    )
    return UploadResult(decision, outcome, error, freed)


def kept(
    upload: Upload,
    reason: Reason,
    activity: Activity | None = None,
    *,
    rule: str = "default",
    eligible_at: datetime | None = None,
) -> UploadResult:
    """Say why an upload was kept."""
    return UploadResult(Decision(upload, Verdict.KEEP, reason, rule, eligible_at, activity))


def container_of(
    where: ContainerRef, outcome: TargetOutcome, seconds: float, **figures: object
) -> ContainerResult:
    """Say how a container ended that took so many seconds."""
    started = NOW + timedelta(seconds=1)
    finished = started + timedelta(seconds=seconds)
    return ContainerResult(where, outcome, started, finished, **figures)  # type: ignore[arg-type]


def events_of(
    mode: str,
    uploads: Iterable[UploadResult],
    containers: Sequence[ContainerResult],
    exit_code: int,
) -> list[Event]:
    """Give all that a sweep says that a report may listen to."""
    finished = SweepFinished(
        "01JD3W8Q", mode, NOW, NOW + timedelta(seconds=75), containers, exit_code
    )
    return [
        SweepStarted("01JD3W8Q", mode, NOW, 3),
        TargetOpened("archive", "glacier", "https://glacier.example", None, None),
        TargetOpened("lake", "s3", "https://s3.example", "eu-west-1", None, "wire"),
        PageListed(ARCHIVE, 3),
        *(ContainerListed(result.where) for result in containers),
        *(UploadFinished(result) for result in uploads),
        *(ContainerFinished(result) for result in containers),
        finished,
    ]


def vendor_sweep() -> list[Event]:
    """Look at the three uploads of Glacier's own example, in report mode."""
    young = kept(upload_of(ARCHIVE, None, "young", 3 * HOUR), Reason.YOUNG, eligible_at=NOW + DAY)
    uploads = [
        done(_vendor_upload("archive 1", GLACIER_ID), Outcome.WITHHELD, 4 * MIB),
        done(_vendor_upload("archive 2", GLACIER_ID[::-1]), Outcome.WITHHELD, 4 * MIB),
        young,
    ]
    container = container_of(
        ARCHIVE,
        TargetOutcome.COMPLETE,
        1.5,
        listed=3,
        stale=2,
        kept={Reason.YOUNG: 1},
        withheld=2,
        bytes_stale=8 * MIB,
        oldest_initiated=datetime(2012, 3, 19, 23, 20, 59, 130_000, tzinfo=UTC),
    )
    return events_of("report", uploads, [container], 0)


def troubled_sweep() -> list[Event]:
    """Abort in three containers, with every kind of trouble, and be refused by a fourth."""
    return events_of("enforce", [*_acted(), *_spared()], _containers(), 3)


def _vendor_upload(description: str, upload_id: str) -> Upload:
    initiated = datetime(2012, 3, 19, 23, 20, 59, 130_000, tzinfo=UTC)
    return Upload(ARCHIVE, None, upload_id, initiated, None, description, "", "")


def _acted() -> list[UploadResult]:
    old = [
        done(
            upload_of(LAKE, f"exports/2026/09/{n:02}/part-{n:05}.snappy.parquet", f"L{n}", n * DAY),
            Outcome.ABORTED,
            n * 100 * MIB,
            freed=n * 100 * MIB,
        )
        for n in range(40, 10, -1)
    ]
    denied = "AccessDenied: User: arn:aws:iam::012345678901:user/janitor is not authorized"
    return [
        done(_vendor_upload("archive 1", GLACIER_ID), Outcome.ABORTED, 4 * MIB, freed=4 * MIB),
        *old,
        done(upload_of(LAKE, HOSTILE, "L41", 9 * DAY), Outcome.FAILED, 17 * MIB, error=denied),
        done(
            upload_of(MEDIA, "电影/大闹天宫/第一集.mkv", "M1", 12 * DAY), Outcome.SURVIVED, 3 * GIB
        ),
        done(
            upload_of(MEDIA, "Movies/🎬/the long goodbye.mp4", "M2", 8 * DAY), Outcome.WITHHELD, 0
        ),
        done(upload_of(MEDIA, "a\nb", "M3", 8 * DAY), Outcome.ALREADY_GONE, 1023),
    ]


def _spared() -> list[UploadResult]:
    magic = "tables/events/_temporary/0/__magic/job-7f3a91/tasks/attempt_0001/events-00017.orc"
    late = Decision(
        upload_of(LAKE, "backup/db-1.tar.zst", "L50", 10 * DAY),
        Verdict.KEEP,
        Reason.ACTIVE,
        "nightly",
        NOW + 22 * HOUR,
        parts_of(700 * GIB, 2 * HOUR, complete=False),
    )
    return [
        UploadResult(late),
        kept(upload_of(LAKE, magic, "L51", 400 * DAY), Reason.PROTECTED, rule="committers"),
        kept(upload_of(LAKE, "logs/a", "L52", 8 * DAY), Reason.LIMIT, parts_of(MIB, 7 * DAY)),
        kept(upload_of(MEDIA, "cafe\u0301/menü.pdf", "M4", None), Reason.NO_DATE),
        kept(upload_of(MEDIA, "clock", "M5", -26 * HOUR), Reason.FUTURE_DATE),
        kept(upload_of(MEDIA, "new", "M6", HOUR), Reason.YOUNG, eligible_at=NOW + 6 * DAY),
    ]


def _containers() -> list[ContainerResult]:
    return [
        _denied(),
        container_of(
            ARCHIVE,
            TargetOutcome.COMPLETE,
            1.25,
            listed=1,
            stale=1,
            aborted=1,
            bytes_stale=4 * MIB,
            bytes_freed=4 * MIB,
            oldest_initiated=datetime(2012, 3, 19, 23, 20, 59, 130_000, tzinfo=UTC),
        ),
        _lake(),
        container_of(
            MEDIA,
            TargetOutcome.INTERRUPTED,
            4,
            listed=6,
            stale=3,
            kept={Reason.FUTURE_DATE: 1, Reason.NO_DATE: 1, Reason.YOUNG: 1},
            already_gone=1,
            withheld=1,
            survived=1,
            bytes_stale=3 * GIB + 1023,
            oldest_initiated=NOW - 12 * DAY,
            error="a stop was requested",
        ),
    ]


def _denied() -> ContainerResult:
    error = (
        "Denied: AccessDenied: User: arn:aws:iam::012345678901:user/upload-janitor is not"
        " authorized to perform: s3:ListBucketMultipartUploads on resource:"
        ' "arn:aws:s3:::payroll" because no identity-based policy allows it\r\n\x1b]0;owned\x07'
    )
    return container_of(DENIED, TargetOutcome.FORBIDDEN, 0.25, error=error)


def _lake() -> ContainerResult:
    freed = sum(n * 100 * MIB for n in range(40, 10, -1))
    return container_of(
        LAKE,
        TargetOutcome.CAPPED,
        73.0625,
        listed=12_345,
        stale=32,
        kept={Reason.YOUNG: 12_311, Reason.PROTECTED: 1, Reason.ACTIVE: 1, Reason.LIMIT: 1},
        aborted=30,
        failed=1,
        deferred=1,
        bytes_stale=freed + 18 * MIB,
        bytes_freed=freed,
        oldest_initiated=NOW - 400 * DAY,
        error="AccessDenied: User: arn:aws:iam::012345678901:user/janitor is not authorized",
    )
