"""Reads the shipped dashboard: its panels, and what they ask Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "deploy" / "grafana" / "build.py"
DASHBOARD = ROOT / "deploy" / "grafana" / "upload-janitor.json"


@dataclass(frozen=True, slots=True)
class Question:
    """One expression of one panel, as it is written."""

    panel: str
    expression: str

    def asked(self, step: str) -> str:
        """Give it as Grafana sends it when everything is chosen; `step` is every time range."""
        text = self.expression.replace("$job", ".*").replace("$target", ".*")
        return text.replace("$__rate_interval", step).replace("$__range", step)


def dashboard() -> dict[str, Any]:
    """Read the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    """Give every panel that is no row."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def questions() -> Iterator[Question]:
    """Give every expression."""
    for panel in panels():
        for target in panel["targets"]:
            yield Question(panel["title"], target["expr"])
