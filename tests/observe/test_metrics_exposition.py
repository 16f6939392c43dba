"""The exposition as a whole: pinned, read by everybody, and free of what is nobody's business."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families
from support.debian import program
from support.metrics_samples import exposed, exposed_openly, metrics_after, metrics_of, shown
from support.observe_script import EVENTS, LAKE, NOW, VAULT, ended, finished, result
from support.strategies import law

import janitor
from janitor.model import ContainerRef, Outcome, Reason, TargetOutcome, Upload
from janitor.observe.events import (
    BudgetCounted,
    ContainerCrashed,
    ContainerFinished,
    IntentReconciled,
    LedgerNoticed,
    LimitReached,
    RequestFinished,
    TargetOpened,
)
from janitor.observe.metrics import Metrics
from janitor.plan import Limits
from janitor.settings.types import Exposition, Prices

GOLDEN = Path(__file__).parent / "golden" / "exposition.txt"
LIMITS = Limits(aborts_per_run=3, aborts_per_day=5000, bytes_per_run=2**40)
LEFT = Limits(aborts_per_run=0, aborts_per_day=4997, bytes_per_run=2**40 - 4_194_304)
# Binding: dashboards and alerts of others are made of these.
NAMES = {
    "janitor_aborted_upload_age_seconds",
    "janitor_aborts",
    "janitor_api_failures",
    "janitor_api_in_flight",
    "janitor_api_request_duration_seconds",
    "janitor_api_requests",
    "janitor_api_retries",
    "janitor_api_window",
    "janitor_budget_left",
    "janitor_budget_limit",
    "janitor_build_info",
    "janitor_config_reload_success_timestamp_seconds",
    "janitor_config_reload_successful",
    "janitor_estimated_monthly_cost",
    "janitor_folded_containers",
    "janitor_freed_bytes",
    "janitor_last_sweep_duration_seconds",
    "janitor_last_sweep_exit_code",
    "janitor_last_sweep_timestamp_seconds",
    "janitor_leader",
    "janitor_ledger_ok",
    "janitor_limit_trips",
    "janitor_mode",
    "janitor_next_sweep_timestamp_seconds",
    "janitor_schedule_interval_seconds",
    "janitor_schedule_missed",
    "janitor_sweep_failures",
    "janitor_sweep_in_progress",
    "janitor_sweeps",
    "janitor_target_kept_uploads",
    "janitor_target_last_complete_timestamp_seconds",
    "janitor_target_last_sweep_uploads",
    "janitor_target_oldest_initiated_timestamp_seconds",
    "janitor_target_outcome",
    "janitor_target_stale_bytes",
    "janitor_target_stale_uploads",
    "janitor_target_sweep_duration_seconds",
    "janitor_target_uploads",
    "janitor_uploads_listed",
}


def eventful() -> Metrics:
    """Give metrics that show every family."""
    metrics = metrics_after(
        BudgetCounted(LIMITS, LEFT), *EVENTS, prices=Prices("EUR", 0.5), target_prices={"media": 0}
    )
    metrics.schedule_missed("busy")
    metrics.schedule_interval(timedelta(hours=6))
    metrics.next_sweep(NOW + timedelta(hours=6))
    return metrics


def read(metrics: Metrics) -> list[Metric]:
    """Parse the text format."""
    return list(text_string_to_metric_families(exposed(metrics)))


def read_openly(metrics: Metrics) -> list[Metric]:
    """Parse OpenMetrics, whose parser is strict."""
    text = exposed_openly(metrics)
    return list(open_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # theirs


READERS = pytest.mark.parametrize("reader", [read, read_openly], ids=["text", "openmetrics"])


def test_a_sweep_reads_as_the_golden_exposition() -> None:
    """The whole text after an eventful sweep is compared, names, labels, help and all."""
    text = exposed(eventful()).replace(platform.python_version(), "PYTHON")

    assert GOLDEN.read_text() == text.replace(janitor.__version__, "VERSION")


def test_the_golden_exposition_has_a_sample_of_every_metric() -> None:
    """An example that leaves something out would pin nothing of it."""
    assert NAMES == {family.name for family in read(eventful()) if family.samples}


@READERS
def test_every_metric_is_there_from_the_start_with_help(
    reader: Callable[[Metrics], list[Metric]],
) -> None:
    """Before the first sweep every name is known, and says what it means."""
    families = reader(metrics_after())

    assert (NAMES, []) == (
        {family.name for family in families},
        [family.name for family in families if not family.documentation.endswith(".")],
    )


def samples_of(families: Iterable[Metric]) -> list[tuple[str, dict[str, str], float]]:
    """Give all samples in an order of their own."""
    samples = [(s.name, s.labels, s.value) for family in families for s in family.samples]
    return sorted(samples, key=repr)


def test_both_formats_tell_the_same() -> None:
    """What a Prometheus sees does not depend on what it accepts."""
    metrics = eventful()

    assert samples_of(read(metrics)) == samples_of(read_openly(metrics))


def test_open_metrics_has_no_created_series() -> None:
    """They double the series, and nobody asks for them."""
    text = exposed_openly(eventful())

    assert (False, True) == ("_created" in text, text.endswith("# EOF\n"))


@pytest.mark.parametrize("detail", ["container", "target", "provider"])
def test_promtool_finds_nothing_to_complain_of(detail: str) -> None:
    """Prometheus' own linter reads the exposition, however fine it is."""
    metrics = eventful()
    metrics.configure("report", Exposition(detail, 1), Prices(), {"lake": 1.0})  # type: ignore[arg-type]  # parametrized
    done = subprocess.run(  # noqa: S603  # a package's program, fed by us
        [program("prometheus", "promtool"), "check", "metrics"],
        input=exposed(metrics).encode(),
        capture_output=True,
        check=False,
    )

    assert (0, b"") == (done.returncode, done.stdout + done.stderr)


def test_a_name_that_is_no_text_does_not_break_the_scrape() -> None:
    """Half a surrogate, quotes and line breaks come out escaped, and the rest is there."""
    odd = ContainerRef("lake", "s3", 'a\udc80"\n\\')
    families = read(metrics_of([result(odd, listed=1), result(VAULT, listed=3)]))
    listed = next(family for family in families if family.name == "janitor_target_uploads")

    assert {'a\\udc80"\n\\': 1.0, "examplevault": 3.0} == {
        sample.labels["container"]: sample.value for sample in listed.samples
    }


def test_what_ends_a_text_or_moves_a_cursor_is_spelled_out() -> None:
    """A label is also read by terminals and by programs that split lines in their own way."""
    odd = ContainerRef("lake", "s3", "\0\t\r\x1b[2J\x7f\x85\u2028")
    metrics = metrics_of([result(odd)])

    assert [(r"\x00\t\r\x1b[2J\x7f\x85\u2028",)] == list(
        shown(metrics, "janitor_target_uploads", "container")
    )


def test_names_that_print_alike_share_a_series() -> None:
    """A series that comes twice makes Prometheus refuse it, and a Pushgateway everything."""
    alike = [ContainerRef("lake", "s3", name) for name in ("a\x00", "a\\x00")]
    metrics = metrics_of([result(where, listed=2) for where in alike])

    assert {("a\\x00",): 4} == shown(metrics, "janitor_target_uploads", "container")


names = st.text(st.characters(exclude_categories=()), max_size=8)


@READERS
@law
@given(found=st.dictionaries(names, names, min_size=1, max_size=4))
@example(
    {"\udc80": "\n", "": '"', "\\": "\\n", "#": "}", " ": ",", "\r": "\u2028", "(folded)": "*"}
)
def test_no_name_breaks_a_scrape(
    reader: Callable[[Metrics], list[Metric]], found: dict[str, str]
) -> None:
    """Whatever targets, containers and currencies are called, everything is there once."""
    results = [
        result(ContainerRef(target, "s3", container), listed=1)
        for target, container in found.items()
    ]
    metrics = metrics_of(results, prices=Prices(next(iter(found)), 1.0))
    families = reader(metrics)
    series = [(s.name, *s.labels.items()) for family in families for s in family.samples]
    listed = [s.value for f in families for s in f.samples if s.name == "janitor_target_uploads"]

    assert (len(found), len(series)) == (sum(listed), len(set(series)))


def spellings(secret: str) -> list[str]:
    """Give what a secret could look like."""
    return [secret, quote(secret), repr(secret)[1:-1], secret.encode().hex()]


canaries = st.text("abcdefghijklmnopqrstuvwxyz0123456789/", min_size=1, max_size=20).map(
    lambda text: f"canary/{text}"
)


@law
@given(key=canaries, upload_id=canaries, error=canaries)
def test_no_key_upload_id_or_error_text_is_ever_exposed(
    key: str, upload_id: str, error: str
) -> None:
    """They are without end, and some of them are secrets."""
    doomed = Upload(LAKE, key, upload_id, NOW, description=error, initiator=error)
    failed = result(LAKE, TargetOutcome.INCOMPLETE, error=error)
    metrics = metrics_after(
        TargetOpened("lake", "s3", error, error, error),
        RequestFinished(LAKE, "abort", 0.1, error),
        LimitReached("share_of_listed", 1, "lake", error),
        IntentReconciled(LAKE, key, upload_id, "failed", error),
        LedgerNoticed(error),
        *(ended(doomed, Reason.STALE, outcome, error) for outcome in Outcome),
        ContainerCrashed(LAKE, error),
        ContainerFinished(failed),
        finished(failed, exit_code=3),
    )
    text = exposed(metrics) + exposed_openly(metrics)

    assert [] == [
        spelled
        for each in (key, upload_id, error)
        for spelled in spellings(each)
        if spelled in text
    ]
