"""What metrics show of all containers: one row for each place, as finely as wanted. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from janitor.model import ContainerRef, ContainerResult, Outcome, Reason, TargetOutcome
from janitor.observe.metrics.standing import SUCCEEDED, Standing, Standings
from janitor.settings.types import Exposition, Prices

# The container that stands for those of a target that are beyond `max_containers`.
FOLDED_CONTAINER = "(folded)"
GIB = 2**30
PLACES: Mapping[str, tuple[str, ...]] = {
    "container": ("target", "provider", "container"),
    "target": ("target", "provider"),
    "provider": ("provider",),
}
# Valid in a label, but not in everything that reads one: what ends a line or a
# text somewhere, what a terminal obeys, and what is no character at all.
_UNFIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a GiB costs in a month: the price of its target, else the general one."""

    general: Prices = field(default_factory=Prices)
    of_target: Mapping[str, float] = field(default_factory=dict)

    def cost(self, stale: Mapping[str, int]) -> float | None:
        """Give what the stale bytes of some targets cost, None where none has a price."""
        general = self.general.per_gib_month
        prices = {target: self.of_target.get(target, general) for target in stale}
        costs = [
            stale[target] / GIB * price for target, price in prices.items() if price is not None
        ]
        return sum(costs) if costs else None


@dataclass(frozen=True, slots=True)
class Figures:
    """What whole listings found, summed up; `oldest` and `cost` None where they are unknown."""

    listed: int
    stale: int
    bytes_stale: int
    kept: Mapping[Reason, int]
    oldest: datetime | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One place and all that is known of it.

    `outcomes` counts containers and is empty before their first sweep, like
    `done`. `last_complete` is the earliest, and None where any container never
    succeeded: an old success of one must not hide that.
    """

    place: tuple[str, ...]
    outcomes: Mapping[TargetOutcome, int]
    done: Mapping[Outcome, int]
    seconds: float | None
    figures: Figures | None
    last_complete: datetime | None


@dataclass(frozen=True, slots=True)
class View:
    """All rows, the names of their places' labels, and how many containers were folded."""

    labels: tuple[str, ...] = PLACES["container"]
    rows: Sequence[Row] = ()
    folded: int = 0


def view_of(standings: Standings, exposition: Exposition, tariff: Tariff) -> View:
    """Sum up the containers, as finely as the exposition says."""
    labels = PLACES[exposition.detail]
    folded = _beyond(standings, exposition)
    groups: dict[tuple[str, ...], list[tuple[ContainerRef, Standing]]] = defaultdict(list)
    for where, standing in standings.items():
        container = FOLDED_CONTAINER if where in folded else where.container
        # Together with what prints alike: a series that comes twice spoils a whole scrape.
        place = tuple(map(fit, (where.target, where.provider, container)))
        chosen = place[1:2] if exposition.detail == "provider" else place[: len(labels)]
        groups[chosen].append((where, standing))
    rows = tuple(_row(place, members, tariff) for place, members in sorted(groups.items()))
    return View(labels, rows, len(folded))


def fit(text: str) -> str:
    """Make any text a label that everybody can read."""
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _beyond(standings: Standings, exposition: Exposition) -> frozenset[ContainerRef]:
    """Choose the containers that are too many: what is in trouble, or large, stays."""
    if exposition.detail != "container" or len(standings) <= exposition.max_containers:
        return frozenset()

    def least_interesting_last(where: ContainerRef) -> tuple[bool, int, ContainerRef]:
        standing = standings[where]
        fine = standing.outcome is None or standing.outcome in SUCCEEDED
        stale = 0 if standing.figures is None else standing.figures.bytes_stale
        return fine, -stale, where

    ranked = sorted(standings, key=least_interesting_last)
    return frozenset(ranked[exposition.max_containers :])


def _row(
    place: tuple[str, ...], members: Iterable[tuple[ContainerRef, Standing]], tariff: Tariff
) -> Row:
    outcomes: Counter[TargetOutcome] = Counter()
    done: Counter[Outcome] = Counter()
    seconds, completed, found = [], [], []
    for _, standing in members:
        completed.append(standing.last_complete)
        if standing.outcome is not None:
            outcomes[standing.outcome] += 1
            done.update(standing.done)
        if standing.seconds is not None:
            seconds.append(standing.seconds)
        if standing.figures is not None:
            found.append(standing.figures)
    return Row(
        place,
        outcomes,
        done,
        max(seconds, default=None),
        _figures(found, tariff) if found else None,
        _earliest(completed, unknown=None in completed),
    )


def _figures(found: Sequence[ContainerResult], tariff: Tariff) -> Figures:
    kept: Counter[Reason] = Counter()
    bytes_of: Counter[str] = Counter()
    for result in found:
        kept.update(result.kept)
        bytes_of[result.where.target] += result.bytes_stale
    return Figures(
        listed=sum(result.listed for result in found),
        stale=sum(result.stale for result in found),
        bytes_stale=bytes_of.total(),
        kept=kept,
        oldest=_earliest(result.oldest_initiated for result in found),
        cost=tariff.cost(bytes_of),
    )


def _earliest(moments: Iterable[datetime | None], *, unknown: bool = False) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return None if unknown else min(known, default=None)
