"""Says in one plain sentence what each word of a report means, and sums up a run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from janitor.model import Outcome, Reason, TargetOutcome
from janitor.report.rows import ContainerRow, Report
from janitor.report.text import count, counted, instant, size

# Beside a count, each must fit on one line of 80 characters.
KEPT_BECAUSE: Final[Mapping[Reason, str]] = {
    Reason.STALE: "old, and no part arrived within idle_for",
    Reason.YOUNG: "it began less than stale_after ago",
    Reason.ACTIVE: "a part arrived within idle_for",
    Reason.ACTIVITY_UNKNOWN: "its parts or their times could not be read",
    Reason.IN_GRACE: "first seen less than grace ago",
    Reason.FIRST_SIGHTING: "seen for the first time: grace begins now",
    Reason.PROTECTED: "a rule says action: keep",
    Reason.NO_DATE: "the provider gave no usable date",
    Reason.NAIVE_DATE: "the provider's date has no time zone",
    Reason.FUTURE_DATE: "its date is in the future: a clock is wrong",
    Reason.IMPLAUSIBLE_DATE: "its date is older than the service itself",
    Reason.LIMIT: "stale, but a limit leaves it for a later run",
    Reason.VANISHED: "it was gone before we could act",
    Reason.CHANGED: "the list and its parts give different dates",
    Reason.FINISHED_OBJECT: "it may be a finished object by now",
}

DONE: Final[Mapping[Outcome, str]] = {
    Outcome.ABORTED: "the provider accepted our abort",
    Outcome.ALREADY_GONE: "gone before our abort came",
    Outcome.WITHHELD: "untouched: stopped, no time, or not planned",
    Outcome.FAILED: "the abort did not succeed",
    Outcome.SURVIVED: "abort accepted, but parts are still there",
}
WOULD_ABORT = "would be aborted; nothing was changed"

ENDED: Final[Mapping[TargetOutcome, str]] = {
    TargetOutcome.COMPLETE: "listed to the end, and everything planned was tried",
    TargetOutcome.CAPPED: "a limit leaves stale uploads for a later run",
    TargetOutcome.TRIPPED: "too large a share is stale; nothing was touched",
    TargetOutcome.INCOMPLETE: "not listed or not carried out to the end",
    TargetOutcome.FORBIDDEN: "credentials or permissions are missing",
    TargetOutcome.CLOCK_SKEW: "our clock and the provider's differ too much",
    TargetOutcome.SUSPICIOUS_EMPTY: "nothing is listed where much was before",
    TargetOutcome.WRONG_IDENTITY: "another account or container answered",
    TargetOutcome.LOCKED: "another janitor is at work on it",
    TargetOutcome.INTERRUPTED: "stopped on request",
    TargetOutcome.CRASHED: "a mistake of ours: please report it",
}


def is_report_mode(report: Report) -> bool:
    """Whether the run was not allowed to change anything."""
    return report.sweep["mode"] == "report"


def headline(report: Report) -> list[str]:
    """Sum up a run in a few lines."""
    sweep, targets = report.sweep, report.targets
    stale = sum(row["stale"] for row in targets)
    when = instant(sweep["started_at"])
    if is_report_mode(report):
        what = f"Report of {when}: nothing was changed."
    else:
        what = f"Sweep of {when}."
    lines = [what, _sum(report, stale)]
    if not sweep["complete"]:
        lines.append(f"NOT COMPLETE, exit code {sweep['exit_code']}: see the outcomes.")
    if lost := sweep.get("uploads_lost", 0):
        lines.append(f"{counted(lost, 'upload')} could not be recorded: missing below.")
    return lines


def kept_counts(targets: Sequence[ContainerRow]) -> list[tuple[str, int, str]]:
    """Give each reason to keep with its count over all containers and its meaning."""
    counts: Counter[str] = Counter()
    for row in targets:
        counts.update(row["kept"])
    return [(name, number, KEPT_BECAUSE[Reason(name)]) for name, number in sorted(counts.items())]


def stale_counts(report: Report) -> list[tuple[str, int, str]]:
    """Give each thing that became of stale uploads with its count and its meaning."""
    meanings = {outcome.value: meaning for outcome, meaning in DONE.items()}
    if is_report_mode(report):
        meanings["withheld"] = WOULD_ABORT
    counts = {
        "aborted": sum(row["aborted"] for row in report.targets),
        "already_gone": sum(row["already_gone"] for row in report.targets),
        "withheld": sum(row["withheld"] for row in report.targets),
        "failed": sum(row["failed"] for row in report.targets),
        "survived": sum(row["survived"] for row in report.targets),
    }
    return [(name, number, meanings[name]) for name, number in counts.items() if number]


def _sum(report: Report, stale: int) -> str:
    targets = report.targets
    listed = counted(sum(row["listed"] for row in targets), "upload")
    held = size(sum(row["bytes_stale"] for row in targets))
    found = f"{listed} in {counted(len(targets), 'container')}, {count(stale)} stale ({held})"
    if waiting := sum(row["waiting"] for row in targets):
        found += f", {count(waiting)} of them in grace"
    if is_report_mode(report):
        return f"{found}, {count(sum(row['withheld'] for row in targets))} would be aborted."
    aborted = sum(row["aborted"] for row in targets)
    freed = size(sum(row["bytes_freed"] for row in targets))
    return f"{found}, {count(aborted)} aborted, {freed} freed."
