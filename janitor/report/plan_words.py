"""Sums up a plan for whoever is asked to apply it, and what became of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from janitor.model import ContainerRef, ContainerResult, TargetOutcome, UploadResult
from janitor.planfile import PlanFile, PlannedUpload
from janitor.report.text import counted, size, visible

_LISTED = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED, TargetOutcome.TRIPPED})
EXPLICIT = (
    "The config says mode: report. Applying a plan is the explicit act: it aborts all the same."
)


def overview(plan: PlanFile, mode: str) -> list[str]:
    """Give the numbers of a plan, target by target, as lines for people."""
    made, ends = _shown(plan.created_at), _shown(plan.expires_at)
    lines = [f"Plan of {made}, valid until {ends}."]
    by_target: dict[str, list[PlannedUpload]] = {}
    for upload in plan.uploads:
        by_target.setdefault(upload.where.target, []).append(upload)
    lines += [f"  {_sum(name, uploads)}" for name, uploads in sorted(by_target.items())]
    total = f"{counted(len(plan.uploads), 'upload')} in {counted(len(by_target), 'target')}"
    lines.append(f"{total}, {_held(plan.uploads)}. Each is looked at again before it is aborted.")
    if mode != "enforce":
        lines.append(EXPLICIT)
    return lines


def written(name: str, plan: PlanFile) -> str:
    """Say what was written, and what to do with it."""
    what = f"{counted(len(plan.uploads), 'upload')}, {_held(plan.uploads)}, to abort"
    ends = f"valid until {_shown(plan.expires_at)}"
    return f"{visible(name)}: {what}; {ends}: janitor apply {visible(name)}"


def applied(
    plan: PlanFile,
    results: Mapping[tuple[ContainerRef, str, str], UploadResult],
    containers: Iterable[ContainerResult],
) -> str:
    """Say what became of the uploads of a plan, in one sentence."""
    listed = {result.where for result in containers if result.outcome in _LISTED}
    fates = Counter(_fate(upload, results, listed) for upload in plan.uploads)
    told = ", ".join(f"{number:,} {fate}" for fate, number in sorted(fates.items()))
    return f"Of the {counted(len(plan.uploads), 'upload')} of the plan: {told}."


def _fate(
    upload: PlannedUpload,
    results: Mapping[tuple[ContainerRef, str, str], UploadResult],
    listed: set[ContainerRef],
) -> str:
    result = results.get(upload.name)
    if result is None:
        return "no longer there" if upload.where in listed else "not reached"
    if result.outcome is None:
        return f"kept ({result.decision.reason})"
    return str(result.outcome)


def _sum(name: str, uploads: Sequence[PlannedUpload]) -> str:
    oldest = min((u.initiated for u in uploads if u.initiated is not None), default=None)
    began = "" if oldest is None else f", the oldest of {_shown(oldest)}"
    return f"{visible(name)}: {counted(len(uploads), 'upload')}, {_held(uploads)}{began}"


def _held(uploads: Sequence[PlannedUpload]) -> str:
    known = [upload.size for upload in uploads if upload.size is not None]
    least = "" if len(known) == len(uploads) else "at least "
    return f"{least}{size(sum(known))}"


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
