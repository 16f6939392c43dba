"""Every alert and every recorded series in promtool's hands: what fires it, and what does not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.prometheus import promtool
from support.rules import (
    ALERTS,
    DEPLOY,
    TESTS,
    alert_tests,
    alerts,
    expression_tests,
    read,
    records,
    untested,
)

FILES = sorted(TESTS.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_promtool_agrees(file: Path) -> None:
    """What fires has the labels and the very words that are written down; nothing else fires."""
    tested = promtool("test", "rules", file)

    assert 0 == tested.returncode, tested.stdout


def test_every_alert_is_fired_and_kept_quiet() -> None:
    """No alert is without a test for both, and no test is about an alert that does not exist."""
    assert set() == untested(alerts())
    assert set(alerts()) == {name for name, _ in alert_tests()}


def test_every_recorded_series_is_tested() -> None:
    """Each is asked for by name."""
    asked = " ".join(expression_tests())

    assert [] == [name for name in records() if name not in re.findall(r"[\w:]+", asked)]


def test_a_lost_test_is_noticed(tmp_path: Path) -> None:
    """The completeness above can fail: without one file, its alert is named."""
    shutil.copytree(TESTS, tmp_path / "tests")
    (tmp_path / "tests" / "UploadJanitorClockSkew.yaml").unlink()
    quiet = tmp_path / "tests" / "UploadJanitorDown.yaml"
    cases = read(quiet)
    cases["tests"] = [case for case in cases["tests"] if case["name"].startswith("fires")]
    quiet.write_text(yaml.safe_dump(cases), encoding="utf-8")

    lacking = untested(alerts(), tmp_path / "tests")

    assert {"UploadJanitorClockSkew", "UploadJanitorDown"} == lacking


@pytest.mark.parametrize("name", sorted(alerts()))
@pytest.mark.parametrize("expression", ["vector(1)", "vector(1) < 0"], ids=["always", "never"])
def test_an_alert_that_says_always_or_never_is_noticed(
    tmp_path: Path, name: str, expression: str
) -> None:
    """The tests of an alert fail when it fires whatever happens, and when it never does."""
    tested = _with_changed_alerts(tmp_path, name, lambda rule: rule | {"expr": expression})

    assert tested != 0


@pytest.mark.parametrize("name", sorted(name for name, rule in alerts().items() if "for" in rule))
def test_an_alert_that_waits_too_long_is_noticed(tmp_path: Path, name: str) -> None:
    """How long an alert waits is part of what its tests hold."""
    tested = _with_changed_alerts(tmp_path, name, lambda rule: rule | {"for": "40d"})

    assert tested != 0


def _with_changed_alerts(
    folder: Path, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> int:
    """Run the tests of one alert after a change of it; the others are left out, for speed."""
    shutil.copytree(DEPLOY, folder, dirs_exist_ok=True)
    changed = {"groups": [{"name": "changed", "rules": [change(alerts()[name])]}]}
    (folder / ALERTS.name).write_text(yaml.safe_dump(changed), encoding="utf-8")
    return promtool("test", "rules", folder / "tests" / f"{name}.yaml").returncode
