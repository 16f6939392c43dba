"""What metrics tell of each container, sweep after sweep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.metrics_samples import exposed, metrics_after, only, outcomes, shown, value
from support.observe_script import (
    BUCKET,
    LAKE,
    NOW,
    RESULTS,
    VAULT,
    finished,
    result,
)

from janitor.engine.discover import ALL
from janitor.model import ContainerRef, Reason, TargetOutcome
from janitor.observe.metrics.standing import EVERY_CONTAINER

LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    "outcome", [o for o in TargetOutcome if o not in {"complete", "capped", "tripped"}]
)
def test_a_failed_scan_keeps_the_last_figures_and_says_so(outcome: TargetOutcome) -> None:
    """An error is never shown as zero, and is no success."""
    good = result(VAULT, listed=3, stale=2, kept={Reason.YOUNG: 1}, bytes_stale=7, finished_at=NOW)
    bad = result(VAULT, outcome, listed=1, finished_at=LATER)
    metrics = metrics_after(finished(good), finished(bad, exit_code=3))

    assert (3.0, 2.0, 7.0, 1.0, NOW.timestamp(), only(outcome)) == (
        value(metrics, "janitor_target_uploads", VAULT),
        value(metrics, "janitor_target_stale_uploads", VAULT),
        value(metrics, "janitor_target_stale_bytes", VAULT),
        value(metrics, "janitor_target_kept_uploads", VAULT, reason="young"),
        value(metrics, "janitor_target_last_complete_timestamp_seconds", VAULT),
        outcomes(metrics, VAULT),
    )


@pytest.mark.parametrize(
    ("outcome", "expected"), [("complete", LATER), ("capped", LATER), ("tripped", NOW)]
)
def test_figures_move_after_every_whole_listing_success_only_without_a_tripped_breaker(
    outcome: str, expected: object
) -> None:
    """A target that nothing is done about grows old, so that an alert can tell."""
    before = result(VAULT, listed=3, finished_at=NOW)
    after = result(VAULT, TargetOutcome(outcome), listed=4, finished_at=LATER)
    metrics = metrics_after(finished(before), finished(after))
    name = "janitor_target_last_complete_timestamp_seconds"

    assert (4.0, expected.timestamp()) == (  # type: ignore[attr-defined]  # parametrized
        value(metrics, "janitor_target_uploads", VAULT),
        value(metrics, name, VAULT),
    )


def test_a_container_that_never_was_listed_has_an_outcome_and_no_figures() -> None:
    """Nothing known is nothing shown."""
    metrics = metrics_after(finished(result(LAKE, TargetOutcome.FORBIDDEN), exit_code=3))

    assert (None, None, None, only("forbidden")) == (
        value(metrics, "janitor_target_uploads", LAKE),
        value(metrics, "janitor_target_kept_uploads", LAKE, reason="young"),
        value(metrics, "janitor_target_last_complete_timestamp_seconds", LAKE),
        outcomes(metrics, LAKE),
    )


def test_a_container_that_vanished_loses_its_series() -> None:
    """Yesterday's height does not stay."""
    metrics = metrics_after(finished(*RESULTS), finished(result(VAULT)))

    assert (False, True) == (
        "your-bucket-name" in exposed(metrics),
        "examplevault" in exposed(metrics),
    )


def test_a_target_that_cannot_be_discovered_keeps_all_its_containers() -> None:
    """They did not vanish: nobody could look; each says what went wrong."""
    everywhere = ContainerRef("lake", "s3", EVERY_CONTAINER)
    metrics = metrics_after(
        finished(result(LAKE, listed=3), result(BUCKET)),
        finished(result(everywhere, TargetOutcome.FORBIDDEN), exit_code=3),
    )

    assert (3.0, only("forbidden"), only("forbidden"), {}) == (
        value(metrics, "janitor_target_uploads", LAKE),
        outcomes(metrics, LAKE),
        outcomes(metrics, everywhere),
        outcomes(metrics, BUCKET),
    )


def test_a_discovery_that_works_again_forgets_its_trouble() -> None:
    """The stand-in for all containers goes when the containers come back."""
    everywhere = ContainerRef("lake", "s3", EVERY_CONTAINER)
    metrics = metrics_after(
        finished(result(everywhere, TargetOutcome.FORBIDDEN)), finished(result(LAKE))
    )

    assert ({}, only("complete")) == (outcomes(metrics, everywhere), outcomes(metrics, LAKE))


def test_the_stand_in_for_all_containers_is_the_engine_s() -> None:
    """Two names for it would part ways unnoticed."""
    assert ALL == EVERY_CONTAINER


def test_uploads_of_the_last_sweep_are_told_by_what_became_of_them() -> None:
    """A pushed counter begins at 0 each time; this tells without history."""
    did = result(BUCKET, stale=15, aborted=1, already_gone=2, withheld=3, failed=4, survived=5)
    metrics = metrics_after(finished(did, exit_code=3))

    assert {
        ("aborted",): 1,
        ("already_gone",): 2,
        ("withheld",): 3,
        ("failed",): 4,
        ("survived",): 5,
    } == shown(metrics, "janitor_target_last_sweep_uploads", "outcome")


def test_a_sweep_that_could_not_look_did_nothing() -> None:
    """Figures are kept where a discovery fails; deeds are not: there were none."""
    everywhere = ContainerRef("lake", "s3", EVERY_CONTAINER)
    metrics = metrics_after(
        finished(result(LAKE, listed=3, survived=2)),
        finished(result(everywhere, TargetOutcome.FORBIDDEN), exit_code=3),
    )
    name = "janitor_target_last_sweep_uploads"

    assert (3.0, 0.0) == (
        value(metrics, "janitor_target_uploads", LAKE),
        value(metrics, name, LAKE, outcome="survived"),
    )


def test_a_failed_discovery_is_as_old_as_its_target() -> None:
    """It shows since when not all of the target is cleaned; all of one that never was, nothing."""
    lake = ContainerRef("lake", "s3", EVERY_CONTAINER)
    media = ContainerRef("media", "qingstor", EVERY_CONTAINER)
    swamp = ContainerRef("lake", "s3", "swamp")
    failed = finished(
        *(result(where, TargetOutcome.FORBIDDEN) for where in (lake, media)), exit_code=3
    )
    metrics = metrics_after(
        finished(result(LAKE, finished_at=NOW), result(swamp, finished_at=LATER)), failed, failed
    )
    name = "janitor_target_last_complete_timestamp_seconds"

    assert (NOW.timestamp(), None) == (value(metrics, name, lake), value(metrics, name, media))


def test_what_the_ledger_remembers_is_shown_at_once() -> None:
    """After a restart the time of the last success is known, and nothing else is claimed."""
    metrics = metrics_after()
    metrics.seed({LAKE: NOW})
    samples = [
        (sample.name, sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
        if "target" in sample.labels
    ]

    assert [("janitor_target_last_complete_timestamp_seconds", NOW.timestamp())] == samples


def test_a_memory_outlives_a_failure_and_vanishes_with_its_container() -> None:
    """It is treated like what this process saw itself."""
    name = "janitor_target_last_complete_timestamp_seconds"
    metrics = metrics_after()
    metrics.seed({LAKE: NOW, BUCKET: NOW})
    failed = result(LAKE, TargetOutcome.FORBIDDEN, finished_at=LATER)
    metrics(finished(failed, exit_code=3))

    assert {("lake",): NOW.timestamp()} == shown(metrics, name, "target")


def test_a_memory_never_replaces_what_was_seen() -> None:
    """Whoever seeds late changes nothing that is newer."""
    name = "janitor_target_last_complete_timestamp_seconds"
    metrics = metrics_after(finished(result(LAKE, finished_at=LATER)))
    metrics.seed({LAKE: NOW})

    assert {("lake",): LATER.timestamp()} == shown(metrics, name, "target")


def test_a_memory_helps_a_container_that_failed_before_it_came() -> None:
    """Whoever seeds late still tells what nobody else knows."""
    name = "janitor_target_last_complete_timestamp_seconds"
    metrics = metrics_after(finished(result(LAKE, TargetOutcome.FORBIDDEN), exit_code=3))
    metrics.seed({LAKE: NOW})

    assert ({("lake",): NOW.timestamp()}, only("forbidden")) == (
        shown(metrics, name, "target"),
        outcomes(metrics, LAKE),
    )


def test_a_failed_discovery_keeps_its_age_and_has_none_where_something_never_was_complete() -> None:
    """What joins the target later does not change since when its discovery fails."""
    name = "janitor_target_last_complete_timestamp_seconds"
    lake, media = (
        result(ContainerRef(target, provider, EVERY_CONTAINER), TargetOutcome.FORBIDDEN)
        for target, provider in (("lake", "s3"), ("media", "qingstor"))
    )
    new = result(ContainerRef("lake", "s3", "new"), TargetOutcome.CRASHED)
    spoiled = result(ContainerRef("media", "qingstor", "spoiled"), TargetOutcome.CRASHED)
    metrics = metrics_after(
        finished(result(LAKE, finished_at=NOW), result(BUCKET), spoiled),
        finished(lake, media, exit_code=3),
        finished(lake, media, new, exit_code=3),
        finished(lake, media, new, exit_code=3),
    )

    assert [NOW.timestamp(), None] == [value(metrics, name, each.where) for each in (lake, media)]
