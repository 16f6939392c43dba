"""What happened, as Prometheus metrics, in a registry that is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram

from janitor.model import Outcome, UploadResult
from janitor.observe.events import (
    Event,
    LimitReached,
    PageListed,
    RequestFinished,
    RequestRetried,
    SweepFinished,
    SweepStarted,
    UploadFinished,
)
from janitor.observe.metrics.codes import label_of
from janitor.observe.metrics.state import State
from janitor.plan import Limits

# Withheld is not among them: nothing was done.
DONE = (Outcome.ABORTED, Outcome.ALREADY_GONE, Outcome.FAILED, Outcome.SURVIVED)
OPERATIONS = ("identify", "list_containers", "list_page", "list_parts", "head_object", "abort")
LIMITS = tuple(limit.name for limit in fields(Limits))
MISSED = ("busy", "late")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
AGES = tuple(timedelta(days=d).total_seconds() for d in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365))

# Exit codes of sweeps that ended well, or that somebody asked to stop.
_FINE = frozenset({0, 130, 143})


def _now() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """An observer that counts; `registry` is where its metrics can be read."""

    def __init__(
        self, registry: CollectorRegistry, mode: str, now: Callable[[], datetime] = _now
    ) -> None:
        # A switch of the whole library: it doubles the series and tells little.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self.registry = registry
        self._now = now
        self._state = State(mode)
        registry.register(self._state)
        self._add_uploads(registry)
        self._add_requests(registry)
        self._add_sweeps(registry)

    def _add_uploads(self, registry: CollectorRegistry) -> None:
        self._listed = Counter(
            "janitor_uploads_listed_total", "Uploads that listings showed.", registry=registry
        )
        self._aborts = Counter(
            "janitor_aborts_total",
            "Aborts that were tried, by what came of it.",
            ("outcome",),
            registry=registry,
        )
        for outcome in DONE:
            self._aborts.labels(outcome)
        self._freed = Counter(
            "janitor_freed_bytes_total",
            "What the parts of aborted uploads took up, where they are known to be gone.",
            registry=registry,
        )
        self._ages = Histogram(
            "janitor_aborted_upload_age_seconds",
            "How old uploads were when they were aborted.",
            buckets=AGES,
            registry=registry,
        )

    def _add_requests(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "janitor_api_requests_total",
            "Requests to providers, retries included.",
            ("operation",),
            registry=registry,
        )
        for operation in OPERATIONS:
            self._requests.labels(operation)
        self._failures = Counter(
            "janitor_api_failures_total",
            "Requests to providers that failed, by the provider's code or a word of ours.",
            ("operation", "code"),
            registry=registry,
        )
        self._retries = Counter(
            "janitor_api_retries_total",
            "Requests to providers that were to be sent again.",
            registry=registry,
        )
        self._durations = Histogram(
            "janitor_api_request_duration_seconds",
            "How long requests to providers took.",
            buckets=SECONDS,
            registry=registry,
        )

    def _add_sweeps(self, registry: CollectorRegistry) -> None:
        self._sweeps = Counter(
            "janitor_sweeps_total", "Sweeps that ended, one way or the other.", registry=registry
        )
        self._sweep_failures = Counter(
            "janitor_sweep_failures_total",
            "Sweeps that crashed or ended incomplete, failed or tripped.",
            registry=registry,
        )
        self._missed = Counter(
            "janitor_schedule_missed_total",
            "Times when a sweep was due and none was begun: busy with one, or too late.",
            ("reason",),
            registry=registry,
        )
        for reason in MISSED:
            self._missed.labels(reason)
        self._trips = Counter(
            "janitor_limit_trips_total",
            "Times when a limit held uploads back.",
            ("limit",),
            registry=registry,
        )
        for limit in LIMITS:
            self._trips.labels(limit)

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        match event:
            case RequestFinished():
                self._request(event)
            case RequestRetried():
                self._retries.inc()
            case PageListed(_, uploads):
                self._listed.inc(uploads)
            case UploadFinished(result):
                self._upload(result)
            case LimitReached(limit):
                self._trips.labels(limit).inc()
            case SweepStarted():
                self._state.mode = event.mode
                self._state.in_progress = True
            case SweepFinished():
                self._finished(event)
            case _:
                pass  # what a container came to is in SweepFinished, all at once

    def sweep_crashed(self) -> None:
        """Count a sweep that ended without a word."""
        self._state.in_progress = False
        self._sweeps.inc()
        self._sweep_failures.inc()

    def schedule_missed(self, reason: Literal["busy", "late"], times: int = 1) -> None:
        """Count sweeps that were due but not begun."""
        self._missed.labels(reason).inc(times)

    def next_sweep(self, at: datetime | None) -> None:
        """Show when the next sweep is due."""
        self._state.next_sweep = at

    def _request(self, event: RequestFinished) -> None:
        self._requests.labels(event.operation).inc()
        self._durations.observe(event.seconds)
        if event.code is not None:
            self._failures.labels(event.operation, label_of(event.code)).inc()

    def _upload(self, result: UploadResult) -> None:
        if result.outcome not in DONE:
            return
        self._aborts.labels(result.outcome).inc()
        self._freed.inc(max(0, result.bytes_freed))
        initiated = result.decision.upload.initiated
        if result.outcome is Outcome.ABORTED and initiated is not None:
            self._ages.observe((self._now() - initiated).total_seconds())

    def _finished(self, event: SweepFinished) -> None:
        self._sweeps.inc()
        if event.exit_code not in _FINE:
            self._sweep_failures.inc()
        self._state.take(event.results)
        self._state.last_sweep = event.finished_at
        self._state.in_progress = False
