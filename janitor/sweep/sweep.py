"""The order of things: open, write down, list and judge all, plan all, act, write down, tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from janitor.engine.backlog import Backlog
from janitor.engine.calls import Deadline
from janitor.engine.crew import Crew
from janitor.engine.discover import ALL
from janitor.engine.memory import RunLedger
from janitor.engine.packing import Candidate
from janitor.engine.survey import Elsewhere, Survey, Surveyor
from janitor.engine.tally import exit_code, result_of
from janitor.ledger.errors import LedgerError, Locked
from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import (
    BudgetCounted,
    ContainerFinished,
    LedgerNoticed,
    RequestsBegun,
    SweepFinished,
    SweepStarted,
)
from janitor.sweep.acting import Actor
from janitor.sweep.finding import Finder
from janitor.sweep.opening import Opened, Opener
from janitor.sweep.planning import Planner, less, limits_left, spent_by
from janitor.sweep.run import Job, Run

if TYPE_CHECKING:
    from janitor.backends.away import Office

NO_LEDGER = "no ledger and no grace: a run can abort what it sees for the first time"


def sweep(jobs: Sequence[Job], run: Run) -> SweepFinished:
    """Sweep all targets; every container ends in exactly one outcome.

    All containers are listed and judged before the first abort, so that the
    limits see the whole plan. Raises LedgerError when the ledger cannot be
    used at all, and NoWorkers when there is nobody to do it: then nothing was done.
    """
    started = run.now()
    run.tell(SweepStarted(run.run_id, run.mode, started, len(jobs)))
    run.tell(RequestsBegun(run.caller.flow.loads))
    if run.ledger is None and run.mode == "enforce":
        run.tell(LedgerNoticed(NO_LEDGER))
    try:
        with ExitStack() as stack:
            if run.ledger is not None:
                stack.enter_context(run.ledger.lock())
            results = _sweep(jobs, run, started, stack)
            recorded = _finish(run, results)
    except Locked as error:
        results, recorded = tuple(_locked(jobs, started, run.now(), str(error))), True
    for result in results:
        run.tell(ContainerFinished(result))
    code = exit_code(results, recorded=recorded)
    ended = run.now()
    finished = SweepFinished(run.run_id, run.mode, started, ended, results, code, recorded)
    run.tell(finished)
    return finished


def _sweep(
    jobs: Sequence[Job], run: Run, started: datetime, stack: ExitStack
) -> tuple[ContainerResult, ...]:
    """Give what became of every container."""
    execution = run.execution
    deadline = Deadline(execution.run_timeout.total_seconds())
    crew = stack.enter_context(Crew(run.caller.flow, execution))
    guides = stack.enter_context(ThreadPoolExecutor(crew.abreast, thread_name_prefix="target"))
    office = _office(run, jobs, started, stack)
    opener = Opener(run, stack, deadline)
    planner = Planner(run, stack.enter_context(Backlog()), stack.enter_context(Backlog()))
    targets = list(guides.map(opener.open, jobs))
    opener.begin(targets, started)
    elsewhere = None if office is None else _introduced(run, office, targets)
    surveyors = partial(_surveyor, run, started, planner.take, elsewhere)
    surveys = Finder(run, deadline, guides, crew, surveyors).survey_all(targets)
    allotment = planner.plan(surveys)
    actor = Actor(run, stack, deadline, crew, office)
    tallies = actor.act(allotment, planner, jobs, surveys)

    def result(survey: Survey) -> ContainerResult:
        stopped = run.caller.stop.is_set()
        return result_of(
            survey, allotment.tripped, tallies[survey.where], run.now(), stopped=stopped
        )

    return tuple(result(survey) for survey in surveys)


def _office(run: Run, jobs: Sequence[Job], started: datetime, stack: ExitStack) -> Office | None:
    """Have workers get ready where there are any; most sweeps need not import what that takes."""
    if run.away is None:
        return None
    from janitor.sweep.elsewhere import office_of  # noqa: PLC0415  # see above

    return office_of(run, jobs, started, stack)


def _introduced(run: Run, office: Office, targets: Sequence[Opened]) -> Elsewhere:
    from janitor.sweep.elsewhere import introduced  # noqa: PLC0415  # as in `_office`

    return introduced(run, office, targets)


def _surveyor(
    run: Run,
    started: datetime,
    stale: Callable[[Sequence[Candidate]], None],
    elsewhere: Elsewhere | None,
    requests: Executor,
) -> Surveyor:
    return Surveyor(
        run.caller,
        run.tell,
        requests,
        2 * run.caller.flow.budget,
        run.now,
        started,
        stale,
        run.run_id,
        run.ledger,
        run.every_upload,
        elsewhere,
    )


def _finish(run: Run, results: Sequence[ContainerResult]) -> bool:
    """Count the budgets, and write down what was found; say whether that could be done.

    A ledger that fails now is told of, and aborts nothing more.
    """
    if run.ledger is None:
        run.tell(BudgetCounted(run.limits, less(run.limits, spent_by(results), 0)))
        return True
    try:
        _remember(run, run.ledger, results)
    except LedgerError as error:
        run.tell(LedgerNoticed(str(error)))
        return False
    return True


def _remember(run: Run, ledger: RunLedger, results: Sequence[ContainerResult]) -> None:
    now = run.now()
    found = [result for result in results if result.where.container != ALL]
    ledger.record_scans(run.run_id, now, found)
    # Asked before the end: what unfinished runs spent includes this one.
    run.tell(BudgetCounted(run.limits, limits_left(run)))
    ledger.finish(run.run_id, now, exit_code(results))
    ledger.prune(now)


def _locked(
    jobs: Sequence[Job], started: datetime, now: datetime, error: str
) -> Iterator[ContainerResult]:
    for job in sorted(jobs, key=lambda job: job.target.name):
        where = ContainerRef(job.target.name, job.target.provider, ALL)
        yield ContainerResult(where, TargetOutcome.LOCKED, started, now, error=error)
