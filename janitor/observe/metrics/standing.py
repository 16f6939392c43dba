"""How each container stands after a sweep, given how it stood before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from janitor.model import ContainerRef, ContainerResult, Outcome, TargetOutcome

# The container that stands for all of a target: its discovery failed.
EVERY_CONTAINER = "*"

SUCCEEDED = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED})
# A breaker opens after a whole listing. Its figures are true, but a target that
# nothing is done about is no success, and an alert on its age should say so.
_LISTED = SUCCEEDED | {TargetOutcome.TRIPPED}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one container stands: how its last sweep ended, and what is known from before.

    `outcome` and `seconds` are None while only the ledger remembers it. `done`
    counts uploads of the last sweep, `figures` are those of the last whole
    listing, and `last_complete` is when a sweep of it last succeeded.
    """

    outcome: TargetOutcome | None = None
    seconds: float | None = None
    done: Mapping[Outcome, int] = field(default_factory=dict)
    figures: ContainerResult | None = None
    last_complete: datetime | None = None


Standings = Mapping[ContainerRef, Standing]


def standings_after(before: Standings, results: Iterable[ContainerResult]) -> Standings:
    """Give the standings after a sweep.

    A container whose scan failed keeps its figures, and so do all containers
    of a target whose discovery failed; others that are not in the results are
    gone.
    """
    after: dict[ContainerRef, Standing] = {}
    undiscovered: dict[str, TargetOutcome] = {}
    for result in results:
        where = result.where
        after[where] = _standing(result, before.get(where))
        if where.container == EVERY_CONTAINER and result.outcome not in _LISTED:
            undiscovered[where.target] = result.outcome
            if where not in before:
                last = _all_complete(before, where.target)
                after[where] = replace(after[where], last_complete=last)
    for where, standing in before.items():
        if where not in after and where.target in undiscovered:
            after[where] = replace(standing, outcome=undiscovered[where.target], done={})
    return dict(sorted(after.items()))


def with_memories(now: Standings, last_complete: Mapping[ContainerRef, datetime]) -> Standings:
    """Add what a ledger remembers; what was seen by this process counts more."""
    remembered = {
        where: replace(now.get(where, Standing()), last_complete=moment)
        for where, moment in last_complete.items()
        if where not in now or now[where].last_complete is None
    }
    return dict(sorted({**now, **remembered}.items()))


def _standing(result: ContainerResult, before: Standing | None) -> Standing:
    known = before or Standing()
    whole, succeeded = result.outcome in _LISTED, result.outcome in SUCCEEDED
    return Standing(
        outcome=result.outcome,
        seconds=max(0.0, (result.finished_at - result.started_at).total_seconds()),
        done={outcome: getattr(result, outcome.value) for outcome in Outcome},
        figures=result if whole else known.figures,
        last_complete=result.finished_at if succeeded else known.last_complete,
    )


def _all_complete(standings: Standings, target: str) -> datetime | None:
    """Tell when all containers of a target had succeeded, so that its trouble has an age."""
    times = [s.last_complete for where, s in standings.items() if where.target == target]
    known = [moment for moment in times if moment is not None]
    return min(known) if known and len(known) == len(times) else None
