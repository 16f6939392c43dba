"""What goes into the ledger and what comes out of it, as frozen types. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from janitor.model import ContainerRef, Upload

# How a conclusion may end besides the outcomes of the model: the request never
# left, or nobody can say any more what it did.
NOT_SENT = "not_sent"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Since when we know an upload, by our own complete listings.

    `unchanged_since` is when its part set first had the fingerprint that it
    had at every sighting since.
    """

    first_seen: datetime
    first_run: str
    unchanged_since: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A candidate in a complete listing.

    `fingerprint` stands for its part set; "" says that the parts could not be
    read, and never counts as unchanged. An upload without parts has a
    fingerprint, too. `size` is in bytes, None when unknown.
    """

    upload: Upload
    fingerprint: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class TargetHeader:
    """What a run was told about one target; a change in any of it starts the grace again.

    `account` None says that it could not be learned, `endpoint` "" that the
    target could not be reached at all: that is no change, and the next that is
    known is compared with the last one that was.
    """

    target: str
    provider: str
    endpoint: str
    region: str
    account: str | None
    policy_fingerprint: str


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is recorded of a run before it does anything."""

    run_id: str
    mode: str
    started_at: datetime
    version: str
    config_fingerprint: str
    targets: tuple[TargetHeader, ...]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the ledger knew when a run began.

    `fresh`: no run was ever recorded here. `changed_targets` are known
    targets that are not what they were; their sightings start again.
    """

    fresh: bool
    changed_targets: frozenset[str]
    runs_before: int


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last complete listing of a container that was not doubted.

    `aborted_since` counts the aborts, from that run on, after which an upload
    is gone or may be. `doubts` counts the doubtful scans since.
    """

    at: datetime
    listed: int
    aborted_since: int
    doubts: int


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An abort that was about to be sent when its run ended: nobody knows what became of it."""

    intent: int
    run_id: str
    at: datetime
    where: ContainerRef
    key: str | None
    upload_id: str
    initiated: datetime | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was taken from the budgets: aborts that were or may have been sent, and bytes."""

    aborts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan that was written for `janitor apply`."""

    digest: str
    run_id: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger remembers it; without `finished_at` it was cut off, or still runs."""

    run_id: str
    mode: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    version: str


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent with its conclusion; without an `outcome` it has none."""

    intent: OpenIntent
    reason: str
    rule: str
    outcome: str | None
    size_freed: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal ends: how many rows it has and the hash of the last."""

    count: int
    hash: str


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did: the schema before (None: there was no ledger) and after."""

    before: str | None
    after: str
