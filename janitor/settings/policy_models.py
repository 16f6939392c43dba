"""The keys of `policy`, of its rules, and of what a rule matches."""

from __future__ import annotations

from typing import Annotated, Literal

from janitor.settings.fields import (
    RULE_NAME,
    Glob,
    GlobOrEmpty,
    Grace,
    IdleFor,
    Regex,
    Size,
    Threshold,
    choice,
    shape,
)
from janitor.settings.section import Section, optional, required


class MatchModel(Section):
    """Which uploads a rule is about: all of these conditions have to hold."""

    target: Glob = optional("Glob of target names, for example media*")
    provider: Annotated[
        Literal["glacier", "qingstor", "s3"] | None,
        choice("say glacier, qingstor or s3", "glacier", "qingstor", "s3"),
    ] = optional("Only uploads of this provider")
    container: Glob = optional("Glob of vault or bucket names")
    key: Glob = optional(
        "Glob of object keys: * stops at /, ** does not; Glacier's uploads have no key",
        examples=["backup/**"],
    )
    key_regex: Regex = optional("Regular expression (RE2) found anywhere in the object key")
    description: GlobOrEmpty = optional("Glob of archive descriptions, which only Glacier has")
    initiator: GlobOrEmpty = optional("Glob of the initiator's id or ARN, which only S3 tells")
    storage_class: GlobOrEmpty = optional("Glob of storage classes, which only S3 tells")
    larger_than: Size = optional("Only uploads with more bytes than this", examples=["1GiB"])
    smaller_than: Size = optional("Only uploads with fewer bytes than this", examples=["5MiB"])


class RuleModel(Section):
    """An exception from the policy; the first rule that matches decides."""

    name: Annotated[
        str,
        shape(RULE_NAME, "must be letters, digits, _ . or -, at most 63: say for example nightly"),
    ] = required("Names the rule in reports; unlike any other rule's name")
    match: MatchModel = required(
        'Which uploads: at least one condition; {target: "*"} is all of them', minProperties=1
    )
    action: Annotated[
        Literal["keep"] | None,
        choice("must be keep, or left out for a rule with other thresholds", "keep"),
    ] = optional("keep: never abort what matches")
    stale_after: Threshold = optional(
        "Age since initiation; instead of the policy's", examples=["3d"]
    )
    idle_for: IdleFor = optional(
        "Time without a new part; instead of the policy's", examples=["36h"]
    )


class PolicyModel(Section):
    """What makes an upload stale."""

    stale_after: Threshold = optional(
        "Age since initiation, in h, d or w; below 24h only with unsafe_min_age", "7d"
    )
    idle_for: IdleFor = optional(
        "Time without a new part, in h, d or w; off: judge by age alone", "24h"
    )
    grace: Grace = optional(
        "Time between the first sighting of an upload, kept in the ledger, and its abort; 0: none",
        "24h",
    )
    rules: list[RuleModel] = optional("Exceptions, in order: the first that matches decides", [])
