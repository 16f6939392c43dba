"""Shows the main job from end to end, on a sandbox, through the real SDKs over HTTP."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from janitor import settings
from janitor.commands.sandbox import config_for
from janitor.commands.signals import stopping
from janitor.commands.sweep import Printing, print_sweep
from janitor.model import Reason
from janitor.observe import logs
from janitor.observe.metrics import Metrics
from janitor.sandbox import POPULATION, Options, Sandbox, SandboxClock
from janitor.service.daemon import serve
from janitor.service.runner import Work
from janitor.settings.types import Http, Schedule, Settings
from janitor.wiring import Sweeper, showing

OPENING = """\
A sandbox now speaks Glacier, QingStor and S3 on this machine, with the kind of
mess that crashed uploaders leave behind. The janitor sweeps it in earnest, with
the requests of boto3 and qingstor-sdk; it needs no credentials and no network.
"""
MARKED = """\
First run: {listed} uploads listed, {candidates} look stale. Nothing was aborted: what a run
sees for the first time it only writes into its ledger.

25 hours later (the sandbox put its clock forward, and whoever was uploading
went on), the second run:
"""
CLOSING = """
Checked by the sandbox itself: it accepted {aborts} aborts, each for one named
upload, and nothing else was changed. {left} uploads are still there, as above.

Next: janitor config init > janitor.yaml   the config to copy and edit
      janitor config check                 tells every mistake, with its remedy
      janitor scan                         lists and judges; changes nothing
"""
SERVING = """
A daemon goes on sweeping the sandbox every minute: {url}
For graphs and alerts, start a Prometheus in another terminal: make prometheus
Ctrl-C ends it; nothing is kept.
"""
FAILED = "The demo did not end well: {why}"
LATER = timedelta(hours=25)


def run_demo(*, keep: bool, listen: tuple[str, int] | None = None) -> int:
    """Run the demo; 0 only if the sandbox confirms what the report says.

    `keep` serves the sandbox on afterwards, `listen` lets a daemon go on
    sweeping it and answer there; both until a signal comes.
    """
    logs.configure("console", "error")
    # It begins a day ago, so that it ends now. Requests are signed at the real time.
    clock = SandboxClock(datetime.now(UTC) - LATER)
    with (
        Sandbox.start(seed=POPULATION, options=Options(check_skew=False), clock=clock) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        click.echo(OPENING)
        loaded = _settings(sandbox, Path(folder))
        metrics = Metrics(CollectorRegistry(), *showing(loaded))
        code = _mark_and_sweep(sandbox, loaded, metrics)
        trouble = _trouble(sandbox, code)
        if trouble is not None:
            click.echo(FAILED.format(why=trouble), err=True)
            return code or 1
        left = sum(len(ids) for ids in _uploads(sandbox).values())
        click.echo(CLOSING.format(aborts=_aborts(sandbox), left=left))
        if listen is not None:
            return _hand_over(loaded, metrics, listen)
        if keep:
            _serve_on(sandbox)
    return 0


def _settings(sandbox: Sandbox, folder: Path) -> Settings:
    config = folder / "janitor.yaml"
    ledger = f"sqlite:///{folder}/janitor.db"
    config.write_text(config_for(sandbox, ledger), encoding="utf-8")
    return settings.load(config, os.environ)


def _mark_and_sweep(sandbox: Sandbox, loaded: Settings, metrics: Metrics) -> int:
    click.echo(_mark(loaded, sandbox))
    _go_on(sandbox, sandbox.clock.now() - timedelta(hours=24))
    sweeper = Sweeper(loaded, observers=[metrics], now=sandbox.clock.now)
    code = print_sweep(sweeper, Printing(rows=5), sys.stdout)
    sys.stdout.flush()
    return code


def _mark(loaded: Settings, sandbox: Sandbox) -> str:
    marked = Sweeper(loaded, now=sandbox.clock.now).sweep()
    unproven = sum(result.kept.get(Reason.ACTIVITY_UNKNOWN, 0) for result in marked.results)
    return MARKED.format(
        listed=sum(result.listed for result in marked.results),
        candidates=sum(result.stale for result in marked.results) + unproven,
    )


def _go_on(sandbox: Sandbox, since: datetime) -> None:
    """Let time pass; the uploaders that were at work since then send one more part each."""
    alive = [
        (store, name, upload)
        for store in (sandbox.glacier, sandbox.qingstor, sandbox.s3)
        for name in store.containers
        for upload in store.uploads(name)
        if any(
            isinstance(p.received, datetime) and p.received >= since for p in upload.sorted_parts()
        )
    ]
    sandbox.clock.move(LATER)
    for store, name, upload in alive:
        store.add_part(name, upload.upload_id, upload.sorted_parts()[-1].size)


def _uploads(sandbox: Sandbox) -> dict[str, list[str]]:
    stores = (sandbox.glacier, sandbox.qingstor, sandbox.s3)
    return {name: store.upload_ids(name) for store in stores for name in store.containers}


def _aborts(sandbox: Sandbox) -> int:
    return sum(
        entry.operation.endswith(".abort") and entry.status == HTTPStatus.NO_CONTENT
        for entry in sandbox.journal
    )


def _trouble(sandbox: Sandbox, code: int) -> str | None:
    if code != 0:
        return f"the sweep ended with exit code {code}"
    if sandbox.accusations:
        return f"the sandbox accuses: {sandbox.accusations[0].why}"
    if _aborts(sandbox) == 0:
        return "nothing was aborted"
    return None


def _hand_over(loaded: Settings, metrics: Metrics, listen: tuple[str, int]) -> int:
    """Go on as a daemon, with the same ledger and the same metrics."""
    serving = replace(loaded, schedule=Schedule(every=timedelta(minutes=1)), http=Http(*listen))
    stop = threading.Event()
    sweeper = Sweeper(serving, observers=[metrics, logs.LogObserver()], stop=stop)
    click.echo(SERVING.format(url=f"http://{listen[0]}:{listen[1]}"))
    sys.stdout.flush()
    logs.configure("console", "info")
    return serve(Work(serving, sweeper.sweep), metrics, stop)


def _serve_on(sandbox: Sandbox) -> None:
    click.echo(f"The sandbox serves on until Ctrl-C. Its config:\n\n{config_for(sandbox)}")
    with stopping() as stop:
        stop.event.wait()
