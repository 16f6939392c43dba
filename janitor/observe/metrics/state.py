"""How things stand, as gauges: collected from the last snapshot, so what vanished is gone."""

from __future__ import annotations

import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from janitor import __version__
from janitor.model import Outcome, TargetOutcome
from janitor.observe.events import Load
from janitor.observe.metrics import families
from janitor.observe.metrics.families import Family
from janitor.observe.metrics.standing import Standings
from janitor.observe.metrics.view import PLACES, Figures, Row, Tariff, View, fit, view_of
from janitor.plan import Limits
from janitor.settings.types import Exposition

Value = float | timedelta | datetime | None
Samples = Iterable[tuple[tuple[str, ...], Value]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the gauges show; None is unknown, and is not shown."""

    mode: str
    exposition: Exposition
    tariff: Tariff
    reloaded_at: datetime
    reload_successful: bool = True
    leader: bool = True
    interval: timedelta | None = None
    next_sweep: datetime | None = None
    in_progress: bool = False
    last_sweep: datetime | None = None
    last_duration: timedelta | None = None
    last_exit_code: int | None = None
    sweeps: int = 0
    sweep_failures: int = 0
    ledger_ok: bool | None = None
    limits: Limits = field(default_factory=Limits)
    limits_left: Limits = field(default_factory=Limits)
    standings: Standings = field(default_factory=dict)
    loads: Callable[[], Iterable[Load]] = tuple


class State(Collector):
    """Shows a snapshot; it is changed as a whole, so that no scrape sees half a sweep."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._lock = threading.Lock()

    def update(self, change: Callable[[Snapshot], Snapshot]) -> None:
        """Replace the snapshot by what `change` makes of it."""
        with self._lock:
            self._snapshot = change(self._snapshot)

    def collect(self) -> Iterator[Metric]:
        """Give all families, one at a time: with many containers each is large."""
        snapshot = self._snapshot
        view = view_of(snapshot.standings, snapshot.exposition, snapshot.tariff)
        yield from _process(snapshot, view)
        yield from _places(view, snapshot.tariff.general.currency)
        yield from _loads(snapshot)


def _process(now: Snapshot, view: View) -> Iterator[Metric]:
    build = (__version__, platform.python_version())
    yield _family(families.BUILD_INFO, [(build, 1)])
    yield _family(families.MODE, [((mode,), mode == now.mode) for mode in families.MODES])
    yield _single(families.LEADER, now.leader)
    yield _single(families.RELOAD_SUCCESSFUL, now.reload_successful)
    yield _single(families.RELOADED_AT, now.reloaded_at)
    yield _single(families.SCHEDULE_INTERVAL, now.interval)
    yield _single(families.NEXT_SWEEP, now.next_sweep)
    yield _single(families.IN_PROGRESS, now.in_progress)
    yield _single(families.LAST_SWEEP, now.last_sweep)
    yield _single(families.LAST_DURATION, now.last_duration)
    yield _single(families.LAST_EXIT_CODE, now.last_exit_code)
    yield _single(families.SWEEPS, now.sweeps)
    yield _single(families.SWEEP_FAILURES, now.sweep_failures)
    yield _single(families.LEDGER_OK, now.ledger_ok)
    yield _family(families.BUDGET_LIMIT, _budgets(now.limits))
    yield _family(families.BUDGET_LEFT, _budgets(now.limits_left))
    yield _single(families.FOLDED, view.folded)


def _budgets(limits: Limits) -> Samples:
    return [((name,), getattr(limits, name)) for name in families.BUDGETS]


def _places(view: View, currency: str) -> Iterator[Metric]:
    def family(metric: Family, samples: Callable[[Row], Samples]) -> Metric:
        placed = ((row.place + own, value) for row in view.rows for own, value in samples(row))
        return _family(metric, placed, view.labels)

    def figure(metric: Family, value: Callable[[Figures], Value], *own: str) -> Metric:
        return family(
            metric, lambda row: [] if row.figures is None else [(own, value(row.figures))]
        )

    yield figure(families.UPLOADS, lambda figures: figures.listed)
    yield figure(families.STALE_UPLOADS, lambda figures: figures.stale)
    yield figure(families.STALE_BYTES, lambda figures: figures.bytes_stale)
    yield figure(families.COST, lambda figures: figures.cost, fit(currency))
    yield figure(families.OLDEST, lambda figures: figures.oldest)
    yield family(families.KEPT_UPLOADS, _kept)
    yield family(families.OUTCOME, _outcomes)
    yield family(families.LAST_UPLOADS, _done)
    yield family(families.LAST_COMPLETE, lambda row: [((), row.last_complete)])
    yield family(families.DURATION, lambda row: [((), row.seconds)])


def _loads(now: Snapshot) -> Iterator[Metric]:
    """Give how busy each target is; where nothing finer than providers is wanted, each provider."""
    by_provider = now.exposition.detail == "provider"
    in_flight: Counter[tuple[str, ...]] = Counter()
    windows: Counter[tuple[str, ...]] = Counter()
    for load in now.loads():
        place = (*(() if by_provider else (fit(load.target),)), load.provider)
        in_flight[place] += load.in_flight
        windows[place] += load.window
    labels = PLACES["provider" if by_provider else "target"]
    for family, found in ((families.IN_FLIGHT, in_flight), (families.WINDOW, windows)):
        metric = GaugeMetricFamily(family.name, family.text, labels=labels)
        for place, value in sorted(found.items()):
            metric.add_metric(place, value)
        yield metric


def _kept(row: Row) -> Samples:
    if row.figures is None:
        return ()
    return [((reason,), row.figures.kept.get(reason, 0)) for reason in families.KEPT]


def _outcomes(row: Row) -> Samples:
    if not row.outcomes:
        return ()
    return [((outcome,), row.outcomes.get(outcome, 0)) for outcome in TargetOutcome]


def _done(row: Row) -> Samples:
    if not row.outcomes:
        return ()
    return [((outcome,), row.done.get(outcome, 0)) for outcome in Outcome]


def _single(family: Family, value: Value) -> Metric:
    return _family(family, [((), value)])


def _family(family: Family, samples: Samples, place: tuple[str, ...] = ()) -> Metric:
    """Give a metric with those samples whose value is known."""
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.text, labels=(*place, *family.labels))
    for labels, value in samples:
        if value is not None:
            metric.add_metric(labels, _number(value))
    return metric


def _number(value: float | timedelta | datetime) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return value.total_seconds() if isinstance(value, timedelta) else value
