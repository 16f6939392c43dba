from __future__ import annotations

import ast
import platform
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from support.observe_script import (
    BUCKET,
    EVENTS,
    LAKE,
    NOW,
    RESULTS,
    VAULT,
    ended,
    finished,
    result,
    upload,
)

import janitor
from janitor.engine.discover import ALL
from janitor.model import ContainerRef, Outcome, Reason, TargetOutcome
from janitor.observe.events import Event, RequestFinished, SweepStarted
from janitor.observe.metrics import Metrics
from janitor.observe.metrics.codes import CODES
from janitor.observe.metrics.state import EVERY_CONTAINER
from janitor.providers import aws

GOLDEN = Path(__file__).parent / "golden" / "exposition.txt"
PROMTOOL = shutil.which("promtool")
LATER = NOW + timedelta(days=1)
DESIGNED = {
    "janitor_aborted_upload_age_seconds",
    "janitor_aborts",
    "janitor_api_failures",
    "janitor_api_request_duration_seconds",
    "janitor_api_requests",
    "janitor_api_retries",
    "janitor_build_info",
    "janitor_freed_bytes",
    "janitor_last_sweep_timestamp_seconds",
    "janitor_limit_trips",
    "janitor_mode",
    "janitor_next_sweep_timestamp_seconds",
    "janitor_schedule_missed",
    "janitor_sweep_failures",
    "janitor_sweep_in_progress",
    "janitor_sweeps",
    "janitor_target_kept_uploads",
    "janitor_target_last_complete_timestamp_seconds",
    "janitor_target_oldest_initiated_timestamp_seconds",
    "janitor_target_outcome",
    "janitor_target_stale_bytes",
    "janitor_target_stale_uploads",
    "janitor_target_sweep_duration_seconds",
    "janitor_target_uploads",
    "janitor_uploads_listed",
}


def metrics_after(*events: Event, mode: str = "report") -> Metrics:
    """Make metrics that have heard these events."""
    metrics = Metrics(CollectorRegistry(), mode, lambda: NOW)
    for event in events:
        metrics(event)
    return metrics


def exposed(metrics: Metrics) -> str:
    """Give the whole exposition."""
    return generate_latest(metrics.registry).decode()


def value(metrics: Metrics, name: str, where: ContainerRef | None = None, **labels: str) -> object:
    """Give one sample, None if there is none."""
    if where is not None:
        labels |= {
            "target": where.target,
            "provider": where.provider,
            "container": where.container,
        }
    return metrics.registry.get_sample_value(name, labels)


def outcomes(metrics: Metrics, where: ContainerRef) -> dict[str, object]:
    """Give all outcomes that a container shows."""
    name = "janitor_target_outcome"
    found = {each: value(metrics, name, where, outcome=each) for each in TargetOutcome}
    return {outcome.value: shown for outcome, shown in found.items() if shown is not None}


def only(outcome: str) -> dict[str, object]:
    """Give 1 for one outcome and 0 for all others."""
    return {each.value: float(each == outcome) for each in TargetOutcome}


def test_a_sweep_reads_as_the_golden_exposition() -> None:
    """The whole text after an eventful sweep is compared, names, labels, help and all."""
    metrics = metrics_after(*EVENTS)
    metrics.schedule_missed("busy")
    metrics.next_sweep(NOW + timedelta(hours=6))
    text = exposed(metrics).replace(platform.python_version(), "PYTHON")

    assert GOLDEN.read_text() == text.replace(janitor.__version__, "VERSION")


def test_every_metric_of_the_design_is_there_from_the_start_with_help() -> None:
    """Before the first sweep every name is known, and says what it means."""
    families = list(text_string_to_metric_families(exposed(metrics_after())))

    assert (DESIGNED, []) == (
        {family.name for family in families},
        [family.name for family in families if not family.documentation.endswith(".")],
    )


def test_zero_is_news() -> None:
    """What can be counted, is counted from zero, before anything happened."""
    lines = exposed(metrics_after()).splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    others = {name: number for name, number in samples.items() if number != "0.0"}

    assert [
        f'janitor_build_info{{python_version="{platform.python_version()}",version="{janitor.__version__}"}}',
        'janitor_mode{mode="report"}',
    ] == list(others)


def test_open_metrics_has_no_created_series() -> None:
    """They double the series, and nobody asks for them."""
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    text = encode(metrics_after(*EVENTS).registry).decode()

    assert (False, True) == ("_created" in text, text.endswith("# EOF\n"))


def test_report_mode_counts_no_abort() -> None:
    """Withheld is not aborted, and is not failed either."""
    events = [ended(upload(VAULT, str(n), 9), Reason.STALE, Outcome.WITHHELD) for n in range(3)]
    metrics = metrics_after(SweepStarted("r", "report", NOW, 1), *events)
    name = "janitor_aborts_total"

    assert {
        "aborted": 0.0,
        "already_gone": 0.0,
        "failed": 0.0,
        "survived": 0.0,
        "withheld": None,
    } == {outcome.value: value(metrics, name, outcome=outcome) for outcome in sorted(Outcome)}


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


def test_a_sweep_shows_while_it_runs() -> None:
    """In progress from its start to its end, or to its crash; the mode is the sweep's."""
    metrics = metrics_after()
    seen = []
    for event in (SweepStarted("r", "enforce", NOW, 1), finished()):
        metrics(event)
        seen.append(value(metrics, "janitor_sweep_in_progress"))
    metrics(SweepStarted("r", "enforce", NOW, 1))
    metrics.sweep_crashed()
    seen.append(value(metrics, "janitor_sweep_in_progress"))

    assert ([1.0, 0.0, 0.0], 2.0, 1.0, 1.0) == (
        seen,
        value(metrics, "janitor_sweeps_total"),
        value(metrics, "janitor_sweep_failures_total"),
        value(metrics, "janitor_mode", mode="enforce"),
    )


@pytest.mark.parametrize(("exit_code", "failures"), [(0, 0), (1, 1), (3, 1), (4, 1), (130, 0)])
def test_a_sweep_fails_unless_it_ended_well_or_was_stopped(exit_code: int, failures: int) -> None:
    """Incomplete and tripped are failures; a stop that was asked for is none."""
    metrics = metrics_after(finished(exit_code=exit_code))

    assert float(failures) == value(metrics, "janitor_sweep_failures_total")


def test_unknown_codes_share_a_series() -> None:
    """A provider cannot make up labels without end."""
    events = [RequestFinished(LAKE, "abort", 0.1, f"Code{n}") for n in range(100)]
    metrics = metrics_after(*events)

    assert 100.0 == value(metrics, "janitor_api_failures_total", operation="abort", code="other")


def codes_in_the_code() -> Iterator[str]:
    """Find the error codes that the engine and the providers give themselves."""
    root = Path(janitor.__file__).parent
    for path in [*root.glob("engine/*.py"), *root.glob("providers/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found = node.value
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                found = node.args[1] if len(node.args) > 1 else ast.Constant(None)
            else:
                continue
            if isinstance(found, ast.Constant) and isinstance(found.value, str):
                yield found.value


def test_every_code_that_we_give_ourselves_is_a_label() -> None:
    """A new one must be added to the closed list, or it disappears among the others."""
    ours = set(codes_in_the_code())

    assert (True, set()) == ("connection" in ours, ours - CODES)


def test_every_code_that_decides_something_is_a_label() -> None:
    """What is retried or denied can be told apart on a graph."""
    assert set() == set(aws.KIND_OF_CODE) - CODES


def test_a_name_that_is_no_text_does_not_break_the_scrape() -> None:
    """Half a surrogate, quotes and line breaks come out escaped, and the rest is there."""
    odd = ContainerRef("lake", "s3", 'a\udc80"\n\\')
    text = exposed(metrics_after(finished(result(odd, listed=1), result(VAULT, listed=3))))
    families = text_string_to_metric_families(text)
    listed = next(family for family in families if family.name == "janitor_target_uploads")

    assert {'a\\udc80"\n\\': 1.0, "examplevault": 3.0} == {
        sample.labels["container"]: sample.value for sample in listed.samples
    }


def test_nonsense_from_a_provider_does_not_raise() -> None:
    """An observer must not raise, even if sizes come back negative."""
    metrics = metrics_after(ended(upload(LAKE, "u", 9), Reason.STALE, Outcome.ABORTED, freed=-5))

    assert 0.0 == value(metrics, "janitor_freed_bytes_total")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_of() -> None:
    """Prometheus' own linter reads the exposition."""
    text = exposed(metrics_after(*EVENTS)).encode()
    done = subprocess.run(  # noqa: S603  # found on the path, fed by us
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stdout + done.stderr)
