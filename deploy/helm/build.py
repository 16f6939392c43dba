# ruff: noqa: INP001  # a script, which nobody imports
"""Builds what the chart only repeats, so that it is written in one place.

* `values.schema.json`: the part below `config`, from the janitor's own schema
* `files/`: alerts, recording rules and the dashboard, from their places
* `README.md`: the table of values, from `values.schema.json` and `values.yaml`

    python deploy/helm/build.py            write what is not current
    python deploy/helm/build.py --check    only tell; 1 if something is not current
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from janitor import settings

DEPLOY = Path(__file__).parents[1]
CHART = DEPLOY / "helm" / "upload-janitor"
SCHEMA, README = CHART / "values.schema.json", CHART / "README.md"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"
COPIES = {
    CHART / "files" / "alerts.yaml": DEPLOY / "prometheus" / "alerts.yaml",
    CHART / "files" / "rules.yaml": DEPLOY / "prometheus" / "rules.yaml",
    CHART / "files" / "upload-janitor.json": DEPLOY / "grafana" / "upload-janitor.json",
}
# Looking ahead, and more than a thousand repetitions.
_NOT_IN_GO = re.compile(r"\(\?[=!<]|\{\d*,?\d{4,}\}")
_LEDGER = {
    "description": "Instead of persistence and postgresql: none, or the URL of a database whose "
    "password is a variable. The chart itself places a file: see persistence",
    "type": ["string", "null"],
}


def main(arguments: list[str]) -> int:
    """Write, or with --check name, every file that is not current."""
    stale = [
        path for path, text in wanted() if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" not in arguments:
        for path, text in wanted():
            path.write_text(text, encoding="utf-8")
        return 0
    for path in stale:
        print(f"{path.relative_to(DEPLOY.parent)} is stale: python deploy/helm/build.py")  # noqa: T201  # what it is for
    return 1 if stale else 0


def wanted() -> Iterator[tuple[Path, str]]:
    """Give every built file with the text that it should have."""
    for copy, original in COPIES.items():
        yield copy, original.read_text(encoding="utf-8")
    schema = values_schema()
    yield SCHEMA, json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    yield README, before + BEGIN + table(schema) + END + rest.partition(END)[2]


def values_schema() -> dict[str, Any]:
    """Put the janitor's own schema into the chart's, without what the chart itself says."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    config = _readable_for_go(settings.schema())
    parts = config["$defs"]
    properties = config["properties"]
    properties.pop("leader_election", None)
    parts["HttpModel"]["properties"].pop("listen")
    properties["ledger"] = _LEDGER
    # The chart must know the mode, so it cannot be a variable.
    properties["mode"] = {
        "description": properties["mode"]["description"],
        "enum": ["report", "enforce"],
    }
    for part in parts.values():
        if "idle_for" in part.get("properties", {}):
            # Helm reads an unquoted off as false; the chart turns it back.
            part["properties"]["idle_for"]["anyOf"].append({"const": False})
    schema["properties"]["config"] = {
        "description": "The janitor's config file, without version, http.listen and "
        "leader_election, which the chart says",
        "type": "object",
        "additionalProperties": False,
        "required": ["mode", "targets"],
        "properties": properties,
    }
    return {**schema, "$defs": parts}


def _readable_for_go(part: Any) -> Any:
    """Leave out the patterns that Go's regular expressions cannot say; the janitor knows them."""
    if isinstance(part, list):
        return [_readable_for_go(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: _readable_for_go(inner)
        for name, inner in part.items()
        if not (name == "pattern" and isinstance(inner, str) and _NOT_IN_GO.search(inner))
    }


def table(schema: dict[str, Any]) -> str:
    """Write a row for every value."""
    defaults = YAML(typ="safe").load(CHART / "values.yaml")
    rows = [f"| `{path}` | {default} | {text} |" for path, default, text in _rows(schema, defaults)]
    return "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _rows(part: dict[str, Any], defaults: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    for name, inner in part["properties"].items():
        if name not in defaults:
            continue
        here = f"{path}{name}"
        value = defaults[name]
        if inner.get("properties") and here != "config":
            yield from _rows(inner, value, f"{here}.")
            continue
        shown = "see `values.yaml`" if here == "config" else f"`{json.dumps(value)}`"
        yield here, shown, inner["description"].replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
