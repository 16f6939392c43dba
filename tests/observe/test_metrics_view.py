"""How finely metrics tell: detail levels, folding, and what each does to a figure."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from support.metrics_samples import (
    exposed,
    metrics_after,
    metrics_of,
    only,
    outcomes,
    shown,
    value,
)
from support.observe_script import BUCKET, LAKE, NOW, VAULT, finished, result

from janitor.model import ContainerRef, Reason, TargetOutcome
from janitor.observe.metrics import Metrics
from janitor.observe.metrics.standing import EVERY_CONTAINER
from janitor.observe.metrics.view import FOLDED_CONTAINER
from janitor.settings.types import Exposition, Prices

LATER = NOW + timedelta(days=1)
COMPLETED = "janitor_target_last_complete_timestamp_seconds"
OLDEST = "janitor_target_oldest_initiated_timestamp_seconds"
DURATION = "janitor_target_sweep_duration_seconds"
COST = "janitor_estimated_monthly_cost"
UNCAPPED = Exposition("container", 1_000_000)
GIB = 2**30


def bucket(name: str, target: str = "lake") -> ContainerRef:
    """Give a bucket."""
    return ContainerRef(target, "s3", name)


def places(metrics: Metrics) -> list[str]:
    """Give the containers that have series."""
    return sorted(
        {name for (name,) in shown_once(metrics, "janitor_target_sweep_duration_seconds")}
    )


def shown_once(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Give samples by container; for metrics of one target."""
    return shown(metrics, name, "container")


TWO_OF_A_TARGET = [
    result(
        bucket("a"),
        listed=5,
        stale=2,
        bytes_stale=3 * GIB,
        kept={Reason.YOUNG: 3},
        oldest_initiated=LATER,
        survived=2,
        finished_at=NOW + timedelta(seconds=10),
    ),
    result(
        bucket("b"),
        TargetOutcome.CAPPED,
        listed=7,
        stale=7,
        bytes_stale=GIB,
        kept={Reason.LIMIT: 7},
        oldest_initiated=NOW,
        finished_at=LATER,
    ),
    result(BUCKET, listed=1, finished_at=LATER),
]


@pytest.mark.parametrize(
    ("detail", "place"),
    [("target", {"target": "lake", "provider": "s3"}), ("provider", {"provider": "s3"})],
)
def test_a_coarser_level_sums_counts_and_takes_the_worst_of_times(
    detail: str, place: dict[str, str]
) -> None:
    """Exactly these labels; sums of what can be summed, the oldest upload, the longest sweep."""
    metrics = metrics_of(
        TWO_OF_A_TARGET,
        exposition=Exposition(detail),  # type: ignore[arg-type]  # parametrized
        prices=Prices("EUR", 0.5),
    )

    def of(name: str, **labels: str) -> object:
        return value(metrics, f"janitor_{name}", **{**place, **labels})

    assert [12, 9, 4 * GIB, 3, 7, 2, 2.0] == [
        of("target_uploads"),
        of("target_stale_uploads"),
        of("target_stale_bytes"),
        of("target_kept_uploads", reason="young"),
        of("target_kept_uploads", reason="limit"),
        of("target_last_sweep_uploads", outcome="survived"),
        of("estimated_monthly_cost", currency="EUR"),
    ]
    assert [1, 1, 0, NOW.timestamp(), NOW.timestamp() + 10, 86400.0] == [
        of("target_outcome", outcome="complete"),
        of("target_outcome", outcome="capped"),
        of("target_outcome", outcome="forbidden"),
        of(OLDEST.removeprefix("janitor_")),
        of(COMPLETED.removeprefix("janitor_")),
        of(DURATION.removeprefix("janitor_")),
    ]


@pytest.mark.parametrize("detail", ["target", "provider"])
def test_a_sum_never_hides_a_container_that_never_was_complete(detail: str) -> None:
    """Its group has no time of success, so that the alert for "never" sees it."""
    mixed = [result(LAKE), result(bucket("secret"), TargetOutcome.FORBIDDEN), result(VAULT)]
    metrics = metrics_of(mixed, exposition=Exposition(detail))  # type: ignore[arg-type]  # parametrized

    assert [("glacier",)] == list(shown(metrics, COMPLETED, "provider"))


def test_a_failed_discovery_does_not_make_its_target_look_as_if_it_never_was_complete() -> None:
    """The stand-in for all containers is as old as they are."""
    failed = result(bucket(EVERY_CONTAINER), TargetOutcome.FORBIDDEN, finished_at=LATER)
    metrics = metrics_after(
        finished(result(LAKE, finished_at=NOW), result(bucket("b"), finished_at=LATER)),
        finished(failed, exit_code=3),
        exposition=Exposition("target"),
    )

    assert {("lake",): NOW.timestamp()} == shown(metrics, COMPLETED, "target")
    assert 3 == value(
        metrics, "janitor_target_outcome", target="lake", provider="s3", outcome="forbidden"
    )


def test_an_unknown_figure_is_absent_and_no_zero_in_a_sum() -> None:
    """A target of which nothing was ever listed has outcomes, and no figures, however coarse."""
    denied = [result(bucket(name), TargetOutcome.FORBIDDEN) for name in "ab"]
    metrics = metrics_of(denied, exposition=Exposition("target"), prices=Prices("USD", 1.0))
    with_values = {
        sample.name
        for family in metrics.registry.collect()
        for sample in family.samples
        if "target" in sample.labels
    }

    assert {
        "janitor_target_outcome",
        "janitor_target_last_sweep_uploads",
        "janitor_target_sweep_duration_seconds",
    } == with_values


def test_trouble_then_stale_bytes_then_the_name_decides_who_keeps_a_series() -> None:
    """What an operator would look at first is what stays to be looked at."""
    ranked = [
        result(bucket("z"), TargetOutcome.FORBIDDEN),
        result(bucket("x"), TargetOutcome.TRIPPED, bytes_stale=1),
        result(bucket("y"), TargetOutcome.INCOMPLETE, bytes_stale=9),
        result(bucket("d"), TargetOutcome.CAPPED, bytes_stale=3),
        result(bucket("a"), bytes_stale=2),
        result(bucket("b"), bytes_stale=2),
        result(bucket("c")),
    ]
    order = ["x", "y", "z", "d", "a", "b", "c"]
    kept = [places(metrics_of(ranked, exposition=Exposition("container", n))) for n in range(8)]

    assert [
        *(sorted([*order[:count], FOLDED_CONTAINER]) for count in range(7)),
        sorted(order),
    ] == kept


def test_each_target_folds_for_itself_and_the_gauge_tells_how_many() -> None:
    """The cap is one for all targets; a target without anything folded has no such series."""
    found = [result(bucket(name, "lake"), bytes_stale=1) for name in "abc"]
    found += [result(bucket(name, "pond"), bytes_stale=2) for name in "ab"]
    found += [result(bucket(name, "tank"), bytes_stale=3) for name in "ab"]
    metrics = metrics_of(found, exposition=Exposition("container", 3))
    name = "janitor_target_stale_bytes"

    assert (4, {"lake": 3, "pond": 2}) == (
        value(metrics, "janitor_folded_containers"),
        {
            target: amount
            for (target, container), amount in shown(metrics, name, "target", "container").items()
            if container == FOLDED_CONTAINER
        },
    )


def test_of_equals_the_first_by_target_and_container_keeps_its_series() -> None:
    """The names decide, whatever order the sweep had."""
    found = [result(bucket("a", "pond")), result(bucket("b", "lake"))]
    metrics = metrics_of(found, exposition=Exposition("container", 1))

    assert [("lake", "b"), ("pond", FOLDED_CONTAINER)] == list(
        shown(metrics, "janitor_target_uploads", "target", "container")
    )


def test_a_container_that_only_the_ledger_knows_is_in_no_trouble() -> None:
    """It does not take the series of one that has something to show."""
    metrics = metrics_of(
        [result(bucket("z"), bytes_stale=1)], exposition=Exposition("container", 1)
    )
    metrics.seed({bucket("a"): NOW})

    assert [("(folded)",), ("z",)] == list(shown(metrics, COMPLETED, "container"))


def test_a_coarser_level_folds_nothing() -> None:
    """There is no series of a container that could be spared."""
    metrics = metrics_of([result(LAKE), result(VAULT)], exposition=Exposition("target", 0))

    assert (0, [("archive",), ("lake",)]) == (
        value(metrics, "janitor_folded_containers"),
        list(shown(metrics, "janitor_target_uploads", "target")),
    )


def test_folding_hides_no_bad_outcome() -> None:
    """Outcomes are counted, so the folded series says how many are in which trouble."""
    trouble = [
        TargetOutcome.FORBIDDEN,
        TargetOutcome.CRASHED,
        TargetOutcome.FORBIDDEN,
        TargetOutcome.COMPLETE,
    ]
    found = [result(bucket(str(n)), outcome) for n, outcome in enumerate(trouble)]
    metrics = metrics_of(found, exposition=Exposition("container", 0))
    counts = outcomes(metrics, bucket(FOLDED_CONTAINER))

    assert {"forbidden": 2.0, "crashed": 1.0, "complete": 1.0} == {
        outcome: count for outcome, count in counts.items() if count
    }


def test_a_container_that_is_really_called_folded_shares_the_series() -> None:
    """A series that comes twice would spoil the scrape; a sum is still true."""
    found = [
        result(bucket(FOLDED_CONTAINER), listed=1, bytes_stale=9),
        result(bucket("a"), listed=2),
    ]
    metrics = metrics_of(found, exposition=Exposition("container", 1))

    assert {(FOLDED_CONTAINER,): 3} == shown_once(metrics, "janitor_target_uploads")


def test_the_order_of_results_changes_nothing() -> None:
    """The same sweep gives the same text, byte for byte."""
    found = [result(bucket(str(n)), bytes_stale=n // 2) for n in range(9)]
    texts = set()
    for seed in range(5):
        Random(seed).shuffle(found)  # noqa: S311  # an order, no secret
        texts.add(exposed(metrics_of(found, exposition=Exposition("container", 4))))

    assert 1 == len(texts)


def test_stale_bytes_cost_the_price_of_their_target_else_the_general_one() -> None:
    """A price of nothing is a price; without one there is no cost."""
    found = [
        result(bucket("a", target), bytes_stale=GIB // 2) for target in ("dear", "free", "usual")
    ]
    metrics = metrics_of(found, prices=Prices("EUR", 0.5), target_prices={"dear": 4.0, "free": 0.0})
    costs = [shown(metrics, COST, "target", "currency")]
    metrics.configure("report", UNCAPPED, Prices("USD"), {"dear": 2.0})
    costs.append(shown(metrics, COST, "target", "currency"))
    metrics.configure("report", Exposition("provider"), Prices("USD"), {"dear": 2.0, "usual": 6.0})
    costs.append(shown(metrics, COST, "provider", "currency"))

    assert [
        {("dear", "EUR"): 2.0, ("free", "EUR"): 0.0, ("usual", "EUR"): 0.25},
        {("dear", "USD"): 1.0},
        {("s3", "USD"): 4.0},
    ] == costs


def test_another_config_shows_at_once_what_is_known_already() -> None:
    """A reload needs no sweep: mode, level and prices change together."""
    metrics = metrics_of([result(LAKE, bytes_stale=GIB), result(VAULT)], prices=Prices("USD", 1.0))
    metrics.configure("enforce", Exposition("provider"), Prices("EUR", 2.0), {})

    assert (1.0, {("s3",): 2.0, ("glacier",): 0.0}, {}) == (
        value(metrics, "janitor_mode", mode="enforce"),
        shown(metrics, COST, "provider"),
        outcomes(metrics, LAKE),
    )


def test_every_container_has_its_own_series_by_default() -> None:
    """Up to a thousand of them."""
    found = [result(bucket(str(n))) for n in range(1001)]

    assert (0, 1, only("complete")) == (
        value(metrics_of(found[:1000]), "janitor_folded_containers"),
        value(metrics_of(found), "janitor_folded_containers"),
        outcomes(metrics_of(found[:1000]), bucket("0")),
    )
