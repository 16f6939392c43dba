"""docs/kubernetes.md is true: its values render, its commands name what is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import kubernetes_manifests as k8s

import janitor

PAGE = k8s.ROOT / "docs" / "kubernetes.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """Give the fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


VALUES: list[dict[str, Any]] = [yaml.safe_load(block) for block in blocks("yaml values")]
COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_every_block_of_values_renders_what_kubernetes_takes(number: int, tmp_path: Path) -> None:
    """Each stands for itself: nobody has to put two together for the first to work."""
    manifests = k8s.render(VALUES[number], version=k8s.VERSIONS[0])
    for manifest in manifests:
        if k8s.is_native(manifest):
            k8s.check(manifest, k8s.VERSIONS[0])
    for name in ("minio-id", "minio-secret"):
        (tmp_path / name).write_text("value\n", encoding="utf-8")

    assert k8s.load_config(manifests, tmp_path).targets


def test_all_blocks_together_are_no_contradiction_but_the_places_of_the_ledger() -> None:
    """The page enforces only where it says so."""
    modes = [one.get("config", {}).get("mode") for one in VALUES]

    assert 2 == modes.count("enforce")
    assert len(VALUES) > 10


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("helm ")])
def test_every_helm_command_is_one(command: str, tmp_path: Path) -> None:
    """What would install, renders with the same arguments; what uninstalls, names the release."""
    (tmp_path / "values.yaml").write_text(blocks("yaml values")[0], encoding="utf-8")
    words = command.replace("values.yaml", str(tmp_path / "values.yaml")).split()[1:]
    if words[0] == "uninstall":
        assert ["uninstall", "upload-janitor"] == words
        return
    arguments = [word for word in words if word not in {"install", "upgrade", "--install"}]
    done = k8s.run([k8s.HELM, "template", *arguments])

    assert 0 == done.returncode, done.stderr


def test_every_kubectl_command_names_what_is_there() -> None:
    """Deployments, jobs, claims and Secrets have the names that the chart gives or expects."""
    daemon, job = (
        k8s.render({"workload": workload, "persistence": {"enabled": True}})
        for workload in ("daemon", "cronjob")
    )
    there = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in [*daemon, *job]}
    made = set(re.findall(r"create job \S+ ([\w-]+)", TEXT))
    named = re.findall(r"\b(deployment|cronjob|job|persistentvolumeclaim)[ /](upload[\w-]+)", TEXT)

    assert len(named) > 5
    for kind, name in named:
        assert f"{kind}/{name}" in there | {f"job/{one}" for one in made}


def test_every_secret_of_the_values_is_made_by_a_command() -> None:
    """With the keys that the values read."""
    made = {
        name: set(re.findall(r"--from-file=([\w-]+)", rest))
        for name, rest in re.findall(r"create secret generic ([\w-]+)(.*)", TEXT)
    }
    named = re.findall(r"(?:existingSecret: |secretKeyRef: \{name: )([\w-]+)", TEXT)

    assert set(made) == set(named)
    assert {"minio-id", "minio-secret"} == made["upload-janitor-keys"]
    assert {"url"} == made["upload-janitor-ledger"]


@pytest.mark.parametrize("workload", ["daemon", "cronjob"])
def test_the_overlay_builds(workload: str, tmp_path: Path) -> None:
    """With a config and an image of one's own, for either workload."""
    shutil.copytree(k8s.KUSTOMIZE, tmp_path / "deploy" / "kustomize")
    overlay = tmp_path / "mine" / "overlay"
    overlay.mkdir(parents=True)
    (text,) = blocks("yaml kustomization")
    file = overlay / "kustomization.yaml"
    file.write_text(text.replace("kustomize/daemon", f"kustomize/{workload}"), encoding="utf-8")
    base = (k8s.KUSTOMIZE / "base" / "janitor.yaml").read_text(encoding="utf-8")
    own = base.replace("us-east-1", "eu-west-1")
    (overlay / "janitor.yaml").write_text(own, encoding="utf-8")
    manifests = k8s.kustomize(overlay)
    image = k8s.container_of(manifests)["image"]

    assert f"registry.example/upload-janitor:{janitor.__version__}" == image
    assert "eu-west-1" in k8s.config_text(manifests)
    assert {"upload-janitor"} == {one["metadata"]["namespace"] for one in manifests}
    assert "eks.amazonaws.com/role-arn" in str(k8s.only(manifests, "ServiceAccount"))


def test_kubectl_applies_a_folder_that_is_there() -> None:
    """And nothing else is applied."""
    folders = re.findall(r"kubectl apply -k (\S+)", TEXT)

    assert ["deploy/kustomize/daemon"] == folders
    assert k8s.kustomize(k8s.ROOT / folders[0])


def test_every_link_leads_somewhere() -> None:
    """To a file or a folder of this repository."""
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", TEXT)]

    assert len(links) > 5
    assert [] == [link for link in links if not (PAGE.parent / link).exists()]


def test_every_version_is_this_one() -> None:
    """Image tags in commands and blocks are current."""
    assert {janitor.__version__} == set(re.findall(r"(?:upload-janitor:|newTag: )([\d.]+)", TEXT))
