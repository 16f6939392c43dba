"""Prepares what a sweep needs where its requests are made by workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from janitor.backends.acting import Acting
from janitor.backends.away import Office, opened
from janitor.backends.hands import Team
from janitor.backends.pieces import Terms, most_workers
from janitor.backends.remote import Surveying
from janitor.engine.calls import Deadline
from janitor.engine.reconcile import Reconciler
from janitor.model import ContainerRef
from janitor.providers.base import Reader
from janitor.sweep.opening import Opened
from janitor.sweep.run import Job, Run


def office_of(run: Run, jobs: Sequence[Job], started: datetime, stack: ExitStack) -> Office | None:
    """Have the workers get ready; None where there are none. Raises NoWorkers."""
    away, caller = run.away, run.caller
    if away is None:
        return None
    wanted = away.staff.count() if away.workers is None else away.workers
    workers = most_workers(wanted, run.execution.concurrency)
    execution = run.execution
    terms = Terms(
        run.run_id,
        away.config,
        started,
        run.every_upload,
        caller.patience,
        workers,
        replace(execution, dask=None),  # whose files are our own
        # Whoever applies a plan may abort just that, whatever the config says.
        enforce=run.mode == "enforce" and run.only is None,
    )
    targets = {job.target.name: job.target for job in jobs}
    last_request = (execution.connect_timeout + execution.read_timeout).total_seconds()
    team = Team(away.staff, terms, run.tell, run.now, caller.stop, targets, last_request)
    return stack.enter_context(opened(away, team))


def introduced(run: Run, office: Office, targets: Iterable[Opened]) -> Surveying:
    """Tell the workers who we are at each target, which they have to be, too."""
    for found in targets:
        office.team.identities[found.job.target.name] = found.identity
    return Surveying(office.team, run.caller)


def acting_of(
    run: Run, office: Office, deadline: Deadline, readers: Mapping[ContainerRef, Reader]
) -> Acting:
    """Make what acts on the plan by workers."""
    reconciler = None
    if run.ledger is not None:
        reconciler = Reconciler(run.ledger, run.caller, run.tell, run.now)
    return Acting(
        office.team,
        run.ledger,
        reconciler,
        run.run_id,
        deadline,
        readers,
        run.permit,
        office.lease,
        office.writers,
    )
