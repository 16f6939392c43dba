"""Decides what is stale, and says why. Pure: no I/O, no clock, no SDK.

Doubt keeps. Where a rule depends on something we do not know, every rule that
might apply is asked, and the upload is aborted only if all of them agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from janitor.matching import Match, Ternary
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    Activity,
    Decision,
    Reason,
    Upload,
    Verdict,
    is_naive_time,
)

FLOOR = timedelta(hours=24)
FUTURE_TOLERANCE = timedelta(minutes=5)
DEFAULT_RULE = "default"


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
class _Terms:
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
    The first keeping answer among all rules that might apply is returned.
    """
    decisions = _possible_decisions(upload, policy, now, activity)
    return next((d for d in decisions if d.verdict is Verdict.KEEP), decisions[0])


def may_be_stale(upload: Upload, policy: Policy, now: datetime) -> bool:
    """Whether knowing its parts could make the upload stale: is asking the provider worth it?"""
    wanting = (Reason.STALE, Reason.ACTIVITY_UNKNOWN)
    return any(d.reason in wanting for d in _possible_decisions(upload, policy, now, None))


def idle_threshold(upload: Upload, policy: Policy, size: int | None = None) -> timedelta | None:
    """How long without a part is long enough, under the strictest rule that might apply."""
    idles = [terms.idle_for for terms in _possible_terms(upload, policy, size)]
    return max((idle for idle in idles if idle is not None), default=None)


def _possible_decisions(
    upload: Upload, policy: Policy, now: datetime, activity: Activity | None
) -> list[Decision]:
    # A size that was read only in part is a lower bound, not a size.
    size = activity.size if activity is not None and activity.complete else None
    return [
        _decide(upload, terms, now, activity) for terms in _possible_terms(upload, policy, size)
    ]


def _possible_terms(upload: Upload, policy: Policy, size: int | None) -> list[_Terms]:
    found: list[_Terms] = []
    for rule in policy.rules:
        answer = rule.match.test(upload, size, over_protect=rule.keep)
        if answer is not Ternary.NO:
            found.append(_terms_of(rule, policy))
        if answer is Ternary.YES:
            return found
    stale_after = max(policy.stale_after, policy.minimum_age)
    found.append(
        _Terms(DEFAULT_RULE, keep=False, stale_after=stale_after, idle_for=policy.idle_for)
    )
    return found


def _terms_of(rule: Rule, policy: Policy) -> _Terms:
    stale_after = policy.stale_after if rule.stale_after is None else rule.stale_after
    idle_for = policy.idle_for if rule.idle_for is None else rule.idle_for
    return _Terms(
        rule.name,
        keep=rule.keep,
        stale_after=max(stale_after, policy.minimum_age),
        idle_for=None if rule.judge_by_age_alone else idle_for,
    )


def _decide(upload: Upload, terms: _Terms, now: datetime, activity: Activity | None) -> Decision:
    reason, eligible_at = _by_date(upload, terms, now)
    if reason is Reason.STALE and terms.idle_for is not None:
        reason, idle_at = _by_activity(upload, terms.idle_for, now, activity)
        eligible_at = max(eligible_at, idle_at) if eligible_at and idle_at else None
    verdict = Verdict.ABORT if reason is Reason.STALE else Verdict.KEEP
    return Decision(upload, verdict, reason, terms.rule, eligible_at, activity)


def _by_date(upload: Upload, terms: _Terms, now: datetime) -> tuple[Reason, datetime | None]:
    if terms.keep:
        return Reason.PROTECTED, None
    doubt = _doubt_about_date(upload, now)
    if doubt is not None or upload.initiated is None:
        return doubt or Reason.NO_DATE, None
    old_at = _later(upload.initiated, terms.stale_after)
    return (Reason.STALE if now > old_at else Reason.YOUNG), old_at


def _by_activity(
    upload: Upload, idle_for: timedelta, now: datetime, activity: Activity | None
) -> tuple[Reason, datetime | None]:
    """Judge an upload that is old enough; creating it was a sign of life too."""
    signs = [upload.initiated, activity.last_part if activity is not None else None]
    idle_at = _later(max(sign for sign in signs if sign is not None), idle_for)
    # A part that is too new speaks even if the others could not be read.
    if now <= idle_at:
        return Reason.ACTIVE, idle_at
    if activity is None or not activity.known or not activity.complete:
        return Reason.ACTIVITY_UNKNOWN, None
    return Reason.STALE, idle_at


def _doubt_about_date(upload: Upload, now: datetime) -> Reason | None:
    if upload.initiated is None:
        return Reason.NAIVE_DATE if is_naive_time(upload.initiated_text) else Reason.NO_DATE
    if upload.initiated > now + FUTURE_TOLERANCE:
        return Reason.FUTURE_DATE
    if upload.initiated < EARLIEST_PLAUSIBLE[upload.where.provider]:
        return Reason.IMPLAUSIBLE_DATE
    return None


def _later(moment: datetime, by: timedelta) -> datetime:
    """Add without falling over the end of the calendar: a threshold can be 1,000,000 days."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=moment.tzinfo)
