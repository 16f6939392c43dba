"""The rows that tell how things stand: overview and targets."""

from __future__ import annotations

from collections.abc import Mapping

from janitor_dashboard.choice import EACH, JOB, OURS, PLACE
from janitor_dashboard.panels import Panel, Steps, bars, graph, list_of, number, word

ABOVE_ZERO: Steps = ((None, "green"), (1, "red"))
INTERVALS: Steps = ((None, "green"), (1.5, "yellow"), (3, "red"))
LEFT: Steps = ((None, "red"), (0.1, "yellow"), (0.3, "green"))
EXIT_CODES: Mapping[str, tuple[str, str]] = {
    "0": ("complete", "green"),
    "1": ("failed", "red"),
    "3": ("incomplete", "orange"),
    "4": ("limit tripped", "orange"),
    "75": ("locked", "orange"),
    "130": ("interrupted", "blue"),
    "143": ("interrupted", "blue"),
}


def overview() -> list[Panel]:
    """Show how it stands, at a glance."""
    age = f"(time() - {OURS} (janitor_last_sweep_timestamp_seconds{{{JOB}}}))"
    interval = f"{OURS} (janitor_schedule_interval_seconds{{{JOB}}})"
    return [
        word(
            "Mode",
            "report never changes anything; enforce aborts what is stale.",
            (f"max by (mode) (janitor_mode{{{JOB}}}) == 1", "{{mode}}"),
            {},
        ),
        number(
            "Last sweep",
            "How long ago a sweep ended that did not crash; the oldest of all jobs.",
            (f"max({age})", ""),
            "s",
        ),
        number(
            "Age of the last sweep, in intervals",
            "1 is as planned; more than 3 is the alert UploadJanitorSilent.",
            (f"max({age} / {interval})", ""),
            "short",
            INTERVALS,
        ),
        word(
            "Last exit code",
            "The worst of all jobs.",
            (f"max({OURS} (janitor_last_sweep_exit_code{{{JOB}}}))", ""),
            EXIT_CODES,
        ),
        number(
            "Containers in trouble",
            "Their last sweep ended neither complete nor capped.",
            (f'sum({OURS} (janitor_target_outcome{{{PLACE}, outcome!~"complete|capped"}}))', ""),
            "short",
            ABOVE_ZERO,
        ),
        number(
            "Next sweep",
            "Only a daemon knows.",
            (f"1000 * min(janitor_next_sweep_timestamp_seconds{{{JOB}}})", ""),
            "dateTimeFromNow",
        ).no_value("not a daemon"),
        number(
            "Stale bytes",
            "What the parts of stale uploads take up, by the last whole listings.",
            (f"sum({OURS} (janitor_target_stale_bytes{{{PLACE}}}))", ""),
            "bytes",
        ),
        number(
            "Stale uploads",
            "By the last whole listings.",
            (f"sum({OURS} (janitor_target_stale_uploads{{{PLACE}}}))", ""),
            "short",
        ),
        number(
            "Cost of a month",
            "Stale bytes at the configured price of a GiB.",
            (
                f"sum by (currency) ({OURS} (janitor_estimated_monthly_cost{{{PLACE}}}))",
                "{{currency}}",
            ),
            "short",
        ).no_value("no price is set"),
        bars(
            "Budgets: what is left",
            "Of the limits that are set, after the last sweep.",
            (
                f"min by (limit) (janitor_budget_left{{{JOB}}} / janitor_budget_limit{{{JOB}}})",
                "{{limit}}",
            ),
            LEFT,
        ),
    ]


def targets() -> list[Panel]:
    """Show what is where."""

    def newest(metric: str) -> str:
        return f"max {EACH} ({metric}{{{PLACE}}})"

    outcome = f"max by (target, provider, container, outcome) (janitor_target_outcome{{{PLACE}}})"
    columns = [
        (f"{outcome} > 0", "", ""),
        (newest("janitor_target_uploads"), "uploads", "short"),
        (newest("janitor_target_stale_uploads"), "stale", "short"),
        (newest("janitor_target_stale_bytes"), "stale bytes", "bytes"),
        (
            f"time() - min {EACH} (janitor_target_oldest_initiated_timestamp_seconds{{{PLACE}}})",
            "age of the oldest",
            "s",
        ),
        (
            f"time() - {newest('janitor_target_last_complete_timestamp_seconds')}",
            "since complete",
            "s",
        ),
    ]
    kept = f"janitor_target_kept_uploads{{{PLACE}}}"
    return [
        list_of(
            "Containers",
            "The last outcome, and the figures of the last whole listing. "
            'Container "*" stands for a target whose containers could not be found.',
            columns,
        ),
        graph(
            "Stale uploads by target",
            "By the last whole listings.",
            "short",
            (f"sum by (target) ({OURS} (janitor_target_stale_uploads{{{PLACE}}}))", "{{target}}"),
        ),
        graph(
            "Stale bytes by target",
            "By the last whole listings.",
            "bytes",
            (f"sum by (target) ({OURS} (janitor_target_stale_bytes{{{PLACE}}}))", "{{target}}"),
        ),
        graph(
            "Kept uploads by reason",
            "Why uploads were not called stale, or not aborted yet.",
            "short",
            (f"sum by (reason) ({OURS} ({kept})) > 0", "{{reason}}"),
            stacked=True,
        ),
        graph(
            "Slowest containers",
            "How long their last sweep took.",
            "s",
            (
                f"topk(10, max {EACH} (janitor_target_sweep_duration_seconds{{{PLACE}}}))",
                "{{target}}/{{container}}",
            ),
        ),
    ]
