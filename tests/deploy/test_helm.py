"""The chart, with every feature on and off: valid, hardened, and with a config that loads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from support import kubernetes_manifests as k8s
from support.helm_cases import CASES, FOREIGN_CONFIGS, TOKEN_CASES

import janitor

every_case = pytest.mark.parametrize("case", CASES)


@pytest.mark.parametrize("version", k8s.VERSIONS)
@every_case
def test_every_object_is_one_that_kubernetes_takes(case: str, version: str) -> None:
    """No field is unknown or of a wrong type, in old versions and new ones."""
    for manifest in k8s.render(CASES[case], version=version):
        if k8s.is_native(manifest):
            k8s.check(manifest, version)


def test_a_wrong_object_would_be_noticed() -> None:
    """The checker is strict."""
    deployment = k8s.only(k8s.render(), "Deployment")
    deployment["spec"]["replicaz"] = 1

    with pytest.raises(Exception, match="replicaz"):
        k8s.check(deployment, k8s.VERSIONS[0])


@every_case
def test_every_pod_is_hardened(case: str) -> None:
    """No value opens what Pod Security's level `restricted` forbids; only a Lease needs a token."""
    pods = list(k8s.pods_of(k8s.render(CASES[case])))

    assert [[]] == [k8s.weaknesses(pod, token=case in TOKEN_CASES) for pod in pods]


def test_a_weak_pod_would_be_noticed() -> None:
    """The assertion above can fail."""
    pod = k8s.pod_of(k8s.render({"tmpSizeLimit": "1Gi"}))
    weak = yaml.safe_load(yaml.safe_dump(pod))
    weak["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    weak["spec"]["volumes"].append({"name": "x", "hostPath": {"path": "/"}})

    assert ["a volume is the host's", "the root file system can be written"] == sorted(
        k8s.weaknesses(weak, token=False)
    )


@pytest.mark.parametrize("case", [case for case in CASES if case not in FOREIGN_CONFIGS])
def test_every_config_is_one_that_the_janitor_takes(case: str, tmp_path: Path) -> None:
    """What the pod reads loads, in the mode that was asked for, and listens to the outside."""
    (tmp_path / "qingstor").write_text("secret\n", encoding="utf-8")
    _write_certificate(tmp_path)
    loaded = k8s.load_config(k8s.render(CASES[case]), tmp_path)
    config: dict[str, Any] = CASES[case].get("config", {})

    assert config.get("mode", "report") == loaded.mode
    assert "::" if case == "ipv6" else "0.0.0.0" == loaded.http.host  # noqa: S104  # a pod's own


def _write_certificate(folder: Path) -> None:
    pair = trustme.CA().issue_cert("janitor.example")
    pair.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    pair.private_key_pem.write_to_path(str(folder / "tls.key"))


@every_case
def test_everything_that_looks_for_pods_finds_them(case: str) -> None:
    """Selectors are parts of the pods' labels, and say which release they mean."""
    manifests = k8s.render(CASES[case])
    labels = k8s.pod_of(manifests)["metadata"]["labels"]
    for kind, selector in k8s.selectors(manifests):
        assert (kind, selector.items() & labels.items()) == (kind, selector.items())
        assert "upload-janitor" == selector["app.kubernetes.io/instance"]
        # A selector of a Deployment can never be changed.
        assert k8s.identity(selector) == selector


@every_case
def test_a_monitor_finds_the_service(case: str) -> None:
    """A ServiceMonitor's selector is a part of the Service's labels, its port one of its ports."""
    for monitor in [one for one in k8s.render(CASES[case]) if one["kind"] == "ServiceMonitor"]:
        service = k8s.only(k8s.render(CASES[case]), "Service")
        wanted = monitor["spec"]["selector"]["matchLabels"]

        assert wanted.items() <= service["metadata"]["labels"].items()
        assert [one["name"] for one in service["spec"]["ports"]] == [
            one["port"] for one in monitor["spec"]["endpoints"]
        ]


@every_case
def test_every_object_has_its_place_and_its_labels(case: str) -> None:
    """Nothing is without namespace, two objects never share a name, and all carry the labels."""
    manifests = k8s.render(CASES[case], namespace="janitors")
    names = Counter((one["kind"], one["metadata"]["name"]) for one in manifests)
    elsewhere = {"dashboard": {"monitoring"}}.get(case, set())

    assert {1} == set(names.values())
    assert {"janitors"} == {one["metadata"]["namespace"] for one in manifests} - elsewhere
    for one in manifests:
        labels = one["metadata"]["labels"]
        assert "Helm" == labels["app.kubernetes.io/managed-by"]
        assert f"upload-janitor-{janitor.__version__}" == labels["helm.sh/chart"]


@every_case
def test_every_volume_is_mounted_and_every_mount_has_its_volume(case: str) -> None:
    """No name is misspelled."""
    manifests = k8s.render(CASES[case])
    mounts = {one["name"] for one in k8s.container_of(manifests)["volumeMounts"]}

    assert mounts == {one["name"] for one in k8s.pod_of(manifests)["spec"]["volumes"]}


def test_by_default_nothing_is_changed_anywhere() -> None:
    """Whoever installs the chart as it is, gets a daemon that looks, and nothing else."""
    manifests = k8s.render()
    everything = yaml.safe_dump_all(manifests)

    assert ["ConfigMap", "Deployment", "Service", "ServiceAccount"] == k8s.kinds(manifests)
    assert "report" == yaml.safe_load(k8s.config_text(manifests))["mode"]
    assert "enforce" not in everything
    assert [] == [one for one in manifests if one["kind"] in {"Secret", "Role", "ClusterRole"}]


def test_no_case_needs_rights_in_the_whole_cluster() -> None:
    """Whatever is turned on, there is no ClusterRole."""
    found = {kind for values in CASES.values() for kind in k8s.kinds(k8s.render(values))}

    assert set() == {kind for kind in found if kind.startswith("Cluster")}
    assert {"Role", "NetworkPolicy", "PrometheusRule", "PodMonitor", "CronJob"} < found


def test_the_chart_is_as_old_as_the_janitor() -> None:
    """One version for all: the chart's, the image's and the program's."""
    chart = yaml.safe_load((k8s.CHART / "Chart.yaml").read_text(encoding="utf-8"))
    image = k8s.container_of(k8s.render())["image"]

    assert janitor.__version__ == chart["version"] == chart["appVersion"]
    assert f"upload-janitor:{janitor.__version__}" == image


def test_a_digest_wins_over_the_tag() -> None:
    """An image is what its digest says."""
    digest = "sha256:" + "a" * 64
    image = {"repository": "registry.example/janitor", "tag": "1.2.3", "digest": digest}

    assert (
        f"registry.example/janitor@{digest}"
        == k8s.container_of(k8s.render({"image": image}))["image"]
    )


def test_helm_finds_nothing_to_complain_about() -> None:
    """`helm lint --strict` is silent."""
    done = k8s.run([k8s.HELM, "lint", "--strict", "--quiet", k8s.CHART])

    assert (0, "") == (done.returncode, done.stdout), done.stderr
