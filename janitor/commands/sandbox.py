"""Serves the sandbox alone, and says how to use it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from janitor.commands.signals import stopping
from janitor.sandbox import POPULATION, Sandbox, run

WITHOUT_LEDGER = {
    "LEDGER": "none             # together with grace: 0, the first run may already abort",
    "GRACE": "0",
    "GLACIER_POLICY": "policy: {idle_for: off}   # no memory, no proof: parts have no dates there",
}


def config_for(sandbox: Sandbox, ledger: str | None = None) -> str:
    """Give a config that points at a running sandbox; its keys are public.

    With a ledger (a URL) it takes two runs, a day apart, to abort anything.
    """
    text = resources.files("janitor.commands").joinpath("sandbox.yaml").read_text("utf-8")
    with_ledger = {"LEDGER": str(ledger), "GRACE": "24h", "GLACIER_POLICY": ""}
    values = WITHOUT_LEDGER if ledger is None else with_ledger
    for name, value in {
        **values,
        "S3_URL": sandbox.s3_url,
        "GLACIER_URL": sandbox.glacier_url,
        "QINGSTOR_URL": sandbox.qingstor_url,
        "ACCESS_KEY_ID": sandbox.access_key_id,
        "SECRET_ACCESS_KEY": sandbox.secret_access_key,
        "ACCOUNT_ID": sandbox.account_id,
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def run_sandbox(
    host: str,
    ports: tuple[int, int, int],
    seed: Path | None,
    *,
    empty: bool,
    write_config: Path | None,
) -> int:
    """Serve until a signal comes; give the exit code."""
    population = None if empty else seed or POPULATION
    served: list[Sandbox] = []

    def announce(sandbox: Sandbox) -> None:
        served.append(sandbox)
        if write_config is not None:
            write_config.write_text(config_for(sandbox), encoding="utf-8")
        click.echo(_how_to(sandbox, write_config))

    with stopping() as stop:
        run(host, ports, population, announce, stop.event)
    for accusation in served[0].accusations:
        click.echo(f"accused: {accusation.why}", err=True)
    return 0


def _how_to(sandbox: Sandbox, config: Path | None) -> str:
    lines = [
        f"S3, STS   {sandbox.s3_url}",
        f"Glacier   {sandbox.glacier_url}",
        f"QingStor  {sandbox.qingstor_url}",
        f"janitor   {sandbox.access_key_id} {sandbox.secret_access_key}",
        f"uploaders {sandbox.owner_access_key_id} {sandbox.owner_secret_access_key}",
    ]
    if config is not None:
        lines.append(f"try       janitor scan --config {config}")
    lines.append("Ctrl-C ends it; nothing is kept.")
    return "\n".join(lines)
