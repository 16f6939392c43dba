"""What an operator reads before and after a plan is applied."""

from __future__ import annotations

from dataclasses import replace

from support.strategies import DAY, LAKE, MEDIA, NOW, parts_of, stale_decision

from janitor.model import (
    ContainerRef,
    ContainerResult,
    Decision,
    Outcome,
    Reason,
    TargetOutcome,
    UploadResult,
    Verdict,
)
from janitor.planfile import PlanFile, planned
from janitor.report.plan_words import applied, overview, written

Name = tuple[ContainerRef, str, str]

UPLOADS = (
    stale_decision("1", activity=parts_of(size=2**20)),
    stale_decision("2", age=9 * DAY, activity=parts_of(size=2**20)),
    stale_decision("3", MEDIA, age=8 * DAY),
)
PLAN = PlanFile("run-1", NOW, NOW + DAY, "1.0", "c0ffee", (), tuple(map(planned, UPLOADS)))


def test_the_numbers_are_shown_before_the_question() -> None:
    """Target by target: how many, how much, how old; a size that is not known is not guessed."""
    expected = [
        "Plan of 2026-11-20 05:00:00 UTC, valid until 2026-11-21 05:00:00 UTC.",
        "  lake: 2 uploads, 2.0 MiB, the oldest of 2026-10-21 05:00:00 UTC",
        "  media: 1 upload, at least 0 B, the oldest of 2026-11-12 05:00:00 UTC",
        "3 uploads in 2 targets, at least 2.0 MiB. Each is looked at again before it is aborted.",
    ]

    assert expected == overview(PLAN, "enforce")


def test_that_a_plan_overrides_the_mode_is_said() -> None:
    """Where the config only reports, nobody shall be surprised."""
    expected = (
        "The config says mode: report. Applying a plan is the explicit act: it aborts all the same."
    )

    assert expected == overview(PLAN, "report")[-1]


def test_who_wrote_a_plan_learns_how_to_apply_it() -> None:
    """The file's name is made harmless, too."""
    expected = (
        r"\x1b.jsonl: 3 uploads, at least 2.0 MiB, to abort;"
        r" valid until 2026-11-21 05:00:00 UTC: janitor apply \x1b.jsonl"
    )

    assert expected == written("\x1b.jsonl", PLAN)


def _results(*decided: tuple[Decision, Outcome | None]) -> dict[Name, UploadResult]:
    return {
        planned(decision).name: UploadResult(decision, outcome) for decision, outcome in decided
    }


def test_every_upload_of_a_plan_is_accounted_for() -> None:
    """Aborted, kept with its reason, gone, or not reached because its listing failed."""
    kept = replace(UPLOADS[1], verdict=Verdict.KEEP, reason=Reason.ACTIVE)
    results = _results((UPLOADS[0], Outcome.ABORTED), (kept, None))
    listed = ContainerResult(LAKE, TargetOutcome.COMPLETE, NOW, NOW)
    failed = ContainerResult(MEDIA, TargetOutcome.FORBIDDEN, NOW, NOW)
    fine = replace(failed, outcome=TargetOutcome.CAPPED)

    assert "Of the 3 uploads of the plan: 1 aborted, 1 kept (active), 1 not reached." == applied(
        PLAN, results, [listed, failed]
    )
    assert (
        "Of the 3 uploads of the plan: 1 aborted, 1 kept (active), 1 no longer there."
        == applied(PLAN, results, [listed, fine])
    )
