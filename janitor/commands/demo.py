"""Shows the main job from end to end, on a sandbox, through the real SDKs over HTTP."""

from __future__ import annotations

import os
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path

import click

from janitor import settings
from janitor.commands.sandbox import config_for
from janitor.commands.signals import stopping
from janitor.commands.sweep import Printing, sweep_and_print
from janitor.observe import logs
from janitor.sandbox import POPULATION, Sandbox

OPENING = """\
A sandbox now speaks Glacier, QingStor and S3 on this machine, with the kind of
mess that crashed uploaders leave behind. The janitor sweeps it in earnest, with
boto3 and qingstor-sdk over HTTP, no credentials and no network needed.
"""
CLOSING = """
Checked by the sandbox itself: it accepted {aborts} aborts, each for one named
upload, and nothing else was changed. {left} uploads are still there, as above.

Next: janitor config init > janitor.yaml   the config to copy and edit
      janitor config check                 tells every mistake, with its remedy
      janitor scan                         lists and judges; changes nothing
"""
FAILED = "The demo did not end well: {why}"


def run_demo(*, keep: bool) -> int:
    """Run the demo; 0 only if the sandbox confirms what the report says."""
    logs.configure("console", "error")
    with Sandbox.start(seed=POPULATION) as sandbox, tempfile.TemporaryDirectory() as folder:
        click.echo(OPENING)
        config = Path(folder) / "janitor.yaml"
        config.write_text(config_for(sandbox), encoding="utf-8")
        before = _left(sandbox)
        code = sweep_and_print(settings.load(config, os.environ), Printing(rows=5), read_only=False)
        sys.stdout.flush()
        aborts = sum(
            entry.operation.endswith(".abort") and entry.status == HTTPStatus.NO_CONTENT
            for entry in sandbox.journal
        )
        trouble = _trouble(sandbox, code, before - _left(sandbox))
        if trouble is not None:
            click.echo(FAILED.format(why=trouble), err=True)
            return code or 1
        click.echo(CLOSING.format(aborts=aborts, left=_left(sandbox)))
        if keep:
            _serve_on(sandbox)
    return 0


def _left(sandbox: Sandbox) -> int:
    stores = (sandbox.glacier, sandbox.qingstor, sandbox.s3)
    return sum(len(store.uploads(name)) for store in stores for name in store.containers)


def _trouble(sandbox: Sandbox, code: int, gone: int) -> str | None:
    if code != 0:
        return f"the sweep ended with exit code {code}"
    if sandbox.accusations:
        return f"the sandbox accuses: {sandbox.accusations[0].why}"
    if gone == 0:
        return "nothing was aborted"
    return None


def _serve_on(sandbox: Sandbox) -> None:
    click.echo(f"The sandbox serves on until Ctrl-C. Its config:\n\n{config_for(sandbox)}")
    with stopping() as stop:
        stop.event.wait()
