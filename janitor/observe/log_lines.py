"""Turns what a sweep says into log lines, named `noun.verb`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

import structlog

from janitor.model import (
    ContainerRef,
    ContainerResult,
    Outcome,
    Reason,
    TargetOutcome,
    UploadResult,
)
from janitor.observe import current_run
from janitor.observe.events import (
    BudgetCounted,
    ContainerCrashed,
    ContainerFinished,
    ContainerListed,
    Event,
    IntentReconciled,
    LedgerNoticed,
    LimitReached,
    PageListed,
    Planned,
    RequestFinished,
    RequestRetried,
    RequestsBegun,
    SweepFinished,
    SweepStarted,
    TargetOpened,
    UploadFinished,
    WorkersNoticed,
)
from janitor.observe.sums import by_target, counts_of, sums_of

_CLEAN = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED})
_EXPECTED = frozenset(
    {
        Reason.YOUNG,
        Reason.ACTIVE,
        Reason.IN_GRACE,
        Reason.FIRST_SIGHTING,
        Reason.PROTECTED,
        Reason.LIMIT,
    }
)
_DONE = {
    # Sums are told at info; there may be millions, and the ledger and the audit file have each.
    Outcome.ABORTED: (logging.DEBUG, "upload.aborted"),
    Outcome.ALREADY_GONE: (logging.DEBUG, "upload.already_gone"),
    Outcome.WITHHELD: (logging.DEBUG, "upload.withheld"),
    Outcome.FAILED: (logging.ERROR, "upload.failed"),
    Outcome.SURVIVED: (logging.ERROR, "upload.survived"),
}

# There is one of these for every request, page or container.
_DEBUG_ONLY = frozenset({ContainerListed, PageListed, RequestFinished})

_Detail: TypeAlias = (
    PageListed
    | RequestFinished
    | RequestRetried
    | LimitReached
    | ContainerListed
    | IntentReconciled
    | LedgerNoticed
    | Planned
    | TargetOpened
    | WorkersNoticed
)


class LogObserver:
    """Turns events into log lines named `noun.verb`; every line carries the run's id."""

    def __init__(self) -> None:
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("janitor.sweep")
        self._hears_all = True

    def hears(self, kind: type[Event]) -> bool:
        """Whether events of a kind can be worth a line at the level that the log has now."""
        self._hears_all = self._log.is_enabled_for(logging.DEBUG)
        return kind not in _DEBUG_ONLY or self._hears_all

    def __call__(self, event: Event) -> None:
        """Write what is worth a line."""
        match event:
            case SweepStarted():
                self._started(event)
            case UploadFinished(result):
                self._upload(result)
            case ContainerFinished(result):
                self._container(result)
            case BudgetCounted(limits, left):
                facts = {"limits": asdict(limits), "left": asdict(left)}
                self._log.debug("budget.counted", **facts)
            case ContainerCrashed(where, trace):
                self._log.error("container.crashed", **_place(where), exception=trace)
            case SweepFinished():
                self._finished(event)
            case RequestsBegun():
                pass  # how busy targets are is asked for, not told
            case _:
                self._detail(event)

    def _detail(self, event: _Detail) -> None:
        facts: dict[str, Any]
        match event:
            case TargetOpened(target, provider, endpoint, region, account, transport):
                facts = {"target": target, "provider": provider, "endpoint": endpoint}
                facts |= {"region": region, "account": account, "transport": transport}
                self._log.info("target.opened", **_told(facts))
            case ContainerListed(where):
                self._log.debug("container.listed", **_place(where))
            case IntentReconciled(where, key, upload_id, outcome, error):
                facts = {"key": key, "upload_id": upload_id, "outcome": outcome, "error": error}
                self._log.warning("intent.reconciled", **_place(where), **_told(facts))
            case Planned(count):
                self._log.debug("sweep.planned", uploads=count)
            case LedgerNoticed(sentence) | WorkersNoticed(sentence):
                of_ledger = isinstance(event, LedgerNoticed)
                name = "ledger.noticed" if of_ledger else "workers.noticed"
                self._log.warning(name, detail=sentence)
            case PageListed(where, uploads):
                self._log.debug("page.listed", **_place(where), uploads=uploads)
            case RequestFinished(where, operation, seconds, code):
                facts = {"operation": operation, "seconds": round(seconds, 3), "code": code}
                self._log.debug("request.finished", **_place(where), **_told(facts))
            case RequestRetried(where, operation, code, delay):
                facts = {"operation": operation, "code": code, "delay": round(delay, 3)}
                self._log.info("request.retried", **_place(where), **facts)
            case LimitReached(limit, deferred, target, detail):
                facts = {"limit": limit, "deferred": deferred, "target": target, "detail": detail}
                self._log.warning("limit.reached", **_told(facts))

    def _started(self, event: SweepStarted) -> None:
        current_run.begin(event.run_id)
        self._log.info("sweep.started", mode=event.mode, targets=event.targets)

    def _finished(self, event: SweepFinished) -> None:
        for target, results in by_target(event.results).items():
            self._target(target, results)
        facts: dict[str, Any] = {"mode": event.mode, "exit_code": event.exit_code}
        facts["seconds"] = _seconds(event.started_at, event.finished_at)
        facts |= sums_of(event.results)
        level = logging.WARNING if event.exit_code else logging.INFO
        self._log.log(level, "sweep.finished", run_id=event.run_id, **facts)
        current_run.end()

    def _target(self, target: str, results: Sequence[ContainerResult]) -> None:
        """Sum a target up: with thousands of containers nobody reads a line for each."""
        facts: dict[str, Any] = {"target": target, "provider": results[0].where.provider}
        facts["containers"] = len(results)
        first, last = (min(r.started_at for r in results), max(r.finished_at for r in results))
        facts |= sums_of(results) | {"seconds": _seconds(first, last)}
        self._log.info("target.finished", **facts)

    def _container(self, result: ContainerResult) -> None:
        facts: dict[str, Any] = {"outcome": result.outcome}
        facts |= counts_of(result)
        facts["kept"] = dict(result.kept)
        facts["oldest_initiated"] = result.oldest_initiated
        facts["seconds"] = _seconds(result.started_at, result.finished_at)
        facts["error"] = result.error
        level = _level_of(result)
        self._log.log(level, "container.finished", **_place(result.where), **_told(facts))

    def _upload(self, result: UploadResult) -> None:
        decision = result.decision
        if result.outcome is not None:
            level, name = _DONE[result.outcome]
        elif decision.reason in _EXPECTED and result.error is None:
            return
        else:
            level, name = logging.DEBUG, "upload.kept"
        # To ask the log takes a while, and there may be millions.
        if level == logging.DEBUG and not self._hears_all:
            return
        if not self._log.is_enabled_for(level):
            return
        facts: dict[str, Any] = {
            "key": decision.upload.key,
            "upload_id": decision.upload.upload_id,
            "initiated": decision.upload.initiated,
            "reason": decision.reason,
            "rule": decision.rule,
            "bytes_freed": result.bytes_freed or None,
            "error": result.error,
        }
        self._log.log(level, name, **_place(decision.upload.where), **_told(facts))


def _level_of(result: ContainerResult) -> int:
    """Warn of what is not as it should be, and tell at info only of what something was done to."""
    if result.outcome not in _CLEAN or result.error is not None:
        return logging.WARNING
    done = result.aborted or result.already_gone or result.failed or result.survived
    quiet = result.outcome is TargetOutcome.COMPLETE and not done
    return logging.DEBUG if quiet else logging.INFO


def _seconds(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds(), 3)


def _place(where: ContainerRef) -> dict[str, str]:
    return {"target": where.target, "provider": where.provider, "container": where.container}


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {name: value for name, value in facts.items() if value not in (None, "")}
