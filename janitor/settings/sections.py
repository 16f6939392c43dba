"""Validates the sections of a file one by one, so that one mistake does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from janitor.settings import ledger_url
from janitor.settings.file_model import FileModel
from janitor.settings.policy_models import PolicyModel, RuleModel
from janitor.settings.problems import Finding, KeyPath
from janitor.settings.sentences import findings_of
from janitor.settings.target_models import AnyTarget, GlacierModel, QingStorModel, S3Model

TargetSection = GlacierModel | QingStorModel | S3Model


@dataclass(slots=True)
class Sections:
    """What of a file can be used: sections by name, and targets and global rules by position.

    A section that is broken is not in `usable`, one that is left out is. `names`
    are those of all targets, broken ones too. `accounts` are those of the
    targets that stand for several; None where they cannot be read.
    """

    usable: dict[str, Any]
    targets: dict[int, TargetSection]
    rules: dict[int, RuleModel]
    names: dict[int, str]
    findings: list[Finding] = field(default_factory=list)
    accounts: dict[int, tuple[str, ...] | None] = field(default_factory=dict)

    @property
    def policy(self) -> PolicyModel | None:
        """The global policy; None if it is broken."""
        if "policy" not in self.usable:
            return None
        return self.usable["policy"] or PolicyModel()

    @property
    def has_no_ledger(self) -> bool:
        """Whether the file asks for no ledger; not if what it says of one is broken."""
        return self.usable.get("ledger") == ledger_url.NONE

    def names_of(self, index: int) -> tuple[str, ...] | None:
        """Give the names of all that one entry stands for; None if nobody knows its accounts."""
        name, accounts = self.names[index], self.accounts.get(index, ())
        if accounts is None:
            return None
        return tuple(f"{name}-{account}" for account in accounts) or (name,)

    def policy_of(self, index: int) -> PolicyModel:
        """Give what one target says of its own; nothing by default."""
        return self.targets[index].policy or PolicyModel()


def validate(data: Mapping[str, Any], broken: set[KeyPath]) -> Sections:
    """Read all sections; `broken` are paths that hold something unusable already."""
    raw = data.get("targets")
    items = raw if isinstance(raw, list) else []
    names = {i: name for i, item in enumerate(items) if (name := _name_of(item)) is not None}
    try:
        model = FileModel.model_validate(data)
    except ValidationError as error:
        findings = list(findings_of(error))
        failed = broken | {finding.path for finding in findings}
        rules = _read_each(_rules_in(data), RuleModel)
        return Sections(_usable(data, failed), _targets(items, failed), rules, names, findings)
    usable = {name: getattr(model, name) for name in FileModel.model_fields}
    rules = dict(enumerate(model.policy.rules or [])) if model.policy else {}
    sections = Sections(usable, dict(enumerate(model.targets)), rules, names)
    return _without(sections, broken)


def _name_of(item: object) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _usable(data: Mapping[str, Any], failed: set[KeyPath]) -> dict[str, Any]:
    bad = {path[0] for path in failed if path}
    good = {name: data[name] for name in data if name in FileModel.model_fields and name not in bad}
    # These two must be there for the rest to be valid.
    model = FileModel.model_validate({**good, "version": 1, "targets": []})
    usable = {name: getattr(model, name) for name in FileModel.model_fields if name not in bad}
    return usable | {"targets": good.get("targets")}


def _targets(items: list[Any], failed: set[KeyPath]) -> dict[int, TargetSection]:
    bad = {path[1] for path in failed if path[:1] == ("targets",) and len(path) > 1}
    found: dict[int, TargetSection] = _read_each(items, AnyTarget)
    return {index: target for index, target in found.items() if index not in bad}


def _rules_in(data: Mapping[str, Any]) -> list[Any]:
    policy = data.get("policy")
    rules = policy.get("rules") if isinstance(policy, dict) else None
    return rules if isinstance(rules, list) else []


def _read_each(items: list[Any], kind: Any) -> dict[int, Any]:
    """Read the items that can be read, by their positions."""
    reader: TypeAdapter[Any] = TypeAdapter(kind)
    found: dict[int, Any] = {}
    for index, item in enumerate(items):
        with suppress(ValidationError):
            found[index] = reader.validate_python(item)
    return found


def _without(sections: Sections, broken: set[KeyPath]) -> Sections:
    for path in broken:
        if path[:1] == ("targets",) and len(path) > 1 and isinstance(path[1], int):
            sections.targets.pop(path[1], None)
        elif path:
            sections.usable.pop(str(path[0]), None)
    return sections
