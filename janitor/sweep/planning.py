"""Applies the limits to everything that may be acted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from itertools import islice

from janitor.engine.backlog import Backlog
from janitor.engine.packing import Candidate
from janitor.engine.survey import Survey
from janitor.grace import alive
from janitor.ledger.types import Spent
from janitor.model import ContainerResult
from janitor.observe.events import BudgetCounted, LimitReached, Planned
from janitor.plan import Limits, how_many, tripped_targets
from janitor.sweep.run import Run, UploadName
from janitor.sweep.sharing import part_of

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Allotment:
    """What the limits leave of all that is stale: the oldest `count`, beyond tripped targets.

    `shares` says how many of them are of each target.
    """

    count: int
    shares: Mapping[str, int]
    tripped: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one run: `chosen` is what may be aborted, `left_out` what is stale besides."""

    run: Run
    chosen: Backlog
    left_out: Backlog

    def take(self, candidates: Sequence[Candidate]) -> None:
        """Take what a survey calls stale; from any thread."""
        only = self.run.only
        if only is None:
            self.chosen.add(candidates)
            return
        chosen, left_out = _sorted_out(candidates, only)
        self.chosen.add(chosen)
        self.left_out.add(left_out)

    def plan(self, surveys: Iterable[Survey]) -> Allotment:
        """Make the plan of the whole sweep, before its first abort, and tell of it."""
        listed: Counter[str] = Counter()
        for survey in surveys:
            if survey.actionable:
                listed[survey.where.target] += survey.listed
        stale = self.chosen.count_by_target()
        tripped = tripped_targets(stale, listed, self.run.limits.share_of_listed)
        willing = sum(count for target, count in stale.items() if target not in tripped)
        part = part_of(self.run, lambda: self.chosen.sizes(but=tripped))
        left = limits_left(self.run) if part is None else part.reserve(willing)
        self.run.tell(BudgetCounted(self.run.limits, left))
        count, binding = how_many(willing, self.chosen.sizes(but=tripped), left)
        if part is not None:
            part.keep(count)
        oldest = islice(self.chosen.candidates(but=tripped), count)
        self.run.tell(Planned(count, (candidate.decision for candidate in oldest)))
        for target, share in tripped.items():
            detail = f"{float(share):.1%} of what was listed is stale"
            self.run.tell(LimitReached("share_of_listed", stale[target], target, detail))
        for limit in sorted(binding):
            self.run.tell(LimitReached(limit, willing - count))
        if len(stale) > 1:
            self.chosen.part()
        return Allotment(count, self._shares(stale, tripped, count), tripped)

    def _shares(
        self, stale: Counter[str], tripped: Collection[str], count: int
    ) -> Mapping[str, int]:
        """Count the oldest of each target."""
        shares = {target: found for target, found in stale.items() if target not in tripped}
        if sum(shares.values()) == count:
            return shares
        return self.chosen.count_by_target(count, but=tripped)


def limits_left(run: Run) -> Limits:
    """Take off what runs before this one used up, by what the ledger knows.

    Runs that never finished count against the caps of this one: a crash loop
    must not multiply them.
    """
    ledger, limits = run.ledger, run.limits
    if ledger is None:
        return limits
    now = run.now()
    if run.shard is not None:
        return ledger.left(run.run_id, now, limits)
    crashed = ledger.spent_by_unfinished_runs()
    today = ledger.spent_since(now - DAY, now)
    return less(limits, crashed, today.aborts)


def _sorted_out(
    candidates: Iterable[Candidate], only: Mapping[UploadName, str]
) -> tuple[list[Candidate], list[Candidate]]:
    """Leave out what may not be aborted, and keep what received parts since it was named."""
    chosen, left_out = [], []
    for candidate in candidates:
        upload, activity = candidate.decision.upload, candidate.decision.activity
        parts = only.get((upload.where, *upload.identity))
        if parts is None:
            left_out.append(candidate)
        elif activity is None or activity.fingerprint != parts:
            left_out.append(replace(candidate, decision=alive(candidate.decision)))
        else:
            chosen.append(candidate)
    return chosen, left_out


def spent_by(results: Iterable[ContainerResult]) -> Spent:
    """Count what one run did, where no ledger does."""
    done = [(r.aborted + r.already_gone + r.failed + r.survived, r.bytes_freed) for r in results]
    return Spent(sum(aborts for aborts, _ in done), sum(freed for _, freed in done))


def less(limits: Limits, spent: Spent, today: int) -> Limits:
    """Take off what was spent by unfinished runs, and on this day; unlimited stays unlimited."""
    return replace(
        limits,
        aborts_per_run=_less(limits.aborts_per_run, spent.aborts),
        aborts_per_day=_less(limits.aborts_per_day, today),
        bytes_per_run=_less(limits.bytes_per_run, spent.bytes),
    )


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)
