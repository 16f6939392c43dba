"""How things stand, as gauges: collected from the last snapshot, so what vanished is gone."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from janitor import __version__
from janitor.model import ContainerRef, ContainerResult, Reason, TargetOutcome

MODES = ("report", "enforce")
PLACE = ("target", "provider", "container")
KEPT = tuple(reason for reason in Reason if reason is not Reason.STALE)

# The container that stands for all of a target: its discovery failed.
EVERY_CONTAINER = "*"

# A breaker opens after a whole listing. Its figures are true, but a target that
# nothing is done about is no success, and an alert on its age should say so.
_LISTED = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED, TargetOutcome.TRIPPED})
_SUCCEEDED = _LISTED - {TargetOutcome.TRIPPED}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one container stands: its last outcome, and the figures of its last whole listing."""

    outcome: TargetOutcome
    seconds: float
    figures: ContainerResult | None = None
    last_complete: datetime | None = None


Standings = Mapping[ContainerRef, Standing]


def standings_after(before: Standings, results: Iterable[ContainerResult]) -> Standings:
    """Give the snapshot after a sweep.

    A container whose scan failed keeps its figures, and so do all containers
    of a target whose discovery failed; others that are not in the results are
    gone.
    """
    after: dict[ContainerRef, Standing] = {}
    undiscovered: dict[str, TargetOutcome] = {}
    for result in results:
        after[result.where] = _standing(result, before.get(result.where))
        if result.where.container == EVERY_CONTAINER and result.outcome not in _LISTED:
            undiscovered[result.where.target] = result.outcome
    for where, standing in before.items():
        if where not in after and where.target in undiscovered:
            after[where] = replace(standing, outcome=undiscovered[where.target])
    return dict(sorted(after.items()))


def _standing(result: ContainerResult, before: Standing | None) -> Standing:
    seconds = max(0.0, (result.finished_at - result.started_at).total_seconds())
    standing = before or Standing(result.outcome, seconds)
    if result.outcome in _LISTED:
        standing = replace(standing, figures=result)
    if result.outcome in _SUCCEEDED:
        standing = replace(standing, last_complete=result.finished_at)
    return replace(standing, outcome=result.outcome, seconds=seconds)


class State(Collector):
    """What the gauges show; changed as a whole, so that no scrape sees half a sweep."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.in_progress = False
        self.last_sweep: datetime | None = None
        self.next_sweep: datetime | None = None
        self._standings: Standings = {}
        self._lock = threading.Lock()

    def take(self, results: Iterable[ContainerResult]) -> None:
        """Replace the snapshot by what a sweep found."""
        with self._lock:
            self._standings = standings_after(self._standings, results)

    def collect(self) -> Iterator[Metric]:
        """Give all gauges."""
        yield from _process(self)
        yield from _targets(self._standings)


def _process(state: State) -> Iterator[Metric]:
    version = {"version": __version__, "python_version": platform.python_version()}
    text = "The janitor that runs here; always 1."
    build = GaugeMetricFamily("janitor_build_info", text, labels=tuple(version))
    build.add_metric(tuple(version.values()), 1)
    yield build
    mode = GaugeMetricFamily("janitor_mode", "1 for the mode the janitor is in.", labels=("mode",))
    for name in MODES:
        mode.add_metric((name,), int(name == state.mode))
    yield mode
    text = "Whether a sweep is running: 1 or 0."
    yield GaugeMetricFamily("janitor_sweep_in_progress", text, int(state.in_progress))
    text = "When the last sweep ended that did not crash."
    yield _instant("janitor_last_sweep_timestamp_seconds", text, state.last_sweep)
    text = "When the next sweep is due."
    yield _instant("janitor_next_sweep_timestamp_seconds", text, state.next_sweep)


def _instant(name: str, text: str, moment: datetime | None) -> Metric:
    """Show an instant; no sample while it is unknown, because 0 would be 1970."""
    family = GaugeMetricFamily(name, text)
    if moment is not None:
        family.add_metric((), moment.timestamp())
    return family


def _targets(standings: Standings) -> Iterator[Metric]:
    yield from _figures(standings)
    text = "Uploads that the last whole listing showed and the policy kept, by reason."
    kept = GaugeMetricFamily("janitor_target_kept_uploads", text, labels=(*PLACE, "reason"))
    text = "1 for the outcome of the last sweep of the container, 0 for all others."
    outcomes = GaugeMetricFamily("janitor_target_outcome", text, labels=(*PLACE, "outcome"))
    text = "When a sweep of the container last ended complete or capped."
    name = "janitor_target_last_complete_timestamp_seconds"
    complete = GaugeMetricFamily(name, text, labels=PLACE)
    text = "How long the last sweep of the container took."
    name = "janitor_target_sweep_duration_seconds"
    duration = GaugeMetricFamily(name, text, labels=PLACE)
    for where, standing in standings.items():
        place = place_of(where)
        for outcome in TargetOutcome:
            outcomes.add_metric((*place, outcome), int(outcome is standing.outcome))
        for reason in KEPT if standing.figures is not None else ():
            kept.add_metric((*place, reason), _kept(standing.figures, reason))
        if standing.last_complete is not None:
            complete.add_metric(place, standing.last_complete.timestamp())
        duration.add_metric(place, standing.seconds)
    yield from (kept, outcomes, complete, duration)


def _kept(figures: ContainerResult | None, reason: Reason) -> int:
    return 0 if figures is None else figures.kept.get(reason, 0)


def _figures(standings: Standings) -> Iterator[Metric]:
    texts = {
        "janitor_target_uploads": "Uploads in progress in the last whole listing.",
        "janitor_target_stale_uploads": "Uploads in it that the policy called stale.",
        "janitor_target_stale_bytes": "What the parts of those take up, as far as known.",
        "janitor_target_oldest_initiated_timestamp_seconds": "When the oldest upload was begun.",
    }
    families = {n: GaugeMetricFamily(n, text, labels=PLACE) for n, text in texts.items()}
    for where, standing in standings.items():
        if standing.figures is not None:
            place, figures = place_of(where), standing.figures
            oldest = figures.oldest_initiated
            values = (figures.listed, figures.stale, figures.bytes_stale)
            for family, value in zip(families.values(), values, strict=False):
                family.add_metric(place, value)
            if oldest is not None:
                name = "janitor_target_oldest_initiated_timestamp_seconds"
                families[name].add_metric(place, oldest.timestamp())
    yield from families.values()


def place_of(where: ContainerRef) -> Sequence[str]:
    """Give a container's labels; a name that is no valid text must not break the exposition."""
    names = (where.target, where.provider, where.container)
    return tuple(name.encode("utf-8", "backslashreplace").decode("utf-8") for name in names)
