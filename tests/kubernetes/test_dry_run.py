"""A real API server takes everything that we ship, to the last field."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support import kubernetes_manifests as manifests
from support.cluster import Cluster
from support.helm_cases import CASES

# What is tested is Kubernetes 1.20, because Debian's sources build no newer one: it has these
# kinds in a beta version only, and not yet these fields, nor the access mode ReadWriteOncePod.
# `kubernetes_validate` checks them all.
OLDER = {
    ("batch/v1", "CronJob"): "batch/v1beta1",
    ("policy/v1", "PodDisruptionBudget"): "policy/v1beta1",
}
NEWER_FIELDS = (
    ("CronJob", ("spec", "timeZone")),
    ("CronJob", ("spec", "jobTemplate", "spec", "podFailurePolicy")),
)
# Kinds of the Prometheus operator, which no API server knows by itself.
FOREIGN = {"PodMonitor", "PrometheusRule", "ServiceMonitor"}


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    """Have a namespace for what is never made."""
    return cluster.namespace("dry-run")


def as_older(manifest: Any) -> Any:
    """Give an object as the server of the tests knows it."""
    older = copy.deepcopy(manifest)
    older["apiVersion"] = OLDER.get(
        (manifest["apiVersion"], manifest["kind"]), manifest["apiVersion"]
    )
    for kind, (*path, last) in NEWER_FIELDS:
        if kind == older["kind"]:
            inner = older
            for step in path:
                inner = inner[step]
            inner.pop(last, None)
    if older["kind"] == "Service":
        # Its server-side apply does not know the default yet.
        for port in older["spec"]["ports"]:
            port.setdefault("protocol", "TCP")
    if older["kind"] == "PersistentVolumeClaim":
        modes = older["spec"]["accessModes"]
        older["spec"]["accessModes"] = [mode.replace("OncePod", "Once") for mode in modes]
    return older


def refused(cluster: Cluster, namespace: str, rendered: list[Any]) -> list[tuple[str, str]]:
    """Apply all for nothing; give what was said of those that were not taken."""
    said: list[tuple[str, str]] = []
    for manifest in map(as_older, rendered):
        if manifest["kind"] in FOREIGN:
            assert cluster.place(manifest, namespace) is None
            continue
        status, answer = cluster.apply(manifest, namespace, dry_run=True)
        if status not in {200, 201}:
            said.append((manifest["kind"], answer["message"]))
    return said


@pytest.mark.parametrize("case", CASES)
def test_everything_of_the_chart_is_taken(cluster: Cluster, namespace: str, case: str) -> None:
    """Each feature on and off, in both workloads: no unknown field, nothing that is missing."""
    assert [] == refused(cluster, namespace, manifests.render(CASES[case], namespace=namespace))


@pytest.mark.parametrize("mode", ["daemon", "cronjob"])
def test_everything_of_kustomize_is_taken(cluster: Cluster, namespace: str, mode: str) -> None:
    """The same for people without Helm."""
    assert [] == refused(cluster, namespace, manifests.kustomize(manifests.KUSTOMIZE / mode))


def test_a_wrong_object_is_refused(cluster: Cluster, namespace: str) -> None:
    """The check can fail, in a known field and in an unknown one."""
    deployment = manifests.only(manifests.render({}, namespace=namespace), "Deployment")
    unknown, wrong = copy.deepcopy(deployment), copy.deepcopy(deployment)
    unknown["spec"]["replicaz"] = 1
    wrong["spec"]["selector"]["matchLabels"]["app"] = "another"

    assert ["Deployment", "Deployment"] == [
        kind for kind, _ in refused(cluster, namespace, [unknown, wrong])
    ]


def test_a_dry_run_leaves_nothing(cluster: Cluster, namespace: str) -> None:
    """Nothing that was tried is there afterwards."""
    refused(cluster, namespace, manifests.render({}, namespace=namespace))
    left = cluster.send("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments")[1]

    assert [] == left["items"]
