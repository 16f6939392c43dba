"""Collects a target's static credentials, from the config or from files beside it.

No sentence of this file says anything about a value, nor the name of a file:
people put secrets where names belong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from janitor.settings.fields import secret
from janitor.settings.problems import Finding, KeyPath
from janitor.settings.quantities import Unusable
from janitor.settings.sections import TargetSection
from janitor.settings.source import Unreadable, read_secret
from janitor.settings.target_models import QingStorModel
from janitor.targets import Credentials, Secret

NAMES = _ID, _SECRET, _TOKEN = "access_key_id", "secret_access_key", "session_token"


def collect(
    target: TargetSection, path: KeyPath, base: Path
) -> tuple[Credentials | None, list[Finding]]:
    """Read all static credentials of a target; None if it has none, or they are not usable."""
    findings = list(_check(target, path))
    values: dict[str, str] = {}
    for name in (_ID, _SECRET, _TOKEN):
        try:
            value = _value(target, name, base)
        except (Unreadable, Unusable) as error:
            findings.append(Finding((*path, f"{name}_file"), str(error)))
        else:
            values |= {} if value is None else {name: value}
    if findings or _ID not in values or _SECRET not in values:
        return None, findings
    token = Secret(values[_TOKEN]) if _TOKEN in values else None
    return Credentials(values[_ID], Secret(values[_SECRET]), token), findings


def _value(target: TargetSection, name: str, base: Path) -> str | None:
    value: str | None = getattr(target, name, None)
    file: str | None = getattr(target, f"{name}_file", None)
    if value is not None or file is None:
        return value
    try:
        text = read_secret(base / file).decode("utf-8")
    except UnicodeDecodeError:
        msg = "is not UTF-8: write the secret alone, as text"
        raise Unusable(msg) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        msg = "is empty: write the secret into it"
        raise Unusable(msg)
    if "\n" in text:
        msg = "has more than one line: write the secret alone"
        raise Unusable(msg)
    return secret(text)


def _check(target: TargetSection, path: KeyPath) -> Iterator[Finding]:
    said = target.model_fields_set
    for name in (_ID, _SECRET, _TOKEN):
        if {name, f"{name}_file"} <= said:
            sentence = f"contradicts {name}: keep one of the two"
            yield Finding((*path, f"{name}_file"), sentence)
    has = {name for name in (_ID, _SECRET, _TOKEN) if {name, f"{name}_file"} & said}
    if isinstance(target, QingStorModel):
        for name in (_ID, _SECRET):
            if name not in has:
                sentence = f"is missing: QingStor needs it, say {name} or {name}_file"
                yield Finding((*path, name), sentence)
        return
    for name, other in ((_ID, _SECRET), (_SECRET, _ID), (_TOKEN, _ID)):
        if name in has and other not in has and (name, other) != (_TOKEN, _ID):
            sentence = f"is missing beside {name}: say {other} or {other}_file"
            yield Finding((*path, other), sentence, at=(*path, _said(name, said)))
        elif name == _TOKEN and name in has and not {_ID, _SECRET} & has:
            sentence = "is of no use without access_key_id and secret_access_key: say them too"
            yield Finding((*path, _said(name, said)), sentence)


def _said(name: str, said: set[str]) -> str:
    return name if name in said else f"{name}_file"
