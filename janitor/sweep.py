"""One pass over all targets: find, list, judge, plan, act, tell."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime

from janitor.engine.act import Executor
from janitor.engine.activity import Checker
from janitor.engine.calls import Caller, Deadline
from janitor.engine.discover import ALL, discover, is_glob
from janitor.engine.pool import bounded_map
from janitor.engine.survey import Survey, Surveyor
from janitor.errors import JanitorError
from janitor.model import (
    ContainerRef,
    ContainerResult,
    Decision,
    Outcome,
    Reason,
    TargetOutcome,
    UploadResult,
    Verdict,
)
from janitor.observe.events import (
    ContainerCrashed,
    ContainerFinished,
    LimitReached,
    Observer,
    SweepFinished,
    SweepStarted,
    UploadFinished,
)
from janitor.plan import Limits, Plan, make_plan
from janitor.providers.base import Aborter, Connection, Reader
from janitor.targets import Execution, Target

EXIT_COMPLETE = 0
EXIT_INCOMPLETE = 3
EXIT_TRIPPED = 4
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Job:
    """A target and the ways to it; in report mode there is no way to abort."""

    target: Target
    connect: Callable[[], Connection]
    aborter: Callable[[], Aborter] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What one sweep is given; `now` gives the time, aware."""

    run_id: str
    mode: str
    limits: Limits
    execution: Execution
    caller: Caller
    tell: Observer
    now: Callable[[], datetime]
    every_upload: bool = False


@dataclass(slots=True)
class _Tally:
    """What became of the stale uploads of one container."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    deferred: int = 0
    bytes_stale: int = 0
    bytes_freed: int = 0
    error: str | None = None
    cut_short: str | None = None

    def add(self, result: UploadResult) -> None:
        self.bytes_stale += _size(result.decision)
        if result.outcome is None:
            self.deferred += 1
            return
        self.outcomes[result.outcome] += 1
        self.bytes_freed += result.bytes_freed
        if result.outcome is Outcome.WITHHELD:
            self.cut_short = self.cut_short or result.error
        else:
            self.error = self.error or result.error


def sweep(jobs: Sequence[Job], run: Run) -> SweepFinished:
    """Sweep all targets; every container ends in exactly one outcome, and nothing is raised.

    All containers are listed and judged before the first abort, so that the
    limits see the whole plan.
    """
    with ExitStack() as stack:
        return _Sweep(jobs, run, stack).run_all()


class _Sweep:
    def __init__(self, jobs: Sequence[Job], run: Run, stack: ExitStack) -> None:
        self._jobs = jobs
        self._run = run
        self._stack = stack
        self._started = run.now()
        self._deadline = Deadline(run.execution.run_timeout.total_seconds())
        self._window = 2 * run.execution.concurrency
        self._requests = self._pool("request", run.execution.concurrency)
        self._listings = self._pool("listing", run.execution.listing_threads)
        self._surveyor = Surveyor(
            run.caller,
            run.tell,
            self._requests,
            self._window,
            run.now,
            self._started,
            run.every_upload,
        )

    def run_all(self) -> SweepFinished:
        run = self._run
        run.tell(SweepStarted(run.run_id, run.mode, self._started, len(self._jobs)))
        surveys = self._survey_all()
        plan = self._plan(surveys)
        tallies = self._act(plan, surveys)
        results = tuple(self._result(survey, plan, tallies[survey.where]) for survey in surveys)
        for result in results:
            run.tell(ContainerFinished(result))
        finished = SweepFinished(
            run.run_id, run.mode, self._started, run.now(), results, exit_code(results)
        )
        run.tell(finished)
        return finished

    def _result(self, survey: Survey, plan: Plan, tally: _Tally) -> ContainerResult:
        ending = _ending(survey, plan, tally, stopped=self._run.caller.stop.is_set())
        return _result(survey, ending, tally, self._run.now())

    def _pool(self, name: str, threads: int) -> ThreadPoolExecutor:
        return self._stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix=name))

    def _survey_all(self) -> list[Survey]:
        found = list(self._listings.map(self._find, self._jobs))
        readers = [pair for pairs, _ in found for pair in pairs]
        surveys = [survey for _, failed in found for survey in failed]
        surveys.extend(self._listings.map(self._survey, readers))
        return sorted(surveys, key=lambda survey: survey.where)

    def _find(self, job: Job) -> tuple[list[tuple[Reader, Target]], list[Survey]]:
        """Find the containers of one target; where that fails, its exact names still count."""
        target = job.target
        where = ContainerRef(target.name, target.provider, ALL)
        trouble = Survey(where, self._run.now())
        names = {name for name in target.containers if not is_glob(name)}
        readers: list[tuple[Reader, Target]] = []
        try:
            connection = self._stack.enter_context(closing(job.connect()))
            readers = [(connection.reader(name), target) for name in sorted(names)]
            if len(names) < len(target.containers):
                globbed = discover(target, connection, self._run.caller, self._target_deadline())
                readers += [(connection.reader(n), target) for n in globbed if n not in names]
                if not globbed:
                    trouble.outcome = TargetOutcome.INCOMPLETE
                    trouble.error = f"no container matches {', '.join(target.containers)}"
        except JanitorError as error:
            trouble.fail(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            trouble.fail(error)
            self._crashed(where, error)
        return readers, [trouble] if trouble.error is not None else []

    def _survey(self, pair: tuple[Reader, Target]) -> Survey:
        reader, target = pair
        return self._surveyor.survey(reader, target.policy, self._target_deadline())

    def _target_deadline(self) -> Deadline:
        allowed = self._run.execution.target_timeout.total_seconds()
        return Deadline(min(allowed, self._deadline.left()))

    def _plan(self, surveys: Iterable[Survey]) -> Plan:
        """Apply the limits to everything that may be acted on."""
        listed: Counter[str] = Counter()
        stale: list[Decision] = []
        for survey in surveys:
            if survey.actionable:
                listed[survey.where.target] += survey.listed
                stale.extend(survey.stale)
        plan = make_plan(stale, listed, self._run.limits)
        per_target = Counter(decision.upload.where.target for decision in plan.defer)
        for target, share in plan.tripped.items():
            detail = f"{float(share):.1%} of what was listed is stale"
            self._run.tell(LimitReached("share_of_listed", per_target[target], target, detail))
        beyond = sum(count for name, count in per_target.items() if name not in plan.tripped)
        for limit in sorted(plan.binding):
            self._run.tell(LimitReached(limit, beyond))
        return plan

    def _act(self, plan: Plan, surveys: Iterable[Survey]) -> dict[ContainerRef, _Tally]:
        """Carry the plan out, or withhold it, and count what became of every stale upload."""
        tallies: dict[ContainerRef, _Tally] = defaultdict(_Tally)
        by_where = {survey.where: survey for survey in surveys}
        executors = self._executors(plan, by_where)

        def carry_out(decision: Decision) -> UploadResult:
            return self._carry_out(decision, executors)

        for result in bounded_map(self._requests, carry_out, plan.abort, self._window):
            self._count(result, by_where[result.decision.upload.where], tallies)
        for decision in plan.defer:
            self._count(UploadResult(decision), by_where[decision.upload.where], tallies)
        for survey in surveys:
            tallies[survey.where]  # every container has a tally, if only an empty one
        return tallies

    def _count(
        self, result: UploadResult, survey: Survey, tallies: dict[ContainerRef, _Tally]
    ) -> None:
        decision = result.decision
        if decision.verdict is Verdict.ABORT or decision.reason is Reason.LIMIT:
            tallies[survey.where].add(result)
        else:
            survey.kept[decision.reason] += 1
            if result.error is not None:  # it could not be judged again
                tally = tallies[survey.where]
                tally.cut_short = tally.cut_short or result.error
        self._run.tell(UploadFinished(result))

    def _carry_out(
        self, decision: Decision, executors: dict[ContainerRef, Executor | str]
    ) -> UploadResult:
        executor = executors.get(decision.upload.where)
        if executor is None:
            return UploadResult(decision, Outcome.WITHHELD)
        if isinstance(executor, str):
            return UploadResult(decision, Outcome.FAILED, executor)
        try:
            return executor.carry_out(decision)
        except Exception as error:  # noqa: BLE001  # one upload must not stop the others
            self._crashed(decision.upload.where, error)
            return UploadResult(decision, Outcome.FAILED, f"{type(error).__name__}: {error}")

    def _executors(
        self, plan: Plan, surveys: dict[ContainerRef, Survey]
    ) -> dict[ContainerRef, Executor | str]:
        """Make what can abort, where something is to be aborted; or say why that failed."""
        wanted = {decision.upload.where for decision in plan.abort}
        names = {where.target for where in wanted}
        aborters = {
            job.target.name: self._aborter(job) for job in self._jobs if job.target.name in names
        }
        found: dict[ContainerRef, Executor | str] = {}
        run = self._run
        for where in wanted:
            survey, aborter = surveys[where], aborters[where.target]
            if isinstance(aborter, str):
                found[where] = aborter
            elif aborter is not None and survey.reader is not None:
                checker = Checker(survey.reader, survey.policy, run.caller, self._deadline, run.now)
                found[where] = Executor(checker, aborter, run.caller, self._deadline)
        return found

    def _aborter(self, job: Job) -> Aborter | str | None:
        if job.aborter is None:
            return None
        try:
            return self._stack.enter_context(closing(job.aborter()))
        except JanitorError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            self._crashed(ContainerRef(job.target.name, job.target.provider, ALL), error)
            return f"{type(error).__name__}: {error}"

    def _crashed(self, where: ContainerRef, error: Exception) -> None:
        self._run.tell(ContainerCrashed(where, "".join(traceback.format_exception(error))))


def exit_code(results: Sequence[ContainerResult]) -> int:
    """Say in one number how the sweep went; the breaker speaks before everything else."""
    outcomes = {result.outcome for result in results}
    if TargetOutcome.INTERRUPTED in outcomes:
        return EXIT_INTERRUPTED
    if TargetOutcome.TRIPPED in outcomes:
        return EXIT_TRIPPED
    clean = outcomes <= {TargetOutcome.COMPLETE, TargetOutcome.CAPPED}
    if clean and not any(result.failed or result.survived for result in results):
        return EXIT_COMPLETE
    return EXIT_INCOMPLETE


def _result(
    survey: Survey, ending: tuple[TargetOutcome, str | None], tally: _Tally, now: datetime
) -> ContainerResult:
    outcome, error = ending
    return ContainerResult(
        where=survey.where,
        outcome=outcome,
        started_at=survey.started_at,
        finished_at=now,
        listed=survey.listed,
        stale=tally.outcomes.total() + tally.deferred,
        kept=dict(sorted(survey.kept.items())),
        aborted=tally.outcomes[Outcome.ABORTED],
        already_gone=tally.outcomes[Outcome.ALREADY_GONE],
        withheld=tally.outcomes[Outcome.WITHHELD],
        failed=tally.outcomes[Outcome.FAILED],
        survived=tally.outcomes[Outcome.SURVIVED],
        deferred=tally.deferred,
        bytes_stale=tally.bytes_stale,
        bytes_freed=tally.bytes_freed,
        oldest_initiated=survey.oldest,
        error=error,
    )


def _ending(
    survey: Survey, plan: Plan, tally: _Tally, *, stopped: bool
) -> tuple[TargetOutcome, str | None]:
    """Choose the one outcome of a container: what went wrong before what was limited."""
    if survey.outcome is not TargetOutcome.COMPLETE:
        return survey.outcome, survey.error
    if tally.cut_short is not None:
        interrupted = TargetOutcome.INTERRUPTED if stopped else TargetOutcome.INCOMPLETE
        return interrupted, tally.cut_short
    error = survey.error or tally.error
    share = plan.tripped.get(survey.where.target)
    if share is not None:
        return TargetOutcome.TRIPPED, f"{float(share):.1%} of what the target listed is stale"
    if tally.deferred:
        return TargetOutcome.CAPPED, error
    return TargetOutcome.COMPLETE, error


def _size(decision: Decision) -> int:
    activity = decision.activity
    return 0 if activity is None or activity.size is None else activity.size
