"""The daemon as a process: it sweeps, tells, and stops when it is told to."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.lines import wait_for_line

from janitor.commands.sandbox import config_for
from janitor.sandbox import POPULATION, Fault, FaultKind, Sandbox

JANITOR = Path(sys.executable).with_name("janitor")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve the population of the demo, and accept no accusation."""
    with Sandbox.start(seed=POPULATION) as running:
        yield running

        assert [] == running.accusations


@contextmanager
def daemon(sandbox: Sandbox, tmp_path: Path, extra: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run `janitor serve` on a free port with the sandbox's config, and end it for sure."""
    file = tmp_path / "janitor.yaml"
    listen = 'http: {listen: "127.0.0.1:0"}\n'
    file.write_text(config_for(sandbox) + listen + extra, encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "serve", "-c", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
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


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read an exposition."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_daemon_does_what_the_sweep_does(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first sweep starts at once; its metrics, its health and the sandbox agree."""
    before = _count(sandbox)
    with daemon(sandbox, tmp_path) as process:
        url = json.loads(wait_for_line(process, "daemon.started"))["url"]
        finished = json.loads(wait_for_line(process, "sweep.finished"))
        told = samples(get(url, "/metrics")[1])
        health = [get(url, path)[0] for path in ("/-/healthy", "/-/ready", "/healthz", "/readyz")]
        nowhere = get(url, "/nope")[0]
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    aborted = before - _count(sandbox)

    assert aborted == finished["aborted"]
    assert aborted == sum(
        value
        for (name, labels), value in told.items()
        if name == "janitor_aborts_total" and ("outcome", "aborted") in labels
    )
    assert ([200] * 4, 404, 0) == (health, nowhere, code)


def test_sigterm_stops_between_two_requests(sandbox: Sandbox, tmp_path: Path) -> None:
    """A stop in the middle of a sweep ends it cleanly, and the exit code says 143."""
    fault = Fault(operation="*.abort", kind=FaultKind.NONE, latency=0.05, times=None)
    sandbox.faults.add(fault)
    reached = threading.Event()
    for provider in ("glacier", "qingstor", "s3"):
        sandbox.on(f"{provider}.abort", lambda _: reached.set())
    with daemon(sandbox, tmp_path, "execution: {concurrency: 4}\n") as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGTERM)
        finished = json.loads(wait_for_line(process, "sweep.finished"))
        code = process.wait(20)
    done = [entry for entry in sandbox.journal if entry.operation.endswith(".abort")]

    assert 143 == code
    assert finished["aborted"] == sum(entry.status == 204 for entry in done)
    assert finished["withheld"] > 0


def test_a_taken_address_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """A port that somebody else has is an error with a sentence, not a traceback."""
    port = sandbox.s3_url.rpartition(":")[2]
    file = tmp_path / "janitor.yaml"
    listen = f'http: {{listen: "127.0.0.1:{port}"}}\n'
    file.write_text(config_for(sandbox) + listen, encoding="utf-8")
    done = subprocess.run(  # noqa: S603  # our own program
        [JANITOR, "serve", "-c", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"]},
    )

    assert 1 == done.returncode
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def _count(sandbox: Sandbox) -> int:
    stores = (sandbox.glacier, sandbox.qingstor, sandbox.s3)
    return sum(len(store.uploads(name)) for store in stores for name in store.containers)
