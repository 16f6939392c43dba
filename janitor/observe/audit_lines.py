"""What the audit file says of an event. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from janitor.model import ContainerRef, ContainerResult, Outcome, UploadResult
from janitor.observe.events import (
    ContainerFinished,
    Event,
    IntentReconciled,
    LimitReached,
    SweepFinished,
    SweepStarted,
    UploadFinished,
)
from janitor.observe.redaction import redacted
from janitor.observe.sums import counts_of, sums_of

# Withheld is not among them: nothing was sent.
_DONE = frozenset({Outcome.ABORTED, Outcome.ALREADY_GONE, Outcome.FAILED, Outcome.SURVIVED})

Line = tuple[str, Mapping[str, Any]]


def line_of(event: Event, started_at: datetime | None) -> Line | None:
    """Give the name and the facts of a line; None where an event is not worth one.

    `started_at` is when the sweep began; ages are counted to there.
    """
    match event:
        case SweepStarted(_, mode, _, targets):
            line = "sweep.started", {"mode": mode, "targets": targets}
        case UploadFinished(result) if result.outcome in _DONE:
            line = f"upload.{result.outcome}", _upload(result, started_at)
        case IntentReconciled():
            line = "intent.reconciled", _reconciled(event)
        case LimitReached(limit, deferred, target, detail):
            facts = {"limit": limit, "deferred": deferred, "target": target, "detail": detail}
            line = "limit.reached", facts
        case ContainerFinished(result):
            line = "container.finished", _container(result)
        case SweepFinished():
            ending = {"mode": event.mode, "exit_code": event.exit_code}
            line = "sweep.finished", ending | sums_of(event.results)
        case _:
            return None
    return line


def text_of(moment: datetime) -> str:
    """Write an instant as ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else text_of(moment)


def _said(text: str | None) -> str | None:
    """Give what a provider or an SDK said; names are evidence, and stay as they are."""
    return None if text is None else redacted(text)


def _place(where: ContainerRef) -> dict[str, Any]:
    return {"target": where.target, "provider": where.provider, "container": where.container}


def _upload(result: UploadResult, started_at: datetime | None) -> dict[str, Any]:
    decision = result.decision
    upload, activity = decision.upload, decision.activity
    whole = activity if activity is not None and activity.complete else None
    return {
        **_place(upload.where),
        "key": upload.key,
        "upload_id": upload.upload_id,
        "outcome": result.outcome,
        "reason": decision.reason,
        "rule": decision.rule,
        "initiated": _time(upload.initiated),
        "age_seconds": _age(upload.initiated, started_at),
        "last_activity": _time(decision.last_activity),
        "parts": None if whole is None else whole.parts,
        "bytes": None if whole is None else whole.size,
        "bytes_freed": result.bytes_freed,
        "description": upload.description or None,
        "initiator": upload.initiator or None,
        "error": _said(result.error),
    }


def _age(initiated: datetime | None, started_at: datetime | None) -> int | None:
    if initiated is None or started_at is None:
        return None
    return (started_at - initiated) // timedelta(seconds=1)


def _reconciled(event: IntentReconciled) -> dict[str, Any]:
    return {
        **_place(event.where),
        "key": event.key,
        "upload_id": event.upload_id,
        "outcome": event.outcome,
        "error": _said(event.error),
    }


def _container(result: ContainerResult) -> dict[str, Any]:
    return {
        **_place(result.where),
        "outcome": result.outcome,
        **counts_of(result),
        "kept": dict(result.kept),
        "oldest_initiated": _time(result.oldest_initiated),
        "error": _said(result.error),
    }
