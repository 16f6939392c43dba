"""Decides what is stale, and says why. Pure: no I/O, no clock, no SDK.

Doubt keeps. Where a rule depends on something we do not know, every rule that
might apply is asked, and the upload is aborted only if all of them agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from janitor.matching import Match, Ternary
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    Activity,
    Decision,
    Reason,
    Upload,
    Verdict,
    earlier,
    is_naive_time,
    later,
)

FLOOR = timedelta(hours=24)
FUTURE_TOLERANCE = timedelta(minutes=5)
DEFAULT_RULE = "default"

# What knowing the parts may turn into stale.
_WANTING = frozenset({Reason.STALE, Reason.ACTIVITY_UNKNOWN})

# Where waiting alone never leads to an abort.
_IN_VAIN = frozenset(
    {
        Reason.PROTECTED,
        Reason.NO_DATE,
        Reason.NAIVE_DATE,
        Reason.IMPLAUSIBLE_DATE,
        Reason.ACTIVITY_UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `policy.rules`; thresholds that are None fall back to the policy's own."""

    name: str
    match: Match
    keep: bool = False
    stale_after: timedelta | None = None
    idle_for: timedelta | None = None
    judge_by_age_alone: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What one target's uploads are judged by.

    `idle_for` None means that age alone decides (`off` in the config).
    `minimum_age` is the floor that no rule can go below.
    """

    stale_after: timedelta = timedelta(days=7)
    idle_for: timedelta | None = timedelta(hours=24)
    grace: timedelta = timedelta(hours=24)
    rules: Sequence[Rule] = field(default_factory=tuple)
    minimum_age: timedelta = FLOOR


@dataclass(frozen=True, slots=True)
class Terms:
    """The thresholds that one rule, or the policy itself, sets for an upload."""

    rule: str
    keep: bool
    stale_after: timedelta
    idle_for: timedelta | None


def judge(
    upload: Upload, policy: Policy, now: datetime, activity: Activity | None = None
) -> Decision:
    """Decide about one upload at the instant `now` (aware), by what is known of its parts.

    Without `activity` an upload can only be aborted under `idle_for: off`.
    The first keeping answer among all rules that might apply is returned, with
    the latest `eligible_at` of them all.
    """
    return _agreed(_possible_decisions(upload, policy, now, activity))


def first_look(upload: Upload, policy: Policy, now: datetime) -> Decision | None:
    """Judge by the listing alone; None if knowing its parts could make the upload stale."""
    decisions = _possible_decisions(upload, policy, now, None)
    if any(decision.reason in _WANTING for decision in decisions):
        return None
    return _agreed(decisions)


def may_be_stale(upload: Upload, policy: Policy, now: datetime) -> bool:
    """Whether knowing its parts could make the upload stale: is asking the provider worth it?"""
    return first_look(upload, policy, now) is None


def always_young(provider: str, policy: Policy, now: datetime) -> tuple[datetime, datetime] | None:
    """Give the span of dates, both ends included, in which every upload is young.

    None where a rule that keeps might give another reason. Most uploads of a
    busy store are in it, and need no closer look.
    """
    if any(rule.keep for rule in policy.rules):
        return None
    least = min(terms.stale_after for terms in _all_terms(policy))
    plausible = EARLIEST_PLAUSIBLE[provider] + timedelta.resolution
    return max(plausible, earlier(now, least)), later(now, FUTURE_TOLERANCE)


def idle_threshold(upload: Upload, policy: Policy, size: int | None = None) -> timedelta | None:
    """How long without a part is long enough, under the strictest rule that might apply."""
    idles = [terms.idle_for for terms in possible_terms(upload, policy, size)]
    return max((idle for idle in idles if idle is not None), default=None)


def _all_terms(policy: Policy) -> list[Terms]:
    return [*(_terms_of(rule, policy) for rule in policy.rules), _default_terms(policy)]


def _agreed(decisions: Sequence[Decision]) -> Decision:
    """Take the first answer that keeps, and the latest instant of them all."""
    decision = next((d for d in decisions if d.verdict is Verdict.KEEP), decisions[0])
    if len(decisions) == 1:
        return decision
    return replace(decision, eligible_at=_latest([d.eligible_at for d in decisions]))


def _possible_decisions(
    upload: Upload, policy: Policy, now: datetime, activity: Activity | None
) -> list[Decision]:
    # A size that was read only in part is a lower bound, not a size.
    size = activity.size if activity is not None and activity.complete else None
    return [_decide(upload, terms, now, activity) for terms in possible_terms(upload, policy, size)]


def possible_terms(upload: Upload, policy: Policy, size: int | None) -> list[Terms]:
    """Give the terms of every rule that might apply, in the order in which they are asked."""
    found: list[Terms] = []
    for rule in policy.rules:
        answer = rule.match.test(upload, size, over_protect=rule.keep)
        if answer is not Ternary.NO:
            found.append(_terms_of(rule, policy))
        if answer is Ternary.YES:
            return found
    found.append(_default_terms(policy))
    return found


def _default_terms(policy: Policy) -> Terms:
    stale_after = max(policy.stale_after, policy.minimum_age)
    return Terms(DEFAULT_RULE, keep=False, stale_after=stale_after, idle_for=policy.idle_for)


def _terms_of(rule: Rule, policy: Policy) -> Terms:
    stale_after = policy.stale_after if rule.stale_after is None else rule.stale_after
    idle_for = policy.idle_for if rule.idle_for is None else rule.idle_for
    return Terms(
        rule.name,
        keep=rule.keep,
        stale_after=max(stale_after, policy.minimum_age),
        idle_for=None if rule.judge_by_age_alone else idle_for,
    )


def _decide(upload: Upload, terms: Terms, now: datetime, activity: Activity | None) -> Decision:
    reason = _by_date(upload, terms, now)
    if reason is Reason.STALE and terms.idle_for is not None:
        reason = _by_activity(upload, terms.idle_for, now, activity)
    verdict = Verdict.ABORT if reason is Reason.STALE else Verdict.KEEP
    eligible_at = None if reason in _IN_VAIN else _eligible_at(upload, terms, activity)
    return Decision(upload, verdict, reason, terms.rule, eligible_at, activity)


def _by_date(upload: Upload, terms: Terms, now: datetime) -> Reason:
    if terms.keep:
        return Reason.PROTECTED
    if upload.initiated is None:
        return Reason.NAIVE_DATE if is_naive_time(upload.initiated_text) else Reason.NO_DATE
    if upload.initiated <= EARLIEST_PLAUSIBLE[upload.where.provider]:
        return Reason.IMPLAUSIBLE_DATE
    # Ages are compared, not instants: a difference cannot leave the calendar,
    # and it is exact in whatever zone `now` is.
    age = now - upload.initiated
    if age < -FUTURE_TOLERANCE:
        return Reason.FUTURE_DATE
    return Reason.STALE if age > terms.stale_after else Reason.YOUNG


def _by_activity(
    upload: Upload, idle_for: timedelta, now: datetime, activity: Activity | None
) -> Reason:
    """Judge an upload that is old enough; creating it was a sign of life too."""
    # A part that is too new speaks even if the others could not be read.
    if any(now - sign <= idle_for for sign in _signs_of_life(upload, activity)):
        return Reason.ACTIVE
    if activity is None or not activity.known or not activity.complete:
        return Reason.ACTIVITY_UNKNOWN
    if activity.parts > 0 and activity.last_part is None:
        return Reason.ACTIVITY_UNKNOWN
    return Reason.STALE


def _signs_of_life(upload: Upload, activity: Activity | None) -> list[datetime]:
    signs = (upload.initiated, activity.last_part if activity is not None else None)
    return [sign for sign in signs if sign is not None]


def _eligible_at(upload: Upload, terms: Terms, activity: Activity | None) -> datetime:
    """When an upload with a date will be both old and silent enough."""
    waits = [(upload.initiated, terms.stale_after)] + [
        (sign, terms.idle_for) for sign in _signs_of_life(upload, activity)
    ]
    return max(later(since, by) for since, by in waits if since is not None and by is not None)


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None
