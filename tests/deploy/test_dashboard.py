"""The shipped dashboard: as its code builds it, complete, and about metrics that exist."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from typing import Any

from support.dashboard import BUILD, DASHBOARD, dashboard, panels, questions
from support.rules import impossible_matchers, unknown_metrics

from janitor.observe.metrics.families import FAMILIES

ROWS = ["Overview", "Targets", "Actions", "Requests to providers", "Service"]
NOT_SHOWN = {
    "janitor_api_in_flight": "moves within a sweep, mostly between two scrapes",
    "janitor_api_window": "the same, for whoever looks into one slow sweep",
    "janitor_config_reload_success_timestamp_seconds": "only of use when a reload failed",
    "janitor_uploads_listed_total": "follows the number of uploads and of sweeps",
}


def test_the_dashboard_is_what_its_code_builds() -> None:
    """Nobody has edited the one and forgotten the other."""
    code = "import sys, build; sys.stdout.write(build.text())"
    built = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", code], cwd=BUILD.parent, capture_output=True, check=True, timeout=60
    )

    assert DASHBOARD.read_bytes() == built.stdout


def test_the_dashboard_has_its_rows_and_choices() -> None:
    """Data source, job and target can be chosen; all of a choice is everything."""
    chosen = {one["name"]: one for one in dashboard()["templating"]["list"]}
    rows = [panel["title"] for panel in dashboard()["panels"] if panel["type"] == "row"]

    assert ROWS == rows
    assert ["datasource", "job", "target"] == list(chosen)
    assert {".*"} == {chosen[name]["allValue"] for name in ("job", "target")}
    assert all(chosen[name]["multi"] for name in ("job", "target"))


def test_every_panel_says_what_it_shows() -> None:
    """Titles are there once each, with a description, and ask the chosen data source."""
    titles = [panel["title"] for panel in panels()]
    sources = [panel["datasource"] for panel in panels()]
    asked = [target["datasource"] for panel in panels() for target in panel["targets"]]

    assert sorted(set(titles)) == sorted(titles)
    assert all(panel["description"].endswith(".") for panel in panels())
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in sources + asked)


def test_no_two_panels_are_in_the_same_place() -> None:
    """Each has room of its own on the 24 columns, and an id of its own."""
    everything = dashboard()["panels"]
    ids = [panel["id"] for panel in everything]
    places = [panel["gridPos"] for panel in everything]

    assert len(ids) == len(set(ids))
    assert all(0 <= place["x"] and place["x"] + place["w"] <= 24 for place in places)
    assert [] == [(one, other) for one, other in combinations(places, 2) if _overlap(one, other)]


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )


def test_every_question_is_about_metrics_that_exist() -> None:
    """No name is misspelt, no label has a value that it cannot have."""
    assert set() == {name for one in questions() for name in unknown_metrics(one.expression)}
    assert [] == [told for one in questions() for told in impossible_matchers(one.expression)]


def test_every_question_heeds_what_was_chosen() -> None:
    """Each selector asks for the job; those of containers for the target as well."""
    unheeding = [
        (one.panel, selector)
        for one in questions()
        for selector in one.expression.split("{")[1:]
        if not selector.startswith('job=~"$job"')
    ]

    assert [] == unheeding


def test_every_metric_is_shown_or_left_out_on_purpose() -> None:
    """A new metric is thought about."""
    everything = " ".join(one.expression for one in questions())
    left_out = {family.name for family in FAMILIES if family.name not in everything}

    assert set(NOT_SHOWN) == left_out
