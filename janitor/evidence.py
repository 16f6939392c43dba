"""What was found out about one upload, for whoever explains its judgement. Pure: only types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from janitor.model import ContainerRef, Decision, Upload
from janitor.plan import Limits


@dataclass(frozen=True, slots=True)
class Place:
    """Where the upload was found, and as whom we looked."""

    endpoint: str
    region: str
    account: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """How a container was listed; `doubt` says why that cannot be believed, if so."""

    where: ContainerRef
    uploads: int
    pages: int
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knew of an upload before this look."""

    first_seen: datetime
    first_run: str
    unchanged_since: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits, less what runs that never ended have used, and the aborts of the last 24 h."""

    limits: Limits = field(default_factory=Limits)
    aborted_today: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was found out about one upload.

    `decision` is the judgement with its parts and sightings, `parts_asked`
    whether the parts could matter, `trouble` what went wrong with them.
    `finished` is when the finished object was written that the store might
    mix up with the upload, `finished_doubt` why that could not be learned.
    """

    decision: Decision
    now: datetime
    place: Place
    listing: Listing
    parts_asked: bool = False
    part_pages: int = 0
    trouble: str | None = None
    parts_have_times: bool = False
    has_ledger: bool = False
    known: Known | None = None
    kept_apart: bool = True
    finished: datetime | None = None
    finished_doubt: str | None = None
    budget: Budget = field(default_factory=Budget)

    @property
    def upload(self) -> Upload:
        """The upload that all this is about."""
        return self.decision.upload
