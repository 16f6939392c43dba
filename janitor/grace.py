"""What earlier sightings add to a judgement: proof of idleness, and grace. Pure.

A mark is what the ledger remembers of an upload. It can only ever keep: what
the policy would not call stale without it is called stale with it in one case
alone, where the provider tells no part times (Glacier) and the part set has
stood still between two of our own sightings for longer than `idle_for`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from janitor.model import Activity, Decision, Reason, Verdict, later
from janitor.policy import Policy, idle_threshold, judge

# What may become stale by waiting: stale already, or (Glacier) not yet proven idle.
WORTH_A_MARK = frozenset({Reason.STALE, Reason.ACTIVITY_UNKNOWN})
WAITING = frozenset({Reason.FIRST_SIGHTING, Reason.IN_GRACE})


@dataclass(frozen=True, slots=True)
class Mark:
    """What earlier runs know of one upload.

    `first_seen` is the first durable sighting, `seen_before` whether that was
    in an earlier run than this one. The part set has had this `fingerprint`
    in every sighting since `unchanged_since`.
    """

    first_seen: datetime
    seen_before: bool
    unchanged_since: datetime
    fingerprint: str


def settle(decision: Decision, policy: Policy, now: datetime, mark: Mark | None) -> Decision:
    """Judge again with what earlier sightings prove, and hold what is in its grace.

    `mark` None means that there is no ledger: nothing is added, nothing held.
    A decision that did not come from the parts (vanished, changed, unreadable)
    stands.
    """
    if mark is None or decision.activity is None:
        return decision
    activity = _with_proof(decision, policy, now, mark)
    judged = judge(decision.upload, policy, now, activity)
    if judged.verdict is Verdict.KEEP:
        return judged
    return _after_grace(judged, policy.grace, now, mark)


def changed_since(planned: Decision, fresh: Decision) -> bool:
    """Whether the part set is another one than when the plan was made.

    Parts that came meanwhile are a sign of life, whatever their dates say.
    """
    before, after = planned.activity, fresh.activity
    return before is None or after is None or before.fingerprint != after.fingerprint


def alive(decision: Decision) -> Decision:
    """Keep an upload that received parts while we looked."""
    return replace(decision, verdict=Verdict.KEEP, reason=Reason.ACTIVE, eligible_at=None)


def _with_proof(decision: Decision, policy: Policy, now: datetime, mark: Mark) -> Activity | None:
    activity = decision.activity
    if activity is None or activity.known or not activity.complete:
        return activity
    if not mark.seen_before or activity.fingerprint != mark.fingerprint:
        return activity
    idle_for = idle_threshold(decision.upload, policy, activity.size)
    if idle_for is None or now - mark.unchanged_since <= idle_for:
        return activity
    return replace(activity, known=True, last_part=mark.unchanged_since)


def _after_grace(decision: Decision, grace: timedelta, now: datetime, mark: Mark) -> Decision:
    eligible_at = max(decision.eligible_at or now, later(mark.first_seen, grace))
    if not mark.seen_before:
        reason = Reason.FIRST_SIGHTING
    elif grace and now - mark.first_seen <= grace:
        reason = Reason.IN_GRACE
    else:
        return replace(decision, eligible_at=eligible_at)
    return replace(decision, verdict=Verdict.KEEP, reason=reason, eligible_at=eligible_at)
