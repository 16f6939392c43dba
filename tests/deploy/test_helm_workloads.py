"""Daemon and CronJob in detail: deadlines, reloads, the ledger, the Lease, names, upgrades."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import kubernetes_manifests as k8s
from support.helm_cases import CASES

from janitor.engine.tally import EXIT_COMPLETE
from janitor.sharding import of_job

CRONJOB = {"workload": "cronjob"}
LONG = "a-release-with-a-very-long-name-that-helm-still-takes"


def cronjob(**values: Any) -> dict[str, Any]:
    """Give the spec of a rendered CronJob."""
    spec: dict[str, Any] = k8s.only(k8s.render(CRONJOB | values), "CronJob")["spec"]
    return spec


def deployment(values: k8s.Values) -> dict[str, Any]:
    """Give the spec of a rendered Deployment."""
    spec: dict[str, Any] = k8s.only(k8s.render(values), "Deployment")["spec"]
    return spec


def test_never_two_jobs_at_once_and_never_for_ever() -> None:
    """The job is not repeated, not late, not endless, and goes away by itself."""
    spec = cronjob()
    job = spec["jobTemplate"]["spec"]

    assert ("Forbid", 1800, False) == (
        spec["concurrencyPolicy"],
        spec["startingDeadlineSeconds"],
        spec["suspend"],
    )
    assert (0, 172800) == (job["backoffLimit"], job["ttlSecondsAfterFinished"])
    assert "Never" == job["template"]["spec"]["restartPolicy"]


def test_a_wrong_config_fails_the_job_and_a_drained_node_does_not() -> None:
    """64 and 78 will not be better the next time; what a disruption ended is begun again."""
    fail, ignore = cronjob()["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]

    assert ("FailJob", [64, 78], "janitor") == (
        fail["action"],
        fail["onExitCodes"]["values"],
        fail["onExitCodes"]["containerName"],
    )
    assert EXIT_COMPLETE not in fail["onExitCodes"]["values"]
    assert ("Ignore", "DisruptionTarget") == (
        ignore["action"],
        ignore["onPodConditions"][0]["type"],
    )


@pytest.mark.parametrize(
    ("execution", "own", "seconds"),
    [
        ({}, None, 6 * 3600 + 900),
        ({"run_timeout": "90min"}, None, 90 * 60 + 900),
        ({"run_timeout": "600s"}, None, 600 + 900),
        ({"run_timeout": "90min"}, 5400, 5400),
        ({"run_timeout": "${LONGEST}"}, 86400, 86400),
    ],
)
def test_kubernetes_waits_longer_than_the_janitor(
    execution: dict[str, Any], own: int | None, seconds: int
) -> None:
    """The sweep's own deadline comes first, so that it can write down what happened."""
    spec = cronjob(config={"execution": execution}, cronjob={"activeDeadlineSeconds": own})

    assert seconds == spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]


def test_job_and_metrics_agree_about_the_schedule(tmp_path: Path) -> None:
    """There is one schedule, in the config; the CronJob takes its time and its zone."""
    schedule = {"cron": "30 2 * * 1-5", "timezone": "America/New_York"}
    manifests = k8s.render(CRONJOB | {"config": {"schedule": schedule}})
    spec = k8s.only(manifests, "CronJob")["spec"]
    loaded = k8s.load_config(manifests, tmp_path).schedule

    assert (loaded.cron, loaded.timezone) == (spec["schedule"], spec["timeZone"])
    assert "30 2 * * 1-5" == loaded.cron


def test_two_releases_push_to_two_groups(tmp_path: Path) -> None:
    """A Pushgateway keeps them apart, unless somebody said how."""
    push: dict[str, Any] = {"pushgateway_url": "http://pushgateway.example:9091"}
    ours = k8s.load_config(k8s.render(CRONJOB | {"config": {"push": push}}, "one"), tmp_path)
    own = {"push": push | {"grouping": {"shard": "a"}}}
    theirs = k8s.load_config(k8s.render(CRONJOB | {"config": own}, "one"), tmp_path)

    assert {"namespace": "janitors", "release": "one"} == dict(ours.push.grouping)
    assert {"shard": "a"} == dict(theirs.push.grouping)


def test_each_workload_runs_its_own_verb() -> None:
    """With the config from the mounted folder."""
    config = ["--config", "/etc/upload-janitor/janitor.yaml"]

    assert ["serve", *config, "--watch-config"] == k8s.container_of(k8s.render())["args"]
    assert ["sweep", *config, "--output", "table"] == k8s.container_of(k8s.render(CRONJOB))["args"]


def test_a_changed_config_is_watched_or_restarts() -> None:
    """Watched, the pod stays as it is; otherwise its template changes with the config."""
    change = {"config": {"limits": {"aborts_per_run": 1}}}
    restart = {"reloadOnConfigChange": "restart"}

    assert k8s.pod_of(k8s.render()) == k8s.pod_of(k8s.render(change))
    assert k8s.pod_of(k8s.render(restart)) != k8s.pod_of(k8s.render(restart | change))
    assert "--watch-config" not in k8s.container_of(k8s.render(restart))["args"]


def test_the_config_is_mounted_as_a_folder() -> None:
    """A file that is mounted by subPath would never change."""
    mounts = k8s.container_of(k8s.render())["volumeMounts"]

    assert [] == [mount for mount in mounts if "subPath" in mount]


@pytest.mark.parametrize("workload", ["daemon", "cronjob"])
def test_the_ledger_is_on_the_volume(workload: str, tmp_path: Path) -> None:
    """The claim is kept when the release goes; the file is in the folder that is mounted."""
    manifests = k8s.render({"workload": workload, "persistence": {"enabled": True}})
    claim = k8s.only(manifests, "PersistentVolumeClaim")
    (volume,) = [one for one in k8s.pod_of(manifests)["spec"]["volumes"] if one["name"] == "ledger"]

    assert {"helm.sh/resource-policy": "keep"} == claim["metadata"]["annotations"]
    assert claim["metadata"]["name"] == volume["persistentVolumeClaim"]["claimName"]
    assert f"sqlite:///{tmp_path}/janitor.db" == k8s.load_config(manifests, tmp_path).ledger


def test_a_database_is_named_by_a_secret_only(tmp_path: Path) -> None:
    """The URL with its password is in the environment, and nowhere else."""
    manifests = k8s.render(CASES["postgresql"])
    environment = {one["name"]: one for one in k8s.container_of(manifests)["env"]}

    assert {"secretKeyRef": {"name": "ledger", "key": "url"}} == environment["JANITOR_LEDGER_URL"][
        "valueFrom"
    ]
    assert "ledger: ${JANITOR_LEDGER_URL}\n" in k8s.config_text(manifests)
    assert (k8s.load_config(manifests, tmp_path).ledger or "").startswith("postgresql+psycopg://")


@pytest.mark.parametrize("case", ["upgrade", "upgrade-cronjob"])
def test_the_ledger_is_upgraded_only_when_asked(case: str) -> None:
    """By a container that differs from the janitor's in its arguments alone."""
    spec = k8s.pod_of(k8s.render(CASES[case]))["spec"]
    (before,), (then,) = spec["initContainers"], spec["containers"]
    shared = ("image", "env", "volumeMounts", "securityContext", "resources")

    assert ["ledger", "upgrade", "--config", "/etc/upload-janitor/janitor.yaml"] == before["args"]
    assert {name: before[name] for name in shared} == {name: then[name] for name in shared}
    assert "initContainers" not in k8s.pod_of(k8s.render())["spec"]


def test_shards_are_an_indexed_job(tmp_path: Path) -> None:
    """As many pods as shards, each told its number, none ended because another failed."""
    manifests = k8s.render(CASES["shards"])
    spec = k8s.only(manifests, "CronJob")["spec"]["jobTemplate"]["spec"]
    container = k8s.container_of(manifests)
    environment = {one["name"]: one for one in container["env"]}
    shard = of_job(8, {"JOB_COMPLETION_INDEX": "7"}, "uid")

    assert ("Indexed", 8, 8, 0) == (
        spec["completionMode"],
        spec["completions"],
        spec["parallelism"],
        spec["backoffLimitPerIndex"],
    )
    assert ["--shards", "8"] == container["args"][-2:]
    assert (7, 8) == (shard.index, shard.count)
    assert (
        "metadata.labels['batch.kubernetes.io/controller-uid']"
        == (environment["JANITOR_SHARD_RUN"]["valueFrom"]["fieldRef"]["fieldPath"])
    )
    assert (k8s.load_config(manifests, tmp_path).ledger or "").startswith("postgresql+psycopg://")


@pytest.mark.parametrize(("version", "per_index"), [("1.27", None), ("1.33", 0)])
def test_old_versions_know_no_limit_for_each_shard(version: str, per_index: int | None) -> None:
    """There, a shard that fails is tried again as often as there are shards."""
    manifests = k8s.render(CASES["shards"], version=version)
    spec = k8s.only(manifests, "CronJob")["spec"]["jobTemplate"]["spec"]

    assert (per_index, 8) == (spec.get("backoffLimitPerIndex"), spec["backoffLimit"])


def test_one_janitor_goes_before_the_next_comes() -> None:
    """A volume cannot be handed over otherwise; those who are elected are replaced one by one."""
    assert {"type": "Recreate"} == deployment({})["strategy"]
    assert {"type": "Recreate"} == deployment(CASES["leader-election-alone"])["strategy"]
    assert "RollingUpdate" == deployment(CASES["leader-election"])["strategy"]["type"]


def test_an_elected_janitor_may_touch_its_one_lease_only(tmp_path: Path) -> None:
    """Create cannot be limited to a name; all else is, and the config names the same Lease."""
    manifests = k8s.render(CASES["leader-election-alone"])
    role, binding = k8s.only(manifests, "Role"), k8s.only(manifests, "RoleBinding")
    election = k8s.load_config(manifests, tmp_path).election
    named, unnamed = role["rules"]

    assert election is not None
    assert ("one", "janitors", 30) == (
        election.lease,
        election.namespace,
        election.duration.total_seconds(),
    )
    assert (["leases"], [election.lease], ["get", "update"]) == (
        named["resources"],
        named["resourceNames"],
        named["verbs"],
    )
    assert (["leases"], ["create"]) == (unnamed["resources"], unnamed["verbs"])
    assert role["metadata"]["name"] == binding["roleRef"]["name"]
    assert [k8s.pod_of(manifests)["spec"]["serviceAccountName"]] == [
        one["name"] for one in binding["subjects"]
    ]


def test_the_role_allows_what_the_election_calls() -> None:
    """No right is missing, and none is there for nothing."""
    verbs = {"read": "get", "create": "create", "replace": "update"}
    code = (k8s.ROOT / "janitor" / "service" / "lease_api.py").read_text(encoding="utf-8")
    called = {verbs[name] for name in re.findall(r"(\w+?)_namespaced_lease\(", code)}
    role = k8s.only(k8s.render(CASES["leader-election-alone"]), "Role")

    assert called == {verb for rule in role["rules"] for verb in rule["verbs"]}


def test_no_election_no_rights() -> None:
    """Without it there is no Role and no token."""
    assert not {"Role", "RoleBinding"} & set(k8s.kinds(k8s.render()))
    assert k8s.only(k8s.render(), "ServiceAccount")["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("http", "handler"),
    [
        ({}, {"httpGet": {"path": "/readyz", "port": "http"}}),
        (
            {"tls_cert": "/etc/tls/tls.crt", "tls_key": "/etc/tls/tls.key"},
            {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTPS"}},
        ),
        ({"web_config_file": "/etc/tls/web.yaml"}, {"tcpSocket": {"port": "http"}}),
    ],
)
def test_the_kubelet_asks_as_it_can(http: dict[str, Any], handler: dict[str, Any]) -> None:
    """It knows no passwords, which health does not need, and has no certificate."""
    probe = k8s.container_of(k8s.render({"config": {"http": http}}))["readinessProbe"]

    assert handler == {name: probe[name] for name in handler}


def test_probes_and_ports_are_named_alike() -> None:
    """All three probes ask the one port that there is."""
    container = k8s.container_of(k8s.render({"http": {"port": 9100}}))
    (port,) = container["ports"]

    assert ("http", 9100) == (port["name"], port["containerPort"])
    assert {"/healthz", "/readyz"} == {
        container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }


def test_a_node_lends_its_role_only_when_asked() -> None:
    """Else a pod without credentials would quietly use the node's."""
    off = {"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}

    assert [off] == k8s.container_of(k8s.render())["env"]
    assert "env" not in k8s.container_of(k8s.render({"instanceMetadata": True}))


@pytest.mark.parametrize("workload", ["daemon", "cronjob"])
@pytest.mark.parametrize("release", ["x", LONG])
def test_names_fit_however_long_the_release_is(release: str, workload: str) -> None:
    """52 characters are what a CronJob may have; a label may have 63."""
    values = {"workload": workload, "persistence": {"enabled": True}}
    for one in k8s.render(values, release):
        assert len(one["metadata"]["name"]) <= 52
        assert max(map(len, one["metadata"]["labels"].values())) <= 63


def test_two_long_names_stay_two() -> None:
    """What is cut off lives on in a hash."""
    names = {
        k8s.only(k8s.render(CRONJOB, release), "CronJob")["metadata"]["name"]
        for release in (LONG[:-1] + "a", LONG[:-1] + "b")
    }

    assert 2 == len(names)


def test_a_cronjob_can_become_a_daemon_and_keeps_its_memory() -> None:
    """Claim, config and account keep their names; the daemon's selector finds no pod of a job."""
    kept = {"ServiceAccount", "ConfigMap", "PersistentVolumeClaim"}
    before = k8s.render(CRONJOB | {"persistence": {"enabled": True}})
    after = k8s.render({"persistence": {"enabled": True}})
    selector = k8s.only(after, "Deployment")["spec"]["selector"]["matchLabels"]

    assert [one for one in before if one["kind"] in kept] == [
        one for one in after if one["kind"] in kept
    ]
    assert not selector.items() <= k8s.pod_of(before)["metadata"]["labels"].items()


def test_the_workload_says_nothing_about_the_mode() -> None:
    """Report is report for both; the one place where that changes is config.mode."""
    texts = [k8s.config_text(k8s.render({"workload": one})) for one in ("daemon", "cronjob")]

    assert ["report", "report"] == [yaml.safe_load(text)["mode"] for text in texts]
