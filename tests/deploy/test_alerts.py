"""The shipped alerts and recording rules: complete, well formed, and about metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.prometheus import promtool
from support.rules import (
    ALERTS,
    DEPLOY,
    ROOT,
    RULES,
    RUNBOOKS,
    alerts,
    fenced,
    impossible_matchers,
    records,
    unknown_metrics,
)
from support.runbooks import missing_pages, missing_sections, unknown_commands

EXPECTED = {
    f"UploadJanitor{name}"
    for name in (
        *("Down", "Silent", "TargetNotCompleted", "TargetNeverCompleted", "SweepsMissed"),
        *("AccessDenied", "AbortsFailing", "UploadsSurvive", "LimitTripped", "SuspiciousEmpty"),
        *("ClockSkew", "WrongIdentity", "StaleBytesGrowing", "BudgetNearlyUsed"),
        *("ConfigReloadFailed", "LedgerUnusable", "SweepCrashed"),
    )
}
HOME = "https://github.com/upload-janitor/upload-janitor/blob/main/"
EXPRESSIONS = {name: rule["expr"] for name, rule in {**alerts(), **records()}.items()}


def test_there_is_an_alert_for_each_kind_of_trouble() -> None:
    """No alert was lost, and none was added that nobody agreed on."""
    assert EXPECTED == set(alerts())


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_says_how_bad_it_is_and_what_to_read(name: str) -> None:
    """Severity, summary, description and the address of its page are there, and nothing else."""
    rule = alerts()[name]
    annotations = rule["annotations"]

    assert rule["labels"] in [{"severity": each} for each in ("critical", "warning", "info")]
    assert {"summary", "description", "runbook_url"} == set(annotations)
    assert f"{HOME}docs/runbooks/{name}.md" == annotations["runbook_url"]
    assert "$labels." in annotations["description"]
    assert annotations["summary"].endswith(".")


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_an_expression_is_about_metrics_that_exist(name: str) -> None:
    """Names of metrics and values of closed labels are what the janitor exposes."""
    assert set() == unknown_metrics(EXPRESSIONS[name])
    assert [] == impossible_matchers(EXPRESSIONS[name])


def test_a_misspelt_metric_or_label_is_noticed() -> None:
    """The check above can fail."""
    wrong = 'janitor_target_outcom > 0 and janitor_target_outcome{outcome="forbiden"} > 0'

    assert {"janitor_target_outcom"} == unknown_metrics(wrong)
    assert ['janitor_target_outcome{outcome="forbiden"}'] == impossible_matchers(wrong)
    assert {"janitor_api_request_duration_seconds"} == unknown_metrics(
        "rate(janitor_api_request_duration_seconds[5m]) + target:janitor_nothing:sum"
    )


@pytest.mark.parametrize("name", sorted(records()))
def test_a_recorded_series_says_its_level_and_its_operation(name: str) -> None:
    """Names are level:metric:operation, as Prometheus recommends."""
    assert re.fullmatch(r"(job|target|provider|job_operation):janitor_\w+:\w+", name)


def test_alerts_need_no_recorded_series() -> None:
    """The file of alerts can be used alone, for example as a PrometheusRule."""
    recorded = [name for name, rule in alerts().items() if ":janitor" in rule["expr"]]

    assert [] == recorded


def test_promtool_finds_nothing_wrong() -> None:
    """The example config is valid and loads both files of rules, relative to itself."""
    checked = promtool("check", "config", DEPLOY / "prometheus.yml")

    assert 0 == checked.returncode, checked.stdout
    assert f"{len(alerts())} rules found" in checked.stdout
    assert f"{len(records())} rules found" in checked.stdout
    assert 0 == promtool("check", "rules", "--lint-fatal", ALERTS, RULES).returncode


def test_every_alert_has_a_page_with_what_to_do() -> None:
    """A page per alert, none too many, each with its meaning, impact, diagnosis and remedy."""
    assert [] == missing_pages(RUNBOOKS)
    assert {f"{name}.md" for name in alerts()} == {page.name for page in RUNBOOKS.iterdir()}
    assert [] == [told for page in RUNBOOKS.iterdir() for told in missing_sections(page)]


def test_a_lost_page_is_noticed(tmp_path: Path) -> None:
    """The check above can fail."""
    for page in RUNBOOKS.iterdir():
        (tmp_path / page.name).write_text(page.read_text("utf-8"), encoding="utf-8")
    (tmp_path / "UploadJanitorDown.md").unlink()
    silent = tmp_path / "UploadJanitorSilent.md"
    silent.write_text("# UploadJanitorSilent\n\n## Meaning\n\nNothing.\n", encoding="utf-8")

    assert ["UploadJanitorDown"] == missing_pages(tmp_path)
    assert ["Impact", "Diagnosis", "Remedy", "a command", "a query"] == [
        told.partition(": ")[2] for told in missing_sections(silent)
    ]


@pytest.mark.parametrize("name", sorted(alerts()))
def test_what_a_page_tells_to_run_exists(name: str) -> None:
    """Queries are about metrics that exist; verbs and options are the janitor's; links lead on."""
    page = (RUNBOOKS / f"{name}.md").read_text("utf-8")
    queries = fenced(page, "promql")
    links = re.findall(r"\]\(([^)#]+)\)", page)

    assert set() == {metric for query in queries for metric in unknown_metrics(query)}
    assert [] == [told for query in queries for told in impossible_matchers(query)]
    assert [] == [told for block in fenced(page, "sh") for told in unknown_commands(block)]
    assert [] == [link for link in links if not (RUNBOOKS / link).exists()]


def test_a_wrong_command_is_noticed() -> None:
    """The check above can fail."""
    assert ["janitor heal", "janitor scan --quickly"] == unknown_commands(
        "janitor heal\njanitor scan --quickly\njanitor ledger check --config a.yaml\ndate -u"
    )


def test_the_example_config_is_used_from_the_top_of_the_repository() -> None:
    """The command in its first lines names a file that is there."""
    text = (DEPLOY / "prometheus.yml").read_text("utf-8")
    found = re.search(r"--config\.file=(\S+)", text)

    assert found is not None
    assert (ROOT / found[1]).samefile(DEPLOY / "prometheus.yml")
