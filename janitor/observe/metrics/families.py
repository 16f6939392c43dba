"""Every metric: its name, what it means, its unit and its labels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from janitor.model import Outcome, Reason, TargetOutcome
from janitor.plan import Limits

MODES = ("report", "enforce")
KEPT = tuple(reason for reason in Reason if reason is not Reason.STALE)
# Withheld is not among them: nothing was done.
DONE = (Outcome.ABORTED, Outcome.ALREADY_GONE, Outcome.FAILED, Outcome.SURVIVED)
OPERATIONS = (
    *("identify", "list_containers", "list_page", "list_probe"),
    *("list_parts", "head_object", "abort"),
)
MISSED = ("busy", "late")
LIMITS = tuple(limit.name for limit in fields(Limits))
# The limits that a sweep uses up.
BUDGETS = tuple(name for name in LIMITS if name != "share_of_listed")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric; `placed` says that it has the labels of the detail level besides its own."""

    name: str
    unit: str
    text: str
    labels: tuple[str, ...] = ()
    placed: bool = False
    kind: Literal["gauge", "counter", "histogram"] = "gauge"


_TIME = "Unix time"
_FLAG = "1 or 0"

BUILD_INFO = Family(
    "janitor_build_info",
    "always 1",
    "The janitor that runs here; always 1.",
    ("version", "python_version"),
)
MODE = Family("janitor_mode", _FLAG, "1 for the mode the janitor is in.", ("mode",))
LEADER = Family(
    "janitor_leader",
    _FLAG,
    "Whether this process may sweep: 1 or 0; always 1 without leader election.",
)
RELOAD_SUCCESSFUL = Family(
    "janitor_config_reload_successful",
    _FLAG,
    "Whether the config was good when it was last read: 1 or 0.",
)
RELOADED_AT = Family(
    "janitor_config_reload_success_timestamp_seconds",
    _TIME,
    "When a good config was last read.",
)
SCHEDULE_INTERVAL = Family(
    "janitor_schedule_interval_seconds",
    "seconds",
    "The longest time between two sweeps that the schedule plans, jitter included.",
)
NEXT_SWEEP = Family(
    "janitor_next_sweep_timestamp_seconds", _TIME, "When the next sweep is due; daemon only."
)
IN_PROGRESS = Family("janitor_sweep_in_progress", _FLAG, "Whether a sweep is running: 1 or 0.")
LAST_SWEEP = Family(
    "janitor_last_sweep_timestamp_seconds", _TIME, "When the last sweep ended that did not crash."
)
LAST_DURATION = Family(
    "janitor_last_sweep_duration_seconds",
    "seconds",
    "How long the last sweep took that did not crash.",
)
LAST_EXIT_CODE = Family(
    "janitor_last_sweep_exit_code",
    "exit code",
    "The exit code of the last sweep; 1 if it crashed.",
)
LEDGER_OK = Family(
    "janitor_ledger_ok",
    _FLAG,
    "Whether the last sweep could use its ledger to the end, or has none: 1 or 0.",
)
BUDGET_LIMIT = Family(
    "janitor_budget_limit",
    "aborts; bytes for bytes_per_run",
    "What a limit allows; only for limits that are set.",
    ("limit",),
)
BUDGET_LEFT = Family(
    "janitor_budget_left",
    "aborts; bytes for bytes_per_run",
    "What is left of a limit, counted before the first abort and after the last.",
    ("limit",),
)
FOLDED = Family(
    "janitor_folded_containers",
    "containers",
    'Containers that have no series of their own, but share container="(folded)".',
)
SWEEPS = Family(
    "janitor_sweeps_total",
    "sweeps",
    "Sweeps that ended, one way or the other.",
    kind="counter",
)
SWEEP_FAILURES = Family(
    "janitor_sweep_failures_total",
    "sweeps",
    "Sweeps that crashed or ended incomplete, failed or tripped.",
    kind="counter",
)

UPLOADS = Family(
    "janitor_target_uploads",
    "uploads",
    "Uploads in progress in the last whole listing.",
    placed=True,
)
STALE_UPLOADS = Family(
    "janitor_target_stale_uploads",
    "uploads",
    "Uploads in it that the policy called stale.",
    placed=True,
)
STALE_BYTES = Family(
    "janitor_target_stale_bytes",
    "bytes",
    "What the parts of those take up, as far as known.",
    placed=True,
)
COST = Family(
    "janitor_estimated_monthly_cost",
    "the currency",
    "What those bytes cost in a month at the configured price of a GiB.",
    ("currency",),
    placed=True,
)
OLDEST = Family(
    "janitor_target_oldest_initiated_timestamp_seconds",
    _TIME,
    "When the oldest upload was begun.",
    placed=True,
)
KEPT_UPLOADS = Family(
    "janitor_target_kept_uploads",
    "uploads",
    "Uploads that the last whole listing showed and the policy kept, by reason.",
    ("reason",),
    placed=True,
)
OUTCOME = Family(
    "janitor_target_outcome",
    "containers",
    "Containers by the outcome of their last sweep: 1 or 0 where each has a series of its own.",
    ("outcome",),
    placed=True,
)
LAST_UPLOADS = Family(
    "janitor_target_last_sweep_uploads",
    "uploads",
    "Stale uploads of the last sweep by what became of them.",
    ("outcome",),
    placed=True,
)
LAST_COMPLETE = Family(
    "janitor_target_last_complete_timestamp_seconds",
    _TIME,
    "When a sweep of the container last ended complete or capped.",
    placed=True,
)
DURATION = Family(
    "janitor_target_sweep_duration_seconds",
    "seconds",
    "How long the last sweep of the container took.",
    placed=True,
)

IN_FLIGHT = Family(
    "janitor_api_in_flight",
    "requests",
    "Requests that are in flight right now; 0 between sweeps.",
    ("target", "provider"),
)
WINDOW = Family(
    "janitor_api_window",
    "requests",
    "How many requests may be in flight, as the target bore them until now in this sweep.",
    ("target", "provider"),
)

LISTED = Family(
    "janitor_uploads_listed_total", "uploads", "Uploads that listings showed.", kind="counter"
)
ABORTS = Family(
    "janitor_aborts_total",
    "uploads",
    "Aborts that were tried, by what came of it.",
    ("outcome",),
    kind="counter",
)
FREED = Family(
    "janitor_freed_bytes_total",
    "bytes",
    "What the parts of aborted uploads took up, where they are known to be gone.",
    kind="counter",
)
AGES = Family(
    "janitor_aborted_upload_age_seconds",
    "seconds",
    "How old uploads were when they were aborted.",
    kind="histogram",
)
REQUESTS = Family(
    "janitor_api_requests_total",
    "requests",
    "Requests to providers, retries included.",
    ("operation",),
    kind="counter",
)
FAILURES = Family(
    "janitor_api_failures_total",
    "requests",
    "Requests to providers that failed, by the provider's code or a word of ours.",
    ("operation", "code"),
    kind="counter",
)
RETRIES = Family(
    "janitor_api_retries_total",
    "requests",
    "Requests to providers that were to be sent again.",
    kind="counter",
)
REQUEST_SECONDS = Family(
    "janitor_api_request_duration_seconds",
    "seconds",
    "How long requests to providers took.",
    kind="histogram",
)
SCHEDULE_MISSED = Family(
    "janitor_schedule_missed_total",
    "sweeps",
    "Times when a sweep was due and none was begun: busy with one, or too late.",
    ("reason",),
    kind="counter",
)
LIMIT_TRIPS = Family(
    "janitor_limit_trips_total",
    "times",
    "Times when a limit held uploads back.",
    ("limit",),
    kind="counter",
)

FAMILIES: Sequence[Family] = (
    *(BUILD_INFO, MODE, LEADER, RELOAD_SUCCESSFUL, RELOADED_AT, SCHEDULE_INTERVAL, NEXT_SWEEP),
    *(IN_PROGRESS, LAST_SWEEP, LAST_DURATION, LAST_EXIT_CODE, SWEEPS, SWEEP_FAILURES),
    *(LEDGER_OK, BUDGET_LIMIT, BUDGET_LEFT, FOLDED),
    *(UPLOADS, STALE_UPLOADS, STALE_BYTES, COST, OLDEST, KEPT_UPLOADS, OUTCOME, LAST_UPLOADS),
    *(LAST_COMPLETE, DURATION),
    *(IN_FLIGHT, WINDOW),
    *(LISTED, ABORTS, FREED, AGES, REQUESTS, FAILURES, RETRIES, REQUEST_SECONDS),
    *(SCHEDULE_MISSED, LIMIT_TRIPS),
)

# What a closed label can be; all of it is there from the start, once there is a place for it.
CLOSED: Mapping[tuple[str, str], Sequence[str]] = {
    (MODE.name, "mode"): MODES,
    (KEPT_UPLOADS.name, "reason"): KEPT,
    (OUTCOME.name, "outcome"): tuple(TargetOutcome),
    (LAST_UPLOADS.name, "outcome"): tuple(Outcome),
    (ABORTS.name, "outcome"): DONE,
    (REQUESTS.name, "operation"): OPERATIONS,
    (SCHEDULE_MISSED.name, "reason"): MISSED,
    (LIMIT_TRIPS.name, "limit"): LIMITS,
    (BUDGET_LIMIT.name, "limit"): BUDGETS,
    (BUDGET_LEFT.name, "limit"): BUDGETS,
}
