"""Applies the limits to everything that may be acted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from janitor.engine.survey import Survey
from janitor.grace import alive
from janitor.ledger.types import Spent
from janitor.model import ContainerResult, Decision
from janitor.observe.events import BudgetCounted, LimitReached, Planned
from janitor.plan import Limits, Plan, make_plan
from janitor.sweep.run import Run

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one run; `left_out` gathers what is stale and may not be aborted by it."""

    run: Run
    left_out: list[Decision] = field(default_factory=list)

    def plan(self, surveys: Iterable[Survey]) -> Plan:
        """Make the plan of the whole sweep, before its first abort, and tell of it."""
        listed: Counter[str] = Counter()
        stale: list[Decision] = []
        for survey in surveys:
            if survey.actionable:
                listed[survey.where.target] += survey.listed
                stale.extend(self._chosen(survey.stale))
        left = self.limits_left()
        self.run.tell(BudgetCounted(self.run.limits, left))
        plan = make_plan(stale, listed, left)
        self.run.tell(Planned(plan.abort))
        self._tell_limits(plan)
        return plan

    def _tell_limits(self, plan: Plan) -> None:
        per_target = Counter(decision.upload.where.target for decision in plan.defer)
        for target, share in plan.tripped.items():
            detail = f"{float(share):.1%} of what was listed is stale"
            event = LimitReached("share_of_listed", per_target[target], target, detail)
            self.run.tell(event)
        beyond = sum(count for name, count in per_target.items() if name not in plan.tripped)
        for limit in sorted(plan.binding):
            self.run.tell(LimitReached(limit, beyond))

    def limits_left(self) -> Limits:
        """Take off what runs before this one used up, by what the ledger knows.

        Runs that never finished count against the caps of this one: a crash
        loop must not multiply them.
        """
        ledger, limits = self.run.ledger, self.run.limits
        if ledger is None:
            return limits
        crashed = ledger.spent_by_unfinished_runs()
        now = self.run.now()
        today = ledger.spent_since(now - DAY, now)
        return less(limits, crashed, today.aborts)

    def _chosen(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """Leave out what may not be aborted, and keep what received parts since it was named."""
        only = self.run.only
        if only is None:
            return decisions
        chosen = []
        for decision in decisions:
            upload, activity = decision.upload, decision.activity
            parts = only.get((upload.where, *upload.identity))
            if parts is None:
                self.left_out.append(decision)
            elif activity is None or activity.fingerprint != parts:
                self.left_out.append(alive(decision))
            else:
                chosen.append(decision)
        return chosen


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
