"""The rows that tell what is done: actions, requests to providers, the service itself."""

from __future__ import annotations

from collections.abc import Mapping

from janitor_dashboard.choice import JOB, OURS, PLACE
from janitor_dashboard.panels import Panel, graph, number, word

YES_NO: Mapping[str, tuple[str, str]] = {"1": ("yes", "green"), "0": ("no", "red")}


def actions() -> list[Panel]:
    """Show what was done."""
    done = f"janitor_target_last_sweep_uploads{{{PLACE}}}"
    ages = f"increase(janitor_aborted_upload_age_seconds_bucket{{{JOB}}}[$__range])"
    return [
        graph(
            "Stale uploads of the last sweep, by what became of them",
            "Also for metrics that are pushed; withheld is what report mode does.",
            "short",
            (f"sum by (outcome) ({OURS} ({done}))", "{{outcome}}"),
        ),
        graph(
            "Aborts by outcome",
            "Counted by a daemon, in each step of the graph.",
            "short",
            (
                f"sum by (outcome) (increase(janitor_aborts_total{{{JOB}}}[$__rate_interval]))",
                "{{outcome}}",
            ),
            stacked=True,
        ),
        number(
            "Freed in this time",
            "Where the store said that the parts are gone; counted by a daemon.",
            (f"sum(increase(janitor_freed_bytes_total{{{JOB}}}[$__range]))", ""),
            "bytes",
        ).span(6),
        number(
            "Age at the abort",
            "Half of the aborted uploads were younger; counted by a daemon.",
            (f"histogram_quantile(0.5, sum by (le) ({ages}))", ""),
            "s",
        ).span(6),
        number(
            "Limits that held uploads back in this time",
            "How often; counted by a daemon.",
            (
                f"sum by (limit) (increase(janitor_limit_trips_total{{{JOB}}}[$__range]))",
                "{{limit}}",
            ),
            "short",
        ).span(12),
    ]


def requests() -> list[Panel]:
    """Show how the providers answer; counted by a daemon, so mostly during sweeps."""

    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate({metric}{{{JOB}}}[$__rate_interval]))"

    failed = f"sum(rate(janitor_api_failures_total{{{JOB}}}[$__rate_interval]))"
    all_of_them = f"sum(rate(janitor_api_requests_total{{{JOB}}}[$__rate_interval]))"
    buckets = rate("janitor_api_request_duration_seconds_bucket", "le")
    return [
        graph(
            "Requests by operation",
            "Retries included.",
            "reqps",
            (rate("janitor_api_requests_total", "operation"), "{{operation}}"),
            stacked=True,
        ),
        graph(
            "Failures by code",
            "The provider's own code, or a word of the janitor's. Nothing at all if none failed.",
            "reqps",
            (rate("janitor_api_failures_total", "operation, code"), "{{operation}} {{code}}"),
            (f"sum(rate(janitor_api_retries_total{{{JOB}}}[$__rate_interval]))", "retries"),
        ),
        graph(
            "Share of requests that failed",
            "A gap is a time without requests.",
            "percentunit",
            (f"({failed} or vector(0)) / ({all_of_them} > 0)", "failed"),
        ),
        graph(
            "Duration of requests",
            "A gap is a time without requests.",
            "s",
            *(
                (f"histogram_quantile({share}, {buckets})", f"{share:.0%}")
                for share in (0.5, 0.95, 0.99)
            ),
        ),
    ]


def service() -> list[Panel]:
    """Show the janitor itself."""
    return [
        word(
            "Ledger usable",
            "Whether the last sweep could use its ledger to the end.",
            (f"min(janitor_ledger_ok{{{JOB}}})", ""),
            YES_NO,
        ),
        word(
            "Config reloaded",
            "Whether the config was good when it was last read.",
            (f"min(janitor_config_reload_successful{{{JOB}}})", ""),
            YES_NO,
        ),
        word(
            "Sweeping now",
            "Whether a sweep is running.",
            (f"max(janitor_sweep_in_progress{{{JOB}}})", ""),
            {"1": ("yes", "blue"), "0": ("no", "text")},
        ),
        number(
            "Folded containers",
            "They share one series for each target, because metrics.max_containers is reached.",
            (f"sum(janitor_folded_containers{{{JOB}}})", ""),
            "short",
            ((None, "green"), (1, "yellow")),
        ),
        word(
            "Version",
            "Of every janitor.",
            (f"count by (version) (janitor_build_info{{{JOB}}})", "{{version}}"),
            {},
        ),
        number(
            "Leaders",
            "Processes that may sweep; standbys are not counted.",
            (f"sum(janitor_leader{{{JOB}}})", ""),
            "short",
            ((None, "red"), (1, "green")),
        ),
        graph(
            "Duration of sweeps",
            "Of the last one; below the interval, or sweeps are missed.",
            "s",
            (f"max by (job) (janitor_last_sweep_duration_seconds{{{JOB}}})", "{{job}}"),
            (f"max by (job) (janitor_schedule_interval_seconds{{{JOB}}})", "{{job}}: interval"),
        ),
        graph(
            "Sweeps of a day",
            "All, failed, and missed ones; counted by a daemon.",
            "short",
            (f"sum(increase(janitor_sweeps_total{{{JOB}}}[1d]))", "ended"),
            (f"sum(increase(janitor_sweep_failures_total{{{JOB}}}[1d]))", "not well"),
            (
                f"sum by (reason) (increase(janitor_schedule_missed_total{{{JOB}}}[1d]))",
                "missed: {{reason}}",
            ),
        ),
        graph(
            "Memory",
            "Resident, of daemons.",
            "bytes",
            (f"process_resident_memory_bytes{{{JOB}}}", "{{instance}}"),
        ),
        graph(
            "CPU",
            "Of daemons; 1 is one core.",
            "short",
            (f"rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])", "{{instance}}"),
        ),
    ]
