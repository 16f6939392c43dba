"""What no single key of a policy can know: contradictions, floors, rules that match nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from janitor.matching import Pattern, Ternary
from janitor.policy import DEFAULT_RULE
from janitor.settings.merging import (
    common_rules,
    effective,
    floor_of,
    origin,
    own_rules_of,
    rules_of,
)
from janitor.settings.policy_models import MatchModel, RuleModel
from janitor.settings.problems import Finding, KeyPath
from janitor.settings.quantities import write_duration
from janitor.settings.sections import Sections, TargetSection

_MOST_NAMES = 5


def check_policies(sections: Sections) -> Iterator[Finding]:
    """Check the global policy, the targets' own, and what they make together."""
    for path, rule in _all_rules(sections):
        yield from _check_rule(path, rule)
        yield from _check_finds_targets(sections, path, rule)
    yield from _check_rule_names(sections)
    yield from _check_floors(sections)
    if sections.usable.get("mode") == "enforce" and sections.has_no_ledger:
        yield from _check_grace(sections)
        yield from _check_glacier_idleness(sections)


def _all_rules(sections: Sections) -> Iterator[tuple[KeyPath, RuleModel]]:
    yield from common_rules(sections)
    for index in sections.targets:
        yield from own_rules_of(sections, index)


def _check_rule(path: KeyPath, rule: RuleModel) -> Iterator[Finding]:
    thresholds = [name for name in ("stale_after", "idle_for") if name in rule.model_fields_set]
    if rule.action is None and not thresholds:
        sentence = "does nothing: say action: keep, or stale_after, or idle_for"
        yield Finding(path, sentence)
    if rule.action is not None:
        for name in thresholds:
            sentence = "contradicts action: keep, which never aborts: keep one of the two"
            yield Finding((*path, name), sentence)
    if rule.name == DEFAULT_RULE:
        sentence = f"must not be {DEFAULT_RULE}, which stands for the policy itself: rename it"
        yield Finding((*path, "name"), sentence)
    yield from _check_match((*path, "match"), rule.match)


def _check_match(path: KeyPath, match: MatchModel) -> Iterator[Finding]:
    if not match.model_fields_set:
        yield Finding(path, 'is empty: say which uploads, or {target: "*"} for all')
    larger, smaller = match.larger_than, match.smaller_than
    if larger is not None and smaller is not None and larger >= smaller:
        sentence = "can match nothing together with larger_than: make it the larger one"
        yield Finding((*path, "smaller_than"), sentence)
    if match.provider == "glacier":
        yield from _check_keyless(path, match)


def _check_rule_names(sections: Sections) -> Iterator[Finding]:
    found = {f.path: f for f in _twice(list(common_rules(sections)))}
    for index in sections.targets:
        found |= {f.path: f for f in _twice(list(rules_of(sections, index)))}
    yield from found.values()


def _twice(rules: list[tuple[KeyPath, RuleModel]]) -> Iterator[Finding]:
    seen: set[str] = set()
    # From the global rules to the target's own: the newer name is the one to change.
    ordered = sorted(rules, key=lambda placed: placed[0][0] == "targets")
    for path, rule in ordered:
        if rule.name in seen:
            sentence = "is the name of another rule for the same uploads: rename one"
            yield Finding((*path, "name"), sentence)
        seen.add(rule.name)


def _check_finds_targets(sections: Sections, path: KeyPath, rule: RuleModel) -> Iterator[Finding]:
    """Check that a rule is about some target: a typing error would make it silent."""
    match, own = rule.match, _own_target(sections, path)
    names = _names_for(sections, path)
    keep = rule.action is not None
    if match.target is not None and names and not _finds(match.target, names, keep=keep):
        sentence = f"matches no target's name: say one of {_listed(names)}"
        yield Finding((*path, "match", "target"), sentence)
    if match.provider is not None and not _has(sections, match.provider, own):
        sentence = "is the provider of no target here: remove the rule, or correct it"
        yield Finding((*path, "match", "provider"), sentence)
    if own is not None and own.provider == "glacier" and match.provider is None:
        yield from _check_keyless((*path, "match"), match)


def _names_for(sections: Sections, path: KeyPath) -> list[str]:
    """Give the names of all targets that a rule can be about; none if they cannot be known."""
    own = path[1] if path[0] == "targets" else None
    indexes = [own] if isinstance(own, int) else list(sections.names)
    found = [sections.names_of(index) for index in indexes]
    return [] if None in found else sorted({name for names in found for name in names or ()})


def _own_target(sections: Sections, path: KeyPath) -> TargetSection | None:
    """Give the target whose own rule this is; None for a global rule."""
    index = path[1]
    return sections.targets[index] if path[0] == "targets" and isinstance(index, int) else None


def _check_keyless(path: KeyPath, match: MatchModel) -> Iterator[Finding]:
    for name in sorted({"key", "key_regex"} & match.model_fields_set):
        sentence = "can match nothing on Glacier, whose uploads have no key: use description"
        yield Finding((*path, name), sentence)


def _finds(pattern: Pattern, names: Sequence[str], *, keep: bool) -> bool:
    return any(pattern.test(name, over_protect=keep) is not Ternary.NO for name in names)


def _has(sections: Sections, provider: str, own: TargetSection | None) -> bool:
    if own is not None:
        return own.provider == provider
    if len(sections.targets) < len(sections.names):
        return True  # a target is broken, and may be the one
    return any(target.provider == provider for target in sections.targets.values())


def _check_floors(sections: Sections) -> Iterator[Finding]:
    low: dict[KeyPath, list[int]] = defaultdict(list)
    for index in sections.targets:
        for path, age in _ages(sections, index):
            if age < floor_of(sections, index):
                low[path].append(index)
    for path, indexes in low.items():
        yield Finding(path, _low_sentence(sections, path, indexes))


def _ages(sections: Sections, index: int) -> Iterator[tuple[KeyPath, timedelta]]:
    """Give every stale_after that can decide about an upload of this target."""
    if sections.policy is not None:
        own = sections.policy_of(index)
        yield origin("stale_after", own, index), effective("stale_after", own, sections.policy)
    for path, rule in rules_of(sections, index):
        if rule.stale_after is not None and _concerns(rule.match, sections, index):
            yield (*path, "stale_after"), rule.stale_after


def _concerns(match: MatchModel, sections: Sections, index: int) -> bool:
    if match.provider not in (None, sections.targets[index].provider):
        return False
    names = sections.names_of(index)
    if match.target is None or names is None:
        return True
    return _finds(match.target, names, keep=False)


def _low_sentence(sections: Sections, path: KeyPath, indexes: list[int]) -> str:
    floors = {floor_of(sections, index) for index in indexes}
    floor = write_duration(max(floors), ("h",))
    names = _listed([sections.targets[index].name for index in indexes])
    if all(sections.targets[index].unsafe_min_age for index in indexes):
        return f"is below unsafe_min_age of target {names}: say {floor} or more"
    where = "this target" if path[0] == "targets" else f"target {names}"
    return f"is below the floor of {floor}: say more, or unsafe_min_age on {where}"


def _check_grace(sections: Sections) -> Iterator[Finding]:
    if sections.policy is None:
        return
    found = {}
    for index in sections.targets:
        own = sections.policy_of(index)
        if effective("grace", own, sections.policy):
            path = origin("grace", own, index)
            at = path if path[0] == "targets" or sections.policy.model_fields_set else ("mode",)
            found[path] = Finding(
                path,
                "needs a ledger with mode: enforce, because without one nobody knows when an "
                "upload was first seen: say ledger: sqlite:///janitor.db, or grace: 0 to do "
                "without (then the first run that sees a stale upload may abort it)",
                at=at,
            )
    yield from found.values()


def _check_glacier_idleness(sections: Sections) -> Iterator[Finding]:
    if sections.policy is None:
        return
    for index, target in sections.targets.items():
        own = sections.policy_of(index)
        if target.provider == "glacier" and effective("idle_for", own, sections.policy) is not None:
            yield Finding(
                ("targets", index, "policy", "idle_for"),
                "needs a ledger with mode: enforce, because Glacier tells no part times and only "
                "parts that are the same in two sightings prove idleness: say "
                "ledger: sqlite:///janitor.db, or policy: {idle_for: off} on this target to judge "
                "by age alone",
            )


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join([*names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])
