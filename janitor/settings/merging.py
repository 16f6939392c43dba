"""A target's effective policy: its own words over the global ones over the defaults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from janitor.policy import FLOOR, Policy
from janitor.settings.policy_models import PolicyModel, RuleModel
from janitor.settings.problems import KeyPath
from janitor.settings.sections import Sections

DEFAULTS = Policy()


def effective(name: str, own: PolicyModel, common: PolicyModel) -> Any:
    """Give one threshold of a target."""
    for model in (own, common):
        if name in model.model_fields_set:
            return getattr(model, name)
    return getattr(DEFAULTS, name)


def origin(name: str, own: PolicyModel, index: int) -> KeyPath:
    """Say where a threshold of a target is set, or would be."""
    prefix: KeyPath = ("targets", index) if name in own.model_fields_set else ()
    return (*prefix, "policy", name)


def floor_of(sections: Sections, index: int) -> timedelta:
    """Give the age below which nothing of this target may be aborted."""
    return sections.targets[index].unsafe_min_age or FLOOR


def rules_of(sections: Sections, index: int) -> Iterator[tuple[KeyPath, RuleModel]]:
    """Give the rules of a target in order, its own first, with their places."""
    yield from own_rules_of(sections, index)
    yield from common_rules(sections)


def own_rules_of(sections: Sections, index: int) -> Iterator[tuple[KeyPath, RuleModel]]:
    """Give a target's own rules, with their places."""
    for position, rule in enumerate(sections.policy_of(index).rules or []):
        yield ("targets", index, "policy", "rules", position), rule


def common_rules(sections: Sections) -> Iterator[tuple[KeyPath, RuleModel]]:
    """Give the global rules, with their places."""
    for position, rule in sections.rules.items():
        yield ("policy", "rules", position), rule
