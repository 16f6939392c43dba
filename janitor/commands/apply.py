"""Carries out a plan that `janitor plan` wrote: exactly that, and each upload looked at again."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import click

from janitor import settings
from janitor.commands.memory import demand_ledger
from janitor.commands.sweep import Printing, audited, log_to_stderr, print_sweep
from janitor.consent import NEW_ONE, objection_to_config, objection_to_targets, objection_to_time
from janitor.ledger import Ledger, open_ledger
from janitor.ledger.types import RunHeader
from janitor.model import ContainerRef, ContainerResult, UploadResult
from janitor.observe.audit import AuditFile
from janitor.observe.events import ContainerFinished, Event, UploadFinished
from janitor.planfile import BadPlan, PlanFile, PlannedTarget, Sealed, decode
from janitor.report.plan_words import EXPLICIT, applied, overview
from janitor.report.text import counted
from janitor.settings.types import Settings
from janitor.wiring import Sweeper, config_fingerprint, policy_fingerprint, utc_now

EXIT_DECLINED = 1
STDIN = "-"
NOTHING_TO_DO = "the plan holds no uploads: there is nothing to do"
DECLINED = "nothing was aborted"
CANNOT_ASK = "there is no terminal to ask on: say --yes to apply the plan without being asked"


@dataclass(slots=True)
class Fates:
    """Hears what became of the uploads of a plan."""

    names: frozenset[tuple[ContainerRef, str, str]]
    results: dict[tuple[ContainerRef, str, str], UploadResult] = field(default_factory=dict)
    containers: list[ContainerResult] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Remember the last word on each."""
        match event:
            case UploadFinished(result):
                upload = result.decision.upload
                name = (upload.where, *upload.identity)
                if name in self.names:
                    self.results[name] = result
            case ContainerFinished(result):
                self.containers.append(result)
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a run begin only if the plan was made here, for this, and was never applied."""

    sealed: Sealed
    url: str
    audit: tuple[AuditFile, ...] = ()

    def demand_known(self, ledger: Ledger) -> None:
        """Raise BadPlan unless the ledger knows the plan and that it was not applied."""
        if ledger.plan(self.sealed.digest) is None:
            msg = f"this ledger knows no such plan, so it was made or changed elsewhere: {NEW_ONE}"
            raise BadPlan(msg)
        done = ledger.plan(self._done)
        if done is not None:
            msg = f"the plan was applied before, by run {done.run_id}: {NEW_ONE}"
            raise BadPlan(msg)

    def vet(self, header: RunHeader) -> None:
        """Raise BadPlan, or record that the plan is applied; called under the ledger's lock."""
        plan = self.sealed.plan
        targets = [PlannedTarget(**asdict(target)) for target in header.targets]
        _refuse(objection_to_targets(plan, targets) or objection_to_time(plan, utc_now()))
        with open_ledger(self.url) as ledger:
            self.demand_known(ledger)
            ledger.record_plan(self._done, header.run_id, header.started_at, plan.expires_at)
        for file in self.audit:
            file.plan_applied(header.run_id, self.sealed.digest, plan.run_id, len(plan.uploads))

    @property
    def _done(self) -> str:
        """The name under which the ledger remembers that the plan was applied."""
        return f"applied:{self.sealed.digest}"


def run_apply(path: str, printing: Printing, file: str, *, yes: bool) -> int:
    """Apply a plan with the config at `path` and give the exit code."""
    loaded = settings.load(path, os.environ)
    url = demand_ledger(loaded, "janitor apply")
    gate = Gate(decode(_read(file)), url)
    plan = gate.sealed.plan
    with open_ledger(url, read_only=True) as ledger:
        gate.demand_known(ledger)
    _refuse(objection_to_time(plan, utc_now()) or _objection_to_config(plan, loaded))
    if not plan.uploads:
        click.echo(NOTHING_TO_DO, err=True)
        return 0
    if not _agreed(plan, loaded.mode, ask=not yes):
        click.echo(DECLINED, err=True)
        return EXIT_DECLINED
    return _carry_out(loaded, printing, gate)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        msg = f"the plan {file} cannot be read: {error.strerror}"
        raise BadPlan(msg) from error


def _objection_to_config(plan: PlanFile, loaded: Settings) -> str | None:
    policies = {target.name: policy_fingerprint(target) for target in loaded.targets}
    return objection_to_config(plan, policies, config_fingerprint(loaded))


def _refuse(objection: str | None) -> None:
    if objection is not None:
        raise BadPlan(objection)


def _agreed(plan: PlanFile, mode: str, *, ask: bool) -> bool:
    if not ask:
        if mode != "enforce":
            click.echo(EXPLICIT, err=True)
        return True
    if not sys.stdin.isatty():
        raise BadPlan(CANNOT_ASK)
    for line in overview(plan, mode):
        click.echo(line, err=True)
    these = "this" if len(plan.uploads) == 1 else "these"
    question = f"Abort {these} {counted(len(plan.uploads), 'upload')}?"
    return click.confirm(question, default=False, err=True)


def _carry_out(loaded: Settings, printing: Printing, gate: Gate) -> int:
    """Sweep the targets that the plan is about, and say what became of its uploads."""
    plan = gate.sealed.plan
    only = {upload.name: upload.fingerprint for upload in plan.uploads}
    names = {upload.where.target for upload in plan.uploads}
    targets = tuple(target for target in loaded.targets if target.name in names)
    log_to_stderr(loaded, printing)
    fates = Fates(frozenset(only))
    enforcing = replace(loaded, mode="enforce", targets=targets)
    sweeper = Sweeper(enforcing, observers=(fates,), only=only)
    with audited(sweeper) as audit:
        vet = replace(gate, audit=audit).vet
        code = print_sweep(replace(sweeper, vet=vet), printing, sys.stdout)
    click.echo(applied(plan, fates.results, fates.containers), err=True)
    return code
