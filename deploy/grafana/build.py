#!/usr/bin/env python3
"""Builds the dashboard: `python deploy/grafana/build.py` writes upload-janitor.json beside it.

Expressions read what the janitor exposes and no recorded series, so the dashboard works with the
metrics alone. A container is counted once, also while two replicas both show it.
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from janitor_dashboard.choice import JOB
from janitor_dashboard.panels import SOURCE
from janitor_dashboard.state import overview, targets
from janitor_dashboard.work import actions, requests, service

OUTPUT = Path(__file__).with_name("upload-janitor.json")
ALERTS = "https://github.com/upload-janitor/upload-janitor/blob/main/docs/alerts.md"


def dashboard() -> model.Dashboard:
    """Put everything together; rows can be closed by who reads."""
    made = (
        build.Dashboard("Upload janitor")
        .uid("upload-janitor")
        .description(
            "Stale multipart uploads, what they cost, and what the janitor does about them"
        )
        .tags(["upload-janitor"])
        .timezone("browser")
        .time("now-7d", "now")
        .refresh("1m")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(build.DashboardLink("Alerts").type(model.DashboardLinkType.LINK).url(ALERTS))
        .with_variable(
            build.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(_variable("job", "Job", "label_values(janitor_build_info, job)"))
        .with_variable(
            _variable("target", "Target", f"label_values(janitor_target_outcome{{{JOB}}}, target)")
        )
    )
    rows = {
        "Overview": overview(),
        "Targets": targets(),
        "Actions": actions(),
        "Requests to providers": requests(),
        "Service": service(),
    }
    for title, panels in rows.items():
        made.with_row(build.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return _numbered(made.build())


def _variable(name: str, label: str, query: str) -> build.QueryVariable:
    """Offer a choice of several; all is `.*`, which also fits where there is no such label."""
    everything = model.VariableOption(selected=True, text="All", value="$__all")
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(everything)
    )


def _numbered(made: model.Dashboard) -> model.Dashboard:
    for number_of, panel in enumerate(made.panels or [], start=1):
        panel.id_val = number_of
    return made


def text() -> str:
    """Give the dashboard as Grafana imports it."""
    return json.dumps(dashboard(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(text(), encoding="utf-8")
