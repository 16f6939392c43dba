"""Everything that a sweep says, as one union of frozen events. Pure.

The logic tells, observers say it: logs, metrics and reports cannot disagree,
because they hear the same events. An observer is called from many threads,
must be quick, and must not raise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from janitor.model import ContainerRef, ContainerResult, Decision, UploadResult
from janitor.plan import Limits


@dataclass(frozen=True, slots=True)
class SweepStarted:
    """A sweep begins; `mode` is report or enforce."""

    run_id: str
    mode: str
    at: datetime
    targets: int


@dataclass(frozen=True, slots=True)
class TargetOpened:
    """Who we are at a target: the account is None where nobody could be asked.

    `transport` is what sends the requests: the provider's SDK, or our own wire.
    """

    target: str
    provider: str
    endpoint: str
    region: str | None
    account: str | None
    transport: str = "sdk"


@dataclass(frozen=True, slots=True)
class PageListed:
    """One proven page of a container was read; `uploads` counts what was new on it."""

    where: ContainerRef
    uploads: int


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """One request to a provider ended; `code` is None for a success, `seconds` its duration."""

    where: ContainerRef
    operation: str
    seconds: float
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRetried:
    """A request will be sent again after `delay` seconds."""

    where: ContainerRef
    operation: str
    code: str
    delay: float


@dataclass(frozen=True, slots=True)
class Planned:
    """How many would be aborted, now that every limit was applied, and which, in this order.

    `abort` can be read once, and only while the event is being told: there may
    be millions.
    """

    count: int
    abort: Iterable[Decision]


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit deferred uploads; `target` names whose breaker opened, None for caps of the run."""

    limit: str
    deferred: int
    target: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BudgetCounted:
    """What the limits allow, and what is left of it; told before the first abort and at the end."""

    limits: Limits
    left: Limits


@dataclass(frozen=True, slots=True)
class IntentReconciled:
    """An abort of an earlier run was looked up; `outcome` None where that failed, see `error`."""

    where: ContainerRef
    key: str | None
    upload_id: str
    outcome: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerNoticed:
    """Something about the ledger that somebody should know, in one sentence."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ContainerListed:
    """A container was listed and judged; aborts may follow, when all are."""

    where: ContainerRef


@dataclass(frozen=True, slots=True)
class UploadFinished:
    """The last word on one upload of this sweep."""

    result: UploadResult


@dataclass(frozen=True, slots=True)
class ContainerCrashed:
    """A mistake of ours stopped one container; `trace` is for whoever will mend it."""

    where: ContainerRef
    trace: str


@dataclass(frozen=True, slots=True)
class ContainerFinished:
    """The last word on one container of this sweep."""

    result: ContainerResult


@dataclass(frozen=True, slots=True)
class SweepFinished:
    """A sweep ended, one way or the other.

    `ledger_usable` is False where what happened could not be written down; it
    is True where nobody wanted that.
    """

    run_id: str
    mode: str
    started_at: datetime
    finished_at: datetime
    results: Sequence[ContainerResult]
    exit_code: int
    ledger_usable: bool = True


Event: TypeAlias = (
    SweepStarted
    | TargetOpened
    | PageListed
    | RequestFinished
    | RequestRetried
    | Planned
    | LimitReached
    | BudgetCounted
    | IntentReconciled
    | LedgerNoticed
    | ContainerListed
    | UploadFinished
    | ContainerCrashed
    | ContainerFinished
    | SweepFinished
)
Observer: TypeAlias = Callable[[Event], None]


def fan_out(observers: Iterable[Observer]) -> Observer:
    """Tell every observer, in order; one that fails is heard of, and never stops a sweep."""
    listeners = tuple(observers)

    def tell(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception:
                logging.getLogger(__name__).exception("observer.failed")

    return tell
