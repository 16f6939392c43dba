"""Log lines: one pipeline for structlog and for the standard library, always to one stream."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Literal, TextIO, TypeAlias

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from janitor.model import (
    ContainerRef,
    ContainerResult,
    Outcome,
    Reason,
    TargetOutcome,
    UploadResult,
)
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
    SweepFinished,
    SweepStarted,
    TargetOpened,
    UploadFinished,
)
from janitor.observe.redaction import redact, scrub

__all__ = ["LogObserver", "configure", "redact"]

# The least that these may say, whatever the config asks for: below it botocore
# and qingstor-sdk print signatures, and qingstor-sdk sets its own level.
_FLOORS = {
    "apscheduler": logging.WARNING,
    "boto3": logging.WARNING,
    "botocore": logging.WARNING,
    "qingstor-sdk": logging.WARNING,
    "s3transfer": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.ERROR,  # it warns of every malformed request that anybody sends
}
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
    Outcome.ABORTED: (logging.INFO, "upload.aborted"),
    Outcome.ALREADY_GONE: (logging.INFO, "upload.already_gone"),
    Outcome.WITHHELD: (logging.DEBUG, "upload.withheld"),
    Outcome.FAILED: (logging.ERROR, "upload.failed"),
    Outcome.SURVIVED: (logging.ERROR, "upload.survived"),
}
_COUNTS = (
    "listed",
    "stale",
    "aborted",
    "already_gone",
    "withheld",
    "failed",
    "survived",
    "deferred",
    "waiting",
    "bytes_stale",
    "bytes_freed",
)

# The sweep that is running, for lines that do not come from an observer: a
# context variable would not reach the threads of a pool.
_sweep: dict[str, str] = {}


def configure(
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002  # the config's word
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (standard error if None).

    `auto` is console on a terminal, else JSON. Calling it again replaces what
    was configured before.
    """
    stream = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = stream.isatty() if format == "auto" else format == "console"
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(_formatter(_console(stream) if console else _json()))
    handler.addFilter(_loud_enough)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(threshold, floor))
    logging.captureWarnings(capture=True)


class _Handler(logging.StreamHandler[TextIO]):
    """Loses a line rather than an upload: the default prints the arguments, unredacted."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        kind = type(sys.exception()).__name__
        with suppress(Exception):
            self.stream.write(f"a log line of {record.name} was lost: {kind}\n")


def _loud_enough(record: logging.LogRecord) -> bool:
    return record.levelno >= _FLOORS.get(record.name.partition(".")[0], logging.NOTSET)


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _with_run_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Not `dict_tracebacks`, which prints the local variables.
        structlog.processors.format_exc_info,
    ]


def _formatter(renderers: list[Processor]) -> logging.Formatter:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(), processors=[remove, _without_secrets, _ordered, *renderers]
    )


def _json() -> list[Processor]:
    return [structlog.processors.JSONRenderer()]


def _console(stream: TextIO) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=stream.isatty() and not os.environ.get("NO_COLOR"),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
        pad_level=False,
    )
    return [_without_controls, renderer]


def _with_run_id(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    for name, value in _sweep.copy().items():
        line.setdefault(name, value)
    return line


def _without_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    cleaned = scrub(line)
    assert isinstance(cleaned, dict)  # noqa: S101  # for mypy: a mapping stays one
    return cleaned


def _ordered(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    first = ("timestamp", "level", "event", "run_id")
    return {name: line[name] for name in first if name in line} | {
        name: value for name, value in line.items() if name not in first
    }


def _without_controls(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Keep a line one line, and the terminal as it is, whatever keys and errors contain."""
    trace = line.pop("exception", None)
    escaped = scrub(line, _escaped)
    assert isinstance(escaped, dict)  # noqa: S101  # for mypy: a mapping stays one
    if trace is not None:
        # Indented, so that no line of an error's text can pose as a log line.
        lines = str(trace).rstrip("\n").split("\n")
        escaped["exception"] = "\n".join(f"    {_escaped(text)}" for text in lines)
    return escaped


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


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
)


class LogObserver:
    """Turns events into log lines named `noun.verb`; every line carries the run's id."""

    def __init__(self) -> None:
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("janitor.sweep")

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
            case _:
                self._detail(event)

    def _detail(self, event: _Detail) -> None:
        facts: dict[str, Any]
        match event:
            case TargetOpened(target, provider, endpoint, region, account):
                facts = {"target": target, "provider": provider, "endpoint": endpoint}
                facts |= {"region": region, "account": account}
                self._log.info("target.opened", **_told(facts))
            case ContainerListed(where):
                self._log.debug("container.listed", **_place(where))
            case IntentReconciled(where, key, upload_id, outcome, error):
                facts = {"key": key, "upload_id": upload_id, "outcome": outcome, "error": error}
                self._log.warning("intent.reconciled", **_place(where), **_told(facts))
            case Planned(abort):
                self._log.debug("sweep.planned", uploads=len(abort))
            case LedgerNoticed(sentence):
                self._log.warning("ledger.noticed", detail=sentence)
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
        _sweep["run_id"] = event.run_id
        self._log.info("sweep.started", mode=event.mode, targets=event.targets)

    def _finished(self, event: SweepFinished) -> None:
        facts: dict[str, Any] = {"mode": event.mode, "exit_code": event.exit_code}
        facts["seconds"] = round((event.finished_at - event.started_at).total_seconds(), 3)
        facts["outcomes"] = dict(Counter(result.outcome for result in event.results))
        facts |= {name: sum(getattr(r, name) for r in event.results) for name in _COUNTS}
        level = logging.WARNING if event.exit_code else logging.INFO
        self._log.log(level, "sweep.finished", run_id=event.run_id, **facts)
        _sweep.clear()

    def _container(self, result: ContainerResult) -> None:
        facts: dict[str, Any] = {"outcome": result.outcome}
        facts |= {name: getattr(result, name) for name in _COUNTS}
        facts["kept"] = dict(result.kept)
        facts["oldest_initiated"] = result.oldest_initiated
        facts["seconds"] = round((result.finished_at - result.started_at).total_seconds(), 3)
        facts["error"] = result.error
        fine = result.outcome in _CLEAN and result.error is None
        level = logging.INFO if fine else logging.WARNING
        self._log.log(level, "container.finished", **_place(result.where), **_told(facts))

    def _upload(self, result: UploadResult) -> None:
        decision = result.decision
        if result.outcome is not None:
            level, name = _DONE[result.outcome]
        elif decision.reason in _EXPECTED and result.error is None:
            return
        else:
            level, name = logging.DEBUG, "upload.kept"
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


def _place(where: ContainerRef) -> dict[str, str]:
    return {"target": where.target, "provider": where.provider, "container": where.container}


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {name: value for name, value in facts.items() if value not in (None, "")}
