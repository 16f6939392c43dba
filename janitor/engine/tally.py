"""Counts what became of the uploads of one container, and says how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from janitor.engine.survey import Survey
from janitor.grace import WAITING
from janitor.model import (
    ContainerResult,
    Outcome,
    TargetOutcome,
    UploadResult,
    size_of,
)

EXIT_COMPLETE = 0
EXIT_INCOMPLETE = 3
EXIT_TRIPPED = 4
EXIT_LOCKED = 75
EXIT_INTERRUPTED = 130


@dataclass(slots=True)
class Tally:
    """What became of the stale uploads of one container."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    deferred: int = 0
    bytes_stale: int = 0
    bytes_freed: int = 0
    error: str | None = None
    cut_short: str | None = None

    def add(self, result: UploadResult) -> None:
        """Count one stale upload."""
        self.bytes_stale += size_of(result.decision)
        if result.outcome is None:
            self.deferred += 1
            return
        self.outcomes[result.outcome] += 1
        self.bytes_freed += result.bytes_freed
        if result.outcome is Outcome.WITHHELD:
            self.cut_short = self.cut_short or result.error
        else:
            self.error = self.error or result.error


def exit_code(results: Sequence[ContainerResult], *, recorded: bool = True) -> int:
    """Say in one number how the sweep went; the breaker speaks before everything else.

    A sweep that could not be written down is not complete, whatever it did.
    """
    outcomes = {result.outcome for result in results}
    if TargetOutcome.INTERRUPTED in outcomes:
        return EXIT_INTERRUPTED
    if TargetOutcome.LOCKED in outcomes:
        return EXIT_LOCKED
    if TargetOutcome.TRIPPED in outcomes:
        return EXIT_TRIPPED
    clean = outcomes <= {TargetOutcome.COMPLETE, TargetOutcome.CAPPED}
    if recorded and clean and not any(result.failed or result.survived for result in results):
        return EXIT_COMPLETE
    return EXIT_INCOMPLETE


def result_of(
    survey: Survey, tripped: Mapping[str, Fraction], tally: Tally, now: datetime, *, stopped: bool
) -> ContainerResult:
    """Sum up one container; `stopped` says that somebody asked the run to stop."""
    outcome, error = _ending(survey, tripped, tally, stopped=stopped)
    waiting = sum(survey.kept[reason] for reason in WAITING)
    return ContainerResult(
        where=survey.where,
        outcome=outcome,
        started_at=survey.started_at,
        finished_at=now,
        listed=survey.listed,
        stale=tally.outcomes.total() + tally.deferred + waiting,
        kept=dict(sorted(survey.kept.items())),
        aborted=tally.outcomes[Outcome.ABORTED],
        already_gone=tally.outcomes[Outcome.ALREADY_GONE],
        withheld=tally.outcomes[Outcome.WITHHELD],
        failed=tally.outcomes[Outcome.FAILED],
        survived=tally.outcomes[Outcome.SURVIVED],
        deferred=tally.deferred,
        waiting=waiting,
        bytes_stale=tally.bytes_stale + survey.bytes_waiting,
        bytes_freed=tally.bytes_freed,
        oldest_initiated=survey.oldest,
        error=error,
    )


def _ending(
    survey: Survey, tripped: Mapping[str, Fraction], tally: Tally, *, stopped: bool
) -> tuple[TargetOutcome, str | None]:
    """Choose the one outcome of a container: what went wrong before what was limited."""
    if survey.outcome is not TargetOutcome.COMPLETE:
        return survey.outcome, survey.error
    if tally.cut_short is not None:
        interrupted = TargetOutcome.INTERRUPTED if stopped else TargetOutcome.INCOMPLETE
        return interrupted, tally.cut_short
    error = survey.error or tally.error
    share = tripped.get(survey.where.target)
    if share is not None:
        return TargetOutcome.TRIPPED, f"{float(share):.1%} of what the target listed is stale"
    if tally.deferred:
        return TargetOutcome.CAPPED, error
    return TargetOutcome.COMPLETE, error
