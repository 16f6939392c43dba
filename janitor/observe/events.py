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
from typing import NamedTuple, Protocol, TypeAlias

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


class Load(NamedTuple):
    """How busy a target is: its requests in flight, and how many may be as it bears them now."""

    target: str
    provider: str
    in_flight: int
    window: int


@dataclass(frozen=True, slots=True)
class RequestsBegun:
    """Requests begin; `loads` tells at any time, also after the sweep, how busy all targets are."""

    loads: Callable[[], Sequence[Load]]


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
class WorkersNoticed:
    """Something about the workers of a run that somebody should know, in one sentence."""

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
    | RequestsBegun
    | PageListed
    | RequestFinished
    | RequestRetried
    | Planned
    | LimitReached
    | BudgetCounted
    | IntentReconciled
    | LedgerNoticed
    | WorkersNoticed
    | ContainerListed
    | UploadFinished
    | ContainerCrashed
    | ContainerFinished
    | SweepFinished
)
Observer: TypeAlias = Callable[[Event], None]

# There is one of these for every request, and nothing in them that has to be kept.
OF_REQUESTS: frozenset[type[Event]] = frozenset({PageListed, RequestFinished, RequestRetried})


class Picky(Protocol):
    """An observer that does not hear of everything: there are millions of some events."""

    def hears(self, kind: type[Event]) -> bool:
        """Whether it wants to be told of events of a kind; asked once for each in a sweep."""


def fan_out(observers: Iterable[Observer]) -> Observer:
    """Tell every observer that hears of such an event, in order.

    One that fails is heard of, and never stops a sweep. Those that are `Picky`
    are asked what they hear of.
    """
    listeners = tuple(observers)
    routes: dict[type[Event], tuple[Observer, ...]] = {}

    def tell(event: Event) -> None:
        kind = type(event)
        route = routes.get(kind)
        if route is None:
            route = routes[kind] = tuple(one for one in listeners if _hears(one, kind))
        for listener in route:
            try:
                listener(event)
            except Exception:
                logging.getLogger(__name__).exception("observer.failed")

    return tell


def _hears(observer: Observer, kind: type[Event]) -> bool:
    hears: Callable[[type[Event]], bool] = getattr(observer, "hears", lambda _: True)
    return hears(kind)
