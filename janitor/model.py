"""The words of the domain as frozen types. Pure: no I/O, no clock, no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

KEYED_PROVIDERS = frozenset({"qingstor", "s3"})
PROVIDERS = frozenset({"glacier"}) | KEYED_PROVIDERS

# No upload can be older than the service that keeps it: this date or one before
# it is a broken clock or a parser's mistake, never evidence. Glacier's vendor
# examples are from March 2012; S3 got multipart uploads in November 2010.
EARLIEST_PLAUSIBLE: Mapping[str, datetime] = {
    "glacier": datetime(2012, 1, 1, tzinfo=UTC),
    "qingstor": datetime(2015, 1, 1, tzinfo=UTC),
    "s3": datetime(2010, 11, 1, tzinfo=UTC),
}

# `fromisoformat` alone is laxer than a provider's date may be, and differently
# so in each Python: any character between date and time, an hour without
# minutes (which would look up to an hour too old), 24:00, a NUL at the end.
_DATE_AND_TIME = re.compile(r"[0-9W-]{8,10}[Tt ](?:[01][0-9]|2[0-3]):?[0-5][0-9][0-9:.,+Z -]*")

# The usual ways to write an instant in UTC, with 0 for every digit.
_USUAL = frozenset({"0000-00-00T00:00:00.000Z", "0000-00-00T00:00:00Z"})
_DIGITS = str.maketrans("123456789", "0" * 9)


class Verdict(StrEnum):
    """What the policy says should happen to an upload."""

    KEEP = "keep"
    ABORT = "abort"


class Reason(StrEnum):
    """Why; a closed list, because each is a log field, a metric label and a report column."""

    STALE = "stale"
    YOUNG = "young"
    ACTIVE = "active"
    ACTIVITY_UNKNOWN = "activity_unknown"
    IN_GRACE = "in_grace"
    FIRST_SIGHTING = "first_sighting"
    PROTECTED = "protected"
    NO_DATE = "no_date"
    NAIVE_DATE = "naive_date"
    FUTURE_DATE = "future_date"
    IMPLAUSIBLE_DATE = "implausible_date"
    LIMIT = "limit"
    VANISHED = "vanished"
    CHANGED = "changed"
    FINISHED_OBJECT = "finished_object"


class Outcome(StrEnum):
    """What really happened to an upload that the policy calls stale."""

    ABORTED = "aborted"
    ALREADY_GONE = "already_gone"
    WITHHELD = "withheld"
    FAILED = "failed"
    SURVIVED = "survived"


class TargetOutcome(StrEnum):
    """How the sweep of one container ended; exactly one each time."""

    COMPLETE = "complete"
    CAPPED = "capped"
    TRIPPED = "tripped"
    INCOMPLETE = "incomplete"
    FORBIDDEN = "forbidden"
    CLOCK_SKEW = "clock_skew"
    SUSPICIOUS_EMPTY = "suspicious_empty"
    WRONG_IDENTITY = "wrong_identity"
    LOCKED = "locked"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, order=True)
class ContainerRef:
    """One vault or bucket of one target of the config."""

    target: str
    provider: str
    container: str

    def __str__(self) -> str:
        """Name it as a person would, for logs and errors."""
        return f"{self.target}/{self.container}"


@dataclass(frozen=True, slots=True)
class Upload:
    """One in-progress multipart upload, as a listing told it.

    `initiated` is in UTC, or None where the provider gave no usable date; its
    own words are then in `initiated_text`. `description`, `initiator` and
    `storage_class` are None when unknown and "" when known to be absent, for
    example because the provider has no such thing.
    """

    where: ContainerRef
    key: str | None
    upload_id: str
    initiated: datetime | None
    initiated_text: str | None = None
    description: str | None = None
    initiator: str | None = None
    storage_class: str | None = None

    def __post_init__(self) -> None:
        """Make an incomplete identity impossible."""
        # On QingStor an abort without an id is a DELETE of the object, and
        # other stores may do the same.
        if not self.upload_id:
            msg = "upload_id must not be empty"
            raise ValueError(msg)
        if not self.where.target:
            msg = "target must not be empty"
            raise ValueError(msg)
        if self.where.provider not in PROVIDERS:
            # It would escape the guards below, which go by provider.
            msg = f"provider must be one of {', '.join(sorted(PROVIDERS))}"
            raise ValueError(msg)
        if not self.where.container:
            msg = "container must not be empty"
            raise ValueError(msg)
        if self.where.provider in KEYED_PROVIDERS and not self.key:
            msg = f"key must not be empty on {self.where.provider}"
            raise ValueError(msg)
        if self.initiated is not None and self.initiated.tzinfo is not UTC:
            object.__setattr__(self, "initiated", _in_utc("initiated", self.initiated))

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it apart from every other upload of its container: key and upload id."""
        return (self.key or "", self.upload_id)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload: its number or byte range, its size in bytes and when it arrived."""

    number: str
    size: int | None
    modified: datetime | None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        """Bring its time into UTC."""
        if self.modified is not None and self.modified.tzinfo is not UTC:
            object.__setattr__(self, "modified", _in_utc("modified", self.modified))


@dataclass(frozen=True, slots=True)
class Activity:
    """What the parts of one upload told.

    `last_part` is the newest time a part arrived; it is meaningless unless
    `known`, which says that every part had a usable time. `size` (bytes) and
    `parts` are lower bounds unless `complete`, which says that all pages were
    read: the reader stops at the first recent part. `fingerprint` is the same
    exactly as long as the part set is; it means nothing unless `complete`.
    """

    known: bool
    complete: bool
    parts: int = 0
    size: int | None = None
    last_part: datetime | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        """Bring its time into UTC."""
        if self.last_part is not None and self.last_part.tzinfo is not UTC:
            object.__setattr__(self, "last_part", _in_utc("last_part", self.last_part))


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on one upload, with its reason, the rule that decided and the evidence.

    `eligible_at` is the instant after which the upload may be aborted, if no
    more parts arrive and those that are there can be read; None where waiting
    alone does not help.
    """

    upload: Upload
    verdict: Verdict
    reason: Reason
    rule: str
    eligible_at: datetime | None = None
    activity: Activity | None = None

    @property
    def last_activity(self) -> datetime | None:
        """The newest sign of life that we know of."""
        if self.activity is None or not self.activity.known:
            return None
        begun, last = self.upload.initiated, self.activity.last_part
        return max(begun, last) if begun is not None and last is not None else begun or last


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The final word on one upload: the last decision, and what was done if it was stale.

    `bytes_freed` is what the parts had before the abort, once the store said
    that they are gone; an abort that could not be verified frees 0.
    """

    decision: Decision
    outcome: Outcome | None = None
    error: str | None = None
    bytes_freed: int = 0


@dataclass(frozen=True, slots=True)
class ContainerResult:
    """The final word on one container; the row of every report.

    Every listed upload was either kept, and is counted by its reason in
    `kept`, or it was `aborted`, `already_gone`, `withheld`, `failed` or
    `survived`. `stale` counts what the policy calls stale: the last five, and
    of the kept ones `deferred` (beyond a limit) and `waiting` (not known for
    long enough). Sizes are in bytes. `listed` is a lower bound unless the
    outcome says that the listing was complete.
    """

    where: ContainerRef
    outcome: TargetOutcome
    started_at: datetime
    finished_at: datetime
    listed: int = 0
    stale: int = 0
    kept: Mapping[Reason, int] = field(default_factory=dict)
    aborted: int = 0
    already_gone: int = 0
    withheld: int = 0
    failed: int = 0
    survived: int = 0
    deferred: int = 0
    waiting: int = 0
    bytes_stale: int = 0
    bytes_freed: int = 0
    oldest_initiated: datetime | None = None
    error: str | None = None


def size_of(decision: Decision) -> int:
    """Give the bytes that an upload is known to hold, 0 where nothing is known."""
    activity = decision.activity
    return 0 if activity is None or activity.size is None else activity.size


def later(moment: datetime, by: timedelta) -> datetime:
    """Add without falling over the end of the calendar: a threshold can be 1,000,000 days."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """Take off without falling over the beginning of the calendar."""
    try:
        return moment - by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def parse_time(text: str | None) -> datetime | None:
    """Read a provider's ISO 8601 date as UTC; None unless it is a full instant with a zone."""
    moment = _read_time(text)
    if moment is None or moment.utcoffset() is None:
        return None
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # year 1 or 9999, moved over the edge by its zone
        return None


def parse_times(texts: Sequence[str]) -> Sequence[datetime | None]:
    """Read many dates, each as `parse_time` does."""
    # Nearly all stores write all dates in one way, which one look at all of them proves.
    together = "\n".join(texts)
    shapes = together.translate(_DIGITS)
    shape = shapes.partition("\n")[0]
    is_usual = shape in _USUAL and shapes == "\n".join([shape] * len(texts))
    if is_usual and "T24" not in together:  # which newer Pythons take for the next day
        with suppress(ValueError):  # a day or an hour that no calendar has
            return [datetime.fromisoformat(text) for text in texts]
    return [parse_time(text) for text in texts]


def is_naive_time(text: str | None) -> bool:
    """Whether the text is a date that lacks only its time zone."""
    moment = _read_time(text)
    return moment is not None and moment.utcoffset() is None


def _read_time(text: str | None) -> datetime | None:
    stripped = (text or "").strip()
    if not _DATE_AND_TIME.fullmatch(stripped):
        return None
    try:
        return datetime.fromisoformat(stripped)
    except ValueError:
        return None


def _in_utc(name: str, moment: datetime | None) -> datetime | None:
    """Move to UTC: where clocks are put forward, sums in local time are an hour off."""
    if moment is None:
        return None
    if moment.utcoffset() is None:
        msg = f"{name} must have a time zone; leave it None and keep the text"
        raise ValueError(msg)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = f"{name} is beyond the calendar; leave it None and keep the text"
        raise ValueError(msg) from error
