"""What this process did since it began, as counters and histograms."""

from __future__ import annotations

from datetime import datetime, timedelta

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram

from janitor.model import Outcome, UploadResult
from janitor.observe.events import RequestFinished
from janitor.observe.metrics import families
from janitor.observe.metrics.codes import label_of
from janitor.observe.metrics.families import Family
from janitor.observe.metrics.requests import Requests

_AGES = tuple(timedelta(days=d).total_seconds() for d in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365))


class Counters:
    """All counters and histograms, each label that is from a closed list at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A switch of the whole library: it doubles the series and tells little.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self._registry = registry
        self.listed = self._counter(families.LISTED)
        aborts = self._counter(families.ABORTS)
        # To look a label up costs as much as all the rest.
        self._aborts_by_outcome = {outcome: aborts.labels(outcome) for outcome in families.DONE}
        self._freed = self._counter(families.FREED)
        self._ages = self._histogram(families.AGES, _AGES)
        self._requests = Requests()
        registry.register(self._requests.counts)
        self._failures = self._counter(families.FAILURES)
        self.retries = self._counter(families.RETRIES)
        registry.register(self._requests.durations)
        self.missed = self._counter(families.SCHEDULE_MISSED)
        self.limit_trips = self._counter(families.LIMIT_TRIPS)

    def request(self, event: RequestFinished) -> None:
        """Count one request to a provider."""
        self._requests.count(event.operation, event.seconds)
        if event.code is not None:
            self._failures.labels(event.operation, label_of(event.code)).inc()

    def upload(self, result: UploadResult, now: datetime) -> None:
        """Count one upload if anything was tried on it."""
        if result.outcome not in families.DONE:
            return
        self._aborts_by_outcome[result.outcome].inc()
        self._freed.inc(max(0, result.bytes_freed))
        initiated = result.decision.upload.initiated
        if result.outcome is Outcome.ABORTED and initiated is not None:
            self._ages.observe(max(0.0, (now - initiated).total_seconds()))

    def _counter(self, family: Family) -> Counter:
        counter = Counter(family.name, family.text, family.labels, registry=self._registry)
        for label in family.labels:
            for value in families.CLOSED.get((family.name, label), ()):
                counter.labels(value)
        return counter

    def _histogram(self, family: Family, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(family.name, family.text, buckets=buckets, registry=self._registry)
