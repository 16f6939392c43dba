"""JSON Schema of the config file, for editors. Accepts whatever the loader accepts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from janitor.settings.file_model import FileModel

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {
    "type": "string",
    "description": "A variable of the environment: ${NAME} or ${NAME:-default}",
    "pattern": r"\$\{",
}
# The language must be known before anything is filled in.
_NEVER_FILLED = frozenset({"version"})


def make_schema() -> dict[str, Any]:
    """Make the schema from the models that the loader uses."""
    made = FileModel.model_json_schema(mode="validation")
    made["properties"]["targets"]["items"] = _any_of(made["properties"]["targets"]["items"])
    for section in (made, *made["$defs"].values()):
        del section["title"]
        section["properties"] = {
            name: _property(name, found) for name, found in section["properties"].items()
        }
    made["$defs"]["Variable"] = _VARIABLE
    return {"$schema": _DIALECT, **made}


def write() -> str:
    """Write the schema as it stands in `config/schema.json`."""
    return json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"


def _any_of(items: dict[str, Any]) -> dict[str, Any]:
    """Let a provider be a variable, which more than one kind of target then accepts."""
    return {"anyOf": items["oneOf"]}


def _property(name: str, found: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in found.items() if key != "title"}
    if kept.get("default", 0) is None:
        del kept["default"]
    return kept if name in _NEVER_FILLED else _with_variable(kept)


def _with_variable(found: dict[str, Any]) -> dict[str, Any]:
    if not _takes(found, _is_narrow_scalar):
        return found
    shape = {key: found.pop(key) for key in (*_NARROWING, "type") if key in found}
    alternatives = shape.pop("anyOf", None) or [shape]
    return {**found, "anyOf": [*alternatives, {"$ref": "#/$defs/Variable"}]}


_NARROWING = ("anyOf", "const", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum")


def _takes(found: dict[str, Any], test: Callable[[dict[str, Any]], bool]) -> bool:
    return any(test(choice) for choice in found.get("anyOf", [found]))


def _is_narrow_scalar(choice: dict[str, Any]) -> bool:
    """Whether a scalar is wanted, and not just any text, which a variable is already."""
    takes_nothing_yet = None in choice.get("enum", ())
    narrow = any(key in choice for key in _NARROWING) or choice.get("type") == "boolean"
    return narrow and not takes_nothing_yet


if __name__ == "__main__":
    sys.stdout.write(write())
