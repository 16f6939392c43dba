"""Every question of the dashboard has an answer in a real Prometheus that scraped a real daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.dashboard import Question, questions
from support.monitored import daemon, listening_on, prometheus_config
from support.prometheus import Prometheus, free_port, prometheus, wait_for
from support.rules import RUNBOOKS, alerts, fenced, records

from janitor.commands.sandbox import config_for
from janitor.sandbox import POPULATION, Fault, FaultKind, Sandbox

# One step for all: long enough for the whole of the one sweep.
STEP = "5m"
LIMITS = "limits: {aborts_per_run: 300, bytes_per_run: 100TiB}\n"
SLOWLY = "execution: {concurrency: 32}\n"
PRICES = "prices: {currency: EUR, per_gib_month: 0.02}\n"
# What a janitor that is well has nothing to say to.
EMPTY_WHEN_WELL = {
    'janitor_target_last_sweep_uploads{outcome="failed"} > 0': "no abort failed",
    'janitor_target_last_sweep_uploads{outcome="survived"} > 0': "no upload survived",
    'janitor_target_outcome{outcome="clock_skew"} > 0': "the clocks agree",
    'janitor_target_outcome{outcome="crashed"} > 0': "nothing crashed",
    'janitor_target_outcome{outcome="wrong_identity"} > 0': "the account is right",
    'sum by (code) (increase(janitor_api_failures_total{operation="abort"}[1d])) > 0': (
        "no abort failed"
    ),
    "janitor_target_uploads offset 1d": "there was nothing a day ago",
    "topk(10, janitor_target_stale_bytes - (janitor_target_stale_bytes offset 3d))": (
        "there was nothing three days ago"
    ),
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Let a daemon sweep the demo's population while Prometheus watches from before the start."""
    folder = tmp_path_factory.mktemp("watched")
    port = free_port()
    config = folder / "janitor.yaml"
    rules = prometheus_config(folder, janitor=f"127.0.0.1:{port}")
    with Sandbox.start(seed=POPULATION) as sandbox:
        _disturb(sandbox)
        text = config_for(sandbox)
        text = text.replace(text[text.index("prices:") : text.index("policy:")], PRICES)
        config.write_text(text + LIMITS + SLOWLY + listening_on(port), encoding="utf-8")
        with prometheus(rules, folder / "prometheus") as running, daemon(config):
            wait_for("the end of the sweep", lambda: running.query("janitor_sweeps_total > 0"))
            # A rate needs two scrapes, and what is recorded needs a moment more.
            wait_for("what is recorded last", lambda: _all_recorded(running))
            yield running

        assert [] == sandbox.accusations


def _disturb(sandbox: Sandbox) -> None:
    """Make the sweep last some seconds, and one request fail that is then sent again."""
    sandbox.faults.add(Fault(operation="s3.list_uploads", kind=FaultKind.STATUS, status=503))
    slow = Fault(operation="*.abort", kind=FaultKind.NONE, latency=0.5, times=None)
    sandbox.faults.add(slow)


def _all_recorded(running: Prometheus) -> bool:
    return all(running.query(name) for name in records())


@pytest.mark.parametrize("question", list(questions()), ids=lambda one: one.panel)
def test_a_question_has_an_answer(watched: Prometheus, question: Question) -> None:
    """Each panel shows something after one sweep."""
    asked = question.asked(STEP)

    assert [] != watched.query(asked), asked


@pytest.mark.parametrize("name", sorted(alerts()))
def test_what_a_runbook_asks_can_be_answered(watched: Prometheus, name: str) -> None:
    """Its queries are PromQL, and show something unless all is well."""
    asked = fenced((RUNBOOKS / f"{name}.md").read_text("utf-8"), "promql")
    silent = [query for query in asked if not watched.query(query)]

    assert [] == [query for query in silent if query not in EMPTY_WHEN_WELL]


def test_no_exception_is_out_of_date(watched: Prometheus) -> None:
    """What may be empty is asked in a runbook, and is empty."""
    pages = " ".join(page.read_text("utf-8") for page in RUNBOOKS.iterdir())

    assert [] == [query for query in EMPTY_WHEN_WELL if query not in pages]
    assert [] == [query for query in EMPTY_WHEN_WELL if watched.query(query)]


def test_a_healthy_janitor_raises_no_alert(watched: Prometheus) -> None:
    """No rule fails on real series, and the only alert is that a cap was used up."""
    expected = [("UploadJanitorBudgetNearlyUsed", "firing")]
    # Alerts are looked at one after the other: when this one fires, all were, twice.
    wait_for("the alert of the cap", lambda: expected[0] in _alerts(watched))

    assert [] == watched.troubled_rules()
    assert expected == _alerts(watched)


def _alerts(watched: Prometheus) -> list[tuple[str, str]]:
    return [(alert["labels"]["alertname"], alert["state"]) for alert in watched.alerts()]


def test_every_recorded_series_is_there(watched: Prometheus) -> None:
    """The recording rules are about what a daemon shows."""
    assert [] == [name for name in records() if not watched.query(name)]
