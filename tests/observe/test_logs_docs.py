"""docs/logs.md lists the events that there are, with their levels."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.observe_script import BUCKET, EVENTS

from janitor import settings
from janitor.observe.audit_lines import line_of
from janitor.observe.events import IntentReconciled

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
EVENT = re.compile(r"[a-z]+\.[a-z_]+")
LEVELS = {"debug", "info", "warning", "error", "critical"}
# Keys of the config that modules which log something mention as well.
KEYS = {"audit.file", "http.listen"}
# This one only the audit file tells.
AUDIT_ONLY = {"plan.applied"}


def table(name: str) -> str:
    """Give the text between two marks."""
    found = re.search(rf"<!-- {name}: begin -->(.*)<!-- {name}: end -->", DOCUMENT, re.DOTALL)

    assert found is not None
    return found[1]


def documented() -> dict[str, set[str]]:
    """Give the events of the table, each with its levels."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", table("events"), re.MULTILINE)
    return {event: set(re.findall(r"\w+", levels)) & LEVELS for event, levels in rows}


def trees() -> Iterator[ast.Module]:
    """Read every module of ours that logs."""
    for path in sorted((ROOT / "janitor").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "get_logger(" in text or "log.warning(" in text:
            yield ast.parse(text)


def texts(node: ast.AST) -> Iterator[str]:
    """Give the strings in a tree that look like the name of an event."""
    for each in ast.walk(node):
        text = each.value if isinstance(each, ast.Constant) else None
        if isinstance(text, str) and EVENT.fullmatch(text):
            yield text


def names_of_loggers(tree: ast.Module) -> set[str]:
    """Give the names that a module gives to its loggers."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        text
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "get_logger"
        for argument in call.args
        for text in texts(argument)
    }


def spoken() -> set[str]:
    """Give every event that the code can log."""
    found: set[str] = set()
    for tree in trees():
        found |= set(texts(tree)) - names_of_loggers(tree)
    return found - KEYS - AUDIT_ONLY


def levels_in_code() -> Iterator[tuple[str, str]]:
    """Give the events whose level is the name of the method that logs them."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                level = {"exception": "error"}.get(node.func.attr, node.func.attr)
                if level in LEVELS:
                    yield from ((event, level) for event in texts(node.args[0]))


def test_every_event_is_documented_and_no_other() -> None:
    """If this fails: docs/logs.md has a table."""
    assert spoken() == set(documented())


def test_the_levels_are_those_of_the_code() -> None:
    """As far as the code says them where it logs."""
    found = list(levels_in_code())

    assert 30 < len(found)
    assert [] == [(event, level) for event, level in found if level not in documented()[event]]


def test_every_line_of_the_audit_file_is_documented() -> None:
    """And no other."""
    reconciled = IntentReconciled(BUCKET, "k", "u", "aborted")
    lines = [line_of(event, None) for event in (*EVENTS, reconciled)]

    assert AUDIT_ONLY | {line[0] for line in lines if line is not None} == set(
        re.findall(r"`([a-z]+\.[a-z_]+)`", table("audit"))
    )


@pytest.mark.parametrize(
    "text", re.findall(r"^```yaml config\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
)
def test_every_config_loads(tmp_path: Path, text: str) -> None:
    """Each block is a whole config without a problem."""
    file = tmp_path / "janitor.yaml"
    file.write_text(text, encoding="utf-8")

    assert settings.load(file, {}).targets
