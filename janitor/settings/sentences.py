"""Turns pydantic's errors into sentences of ours; none of its own words get out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from janitor.settings.file_model import FileModel
from janitor.settings.problems import Finding, KeyPath
from janitor.settings.target_models import GlacierModel, QingStorModel, S3Model

# Suggestions cost time: a file of nothing but mistakes gets them for the first only.
_MOST_GUESSES = 200
_LONGEST_GUESS = 40

_TARGETS: dict[str, type[BaseModel]] = {
    "glacier": GlacierModel,
    "qingstor": QingStorModel,
    "s3": S3Model,
}
_MISSING = {
    "scheduler": "say where the scheduler listens, for example tls://dask-scheduler:8786",
    "version": "say version: 1",
    "targets": "say at least one target, with name, provider and vaults or buckets",
    "name": "give it a name, unlike the others'",
    "match": 'say which uploads, or match: {target: "*"} for all',
    "provider": "say glacier, qingstor or s3",
    "region": "say for example region: us-west-2",
    "vaults": 'say vaults: [name], or vaults: ["*"] for all',
    "buckets": 'say buckets: [name], or buckets: ["*"] for all',
    "role_arn": "say role_arn: arn:aws:iam::012345678901:role/janitor",
    "lease": "say for example lease: upload-janitor",
    "basic_auth_users": "say basic_auth_users: {name: hash}",
}
# What people know from elsewhere, by the provider of the target ("" anywhere).
_FOREIGN = {
    ("", "enforce"): "say mode: enforce or mode: report",
    ("", "dry_run"): "say mode: report to change nothing",
    ("", "dry-run"): "say mode: report to change nothing",
    (
        "",
        "tls_server_config",
    ): "write it to a file of its own, and say http: {web_config_file: FILE}",
    ("", "basic_auth_users"): (
        "write them to a file of their own, and say http: {basic_auth_users_file: FILE}"
    ),
    ("glacier", "buckets"): "Glacier has vaults: say vaults",
    ("glacier", "prefix"): "Glacier's uploads have no key, so no prefix: use vaults, or a rule",
    ("glacier", "finished_object_check"): "Glacier's archives are never overwritten: remove it",
    ("glacier", "addressing"): "Glacier has one form of address: remove the key",
    ("glacier", "listing"): "Glacier lists vaults in one way only: remove the key",
    ("s3", "vaults"): "S3 has buckets: say buckets",
    ("s3", "zone"): "S3 has regions: say region",
    ("s3", "account_id"): "say expected_owner, the account that must own the buckets",
    ("s3", "host"): "say endpoint_url",
    ("s3", "port"): "say endpoint_url",
    ("s3", "protocol"): "say endpoint_url",
    ("qingstor", "accounts"): "QingStor has no roles: say one target for each account",
    ("qingstor", "accounts_file"): "QingStor has no roles: say one target for each account",
    ("qingstor", "vaults"): "QingStor has buckets: say buckets",
    ("qingstor", "region"): "QingStor has zones: say zone",
    ("qingstor", "listing"): "QingStor lists buckets in one way only: remove the key",
    ("qingstor", "profile"): "QingStor has no profiles: say access_key_id",
}


@dataclass(frozen=True, slots=True, eq=False)  # one object for each kind of file
class Language:
    """The keys of one kind of file, and what to say of keys of others, by the kind of target."""

    model: type[BaseModel]
    foreign: Mapping[tuple[str, str], str]


_CONFIG = Language(FileModel, _FOREIGN)


def findings_of(error: ValidationError, language: Language = _CONFIG) -> Iterator[Finding]:
    """Translate every error of a file."""
    # The errors must be asked not to carry their input, which may be a secret.
    for number, item in enumerate(error.errors(include_url=False, include_input=False)):
        guess = number < _MOST_GUESSES
        kind, location = item["type"], item["loc"]
        if kind == "extra_forbidden":
            path = without_tags(location)
            yield Finding(path, _unknown(path, location, language, guess=guess), on_key=True)
        else:
            yield _finding(kind, location, item.get("ctx", {}))


def _finding(kind: str, location: KeyPath, context: dict[str, Any]) -> Finding:
    path = without_tags(location)
    if kind.startswith("union_tag"):
        path = (*path, "provider")
    return Finding(path, _sentence(kind, path, context))


def _sentence(kind: str, path: KeyPath, context: dict[str, Any]) -> str:
    match kind:
        case "value_error":
            return str(context["error"])
        case "missing" | "union_tag_not_found":
            return f"is missing: {_MISSING[str(path[-1])]}"
        case "union_tag_invalid":
            return _MISSING["provider"]
        case "list_type":
            return "must be a list: say [a, b], or a line with - for each entry"
        case _:  # a section that is no mapping
            return "must have keys of its own: write them below it, as key: value"


def without_tags(location: KeyPath) -> KeyPath:
    """Take out the provider that pydantic puts into the paths of targets."""
    if location[:1] == ("targets",) and len(location) > 2:  # noqa: PLR2004  # targets, number, tag
        return (*location[:2], *location[3:])
    return location


def _unknown(path: KeyPath, location: KeyPath, language: Language, *, guess: bool) -> str:
    name = str(path[-1])
    tag = str(location[2]) if path != location else ""
    remedy = language.foreign.get((tag, name)) or language.foreign.get(("", name))
    if remedy:
        return f"is not a key here: {remedy}"
    known = sorted(_model_at(path[:-1], tag, language.model).model_fields)
    guess = guess and len(name) <= _LONGEST_GUESS
    close = difflib.get_close_matches(name, known, n=1) if guess else []
    if close:
        return f"is not a key here: did you mean {close[0]}?"
    return f"is not a key here: remove it, or use one of {', '.join(known)}"


def _model_at(path: KeyPath, tag: str, model: type[BaseModel]) -> type[BaseModel]:
    """Find the section that a path leads to."""
    for step in path:
        if isinstance(step, int):
            continue
        found = _model_in(model.model_fields[step].annotation)
        model = _TARGETS[tag] if step == "targets" else found or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
