"""Manifests as Helm and kubectl render them, and what must be true of each."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import kubernetes_validate
import yaml

from janitor import settings
from janitor.settings import Settings

from .debian import program

Manifest: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "upload-janitor"
KUSTOMIZE = ROOT / "deploy" / "kustomize"
HELM = Path(sys.executable).with_name("helm")  # of the package helm-binary
# From the oldest that Chart.yaml allows to the newest that the checker knows.
VERSIONS = ("1.27", "1.30", "1.33", kubernetes_validate.latest_version())
SECRETS = "/run/secrets/upload-janitor"
LEDGER_FOLDER = "/var/lib/upload-janitor"
TLS_FOLDER = "/etc/tls"
VARIABLES = {
    "JANITOR_LEDGER_URL": "postgresql+psycopg://janitor@db.example/janitor",
    "QINGSTOR_ACCESS_KEY_ID": "id",
    "QINGSTOR_SECRET_ACCESS_KEY": "secret",
    "PASSWORD": "password",
}
# It reads the same megabyte anew for each object.
_checker = kubernetes_validate.utils
_checker.schema_contents = functools.cache(_checker.schema_contents)
_OURS = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}


class _Strict(yaml.SafeLoader):
    """Refuses what PyYAML would pass over: a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
        return super().construct_mapping(node, deep=deep)


def parse(text: str) -> list[Manifest]:
    """Read all documents of a rendering."""
    # A subclass of SafeLoader.
    return [found for found in yaml.load_all(text, Loader=_Strict) if found]


def run(command: Sequence[str | Path], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program at the repository's root."""
    return subprocess.run(  # noqa: S603  # our own command
        command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def render(
    values: Values | None = None,
    release: str = "upload-janitor",
    namespace: str = "janitors",
    chart: Path = CHART,
    version: str | None = None,
) -> list[Manifest]:
    """Render the chart, for a version of Kubernetes; the test fails if it cannot be."""
    return parse(_rendered(json.dumps(values or {}), release, namespace, chart, version))


@functools.cache
def _rendered(values: str, release: str, namespace: str, chart: Path, version: str | None) -> str:
    of = [] if version is None else ["--kube-version", version]
    done = run([HELM, "template", release, chart, "-n", namespace, "-f", "-", *of], values)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def refusal(values: Values) -> str:
    """Give the sentences with which the chart refuses values; the test fails if it does not."""
    done = run([HELM, "template", "upload-janitor", CHART, "-f", "-"], json.dumps(values))
    assert 0 != done.returncode, "nothing was refused"
    return done.stderr


def kustomize(folder: Path) -> list[Manifest]:
    """Build a folder by kubectl; the test fails if it cannot be."""
    done = run([program("kubernetes-client", "kubectl"), "kustomize", folder])
    assert 0 == done.returncode, done.stderr
    return parse(done.stdout)


def check(manifest: Manifest, version: str) -> None:
    """Check a manifest against the schema of a version of Kubernetes, or raise."""
    _check(json.dumps(manifest, sort_keys=True), version)


@functools.cache
def _check(manifest: str, version: str) -> None:
    kubernetes_validate.validate(json.loads(manifest), version, strict=True)


def is_native(manifest: Manifest) -> bool:
    """Whether Kubernetes itself knows the kind."""
    group = str(manifest["apiVersion"]).partition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def only(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """Give the one object of a kind."""
    (found,) = (one for one in manifests if one["kind"] == kind)
    return found


def kinds(manifests: Sequence[Manifest]) -> list[str]:
    """Name the kinds in alphabetical order."""
    return sorted(one["kind"] for one in manifests)


def pod_of(manifests: Sequence[Manifest]) -> Manifest:
    """Give the template of the one workload's pods."""
    (found,) = pods_of(manifests)
    return found


def pods_of(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """Give the templates of all pods."""
    for one in manifests:
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]


def container_of(manifests: Sequence[Manifest]) -> Manifest:
    """Give the one container."""
    (found,) = pod_of(manifests)["spec"]["containers"]
    return dict(found)


def config_text(manifests: Sequence[Manifest]) -> str:
    """Give the janitor's config file as the pod sees it."""
    (found,) = (
        one["data"]["janitor.yaml"]
        for one in manifests
        if one["kind"] == "ConfigMap" and "janitor.yaml" in one["data"]
    )
    return str(found)


def load_config(manifests: Sequence[Manifest], folder: Path) -> Settings:
    """Load the config by the janitor's own code, with the pod's folders put into this one."""
    text = config_text(manifests)
    for path in (SECRETS, LEDGER_FOLDER, TLS_FOLDER):
        text = text.replace(path, str(folder))
    file = folder / "janitor.yaml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file, VARIABLES)


def weaknesses(template: Manifest, *, token: bool) -> list[str]:
    """Name what Pod Security's level `restricted`, or we, would refuse in a pod."""
    spec = template["spec"]
    pod = spec["securityContext"]
    wanted = {
        "the pod may be root": pod.get("runAsNonRoot") is True,
        "the pod has no seccomp profile": pod.get("seccompProfile") == {"type": "RuntimeDefault"},
        "the user is root": 0 not in (pod.get("runAsUser", 1), pod.get("runAsGroup", 1)),
        "a service account token is mounted": spec["automountServiceAccountToken"] is token,
        "service links fill the environment": spec["enableServiceLinks"] is False,
        "the host's namespaces are shared": not {"hostNetwork", "hostPID", "hostIPC"} & set(spec),
        "a volume is the host's": not any("hostPath" in one for one in spec["volumes"]),
        "the temporary folder is unbounded": all(
            one["emptyDir"].get("sizeLimit") for one in spec["volumes"] if "emptyDir" in one
        ),
    }
    for one in [*spec["containers"], *spec.get("initContainers", [])]:
        own = one["securityContext"]
        wanted |= {
            "privileges can be escalated": own.get("allowPrivilegeEscalation") is False,
            "there are capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "the container is privileged": own.get("privileged") is False,
            "the root file system can be written": own.get("readOnlyRootFilesystem") is True,
            "the container may be root": own.get("runAsNonRoot") is True,
            "the container weakens the pod": not {"runAsUser", "seccompProfile"} & set(own),
            "the memory is unlimited": "memory" in one["resources"]["limits"],
            "the image floats": not str(one["image"]).endswith(":latest") and ":" in one["image"],
        }
    return [sentence for sentence, holds in wanted.items() if not holds]


def selectors(manifests: Sequence[Manifest]) -> Iterator[tuple[str, dict[str, str]]]:
    """Give everything that finds pods by labels."""
    for one in manifests:
        spec = one.get("spec", {})
        match one["kind"]:
            case "Service":
                yield "Service", spec["selector"]
            case "Deployment" | "PodDisruptionBudget" | "PodMonitor":
                yield one["kind"], spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                yield "NetworkPolicy", spec["podSelector"]["matchLabels"]


def identity(labels: Mapping[str, str]) -> dict[str, str]:
    """Give the labels that never change between two versions."""
    return {name: labels[name] for name in sorted(_OURS & set(labels))}
