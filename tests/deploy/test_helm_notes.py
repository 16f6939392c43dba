"""What `helm install` says at its end: true for the values, and its commands name what is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import kubernetes_manifests as k8s
from support.helm_cases import CASES

# Only an installation prints notes, and that takes a cluster; so they become a part of an object.
_AS_OBJECT = """apiVersion: v1
kind: Notes
text: |
  {{- tpl (.Files.Get "NOTES.txt") . | nindent 2 }}
"""
VOLUME = {"enabled": True}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the chart that renders its notes."""
    copy = tmp_path_factory.mktemp("chart") / "upload-janitor"
    shutil.copytree(k8s.CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates" / "notes.yaml").write_text(_AS_OBJECT, encoding="utf-8")
    return copy


def notes(chart: Path, values: dict[str, Any]) -> str:
    """Give the notes for some values."""
    return str(k8s.only(k8s.render(values, chart=chart), "Notes")["text"])


def test_the_first_words_are_that_nothing_is_changed(chart: Path) -> None:
    """Whoever installs the chart as it is, reads that first, and how to see metrics."""
    said = notes(chart, {})

    assert said.startswith(
        "The upload janitor is in report mode: it looks, and changes nothing anywhere.\n"
    )
    assert "port-forward deployment/upload-janitor 10079:10079" in said
    assert "curl http://127.0.0.1:10079/metrics" in said
    assert "WARNING: the ledger is lost with the pod" in said
    assert "then set config.mode=enforce" in said


@pytest.mark.parametrize(
    "case", ["nothing", "cronjob", "cronjob-configmap", "configmap", "names", "tls", "volume"]
)
def test_every_command_names_what_is_there(case: str, chart: Path) -> None:
    """Whatever the values, no command is about an object that was not made."""
    names = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in k8s.render(CASES[case])}
    said = notes(chart, CASES[case])
    named = re.findall(r"\b(?:deployment|cronjob)/[a-z0-9-]+", said)

    assert named
    assert set(named) <= names
    assert "<no value>" not in said
    assert "\n\n\n" not in said


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({"persistence": VOLUME}, "report"),
        ({"persistence": VOLUME, "config": {"mode": "enforce"}}, "enforce"),
        ({"persistence": VOLUME, "existingConfigMap": "mine"}, "ConfigMap mine says"),
    ],
)
def test_the_mode_is_said_and_a_kept_ledger_needs_no_warning(
    chart: Path, values: dict[str, Any], mode: str
) -> None:
    """The first paragraph is about the mode; the warning is for who would lose the ledger."""
    said = notes(chart, values)

    assert mode in said.partition("\n\n")[0]
    assert "WARNING" not in said


def test_who_does_not_push_is_told(chart: Path) -> None:
    """A job has no metrics that anybody could scrape."""
    push = {"push": {"pushgateway_url": "http://pushgateway.example:9091"}}

    assert "set config.push.pushgateway_url" in notes(chart, {"workload": "cronjob"})
    assert "pushgateway_url" not in notes(chart, {"workload": "cronjob", "config": push})
