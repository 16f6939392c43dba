"""The chart's default config, run for real and without credentials: harmless, alive, measurable."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import kubernetes_manifests as k8s
from support.lines import wait_for_line

JANITOR = Path(sys.executable).with_name("janitor")


def config_file(folder: Path) -> Path:
    """Write the default config; of the pod only its folder and its address are replaced."""
    text = k8s.config_text(k8s.render())
    file = folder / "janitor.yaml"
    text = text.replace(k8s.LEDGER_FOLDER, str(folder))
    file.write_text(text.replace("0.0.0.0:10079", "127.0.0.1:0"), encoding="utf-8")
    return file


def environment(folder: Path) -> dict[str, str]:
    """Give the container's environment, and a home without a single credential."""
    own = {one["name"]: one["value"] for one in k8s.container_of(k8s.render())["env"]}
    return own | {"PATH": os.environ["PATH"], "HOME": str(folder)}


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the verb and the flags that the pod would run."""
    file = config_file(folder)
    arguments = k8s.container_of(k8s.render())["args"]
    pods = "/etc/upload-janitor/janitor.yaml"
    process = subprocess.Popen(  # noqa: S603  # our own program
        [str(JANITOR), *(str(file) if one == pods else one for one in arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(url: str, path: str) -> tuple[int, str]:
    """Ask the daemon."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def test_config_check_has_nothing_to_say(tmp_path: Path) -> None:
    """The default config is a valid one, by the janitor's own word."""
    command = [str(JANITOR), "config", "check", "-c", str(config_file(tmp_path))]
    done = subprocess.run(  # noqa: S603  # our own program
        command, capture_output=True, text=True, env=environment(tmp_path), check=False, timeout=60
    )

    assert 0 == done.returncode, done.stderr


@pytest.mark.timeout(180)
def test_a_daemon_without_credentials_is_healthy_and_shows_metrics(tmp_path: Path) -> None:
    """It says that it may not look, in log and metrics, and goes on being there."""
    with daemon(tmp_path) as process:
        url = json.loads(wait_for_line(process, "daemon.started"))["url"]
        finished = json.loads(wait_for_line(process, "sweep.finished"))
        answers = {path: get(url, path)[0] for path in ("/healthz", "/readyz")}
        status, text = get(url, "/metrics")
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    outcomes = {
        one.labels["outcome"]: one.value for one in samples if one.name == "janitor_target_outcome"
    }
    (mode,) = [one.labels["mode"] for one in samples if one.name == "janitor_mode" and one.value]

    assert ("report", {"forbidden": 1}) == (finished["mode"], finished["outcomes"])
    assert {"/healthz": 200, "/readyz": 200} == answers
    assert (200, "report") == (status, mode)
    assert (1, 0) == (outcomes["forbidden"], outcomes["complete"])
