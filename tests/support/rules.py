"""Reads the shipped alerts, recording rules, their unit tests and runbooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from janitor.observe.metrics.families import CLOSED, FAMILIES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
ALERTS, RULES, TESTS = DEPLOY / "alerts.yaml", DEPLOY / "rules.yaml", DEPLOY / "tests"
RUNBOOKS = ROOT / "docs" / "runbooks"

# Each word of a metric's name, unless it is inside the name of a recorded one.
_METRIC = re.compile(r"(?<![\w:-])(janitor_\w+)(?![\w:])")
_SELECTOR = re.compile(r"(?<![\w:])(janitor_\w+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|=|!=|!~)"([^"]*)"')
_SUFFIXES = ("_bucket", "_sum", "_count")


def read(file: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(file.read_text("utf-8"))


def rules_of(file: Path) -> list[dict[str, Any]]:
    """Give all rules of a file, in order."""
    return [rule for group in read(file)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Give the shipped alerts by name."""
    return {rule["alert"]: rule for rule in rules_of(ALERTS)}


def records() -> dict[str, dict[str, Any]]:
    """Give the shipped recording rules by name."""
    return {rule["record"]: rule for rule in rules_of(RULES)}


def unknown_metrics(expression: str) -> set[str]:
    """Give the names of ours in an expression that no janitor exposes."""
    return {name for name in _METRIC.findall(expression) if family_of(name) is None}


def family_of(name: str) -> str | None:
    """Give the metric that a series' name belongs to; None if there is no such metric."""
    kinds = {family.name: family.kind for family in FAMILIES}
    if name in kinds:
        return name if kinds[name] != "histogram" else None
    base = next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)
    return base if kinds.get(base) == "histogram" else None


def impossible_matchers(expression: str) -> list[str]:
    """Give the matchers in an expression that no series of the metric can ever fulfil."""
    return [
        f'{name}{{{label}{sign}"{value}"}}'
        for name, inside in _SELECTOR.findall(expression)
        for label, sign, value in _MATCHER.findall(inside)
        if (known := CLOSED.get((name, label))) is not None
        if not _possible(sign, value, known)
    ]


def _possible(sign: str, value: str, known: Sequence[str]) -> bool:
    words = value.split("|") if "~" in sign else [value]
    return all(word in known for word in words)


def alert_tests(folder: Path = TESTS) -> Iterator[tuple[str, bool]]:
    """Give each test of an alert, and whether it wants it to fire."""
    for case in _cases(folder):
        for test in case.get("alert_rule_test", ()):
            yield test["alertname"], bool(test.get("exp_alerts"))


def expression_tests(folder: Path = TESTS) -> Iterator[str]:
    """Give every expression that a unit test evaluates."""
    for case in _cases(folder):
        for test in case.get("promql_expr_test", ()):
            yield test["expr"]


def untested(names: Mapping[str, object], folder: Path = TESTS) -> set[str]:
    """Give the alerts that lack a test that fires them, or one that does not."""
    done = set(alert_tests(folder))
    return {name for name in names if not {(name, True), (name, False)} <= done}


def _cases(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.yaml")):
        yield from read(file)["tests"]


def fenced(page: str, kind: str) -> list[str]:
    """Give the fenced blocks of one kind of a page, also those in a list."""
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```$", page, flags=re.DOTALL | re.MULTILINE)
    return [str(block).strip() for block in found]
