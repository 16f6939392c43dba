"""Fills variables of the environment into values: `${NAME}`, `${NAME:-default}`, `$${`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from janitor.settings.document import has_control_character
from janitor.settings.problems import Finding, KeyPath

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\})?")


class Filled(str):
    """Text that came, in part, from the environment: it is never repeated in a message."""

    __slots__ = ()


class _Unfillable(Exception):  # noqa: N818  # becomes a finding three functions below
    pass


def fill(data: Any, environ: Mapping[str, str], path: KeyPath = ()) -> tuple[Any, list[Finding]]:
    """Copy the data with all variables filled in; keys are left as they are."""
    findings: list[Finding] = []
    return _fill(data, environ, path, findings), findings


def _fill(data: Any, environ: Mapping[str, str], path: KeyPath, findings: list[Finding]) -> Any:
    if isinstance(data, dict):
        return {key: _fill(data[key], environ, (*path, key), findings) for key in data}
    if isinstance(data, list):
        return [_fill(item, environ, (*path, i), findings) for i, item in enumerate(data)]
    if not isinstance(data, str) or "${" not in data:
        return data
    try:
        return _fill_text(data, environ)
    except _Unfillable as error:
        findings.append(Finding(path, str(error)))
        return data


def _fill_text(text: str, environ: Mapping[str, str]) -> str:
    filled = _REFERENCE.sub(lambda reference: _value_of(reference, environ), text)
    if text.count("$${") == text.count("${"):  # escapes only
        return filled
    if not filled:
        msg = "is empty once its variable is filled in: set the variable, or give a default"
        raise _Unfillable(msg)
    return Filled(filled)


def _value_of(reference: re.Match[str], environ: Mapping[str, str]) -> str:
    if reference[0] == "$${":
        return "${"
    name, default = reference[1], reference[2]
    if name is None:
        msg = "has ${ without a variable: say ${NAME} or ${NAME:-default}, or $${ for ${ itself"
        raise _Unfillable(msg)
    # As in a shell, :- also stands in for a variable that is set to nothing.
    value = environ.get(name) or default or environ.get(name)
    if value is None and default is None:
        msg = f"uses the variable {name}, which is not set: set it, or say ${{{name}:-default}}"
        raise _Unfillable(msg)
    if has_control_character(value or ""):
        msg = f"uses the variable {name}, which is more than one line: set it to one line"
        raise _Unfillable(msg)
    return value or ""
