"""The command line: what there is to say, and which exit code it ends with.

Exit codes: 0 complete, 1 failed, 2 stale uploads were planned (only with
`plan --detailed-exitcode`), 3 incomplete, 4 a limit tripped, 64 usage, 75
another janitor is at work, 78 config, 130 or 143 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import click

from janitor import __version__, startup
from janitor.errors import ConfigError, JanitorError
from janitor.sharding import MOST as MOST_SHARDS
from janitor.sharding import Shard

EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

FORMATS = ("table", "json", "jsonl", "csv", "markdown")

F = TypeVar("F", bound=Callable[..., object])


def main() -> None:
    """Run the command line and exit; the one place where errors become exit codes."""
    sys.excepthook = _crashed
    startup.collect_seldom()
    sys.exit(run(sys.argv[1:]))


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from janitor.observe.logs import crashed

    crashed(kind, error, trace)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    try:
        code = janitor.main(arguments, prog_name="janitor", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED
    except ConfigError as error:
        click.echo(str(error), err=True)
        return EXIT_CONFIG
    except (JanitorError, OSError) as error:
        return _failed(error)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    from janitor.observe.redaction import redacted

    click.echo(f"janitor: {redacted(str(error))}", err=True)
    return EXIT_FAILED


def config_option(command: F) -> F:
    """Add `--config`."""
    return click.option(
        "-c",
        "--config",
        "path",
        default="janitor.yaml",
        show_default=True,
        envvar="JANITOR_CONFIG",
        metavar="FILE",
        help="The config file; - reads standard input.",
    )(command)


def report_options(command: F) -> F:
    """Add what `scan` and `sweep` share."""
    only = click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this one.")
    return printing_options(only(command))


def shard_options(command: F) -> F:
    """Add what lets several janitors share one sweep."""
    for option in (
        click.option(
            "--shard-run",
            default="",
            envvar="JANITOR_SHARD_RUN",
            metavar="NAME",
            help="What the shards of one run have in common: for example the uid of their Job.",
        ),
        click.option(
            "--shards",
            type=click.IntRange(1, MOST_SHARDS),
            metavar="N",
            help="The same in an Indexed Job, which says I: JOB_COMPLETION_INDEX.",
        ),
        click.option(
            "--shard",
            metavar="I/N",
            help="Sweep one of N parts, I from 0: every container is in exactly one.",
        ),
    ):
        command = option(command)
    return command


def printing_options(command: F) -> F:
    """Add what every verb shares that prints the report of a run."""
    for option in (
        click.option(
            "-o",
            "--output",
            type=click.Choice(FORMATS),
            default="table",
            show_default=True,
            help="How to print the result on standard output.",
        ),
        click.option("--all", "every", is_flag=True, help="Tell young uploads one by one, too."),
        click.option(
            "--rows",
            type=click.IntRange(0),
            default=20,
            show_default=True,
            help="At most this many uploads of each kind in a table.",
        ),
        click.option("-v", "--verbose", is_flag=True, help="Log at info on a terminal, too."),
        config_option,
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="janitor")
def janitor() -> None:
    """Find stale multipart uploads in Glacier vaults, QingStor and S3 buckets.

    Data goes to standard output, logs and progress to standard error. Without
    a config that says `mode: enforce`, nothing is ever changed.
    """


@janitor.command()
@click.option("--keep", is_flag=True, help="Serve the sandbox on, until Ctrl-C.")
@click.option(
    "--serve", "go_on", is_flag=True, help="Go on as a daemon with metrics, until Ctrl-C."
)
@click.option("--port", default=10079, show_default=True, help="Where the daemon answers.")
def demo(*, keep: bool, go_on: bool, port: int) -> int:
    """See it work: a sandbox with a believable mess, swept by the real thing."""
    from janitor.commands.demo import run_demo

    return run_demo(keep=keep, listen=("127.0.0.1", port) if go_on else None)


@janitor.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--ports",
    default="9080,9081,9082",
    show_default=True,
    metavar="S3,GLACIER,QINGSTOR",
    help="Three ports; 0 takes a free one.",
)
@click.option("--seed", type=click.Path(path_type=Path), help="A population; else our own.")
@click.option("--empty", is_flag=True, help="Begin without any uploads.")
@click.option("--write-config", type=click.Path(path_type=Path), help="Write a config for it here.")
def sandbox(
    *, host: str, ports: str, seed: Path | None, empty: bool, write_config: Path | None
) -> int:
    """Serve the sandbox alone, to try a config or any client against it."""
    from janitor.commands.sandbox import run_sandbox

    return run_sandbox(host, _three_ports(ports), seed, empty=empty, write_config=write_config)


def _three_ports(text: str) -> tuple[int, int, int]:
    try:
        first, second, third = (int(port) for port in text.split(","))
    except ValueError:
        msg = f"{text!r} is not three port numbers: say for example 9080,9081,9082 or 0,0,0"
        raise click.BadParameter(msg, param_hint="--ports") from None
    return first, second, third


@janitor.command()
@report_options
def scan(  # noqa: PLR0913  # one for each option
    *, path: str, output: str, every: bool, rows: int, targets: tuple[str, ...], verbose: bool
) -> int:
    """List and judge, and print; never changes anything."""
    from janitor.commands.sweep import Printing, run_sweep

    printing = Printing(output, every=every, rows=rows, verbose=verbose)
    return run_sweep(path, printing, targets, read_only=True)


@janitor.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, whatever the config says.")
@click.option(
    "--delete-on-success",
    is_flag=True,
    help="Delete the group at the Pushgateway after a complete sweep, instead of pushing it.",
)
@shard_options
@report_options
def sweep(  # noqa: PLR0913  # one for each option
    *,
    path: str,
    output: str,
    every: bool,
    rows: int,
    targets: tuple[str, ...],
    verbose: bool,
    dry_run: bool,
    delete_on_success: bool,
    shard: str | None,
    shards: int | None,
    shard_run: str,
) -> int:
    """One full pass that honours `mode`: what a CronJob runs."""
    from janitor.commands.sweep import Printing, run_sweep

    printing = Printing(output, every=every, rows=rows, verbose=verbose)
    return run_sweep(
        path,
        printing,
        targets,
        read_only=dry_run,
        delete_on_success=delete_on_success,
        shard=_shard(shard, shards, shard_run),
    )


def _shard(one: str | None, count: int | None, run: str) -> Shard | None:
    """Read which shard this is, from what was said or from the Job that started us."""
    from janitor import sharding

    if one is not None and count is not None:
        msg = "say --shard I/N, or --shards N in an Indexed Job, but not both"
        raise click.UsageError(msg)
    try:
        if one is not None:
            return sharding.parsed(one, run)
        return None if count is None else sharding.of_job(count, os.environ, run)
    except ValueError as error:
        option = "--shard" if count is None else "--shards"
        raise click.BadParameter(str(error), param_hint=option) from None


@janitor.command()
@click.option(
    "--out",
    metavar="FILE",
    help="Write the plan here; - writes it to standard output, and the report to standard error.",
)
@click.option(
    "--expires-in",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the plan may be applied, for example 36h or 7d.",
)
@click.option(
    "--detailed-exitcode", "detailed", is_flag=True, help="End with 2 if it is not empty."
)
@printing_options
def plan(  # noqa: PLR0913  # one for each option
    *,
    path: str,
    out: str | None,
    expires_in: str,
    detailed: bool,
    output: str,
    every: bool,
    rows: int,
    verbose: bool,
) -> int:
    """Write down what a sweep would abort, for `apply`; abort nothing.

    Stale uploads are marked in the ledger, as by every run: what is seen for
    the first time, or is in its grace, is not in the plan.
    """
    from janitor.commands.plan import run_plan
    from janitor.commands.sweep import Printing

    printing = Printing(output, every=every, rows=rows, verbose=verbose)
    return run_plan(path, printing, out, expires_in, detailed=detailed)


@janitor.command()
@click.argument("file")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@printing_options
def apply(  # noqa: PLR0913  # one for each option
    *, file: str, path: str, yes: bool, output: str, every: bool, rows: int, verbose: bool
) -> int:
    """Abort the uploads of a plan, each looked at again; - reads standard input.

    A plan is applied once, with the ledger and the config that it was made
    with, before it expires. This is the explicit act: it aborts even where the
    config says `mode: report`. What changed since the plan was made is kept.
    """
    from janitor.commands.apply import run_apply
    from janitor.commands.sweep import Printing

    printing = Printing(output, every=every, rows=rows, verbose=verbose)
    return run_apply(path, printing, file, yes=yes)


@janitor.command()
@click.argument("target")
@click.argument("key", required=False)
@click.option("--container", metavar="NAME", help="Only in this vault or bucket.")
@click.option("--upload-id", metavar="ID", help="Only this upload.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print it on standard output.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=20, show_default=True, help="At most this many."
)
@config_option
def explain(  # noqa: PLR0913  # one for each option
    *,
    target: str,
    key: str | None,
    container: str | None,
    upload_id: str | None,
    output: str,
    rows: int,
    path: str,
) -> int:
    """Say why uploads are kept or would be aborted, step by step; change nothing."""
    from janitor.commands.explain import Question, run_explain

    return run_explain(path, Question(target, key, container, upload_id), output, rows)


@janitor.group()
def ledger() -> None:
    """Look after the janitor's memory."""


@ledger.command("check")
@config_option
def ledger_check(*, path: str) -> int:
    """Tell what is in the ledger and everything that is wrong with it."""
    from janitor.commands.ledger import run_check

    return run_check(path)


@ledger.command("upgrade")
@config_option
def ledger_upgrade(*, path: str) -> int:
    """Bring the ledger to the version of this janitor; make it if it is missing."""
    from janitor.commands.ledger import run_upgrade

    return run_upgrade(path)


@ledger.command("audit")
@click.option("--expect", metavar="HASH", help="Fail unless the journal ends with this hash.")
@config_option
def ledger_audit(*, path: str, expect: str | None) -> int:
    """Follow the journal of all aborts to its head, and print that."""
    from janitor.commands.ledger import run_audit

    return run_audit(path, expect)


@janitor.command()
@config_option
@click.option(
    "--watch-config",
    is_flag=True,
    help="Reload the config when its content is new, as SIGHUP does.",
)
def serve(*, path: str, watch_config: bool) -> int:
    """Run as a daemon: sweeps by schedule, metrics and health over HTTP."""
    from janitor.commands.signals import take_early

    take_early()
    from janitor.commands.serve import run_serve

    return run_serve(path, watch_config=watch_config)


@janitor.group()
def config() -> None:
    """Check, explain and begin a config file."""


@config.command("check")
@config_option
def config_check(*, path: str) -> int:
    """Read a config; tell every problem with its place and remedy."""
    from janitor import settings
    from janitor.settings.expanding import named

    loaded = settings.load(path, os.environ)
    names = ", ".join(named(loaded.targets))
    click.echo(f"{path}: fine; mode {loaded.mode}, targets: {names}")
    return 0


@config.command("show")
@config_option
def config_show(*, path: str) -> int:
    """Print the config with every default written out, and no secrets."""
    from janitor import settings

    click.echo(settings.show(settings.load(path, os.environ)), nl=False)
    return 0


@config.command("schema")
def config_schema() -> int:
    """Print the JSON Schema, for editors and other checkers."""
    import json

    from janitor import settings

    click.echo(json.dumps(settings.schema(), indent=2, ensure_ascii=False))
    return 0


@config.command("init")
@click.option("--minimal", is_flag=True, help="The smallest config that is of use.")
def config_init(*, minimal: bool) -> int:
    """Print a commented example to begin with: janitor config init > janitor.yaml."""
    from janitor import settings

    click.echo(settings.minimal() if minimal else settings.example(), nl=False)
    return 0


@janitor.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> int:
    """Print a completion script: eval "$(janitor completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        msg = f"there is no completion for {shell}"
        raise click.ClickException(msg)
    click.echo(found(janitor, {}, "janitor", "_JANITOR_COMPLETE").source())
    return 0
