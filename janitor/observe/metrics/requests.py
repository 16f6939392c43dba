"""Counts requests, of which there are tens of thousands a second, and shows them when asked.

The library's own counters cost several times as much for each.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from janitor.observe.metrics import families

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Shown(Collector):
    """A family that is made when somebody looks."""

    def __init__(self, make: Callable[[], Metric]) -> None:
        self._make = make

    def collect(self) -> Iterator[Metric]:
        """Give the family as it stands."""
        yield self._make()


class Requests:
    """Requests by operation, and how long they took; to be told of from any thread.

    The two are collectors of their own, because what stands between them in
    an exposition is not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_operation = dict.fromkeys(families.OPERATIONS, 0)
        self._buckets = [0] * (len(SECONDS) + 1)
        self._sum = 0.0
        self.counts = Shown(self._counts)
        self.durations = Shown(self._durations)

    def count(self, operation: str, seconds: float) -> None:
        """Count one request."""
        bucket = bisect_left(SECONDS, seconds)
        with self._lock:
            self._by_operation[operation] = self._by_operation.get(operation, 0) + 1
            self._buckets[bucket] += 1
            self._sum += seconds

    def _counts(self) -> Metric:
        family = families.REQUESTS
        metric = CounterMetricFamily(family.name, family.text, labels=family.labels)
        with self._lock:
            found = list(self._by_operation.items())
        for operation, count in found:
            metric.add_metric((operation,), count)
        return metric

    def _durations(self) -> Metric:
        family = families.REQUEST_SECONDS
        metric = HistogramMetricFamily(family.name, family.text)
        with self._lock:
            sums, total = list(accumulate(self._buckets)), self._sum
        bounds = [*map(str, SECONDS), "+Inf"]
        metric.add_metric((), list(zip(bounds, sums, strict=True)), total)
        return metric
