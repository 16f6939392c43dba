from __future__ import annotations

import ast
import platform
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from support.metrics_samples import exposed, metrics_after, shown, value
from support.observe_script import (
    LAKE,
    NOW,
    VAULT,
    ended,
    finished,
    upload,
)

import janitor
from janitor.model import Outcome, Reason
from janitor.observe.events import BudgetCounted, RequestFinished, SweepStarted
from janitor.observe.metrics import Metrics
from janitor.observe.metrics.codes import CODES
from janitor.plan import Limits
from janitor.providers import aws

LATER = NOW + timedelta(days=1)


def test_zero_is_news() -> None:
    """What can be counted, is counted from zero, before anything happened."""
    lines = exposed(metrics_after()).splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    others = {name: number for name, number in samples.items() if number != "0.0"}

    assert [
        f'janitor_build_info{{python_version="{platform.python_version()}",version="{janitor.__version__}"}}',
        'janitor_mode{mode="report"}',
        "janitor_leader",
        "janitor_config_reload_successful",
        "janitor_config_reload_success_timestamp_seconds",
    ] == list(others)


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


def test_nonsense_from_a_provider_does_not_raise() -> None:
    """An observer must not raise, even if sizes come back negative."""
    metrics = metrics_after(ended(upload(LAKE, "u", 9), Reason.STALE, Outcome.ABORTED, freed=-5))

    assert 0.0 == value(metrics, "janitor_freed_bytes_total")


def test_an_upload_from_the_future_is_aged_nothing() -> None:
    """A sum that goes down would look like a restart."""
    metrics = metrics_after(ended(upload(LAKE, "u", -3), Reason.STALE, Outcome.ABORTED))

    assert (0.0, 1.0) == (
        value(metrics, "janitor_aborted_upload_age_seconds_sum"),
        value(metrics, "janitor_aborted_upload_age_seconds_count"),
    )


def test_budgets_are_told_for_limits_that_are_set() -> None:
    """No limit is no series, a limit of nothing is 0, and one that was lifted vanishes."""
    limits = Limits(aborts_per_run=10, bytes_per_run=0, share_of_listed=Fraction(1, 2))
    left = Limits(aborts_per_run=7, bytes_per_run=0, share_of_listed=Fraction(1, 2))
    metrics = metrics_after()
    seen = []
    for event in (BudgetCounted(limits, left), BudgetCounted(Limits(), Limits())):
        metrics(event)
        names = ("janitor_budget_limit", "janitor_budget_left")
        seen.append([shown(metrics, name, "limit") for name in names])

    assert [
        [
            {("aborts_per_run",): 10, ("bytes_per_run",): 0},
            {("aborts_per_run",): 7, ("bytes_per_run",): 0},
        ],
        [{}, {}],
    ] == seen


def test_the_last_sweep_tells_its_end_its_time_and_its_exit_code() -> None:
    """A crash moves the exit code alone: nothing ended that a timestamp could tell of."""
    names = ("timestamp_seconds", "duration_seconds", "exit_code")
    metrics = metrics_after()
    steps: list[Callable[[], None]] = [
        lambda: metrics(finished(exit_code=4)),
        metrics.sweep_crashed,
    ]
    seen = []
    for step in steps:
        step()
        seen.append([value(metrics, f"janitor_last_sweep_{name}") for name in names])
    ended_at = (NOW + timedelta(seconds=90)).timestamp()

    assert [[ended_at, 90.0, 4.0], [ended_at, 90.0, 1.0]] == seen


def test_the_ledger_is_well_until_a_sweep_says_otherwise() -> None:
    """Unknown before the first sweep; a crash for another reason says nothing of it."""
    metrics = metrics_after()
    good, bad = finished(), replace(finished(exit_code=3), ledger_usable=False)
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: metrics(good),
        lambda: metrics(bad),
        metrics.sweep_crashed,
        lambda: metrics(good),
        lambda: metrics.sweep_crashed(ledger_failed=True),
    ]
    seen = []
    for step in steps:
        step()
        seen.append(value(metrics, "janitor_ledger_ok"))

    assert [None, 1.0, 0.0, 0.0, 1.0, 0.0] == seen


def test_the_schedule_is_told_as_far_as_it_is_known() -> None:
    """What is not planned has no sample: 0 would be an alarm."""
    metrics = metrics_after()
    seen = []
    for interval, at in ((timedelta(hours=6), LATER), (None, None)):
        metrics.schedule_interval(interval)
        metrics.next_sweep(at)
        names = ("janitor_schedule_interval_seconds", "janitor_next_sweep_timestamp_seconds")
        seen.append([value(metrics, name) for name in names])

    assert [[21600.0, LATER.timestamp()], [None, None]] == seen


def test_a_reload_that_failed_keeps_the_time_of_the_last_good_one() -> None:
    """From the start there is a good config, or nobody would be here."""
    times = iter([NOW, LATER])
    metrics = Metrics(CollectorRegistry(), "report", now=lambda: next(times))
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: metrics.config_reloaded(successful=False),
        lambda: metrics.config_reloaded(successful=True),
    ]
    names = ("successful", "success_timestamp_seconds")
    seen = []
    for step in steps:
        step()
        seen.append([value(metrics, f"janitor_config_reload_{name}") for name in names])

    assert [[1, NOW.timestamp()], [0, NOW.timestamp()], [1, LATER.timestamp()]] == seen


def test_a_leader_may_sweep() -> None:
    """Without an election every process is its own leader."""
    metrics = metrics_after()
    seen = [value(metrics, "janitor_leader")]
    for leading in (False, True):
        metrics.leader(leading)
        seen.append(value(metrics, "janitor_leader"))

    assert [1.0, 0.0, 1.0] == seen


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    """Whoever divides by it, or takes it off, would be surprised."""
    metrics = metrics_after(replace(finished(), finished_at=NOW - timedelta(hours=1)))

    assert 0.0 == value(metrics, "janitor_last_sweep_duration_seconds")
