"""The command line: what there is to say, and which exit code it ends with.

Exit codes: 0 complete, 1 failed, 3 incomplete, 4 a limit tripped, 64 usage,
78 config, 130 or 143 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from janitor import __version__
from janitor.errors import ConfigError, JanitorError

EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

FORMATS = ("table", "json", "jsonl", "csv", "markdown")

F = TypeVar("F", bound=Callable[..., object])


def main() -> None:
    """Run the command line and exit; the one place where errors become exit codes."""
    sys.exit(run(sys.argv[1:]))


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
    click.echo(f"janitor: {error}", err=True)
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
        click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this one."),
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
def demo(*, keep: bool) -> int:
    """See it work: a sandbox with a believable mess, swept by the real thing."""
    from janitor.commands.demo import run_demo

    return run_demo(keep=keep)


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
) -> int:
    """One full pass that honours `mode`: what a CronJob runs."""
    from janitor.commands.sweep import Printing, run_sweep

    printing = Printing(output, every=every, rows=rows, verbose=verbose)
    return run_sweep(path, printing, targets, read_only=dry_run)


@janitor.command()
@config_option
def serve(*, path: str) -> int:
    """Run as a daemon: sweeps by schedule, metrics and health over HTTP."""
    from janitor.commands.serve import run_serve

    return run_serve(path)


@janitor.group()
def config() -> None:
    """Check, explain and begin a config file."""


@config.command("check")
@config_option
def config_check(*, path: str) -> int:
    """Read a config; tell every problem with its place and remedy."""
    from janitor import settings

    loaded = settings.load(path, os.environ)
    names = ", ".join(target.name for target in loaded.targets)
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
