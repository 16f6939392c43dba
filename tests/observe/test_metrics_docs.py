"""What the documentation says of metrics is what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from support.debian import program
from support.metrics_samples import metrics_after, metrics_of
from support.observe_script import EVENTS, NOW, VAULT, result

from janitor.model import Reason
from janitor.observe.events import BudgetCounted
from janitor.observe.metrics import Metrics
from janitor.observe.metrics.catalogue import catalogue, main, with_catalogue
from janitor.observe.metrics.codes import CODES
from janitor.observe.metrics.families import CLOSED, FAMILIES
from janitor.observe.metrics.view import PLACES
from janitor.plan import Limits
from janitor.settings.types import Exposition, Prices

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
EXAMPLES = re.findall(r"```promql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
SUFFIXES = ("_bucket", "_sum", "_count", "_total")


def told() -> Metrics:
    """Give metrics that show every family, and fold."""
    metrics = metrics_after(
        *EVENTS,
        BudgetCounted(Limits(aborts_per_run=9), Limits(aborts_per_run=7)),
        exposition=Exposition("container", 2),
        prices=Prices("USD", 0.5),
    )
    metrics.schedule_interval(timedelta(hours=6))
    metrics.next_sweep(NOW)
    return metrics


def family_name(metric: Metric) -> str:
    """Give the name that a family has in the catalogue."""
    return metric.name + "_total" if metric.type == "counter" else metric.name


def test_the_catalogue_in_the_documentation_is_todays() -> None:
    """If this fails: python -m janitor.observe.metrics.catalogue docs/metrics.md."""
    document = DOCUMENT.read_text()

    assert with_catalogue(document) == document


def test_the_catalogue_is_printed_for_whoever_asks() -> None:
    """Without a document it goes to standard output."""
    command = [sys.executable, "-m", "janitor.observe.metrics.catalogue"]
    done = subprocess.run(  # noqa: S603  # our own program
        command, capture_output=True, check=False, encoding="utf-8"
    )

    assert (0, catalogue(), "") == (done.returncode, done.stdout, done.stderr)


def test_the_catalogue_replaces_an_older_one(tmp_path: Path) -> None:
    """What stands before and after the markers stays."""
    document = DOCUMENT.read_text()
    outdated = tmp_path / "metrics.md"
    outdated.write_text(document.replace("| gauge |", "| thermometer |"))
    main([str(outdated)])

    assert document == outdated.read_text()


def test_a_document_without_markers_is_refused() -> None:
    """Nobody would notice that it has no table."""
    with pytest.raises(ValueError, match="there must be a line <!-- catalogue: begin"):
        with_catalogue("# Metrics\n")


def test_the_catalogue_lists_what_is_collected_with_its_type_and_text() -> None:
    """In neither is a metric that the other has not."""
    expected = {(family.name, family.kind, family.text) for family in FAMILIES}
    collected = [(family_name(m), m.type, m.documentation) for m in told().registry.collect()]

    assert (expected, len(FAMILIES)) == (set(collected), len(collected))


def test_the_catalogue_lists_exactly_the_labels_that_samples_have() -> None:
    """A label too many or too few would break somebody's query."""
    expected = {
        family.name: {*family.labels, *(PLACES["container"] if family.placed else ())}
        for family in FAMILIES
    }
    found = {
        family_name(metric): {label for sample in metric.samples for label in sample.labels}
        - {"le"}
        for metric in told().registry.collect()
    }

    assert expected == found


def test_the_catalogue_lists_all_values_of_closed_labels() -> None:
    """Each value is there from the start, or with the first sweep, and no other ever."""
    expected = {
        (family.name, label): values
        for family in FAMILIES
        for label in family.labels
        if (values := CLOSED.get((family.name, label))) and "budget" not in family.name
    }
    found = {
        (family_name(metric), label): tuple(dict.fromkeys(s.labels[label] for s in metric.samples))
        for metric in told().registry.collect()
        for label in ("mode", "reason", "outcome", "operation", "limit")
        if (family_name(metric), label) in expected
    }

    assert expected == found


def test_every_label_is_closed_or_of_the_config_or_of_this_version() -> None:
    """Whoever adds a label must say where its values end."""
    bounded = {"version", "python_version", "currency", "code", "target", "provider"}
    others = {
        (family.name, label)
        for family in FAMILIES
        for label in family.labels
        if (family.name, label) not in CLOSED and label not in bounded
    }

    assert ({("janitor_api_failures_total", "operation")}, True) == (others, "other" not in CODES)


def test_the_documentation_names_no_metric_that_does_not_exist() -> None:
    """Neither in a sentence nor in a query."""
    known = {family.name for family in FAMILIES}
    known |= {family.name + suffix for family in FAMILIES for suffix in SUFFIXES}
    named = set(re.findall(r"\bjanitor_[a-z_]*[a-z]", DOCUMENT.read_text()))

    assert set() == named - known


def test_a_container_costs_as_many_series_as_the_documentation_says() -> None:
    """Who sets the cap reckons with it."""
    whole = result(VAULT, listed=1, kept={Reason.YOUNG: 1}, oldest_initiated=NOW)
    metrics = metrics_of([whole], prices=Prices("USD", 1.0))
    series = [s for m in metrics.registry.collect() for s in m.samples if "target" in s.labels]

    assert f"A container costs {len(series)} series" in DOCUMENT.read_text()


def input_series() -> list[dict[str, str]]:
    """Give what a Prometheus would have scraped for some days."""
    series = []
    for metric in told().registry.collect():
        for sample in metric.samples:
            labels = {**sample.labels, "job": "janitor", "instance": "here"}
            told_labels = ",".join(f"{name}={json.dumps(text)}" for name, text in labels.items())
            series.append(
                {
                    "series": f"{sample.name}{{{told_labels}}}",
                    "values": f"{float(sample.value)}x300",
                }
            )
    return series


def test_every_question_of_the_documentation_has_an_answer(tmp_path: Path) -> None:
    """Prometheus itself computes each from metrics as they are, and finds something."""
    rules = [
        {"alert": f"Example{number}", "expr": f"count({expression}) > 0"}
        for number, expression in enumerate(EXAMPLES)
    ]
    answers = [
        {"eval_time": "4h", "alertname": rule["alert"], "exp_alerts": [{"exp_labels": {}}]}
        for rule in rules
    ]
    tests = [{"interval": "1m", "input_series": input_series(), "alert_rule_test": answers}]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    script = tmp_path / "test.yaml"
    script.write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": tests}))
    done = subprocess.run(  # noqa: S603  # a package's program, fed by us
        [program("prometheus", "promtool"), "test", "rules", script],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )

    assert (0, True, True) == (
        done.returncode,
        "SUCCESS" in done.stdout,
        len(EXAMPLES) > 10,
    ), done.stdout + done.stderr
