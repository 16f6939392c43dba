"""The daemon with processes that make its requests: round after round, and nothing is left."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.lines import wait_for_line
from support.workers import children

from janitor.commands.sandbox import config_for
from janitor.sandbox import POPULATION, Sandbox

JANITOR = Path(sys.executable).with_name("janitor")
PATIENCE = 100
MORE = """
http: {listen: "127.0.0.1:0"}
execution: {concurrency: 16, backend: processes, workers: 2}
log: {format: json}
"""
BUCKET = "of-the-second-round"


@contextmanager
def daemon(sandbox: Sandbox, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `janitor serve` with workers, each minute, with a place of its own for what it spools."""
    file, spool = tmp_path / "janitor.yaml", tmp_path / "tmp"
    spool.mkdir()
    # A minute is the shortest that a schedule can be; the first sweep is at the start.
    config = config_for(sandbox).replace("{every: 6h}", '{cron: "* * * * *"}')
    file.write_text(config + MORE, encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "serve", "-c", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(spool)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def scraped(url: str) -> Counter[str]:
    """Ask for the metrics, and sum each up over its labels but that of an abort's outcome."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            outcome = sample.labels.get("outcome", "") if "aborts" in sample.name else ""
            found[f"{sample.name}{outcome and ' ' + outcome}"] += int(sample.value)
    return found


def aborted(sandbox: Sandbox) -> int:
    """Count what the sandbox aborted."""
    return sum(e.operation.endswith(".abort") and e.status == 204 for e in sandbox.journal)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, also where nobody has asked for its exit code."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " in Path(f"/proc/{pid}/stat").read_text("utf-8")
    return True


@pytest.mark.timeout(300)
def test_two_rounds_and_an_end_in_the_middle(tmp_path: Path) -> None:
    """Workers come and go with each sweep; SIGTERM ends them, too, and their files are gone."""
    reached, go_on = threading.Event(), threading.Event()
    with Sandbox.start(seed=POPULATION) as sandbox:
        with daemon(sandbox, tmp_path) as process:
            url = json.loads(wait_for_line(process, "daemon.started"))["url"]
            first = json.loads(wait_for_line(process, "sweep.finished"))
            told = scraped(url)
            done = aborted(sandbox)
            until(lambda: not children(process.pid))
            # More than workers could abort before they hear of a stop.
            _fill(sandbox, 1500)

            def hold(_call: object) -> None:
                reached.set()
                assert go_on.wait(PATIENCE)

            sandbox.on("s3.abort", hold)
            assert reached.wait(PATIENCE)
            workers = children(process.pid)
            meanwhile = scraped(url)
            process.send_signal(signal.SIGTERM)
            wait_for_line(process, "daemon.stopping")
            go_on.set()
            second = json.loads(wait_for_line(process, "sweep.finished"))
            code = process.wait(PATIENCE)
            until(lambda: all(map(is_gone, workers)))
        all_done, accusations = aborted(sandbox), sandbox.accusations

    assert [] == accusations
    assert 0 < done == first["aborted"] == told["janitor_aborts_total aborted"]
    assert (1, 0) == (told["janitor_sweeps_total"], told["janitor_sweep_in_progress"])
    assert (1, 1) == (meanwhile["janitor_sweeps_total"], meanwhile["janitor_sweep_in_progress"])
    assert 2 == len(workers)
    assert all_done - done == second["aborted"]
    assert 143 == code
    assert [] == list((tmp_path / "tmp").iterdir())


def _fill(sandbox: Sandbox, count: int) -> None:
    """Leave so many stale uploads behind in another bucket."""
    sandbox.s3.add_container(BUCKET)
    now = sandbox.clock.now()
    for number in range(count):
        began = now - timedelta(days=30)
        sandbox.s3.add_upload(BUCKET, f"key-{number:04}", initiated=began, parts=[(1, began)])
