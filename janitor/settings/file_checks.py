"""What no single key of the other sections can know."""

from __future__ import annotations

from collections.abc import Iterator

from janitor.settings.file_model import LimitsModel, ScheduleModel
from janitor.settings.problems import Finding
from janitor.settings.sections import Sections


def check_file(sections: Sections) -> Iterator[Finding]:
    """Check the schedule against itself, and the limits against mode and ledger."""
    schedule = sections.usable.get("schedule")
    if schedule is not None:
        yield from _check_schedule(schedule)
    limits = sections.usable.get("limits")
    enforced = sections.usable.get("mode") == "enforce"
    if limits is not None and enforced and sections.has_no_ledger:
        yield from _check_limits(limits)


def _check_schedule(schedule: ScheduleModel) -> Iterator[Finding]:
    if schedule.cron is not None and schedule.every is not None:
        yield Finding(("schedule", "every"), "contradicts cron: keep one of the two")
    if schedule.cron is None and "every" in schedule.model_fields_set and schedule.every is None:
        sentence = "must not be null without cron: say for example 6h"
        yield Finding(("schedule", "every"), sentence)


def _check_limits(limits: LimitsModel) -> Iterator[Finding]:
    if limits.aborts_per_day is not None:
        yield Finding(
            ("limits", "aborts_per_day"),
            "needs a ledger with mode: enforce, because earlier runs are counted there: "
            "say ledger: sqlite:///janitor.db, or use aborts_per_run instead",
        )
