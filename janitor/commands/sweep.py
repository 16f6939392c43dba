"""Runs one sweep for a person or a CronJob, and prints what came of it."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import click
import structlog

from janitor import ledger as ledgers
from janitor import settings
from janitor.commands.signals import stopping
from janitor.engine.tally import EXIT_INTERRUPTED
from janitor.observe import logs
from janitor.observe.audit import AuditFile, audit_of
from janitor.observe.events import SweepFinished
from janitor.observe.hiding import hide_secrets
from janitor.observe.progress import Progress
from janitor.report.as_csv import write_csv
from janitor.report.as_json import write_json, write_jsonl
from janitor.report.as_markdown import write_markdown
from janitor.report.record import Recorder
from janitor.report.rows import Report
from janitor.service.watchdog import watchdog
from janitor.settings.types import Settings
from janitor.sharding import Shard
from janitor.targets import Target
from janitor.wiring import Sweeper, utc_now

if TYPE_CHECKING:
    from janitor.commands.pushing import Pusher

ONLY_LOOKS = "this run only looks, and must not replace what a real one said"
NO_SHARED_LEDGER = (
    "in mode enforce, shards need a ledger that all of them share, or each would have limits of"
    " its own: say ledger: postgresql+psycopg://user@host/database"
)
NO_GATEWAY = "there is no group to delete: the config has no push.pushgateway_url"


@dataclass(frozen=True, slots=True)
class Printing:
    """How to print the result, and how much of it."""

    output: str = "table"
    every: bool = False
    rows: int = 20
    verbose: bool = False


def run_sweep(  # noqa: PLR0913  # one for each option
    path: str,
    printing: Printing,
    targets: tuple[str, ...],
    *,
    read_only: bool,
    delete_on_success: bool = False,
    shard: Shard | None = None,
) -> int:
    """Sweep once with the config at `path` and give the exit code.

    A sweep that only reads leaves no metrics anywhere: they would replace
    those of the sweeps in earnest. A shard sweeps its own containers only.
    """
    loaded = chosen(settings.load(path, os.environ), targets)
    log_to_stderr(loaded, printing)
    if delete_on_success and loaded.push.pushgateway_url is None:
        raise click.BadParameter(NO_GATEWAY, param_hint="--delete-on-success")
    sweeper = Sweeper(loaded, read_only=read_only, shard=shard)
    if shard is not None and sweeper.mode == "enforce":
        refuse_unshared(loaded)
    pusher = None
    if loaded.push.pushgateway_url is not None or loaded.push.textfile is not None:
        if read_only:
            structlog.get_logger("janitor.metrics").info("metrics.withheld", reason=ONLY_LOOKS)
        else:
            pusher = _pusher(sweeper, delete_on_success=delete_on_success)
    return print_sweep(sweeper, printing, sys.stdout, pusher)


def refuse_unshared(loaded: Settings) -> None:
    """Raise BadParameter where shards that abort would each have limits of their own."""
    limits = loaded.limits
    caps = (limits.aborts_per_run, limits.aborts_per_day, limits.bytes_per_run)
    if loaded.ledger is None and any(cap is not None for cap in caps):
        raise click.BadParameter(NO_SHARED_LEDGER, param_hint="--shard")
    if loaded.ledger is not None and not ledgers.is_shared(loaded.ledger):
        raise click.BadParameter(NO_SHARED_LEDGER, param_hint="--shard")


def _pusher(sweeper: Sweeper, *, delete_on_success: bool) -> Pusher:
    # What speaks to Prometheus takes a while to import, and few push.
    from janitor.commands.pushing import Pusher  # noqa: PLC0415  # see above

    return Pusher(
        sweeper.settings, utc_now, delete_on_success=delete_on_success, shard=sweeper.shard
    )


def log_to_stderr(loaded: Settings, printing: Printing) -> None:
    """Log as the config says, but on a terminal only what needs a look, and never a secret."""
    hide_secrets(loaded)
    on_terminal = sys.stderr.isatty() and not printing.verbose
    logs.configure(loaded.log.format, "warning" if on_terminal else loaded.log.level)


def print_sweep(
    sweeper: Sweeper,
    printing: Printing,
    stream: TextIO,
    pusher: Pusher | None = None,
) -> int:
    """Sweep once, print the report, and give the exit code; the sweeper's observers hear it all.

    Raises AuditUnusable where the audit file must be written and cannot.
    """
    more = () if pusher is None else (pusher,)
    with stopping() as stop, Recorder() as recorder, audited(sweeper) as audit:
        listening = dataclasses.replace(
            sweeper,
            observers=(recorder, logs.LogObserver(), *audit, *more, *sweeper.observers),
            stop=stop.event,
            every_upload=printing.every,
        )
        finished = _sweep(listening, pusher)
        # Before the report, because whoever reads that may go away in the middle.
        code = finished.exit_code if pusher is None else pusher.finished(finished)
        print_report(recorder.report(), printing, stream)
        if recorder.lost:
            message = f"{recorder.lost} uploads are missing above: the temporary folder is full"
            click.echo(message, err=True)
    return stop.code(code) if code == EXIT_INTERRUPTED else code


def _sweep(sweeper: Sweeper, pusher: Pusher | None) -> SweepFinished:
    try:
        with Progress(sys.stderr) as progress, watchdog(sweeper.settings.execution):
            return sweeper.sweep((progress,))
    except BaseException as error:
        if pusher is not None:
            pusher.crashed(error)
        raise


@contextmanager
def audited(sweeper: Sweeper) -> Iterator[tuple[AuditFile, ...]]:
    """Open the audit file, if there is one; whoever only looks has nothing to write there."""
    audit = None if sweeper.read_only else audit_of(sweeper.settings)
    if audit is None:
        yield ()
        return
    with audit:
        yield (audit,)


def chosen(loaded: Settings, names: tuple[str, ...]) -> Settings:
    """Keep only the named targets, or those of the named entries; all if none is named."""
    known = {name for target in loaded.targets for name in _names(target)}
    for name in names:
        if name not in known:
            entries = {_names(target)[0] for target in loaded.targets}
            msg = f"there is no target {name!r}; there are: {', '.join(sorted(entries))}"
            raise click.BadParameter(msg, param_hint="--target")
    if not names:
        return loaded
    kept = tuple(target for target in loaded.targets if not set(names).isdisjoint(_names(target)))
    return dataclasses.replace(loaded, targets=kept)


def _names(target: Target) -> tuple[str, ...]:
    """Give what a target is known by: the entry that it is one of, and its own name."""
    own = (target.name,)
    return own if target.fleet is None else (target.fleet.name, *own)


def print_report(report: Report, printing: Printing, stream: TextIO) -> None:
    """Write the report in the wanted format."""
    if isinstance(stream, io.TextIOWrapper):
        # A key can hold what the terminal's encoding cannot, and CSV brings its own line ends.
        newline = "" if printing.output == "csv" else None
        stream.reconfigure(errors="backslashreplace", newline=newline)
    match printing.output:
        case "json":
            write_json(report, stream)
        case "jsonl":
            write_jsonl(report, stream)
        case "csv":
            write_csv(report, stream)
        case "markdown":
            write_markdown(report, stream)
        case _:
            print_table_to(report, stream, printing.rows)


def print_table_to(report: Report, stream: TextIO, rows: int) -> None:
    """Print the tables for people."""
    # Costs 60 ms to import, and programs ask for JSON.
    from rich.console import Console  # noqa: PLC0415  # see above

    from janitor.report.table import print_table  # noqa: PLC0415  # see above

    print_table(report, Console(file=stream), rows)
