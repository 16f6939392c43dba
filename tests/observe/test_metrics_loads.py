"""How busy targets are, as they are when somebody looks."""

from __future__ import annotations

from support.metrics_samples import metrics_after, shown
from support.observe_script import NOW, finished

from janitor.observe.events import Load, RequestsBegun, SweepStarted
from janitor.observe.metrics import Metrics
from janitor.settings.types import Exposition, Prices

LOADS = [
    Load("lake", "s3", 3, 70),
    Load("archive", "glacier", 0, 16),
    Load("pond", "s3", 5, 8),
]


Gauge = dict[tuple[str, ...], float]


def looked_at(metrics: Metrics) -> tuple[Gauge, Gauge]:
    """Give both gauges by their places."""
    labels = ("target", "provider")
    in_flight = shown(metrics, "janitor_api_in_flight", *labels)
    return in_flight, shown(metrics, "janitor_api_window", *labels)


def test_each_scrape_shows_how_it_is_then() -> None:
    """Nothing is told with every request: the gauges ask."""
    loads = LOADS[:1]
    metrics = metrics_after(SweepStarted("run-1", "report", NOW, 1), RequestsBegun(lambda: loads))
    before = looked_at(metrics)
    loads[0] = Load("lake", "s3", 1, 35)
    after = looked_at(metrics)

    assert [
        ({("lake", "s3"): 3}, {("lake", "s3"): 70}),
        ({("lake", "s3"): 1}, {("lake", "s3"): 35}),
    ] == [before, after]


def test_between_sweeps_the_last_one_is_shown_and_before_the_first_nothing() -> None:
    """What a push leaves behind is how it was at the end."""
    metrics = metrics_after(RequestsBegun(lambda: LOADS), finished())

    assert ({}, {}) == looked_at(metrics_after())
    assert {("lake", "s3"): 70, ("archive", "glacier"): 16, ("pond", "s3"): 8} == looked_at(
        metrics
    )[1]


def test_providers_are_sums_of_their_targets() -> None:
    """Where nothing finer is wanted the names of targets are not shown."""
    exposition = Exposition("provider")
    metrics = metrics_after(RequestsBegun(lambda: LOADS), exposition=exposition, prices=Prices())

    assert (
        {("", "s3"): 8, ("", "glacier"): 0},
        {("", "s3"): 78, ("", "glacier"): 16},
    ) == looked_at(metrics)
