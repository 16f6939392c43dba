"""Says whether a plan may be applied here and now. Pure: no I/O, no clock.

Every objection is one sentence that names what differs. Doubt objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from janitor.planfile import PlanFile, PlannedTarget

NEW_ONE = "make a new one with janitor plan --out FILE"
FUTURE_TOLERANCE = timedelta(minutes=5)
# Of a target that cannot be reached nothing was planned, and nothing can be aborted.
_UNREACHED = ""


def objection_to_time(plan: PlanFile, now: datetime) -> str | None:
    """Object to a plan that has expired, or whose time has not come."""
    if now >= plan.expires_at:
        return f"the plan expired at {_shown(plan.expires_at)}: {NEW_ONE}"
    if plan.created_at - now > FUTURE_TOLERANCE:
        made = _shown(plan.created_at)
        return f"the plan was made at {made}, which is in the future: set the clock right"
    return None


def objection_to_config(
    plan: PlanFile, policies: Mapping[str, str], config_fingerprint: str
) -> str | None:
    """Object to a plan of other targets, other policies, or another config in any other way.

    `policies` holds the policy fingerprint of every target that there is now.
    """
    known = {target.target: target.policy_fingerprint for target in plan.targets}
    if set(known) != set(policies):
        made, now = _names(known), _names(policies)
        return f"the plan was made for the targets {made}, the config has {now}: {NEW_ONE}"
    changed = [name for name in known if known[name] != policies[name]]
    if changed:
        return f"the policy of {_names(changed)} is not what the plan was made with: {NEW_ONE}"
    if config_fingerprint != plan.config_fingerprint:
        return f"the config is not the one that the plan was made with: {NEW_ONE}"
    return None


def objection_to_targets(plan: PlanFile, targets: Iterable[PlannedTarget]) -> str | None:
    """Object to a plan of which a target is now somewhere else, or somebody else's."""
    known = {target.target: target for target in plan.targets}
    for now in targets:
        then = known.get(now.target)
        if then is None:
            return f"the plan was not made for the target {now.target}: {NEW_ONE}"
        if _UNREACHED in {then.endpoint, now.endpoint}:
            continue
        for what, before, after in _facts(then, now):
            if before != after:
                return (
                    f"the {what} of {now.target} is {after or 'unknown'},"
                    f" and was {before or 'unknown'} when the plan was made: {NEW_ONE}"
                )
    return None


def _facts(then: PlannedTarget, now: PlannedTarget) -> Iterable[tuple[str, str | None, str | None]]:
    return (
        ("provider", then.provider, now.provider),
        ("endpoint", then.endpoint, now.endpoint),
        ("region", then.region, now.region),
        ("account", then.account, now.account),
        ("policy", then.policy_fingerprint, now.policy_fingerprint),
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
