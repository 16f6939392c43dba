"""Applies the limits to what the policy found. Pure: no I/O, no clock, no SDK.

None is "no limit", 0 is "nothing". The oldest go first, in an order that does
not depend on the order of listing. The breaker leaves out whole targets, and
the caps take a prefix of what is left: a stricter cap never aborts more. A
breaker that opens, like a rule that protects, leaves room under the caps to
the next oldest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from fractions import Fraction

from janitor.model import Decision, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one run may do; None is unlimited, 0 is nothing. `bytes_per_run` in bytes.

    `share_of_listed` is from 0 to 1, and 1 never trips.
    """

    aborts_per_run: int | None = None
    aborts_per_day: int | None = None
    bytes_per_run: int | None = None
    share_of_listed: Fraction | None = None

    def __post_init__(self) -> None:
        """Make a limit below nothing impossible."""
        for limit in fields(self):
            value = getattr(self, limit.name)
            # A negative cap would count from the other end, and abort all but a few.
            if value is not None and value < 0:
                msg = f"{limit.name} must not be negative"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one sweep would abort (in this order), defer to a later one, and keep.

    `tripped` names the targets whose breaker opened, with the share that was
    stale; `binding` names the limits that deferred something.
    """

    abort: Sequence[Decision]
    defer: Sequence[Decision]
    keep: Sequence[Decision]
    tripped: Mapping[str, Fraction]
    binding: frozenset[str] = frozenset()


def make_plan(
    decisions: Iterable[Decision],
    listed: Mapping[str, int],
    limits: Limits,
    aborted_today: int = 0,
) -> Plan:
    """Sort the decisions into a plan.

    `listed` counts, for each target, all uploads of its complete listings;
    `aborted_today` counts the aborts of the last 24 h that the daily cap must
    see.
    """
    stale: list[Decision] = []
    keep: list[Decision] = []
    for decision in decisions:
        (stale if decision.verdict is Verdict.ABORT else keep).append(decision)
    stale.sort(key=oldest_first)
    counts = Counter(decision.upload.where.target for decision in stale)
    tripped = tripped_targets(counts, listed, limits.share_of_listed)
    willing = [d for d in stale if d.upload.where.target not in tripped]
    left = replace(limits, aborts_per_day=_less(limits.aborts_per_day, aborted_today))
    count, binding = how_many(len(willing), map(whole_size, willing), left)
    chosen, beyond = willing[:count], willing[count:]
    held = [d for d in stale if d.upload.where.target in tripped]
    defer = [replace(d, verdict=Verdict.KEEP, reason=Reason.LIMIT) for d in (*beyond, *held)]
    keep.sort(key=oldest_first)
    return Plan(tuple(chosen), tuple(defer), tuple(keep), tripped, binding)


def oldest_first(decision: Decision) -> tuple[datetime, str, str, str, str, str]:
    """Give what the order of a plan goes by."""
    upload = decision.upload
    initiated = upload.initiated or datetime.max.replace(tzinfo=UTC)
    where = upload.where
    return (
        initiated,
        where.target,
        where.provider,
        where.container,
        upload.key or "",
        upload.upload_id,
    )


def tripped_targets(
    stale: Mapping[str, int], listed: Mapping[str, int], share: Fraction | None
) -> dict[str, Fraction]:
    """Name the targets of which more than this share is stale, by counts for each target."""
    if share is None:
        return {}
    shares = {
        target: Fraction(count, max(listed.get(target, 0), count))
        for target, count in stale.items()
        if count
    }
    return {target: found for target, found in sorted(shares.items()) if found > share}


def how_many(stale: int, sizes: Iterable[int | None], left: Limits) -> tuple[int, frozenset[str]]:
    """How many of the oldest fit under every cap, and the names of the caps that bind.

    `sizes` are those of all that are stale, the oldest first, None where one
    is not wholly known; they are looked at only if bytes are limited.
    """
    caps = {}
    if left.aborts_per_run is not None:
        caps["aborts_per_run"] = left.aborts_per_run
    if left.aborts_per_day is not None:
        caps["aborts_per_day"] = left.aborts_per_day
    if left.bytes_per_run is not None:
        caps["bytes_per_run"] = _fitting(stale, sizes, left.bytes_per_run)
    count = min([stale, *caps.values()])
    return count, frozenset(name for name, cap in caps.items() if cap == count < stale)


def whole_size(decision: Decision) -> int | None:
    """Give the bytes that an upload holds; None unless all of its parts were seen."""
    activity = decision.activity
    return None if activity is None or not activity.complete else activity.size


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _fitting(stale: int, sizes: Iterable[int | None], budget: int) -> int:
    """How many of the oldest fit into the budget of bytes.

    The first that does not fit ends the count, and one of unknown size never
    fits: skipping ahead would let a smaller budget abort more uploads. A
    budget of 0 is nothing, not even uploads without a single byte.
    """
    if budget == 0:
        return 0
    for position, size in enumerate(sizes):
        if size is None:
            return position
        budget -= size
        if budget < 0:
            return position
    return stale
