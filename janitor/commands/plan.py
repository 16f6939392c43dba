"""Writes down what a sweep would abort, for `janitor apply`; marks are made, nothing is aborted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

import click

from janitor import settings
from janitor.commands.memory import demand_ledger
from janitor.commands.sweep import Printing, log_to_stderr, print_sweep
from janitor.engine.tally import EXIT_COMPLETE, EXIT_INTERRUPTED
from janitor.ledger import open_ledger
from janitor.ledger.types import RunHeader
from janitor.model import later
from janitor.observe.events import Event, Planned, SweepFinished
from janitor.planfile import (
    PlanFile,
    PlannedTarget,
    PlannedUpload,
    decode,
    encode,
    planned,
)
from janitor.report.plan_words import written
from janitor.settings.quantities import Unusable, threshold
from janitor.wiring import Sweeper

EXIT_STALE = 2
STDOUT = "-"
NOT_MADE = "no plan was made: the run did not come to its end"


@dataclass(slots=True)
class Planner:
    """Hears what a sweep would abort, and who and where everybody is."""

    header: RunHeader | None = None
    uploads: Sequence[PlannedUpload] | None = None
    stopped: bool = False

    def __call__(self, event: Event) -> None:
        """Remember the plan, and whether the run came to its end."""
        match event:
            case Planned(abort=abort):
                self.uploads = tuple(map(planned, abort))
            case SweepFinished(exit_code=code):
                self.stopped = code == EXIT_INTERRUPTED
            case _:
                pass

    def vet(self, header: RunHeader) -> None:
        """Remember the header of the run."""
        self.header = header

    def plan(self, lifetime: timedelta) -> PlanFile | None:
        """Give the plan; None where the run was stopped, or locked out."""
        header = self.header
        if header is None or self.uploads is None or self.stopped:
            return None
        return PlanFile(
            run_id=header.run_id,
            created_at=header.started_at,
            expires_at=later(header.started_at, lifetime),
            version=header.version,
            config_fingerprint=header.config_fingerprint,
            targets=tuple(PlannedTarget(**asdict(target)) for target in header.targets),
            uploads=tuple(self.uploads),
        )


def run_plan(
    path: str, printing: Printing, out: str | None, expires_in: str, *, detailed: bool
) -> int:
    """Plan with the config at `path` and give the exit code."""
    lifetime = _lifetime(expires_in)
    loaded = replace(settings.load(path, os.environ), mode="report")
    url = demand_ledger(loaded, "janitor plan")
    log_to_stderr(loaded, printing)
    planner = Planner()
    sweeper = Sweeper(loaded, observers=(planner,), vet=planner.vet)
    code = print_sweep(sweeper, printing, sys.stderr if out == STDOUT else sys.stdout)
    plan = planner.plan(lifetime)
    if plan is None:
        click.echo(NOT_MADE, err=True)
        return code
    if out is not None:
        _publish(plan, url, out)
    return EXIT_STALE if detailed and code == EXIT_COMPLETE and plan.uploads else code


def _lifetime(text: str) -> timedelta:
    try:
        return threshold(text)
    except Unusable as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from None


def _publish(plan: PlanFile, url: str, out: str) -> None:
    """Let the ledger know the plan, and only then anybody else."""
    data = encode(plan)
    with open_ledger(url) as ledger:
        ledger.record_plan(decode(data).digest, plan.run_id, plan.created_at, plan.expires_at)
    if out == STDOUT:
        click.echo(data, nl=False)
    else:
        write_whole(Path(out), data)
    click.echo(written("the plan" if out == STDOUT else out, plan), err=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read; at every moment the old one or the whole new."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  # a handle, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
