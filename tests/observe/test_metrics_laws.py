"""Laws of folding and of summing up: nothing is lost, nothing is invented, nothing bad hides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import product

from hypothesis import find, given
from hypothesis import strategies as st
from support.metrics_samples import (
    metrics_after,
    metrics_of,
    total,
)
from support.observe_script import NOW, finished
from support.strategies import law, search

from janitor.model import ContainerRef, ContainerResult, Outcome, Reason, TargetOutcome
from janitor.observe.metrics import Metrics
from janitor.observe.metrics.families import FAMILIES
from janitor.observe.metrics.standing import EVERY_CONTAINER
from janitor.settings.types import Exposition, Prices

LATER = NOW + timedelta(days=1)
COMPLETED = "janitor_target_last_complete_timestamp_seconds"
OLDEST = "janitor_target_oldest_initiated_timestamp_seconds"
DURATION = "janitor_target_sweep_duration_seconds"
EXTREMES = {COMPLETED: min, OLDEST: min, DURATION: max}
PLACE = ("target", "provider", "container")
UNCAPPED = Exposition("container", 1_000_000)


def bucket(name: str) -> ContainerRef:
    """Give a bucket."""
    return ContainerRef("lake", "s3", name)


@st.composite
def sweeps(draw: st.DrawFn) -> list[list[ContainerResult]]:
    """Sweep the same few containers, with every outcome, and discoveries that fail."""
    everywhere = [
        ContainerRef(*pair, name)
        for pair, name in product(
            [("lake", "s3"), ("pond", "s3"), ("archive", "glacier")],
            ["a", "b", "c", EVERY_CONTAINER],
        )
    ]
    found = st.lists(st.sampled_from(everywhere), unique=True, max_size=len(everywhere))
    return [
        [draw(results_of(where)) for where in draw(found)] for _ in range(draw(st.integers(1, 3)))
    ]


numbers = st.integers(0, 2**60)


@st.composite
def results_of(draw: st.DrawFn, where: ContainerRef) -> ContainerResult:
    """Any result of a container."""
    bad = [o for o in TargetOutcome if o not in {"complete", "capped", "tripped"}]
    every = st.sampled_from(bad if where.container == EVERY_CONTAINER else list(TargetOutcome))
    return ContainerResult(
        where,
        draw(every),
        NOW,
        NOW + timedelta(seconds=draw(st.integers(0, 100))),
        listed=draw(numbers),
        stale=draw(numbers),
        kept=draw(st.dictionaries(st.sampled_from([Reason.YOUNG, Reason.LIMIT]), numbers)),
        bytes_stale=draw(st.integers(0, 2**40)),
        oldest_initiated=draw(st.sampled_from([None, NOW, LATER])),
        **{outcome.value: draw(numbers) for outcome in Outcome},  # type: ignore[arg-type]  # all are counts
    )


expositions = st.builds(
    Exposition, st.sampled_from(["container", "target", "provider"]), st.integers(0, 14)
)


def told(script: Sequence[Sequence[ContainerResult]], exposition: Exposition) -> Metrics:
    """Give metrics that have heard of all these sweeps."""
    events = [finished(*results) for results in script]
    return metrics_after(*events, exposition=exposition, prices=Prices("USD", 2.0**-10))


def sums(metrics: Metrics) -> Counter[tuple[object, ...]]:
    """Sum up every metric that can be summed, by its own labels."""
    found: Counter[tuple[object, ...]] = Counter()
    for family, samples in placed(metrics).items():
        for labels, number in samples:
            if family not in EXTREMES:
                own = {name: labels[name] for name in set(labels) - set(PLACE)}
                found[family, str(sorted(own.items()))] += number  # type: ignore[assignment]  # a cost is no integer
    return found


def placed(metrics: Metrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Give all samples of the metrics that tell of containers."""
    names = {family.name for family in FAMILIES if family.placed}
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in metrics.registry.collect()
        if family.name in names
    }


@law
@given(script=sweeps(), exposition=expositions)
def test_nothing_is_lost_or_invented_by_any_level_or_cap(
    script: list[list[ContainerResult]], exposition: Exposition
) -> None:
    """Sums over the series are exactly the sums over all containers."""
    assert sums(told(script, UNCAPPED)) == sums(told(script, exposition))


@law
@given(script=sweeps(), exposition=expositions)
def test_no_level_or_cap_hides_the_worst(
    script: list[list[ContainerResult]], exposition: Exposition
) -> None:
    """The extremes survive, and a group is complete since when all of it is, or not at all."""
    every, seen = (
        {name: [number for _, number in placed(metrics)[name]] for name in EXTREMES}
        for metrics in (told(script, UNCAPPED), told(script, exposition))
    )
    never = len(every[DURATION]) > len(every[COMPLETED])

    for name in (OLDEST, DURATION):
        assert EXTREMES[name](every[name], default=0) == EXTREMES[name](seen[name], default=0)
    assert never or min(every[COMPLETED], default=0) == min(seen[COMPLETED], default=0)
    assert never == (len(seen[DURATION]) > len(seen[COMPLETED]))


@law
@given(
    results=st.lists(
        st.sampled_from("abcdef").map(bucket).flatmap(results_of), unique_by=lambda r: r.where
    )
)
def test_the_sums_are_those_of_the_results(results: list[ContainerResult]) -> None:
    """The finest level itself is compared with what a sweep said."""
    metrics = metrics_of(results, exposition=Exposition("container", 2))
    whole = [r for r in results if r.outcome in {"complete", "capped", "tripped"}]

    assert [
        sum(r.listed for r in whole),
        sum(r.stale for r in whole),
        sum(r.bytes_stale for r in whole),
        sum(r.kept.get(Reason.YOUNG, 0) for r in whole),
        sum(r.survived for r in results),
        sum(r.outcome == "forbidden" for r in results),
        max(0, len(results) - 2),
    ] == [
        total(metrics, "janitor_target_uploads"),
        total(metrics, "janitor_target_stale_uploads"),
        total(metrics, "janitor_target_stale_bytes"),
        total(metrics, "janitor_target_kept_uploads", reason="young"),
        total(metrics, "janitor_target_last_sweep_uploads", outcome="survived"),
        total(metrics, "janitor_target_outcome", outcome="forbidden"),
        total(metrics, "janitor_folded_containers"),
    ]


def test_the_laws_above_are_tried_on_folding_and_on_failed_discoveries() -> None:
    """A law that never met what it is about would prove nothing."""

    def interesting(script: list[list[ContainerResult]]) -> bool:
        metrics = told(script, Exposition("container", 2))
        kept = any(r.where.container == EVERY_CONTAINER for r in script[-1]) and len(script) > 1
        return kept and total(metrics, "janitor_folded_containers") > 1

    assert find(sweeps(), interesting, settings=search)
