"""The way without Helm: both folders build, are as hard as the chart, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import kubernetes_manifests as k8s

import janitor
from janitor import settings

# What the chart is told to make the same.
VALUES: dict[str, dict[str, Any]] = {
    "daemon": {"workload": "daemon", "persistence": {"enabled": True, "retain": False}},
    "cronjob": {"workload": "cronjob", "persistence": {"enabled": True, "retain": False}},
    "indexed": {
        "workload": "cronjob",
        "cronjob": {"shards": 4},
        "postgresql": {"existingSecret": "upload-janitor-ledger"},
    },
}
WORKLOADS = tuple(VALUES)
COMPONENT = "app.kubernetes.io/component"
BEFORE_LIMITS_PER_INDEX = {"1.27"}
both = pytest.mark.parametrize("workload", WORKLOADS)


@pytest.mark.parametrize("version", k8s.VERSIONS)
@both
def test_every_object_is_one_that_kubernetes_takes(workload: str, version: str) -> None:
    """In old versions and new ones."""
    if workload == "indexed" and version in BEFORE_LIMITS_PER_INDEX:
        pytest.skip("it has no limit for each shard")
    manifests = k8s.kustomize(k8s.KUSTOMIZE / workload)
    for manifest in manifests:
        k8s.check(manifest, version)
    kinds = set(k8s.kinds(manifests))

    assert {"ConfigMap", "ServiceAccount"} < kinds
    assert (workload != "indexed") == ("PersistentVolumeClaim" in kinds)


@both
def test_the_config_is_one_that_the_janitor_takes(workload: str, tmp_path: Path) -> None:
    """It loads, it reports only, and the ledger is on the volume, or in the database."""
    loaded = k8s.load_config(k8s.kustomize(k8s.KUSTOMIZE / workload), tmp_path)

    assert ("report", 10079) == (loaded.mode, loaded.http.port)
    if workload == "indexed":
        assert (loaded.ledger or "").startswith("postgresql+psycopg://")
    else:
        assert f"sqlite:///{tmp_path}/janitor.db" == loaded.ledger


@both
def test_the_pod_is_hardened(workload: str) -> None:
    """As Pod Security's level `restricted` demands, and without a token."""
    pod = k8s.pod_of(k8s.kustomize(k8s.KUSTOMIZE / workload))

    assert [] == k8s.weaknesses(pod, token=False)


@both
def test_nothing_is_tied_to_a_namespace(workload: str) -> None:
    """Whoever applies it says where."""
    manifests = k8s.kustomize(k8s.KUSTOMIZE / workload)

    assert [] == [one for one in manifests if "namespace" in one["metadata"]]


def without_labels(part: Any) -> Any:
    """Leave out what is empty, and labels, selectors and namespaces, in which the ways differ."""
    if isinstance(part, list):
        return [without_labels(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = part.keys() - {"labels", "selector", "namespace", "checksum/config"}
    found = {name: without_labels(part[name]) for name in kept}
    return {name: inner for name, inner in found.items() if inner != {}}


@both
def test_it_is_what_the_chart_makes(workload: str) -> None:
    """Both ways make the same objects, to the last probe and deadline."""
    charts = {one["kind"]: without_labels(one) for one in k8s.render(VALUES[workload])}
    ours = {one["kind"]: without_labels(one) for one in k8s.kustomize(k8s.KUSTOMIZE / workload)}
    configs = [
        yaml.safe_load(one.pop("ConfigMap")["data"]["janitor.yaml"]) for one in (charts, ours)
    ]

    assert charts == ours
    assert configs[0] == configs[1]


@both
def test_selectors_find_the_pods(workload: str) -> None:
    """And the Service of the daemon would not find those of the job."""
    manifests = k8s.kustomize(k8s.KUSTOMIZE / workload)
    labels = k8s.pod_of(manifests)["metadata"]["labels"]
    for _, selector in k8s.selectors(manifests):
        assert selector.items() <= labels.items()
    component = VALUES[workload]["workload"]

    assert component == labels["app.kubernetes.io/component"]


def test_the_image_is_of_this_version() -> None:
    """No tag floats, and none is forgotten when the version changes."""
    images = {
        k8s.container_of(k8s.kustomize(k8s.KUSTOMIZE / workload))["image"] for workload in WORKLOADS
    }

    assert {f"upload-janitor:{janitor.__version__}"} == images


@pytest.mark.parametrize("version", k8s.VERSIONS)
def test_a_dask_cluster_is_one_that_kubernetes_takes(version: str) -> None:
    """All of it, in old versions and new ones, and every pod is hardened."""
    manifests = k8s.kustomize(k8s.KUSTOMIZE / "dask")
    for manifest in manifests:
        k8s.check(manifest, version)

    assert [[], [], []] == [k8s.weaknesses(pod, token=False) for pod in k8s.pods_of(manifests)]


def test_a_dask_cluster_is_of_one_image_and_one_config(tmp_path: Path) -> None:
    """Everybody runs the same, workers read the very file that the sweep names, over TLS."""
    manifests = k8s.kustomize(k8s.KUSTOMIZE / "dask")
    pods = {pod["metadata"]["labels"][COMPONENT]: pod for pod in k8s.pods_of(manifests)}
    containers = {name: pod["spec"]["containers"][0] for name, pod in pods.items()}
    config = {"name": "config", "mountPath": "/etc/upload-janitor", "readOnly": True}
    text = k8s.only(manifests, "ConfigMap")["data"]["janitor.yaml"]
    file = tmp_path / "janitor.yaml"
    file.write_text(text, encoding="utf-8")
    execution = settings.load(file, k8s.VARIABLES).execution
    service = k8s.only(manifests, "Service")
    worker = {one["name"]: one for one in containers["dask-worker"]["env"]}

    assert {"cronjob", "dask-scheduler", "dask-worker"} == set(pods)
    assert {f"upload-janitor:{janitor.__version__}"} == {
        one["image"] for one in containers.values()
    }
    assert config in containers["dask-worker"]["volumeMounts"]
    assert config in containers["cronjob"]["volumeMounts"]
    assert execution.dask is not None
    assert f"tls://{service['metadata']['name']}:8786" == execution.dask.scheduler
    assert execution.dask.scheduler == containers["dask-worker"]["args"][0]
    # Whoever takes a worker over has no way to the ledger.
    assert "valueFrom" not in worker["JANITOR_LEDGER_URL"]


def test_nothing_enforces() -> None:
    """The mode is report wherever a file says one."""
    for file in k8s.KUSTOMIZE.rglob("*.yaml"):
        found = [one for one in k8s.parse(file.read_text(encoding="utf-8")) if "mode" in one]
        assert {"report"} >= {one["mode"] for one in found}
