"""The chart's values: each documented, each checked, and mistakes answered with a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support import kubernetes_manifests as k8s

from janitor import settings

SCHEMA = yaml.safe_load((k8s.CHART / "values.schema.json").read_text(encoding="utf-8"))
TEXT = (k8s.CHART / "values.yaml").read_text(encoding="utf-8")
VALUES = yaml.safe_load(TEXT)
# A parent chart may set it, so it is no value of this one.
NOT_OURS = {"global"}
ENFORCE = {"mode": "enforce"}
S3 = {"name": "lake", "provider": "s3", "region": "eu-west-1", "buckets": ["*"]}


def test_what_is_built_is_current() -> None:
    """The schema of config, the copies and the table of values are as build.py makes them."""
    done = k8s.run([sys.executable, k8s.CHART.parent / "build.py", "--check"])

    assert (0, "") == (done.returncode, done.stdout), done.stderr


def paths(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every property of the schema, and its place; of config only the name."""
    for name, inner in part.get("properties", {}).items():
        yield path + name, inner
        if path + name != "config":
            yield from paths(inner, f"{path}{name}.")


def test_every_value_has_a_default_and_is_in_the_schema() -> None:
    """No value is secret, and none has been forgotten; groups of values are closed."""
    for path, part in paths(SCHEMA):
        if path in NOT_OURS or path.startswith("podSecurityContext."):
            continue
        found = VALUES
        for name in path.split("."):
            assert name in found, path
            found = found[name]
        if part.get("properties"):
            assert found is None or part["properties"].keys() >= found.keys(), path
            assert part["additionalProperties"] is False, path


def test_every_value_is_described() -> None:
    """The schema says of each what it is for; editors show that."""
    assert [] == [path for path, part in paths(SCHEMA) if not part.get("description")]


def test_everything_that_is_optional_is_off() -> None:
    """Only the Service is made without being asked for."""
    on = [name for name, one in VALUES.items() if isinstance(one, dict) and one.get("enabled")]

    assert ["service"] == on


def test_config_is_the_janitors_own() -> None:
    """Every key that the janitor knows can be said, but those that the chart itself says."""
    said_by_the_chart = {"version", "leader_election"}
    known = settings.schema()["properties"].keys() - said_by_the_chart
    config = SCHEMA["properties"]["config"]

    assert known == config["properties"].keys() - said_by_the_chart
    assert config["additionalProperties"] is False
    assert "listen" not in SCHEMA["$defs"]["HttpModel"]["properties"]
    assert "lease" in SCHEMA["$defs"]["ElectionModel"]["properties"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    # By the schema.
    "a value that is not there": ({"replicaCount": 2}, "Additional property replicaCount"),
    "a value that is not there, deeper": (
        {"image": {"registry": "x"}},
        "image: Additional property registry is not allowed",
    ),
    "a floating tag": ({"image": {"tag": "latest"}}, "image.tag"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "image.digest: Does not match"),
    "a tag in the repository": (
        {"image": {"repository": "upload-janitor:1"}},
        "image.repository: Does not match pattern",
    ),
    "an unknown workload": (
        {"workload": "statefulset"},
        'workload must be one of the following: "daemon", "cronjob"',
    ),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, "greater than or equal to 1"),
    "a weaker pod": (
        {"podSecurityContext": {"runAsNonRoot": False}},
        "podSecurityContext: Additional property runAsNonRoot is not allowed",
    ),
    "a label that selects": (
        {"podLabels": {"app.kubernetes.io/name": "x"}},
        'Property name of "app.kubernetes.io/name" does not match',
    ),
    "a number as a label": ({"podLabels": {"team": 1}}, "podLabels.team: Invalid type"),
    "a name too long for a CronJob": (
        {"fullnameOverride": "x" * 53},
        "fullnameOverride: String length must be less than or equal to 52",
    ),
    "a port that needs rights": ({"http": {"port": 80}}, "http.port: Must be greater"),
    "a volume for many": (
        {"persistence": {"accessMode": "ReadWriteMany"}},
        'must be one of the following: "ReadWriteOnce", "ReadWriteOncePod"',
    ),
    "a size without meaning": (
        {"persistence": {"size": "big"}},
        "persistence.size: Does not match",
    ),
    "an unknown mode": (
        {"config": {"mode": "delete"}},
        'config.mode must be one of the following: "report", "enforce"',
    ),
    "a mode from a variable": ({"config": {"mode": "${MODE}"}}, "config.mode"),
    "no targets": ({"config": {"targets": []}}, "Array must have at least 1 items"),
    "half a target": (
        {"config": {"targets": [{"name": "x", "provider": "s3"}]}},
        "buckets is required",
    ),
    "an unknown key of the config": (
        {"config": {"polciy": {}}},
        "config: Additional property polciy is not allowed",
    ),
    "a duration without unit": (
        {"config": {"policy": {"stale_after": 7}}},
        "config.policy.stale_after: Invalid type",
    ),
    "an address, which is the chart's": (
        {"config": {"http": {"listen": "127.0.0.1:1"}}},
        "config.http: Additional property listen is not allowed",
    ),
    "an election, which is the chart's": (
        {"config": {"leader_election": {"lease": "x"}}},
        "config: Additional property leader_election is not allowed",
    ),
    # By the templates.
    "enforce without a memory": ({"config": ENFORCE}, "nothing would ever be aborted: set pers"),
    "enforce without a memory, as a job": (
        {"config": ENFORCE, "workload": "cronjob"},
        "nothing would ever be aborted: set persistence.enabled to true, or postgresql.existing",
    ),
    "a file of one's own": (
        {"config": {"ledger": "sqlite:////tmp/x.db"}},
        "config.ledger names a file, but the chart places it",
    ),
    "a password for everybody": (
        {"config": {"ledger": "postgresql+psycopg://janitor:hunter2@db.example/janitor"}},
        "config.ledger holds a password, which everybody may read in a ConfigMap",
    ),
    "a claim without persistence": (
        {"persistence": {"existingClaim": "mine"}},
        "persistence.existingClaim is not used without persistence.enabled",
    ),
    "two memories": (
        {"persistence": {"enabled": True}, "postgresql": {"existingSecret": "x"}},
        "keep one of them",
    ),
    "two databases": (
        {"postgresql": {"existingSecret": "x"}, "config": {"ledger": "none"}},
        "postgresql.existingSecret and config.ledger both say where the ledger is",
    ),
    "shards of a daemon": ({"cronjob": {"shards": 2}}, "cronjob.shards is for workload: cronjob"),
    "shards without a common memory": (
        {"workload": "cronjob", "cronjob": {"shards": 2}, "persistence": {"enabled": True}},
        "cronjob.shards above 1 needs a ledger that all of them reach",
    ),
    "shards that upgrade": (
        {
            "workload": "cronjob",
            "cronjob": {"shards": 2},
            "postgresql": {"existingSecret": "x"},
            "upgradeLedger": True,
        },
        "would let every shard upgrade at once",
    ),
    "no shard": ({"cronjob": {"shards": 0}}, "cronjob.shards: Must be greater"),
    "two schedules": (
        {"config": {"schedule": {"every": "6h"}}},
        "set config.schedule.cron to null, or remove every",
    ),
    "a job by interval": (
        {"workload": "cronjob", "config": {"schedule": {"cron": None, "every": "6h"}}},
        "a CronJob knows no intervals",
    ),
    "a job at a variable time": (
        {"workload": "cronjob", "config": {"schedule": {"cron": "${CRON}"}}},
        "config.schedule.cron holds a variable",
    ),
    "a second schedule for the job": (
        {"workload": "cronjob", "cronjob": {"schedule": "0 0 * * *"}},
        "say config.schedule.cron and config.schedule.timezone",
    ),
    "a job of unknown time": (
        {"workload": "cronjob", "existingConfigMap": "mine"},
        "the chart cannot read the schedule in existingConfigMap",
    ),
    "a deadline before the sweep's own": (
        {"workload": "cronjob", "cronjob": {"activeDeadlineSeconds": 3600}},
        "cronjob.activeDeadlineSeconds (3600) is below config.execution.run_timeout (21600 s)",
    ),
    "a deadline that cannot be known": (
        {"workload": "cronjob", "config": {"execution": {"run_timeout": "${LONGEST}"}}},
        "config.execution.run_timeout holds a variable",
    ),
    "two who both sweep": (
        {"daemon": {"replicas": 2}},
        "daemon.replicas above 1 needs leaderElection.enabled",
    ),
    "two with a volume of one": (
        {
            "daemon": {"replicas": 2},
            "leaderElection": {"enabled": True},
            "persistence": {"enabled": True},
        },
        "needs a ledger that all of them reach: set postgresql.existingSecret",
    ),
    "a job that is elected": (
        {"workload": "cronjob", "leaderElection": {"enabled": True}},
        "leaderElection is for workload: daemon",
    ),
    "a job that is scraped": (
        {"workload": "cronjob", "serviceMonitor": {"enabled": True}},
        "serviceMonitor is for workload: daemon; a CronJob's metrics are pushed",
    ),
    "a budget for a job": (
        {"workload": "cronjob", "podDisruptionBudget": {"enabled": True}},
        "podDisruptionBudget is for workload: daemon",
    ),
    "scraped twice": (
        {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
        "would both scrape the same pod",
    ),
    "a monitor of nothing": (
        {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}},
        "serviceMonitor finds nothing without service.enabled",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_answered_with_a_sentence(mistake: str) -> None:
    """Helm installs nothing, and says what to do instead."""
    values, sentence = REFUSED[mistake]

    assert sentence in k8s.refusal(values)


def test_a_wrong_target_does_not_hide_in_the_others() -> None:
    """The place of the mistake is named."""
    said = k8s.refusal({"config": {"targets": [S3, S3 | {"name": "Lake!"}]}})

    assert "config.targets.1" in said


@pytest.mark.parametrize("off", ["off", '"off"'])
def test_idle_for_can_be_off_as_the_docs_of_the_janitor_say_it(off: str) -> None:
    """Helm reads the bare word as false; the config gets the word back."""
    values = yaml.safe_load(f"config: {{policy: {{idle_for: {off}}}}}")
    config = yaml.safe_load(k8s.config_text(k8s.render(values)))

    assert {"idle_for": "off"} == config["policy"]


def test_big_numbers_stay_whole() -> None:
    """A limit of ten millions is not written as 1e+07."""
    values = {"config": {"limits": {"aborts_per_day": 10_000_000}}}

    assert "aborts_per_day: 10000000\n" in k8s.config_text(k8s.render(values))


def test_the_chart_can_be_a_part_of_another() -> None:
    """A parent's global values are no mistake."""
    assert k8s.render() == k8s.render({"global": {"registry": "x"}})
