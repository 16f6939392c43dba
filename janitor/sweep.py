"""One pass over all targets: find, list, judge, plan, act, tell."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from janitor.engine.act import Executor
from janitor.engine.activity import Checker
from janitor.engine.calls import Caller, Deadline
from janitor.engine.discover import ALL, discover
from janitor.engine.memory import RunLedger
from janitor.engine.pool import bounded_map
from janitor.engine.reconcile import Reconciler
from janitor.engine.survey import Survey, Surveyor
from janitor.engine.tally import Tally, exit_code, result_of
from janitor.errors import DeadlineExceeded, Interrupted, JanitorError
from janitor.grace import alive
from janitor.ledger.errors import LedgerError, Locked
from janitor.ledger.types import Beginning, OpenIntent, RunHeader, Spent, TargetHeader
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
    BudgetCounted,
    ContainerCrashed,
    ContainerFinished,
    ContainerListed,
    IntentReconciled,
    LedgerNoticed,
    LimitReached,
    Observer,
    Planned,
    SweepFinished,
    SweepStarted,
    TargetOpened,
    UploadFinished,
)
from janitor.plan import Limits, Plan, make_plan
from janitor.providers.base import Aborter, Connection, Identity, Reader
from janitor.targets import Execution, Target, is_glob

NO_LEDGER = "no ledger and no grace: a run can abort what it sees for the first time"
# A container, and a key ("" on Glacier) and upload id in it.
UploadName = tuple[ContainerRef, str, str]
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Job:
    """A target and the ways to it; in report mode there is no way to abort.

    `policy_fingerprint` is the same exactly as long as the target's policy is.
    """

    target: Target
    connect: Callable[[], Connection]
    aborter: Callable[[], Aborter] | None = None
    policy_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What one sweep is given.

    `now` gives the time, aware, and never jumps while the sweep runs; `wall`
    shows jumps, and the time that passed while the process was suspended.
    `ledger` None means that nothing is remembered; `only` names the uploads
    that may be aborted, with what their part sets must still be, None means
    any. `vet` hears who and where everybody is before anything is recorded or
    listed; what it raises ends the run. `permit` is asked before every abort
    and raises Interrupted where this process must not act any more.
    """

    run_id: str
    mode: str
    limits: Limits
    execution: Execution
    caller: Caller
    tell: Observer
    now: Callable[[], datetime]
    wall: Callable[[], datetime]
    ledger: RunLedger | None = None
    version: str = ""
    config_fingerprint: str = ""
    every_upload: bool = False
    only: Mapping[UploadName, str] | None = None
    vet: Callable[[RunHeader], None] | None = None
    permit: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class _Open:
    """A target as it was found: the way to it, or the trouble that there was."""

    job: Job
    trouble: Survey
    connection: Connection | None = None
    identity: Identity = field(default_factory=Identity)


def sweep(jobs: Sequence[Job], run: Run) -> SweepFinished:
    """Sweep all targets; every container ends in exactly one outcome.

    All containers are listed and judged before the first abort, so that the
    limits see the whole plan. Raises LedgerError when the ledger cannot be
    used at all: then nothing was done.
    """
    started = run.now()
    run.tell(SweepStarted(run.run_id, run.mode, started, len(jobs)))
    if run.ledger is None and run.mode == "enforce":
        run.tell(LedgerNoticed(NO_LEDGER))
    try:
        with ExitStack() as stack:
            if run.ledger is not None:
                stack.enter_context(run.ledger.lock())
            results, recorded = _Sweep(jobs, run, started, stack).run_all()
    except Locked as error:
        results, recorded = _locked(jobs, started, run.now(), str(error)), True
    for result in results:
        run.tell(ContainerFinished(result))
    code = exit_code(results, recorded=recorded)
    ended = run.now()
    finished = SweepFinished(run.run_id, run.mode, started, ended, results, code, recorded)
    run.tell(finished)
    return finished


def _locked(
    jobs: Sequence[Job], started: datetime, now: datetime, error: str
) -> tuple[ContainerResult, ...]:
    return tuple(
        ContainerResult(
            ContainerRef(job.target.name, job.target.provider, ALL),
            TargetOutcome.LOCKED,
            started,
            now,
            error=error,
        )
        for job in sorted(jobs, key=lambda job: job.target.name)
    )


class _Sweep:
    def __init__(self, jobs: Sequence[Job], run: Run, started: datetime, stack: ExitStack) -> None:
        self._jobs = jobs
        self._run = run
        self._stack = stack
        self._started = started
        self._deadline = Deadline(run.execution.run_timeout.total_seconds())
        self._window = 2 * run.execution.concurrency
        self._left_out: list[Decision] = []
        self._requests = self._pool("request", run.execution.concurrency)
        self._listings = self._pool("listing", run.execution.listing_threads)
        self._surveyor = Surveyor(
            run.caller,
            run.tell,
            self._requests,
            self._window,
            run.now,
            started,
            run.run_id,
            run.ledger,
            run.every_upload,
        )

    def run_all(self) -> tuple[tuple[ContainerResult, ...], bool]:
        """Give what became of every container, and whether that could be written down."""
        run = self._run
        targets = list(self._listings.map(self._open, self._jobs))
        self._begin(targets)
        surveys = self._survey_all(targets)
        plan = self._plan(surveys)
        tallies = self._act(plan, surveys)
        results = tuple(self._result(survey, plan, tallies[survey.where]) for survey in surveys)
        if run.ledger is None:
            run.tell(BudgetCounted(run.limits, _left(run.limits, _spent(results), 0)))
            return results, True
        return results, self._remember(run.ledger, results)

    def _begin(self, targets: Iterable[_Open]) -> None:
        """Write the run down, and first of all look what earlier runs left open."""
        ledger = self._run.ledger
        if ledger is None:
            return
        opened = {found.job.target.name: found for found in targets}
        headers = tuple(_header(found) for found in opened.values())
        run = self._run
        header = RunHeader(
            run.run_id, run.mode, self._started, run.version, run.config_fingerprint, headers
        )
        if run.vet is not None:
            run.vet(header)
        self._tell_beginning(ledger.begin(header))
        reconciler = Reconciler(ledger, run.caller, run.tell, run.now)
        for intent in ledger.open_intents():
            found = opened.get(intent.where.target)
            if found is not None and found.connection is not None:
                reader = found.connection.reader(intent.where.container)
                self._reconcile(reconciler, intent, reader)

    def _reconcile(self, reconciler: Reconciler, intent: OpenIntent, reader: Reader) -> None:
        try:
            reconciler.reconcile(intent, reader, self._deadline)
        except (Interrupted, DeadlineExceeded) as error:
            event = IntentReconciled(intent.where, intent.key, intent.upload_id, None, str(error))
            self._run.tell(event)

    def _tell_beginning(self, beginning: Beginning) -> None:
        if beginning.fresh:
            self._run.tell(
                LedgerNoticed(
                    "the ledger is new: nothing is aborted before a later run has seen it again;"
                    " if every run says so, the ledger is not kept between runs"
                )
            )
        for target in sorted(beginning.changed_targets):
            self._run.tell(
                LedgerNoticed(
                    f"the policy or the address of target {target} changed:"
                    " its grace starts again, and this run only plans there"
                )
            )

    def _remember(self, ledger: RunLedger, results: Sequence[ContainerResult]) -> bool:
        """Write down what was found; a ledger that fails now is told, and aborts nothing more."""
        now = self._run.now()
        try:
            for result in results:
                if result.where.container != ALL:
                    doubtful = result.outcome is TargetOutcome.SUSPICIOUS_EMPTY
                    ledger.record_scan(
                        result.where, self._run.run_id, now, result, doubtful=doubtful
                    )
            # Asked before the end: what unfinished runs spent includes this one.
            self._run.tell(BudgetCounted(self._run.limits, self._limits_left()))
            ledger.finish(self._run.run_id, now, exit_code(results))
            ledger.prune(now)
        except LedgerError as error:
            self._run.tell(LedgerNoticed(str(error)))
            return False
        return True

    def _result(self, survey: Survey, plan: Plan, tally: Tally) -> ContainerResult:
        stopped = self._run.caller.stop.is_set()
        return result_of(survey, plan, tally, self._run.now(), stopped=stopped)

    def _pool(self, name: str, threads: int) -> ThreadPoolExecutor:
        return self._stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix=name))

    def _open(self, job: Job) -> _Open:
        """Open the way to a target, and learn who we are there."""
        where = ContainerRef(job.target.name, job.target.provider, ALL)
        trouble = Survey(where, self._run.now())
        try:
            connection = self._stack.enter_context(closing(job.connect()))
            identity = self._identity(job, connection)
        except JanitorError as error:
            trouble.fail(error)
            return _Open(job, trouble)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            trouble.fail(error)
            self._crashed(where, error)
            return _Open(job, trouble)
        names = (job.target.name, job.target.provider)
        told = TargetOpened(*names, identity.endpoint, identity.region, identity.account)
        self._run.tell(told)
        return _Open(job, trouble, connection, identity)

    def _identity(self, job: Job, connection: Connection) -> Identity:
        where = ContainerRef(job.target.name, job.target.provider, ALL)
        deadline = self._target_deadline()
        return self._run.caller.call(where, "identify", connection.identify, deadline)

    def _survey_all(self, targets: Sequence[_Open]) -> list[Survey]:
        found = list(self._listings.map(self._find, targets))
        readers = [pair for pairs, _ in found for pair in pairs]
        surveys = [survey for _, failed in found for survey in failed]
        surveys.extend(self._listings.map(self._survey, readers))
        return sorted(surveys, key=lambda survey: survey.where)

    def _find(self, opened: _Open) -> tuple[list[tuple[Reader, Target]], list[Survey]]:
        """Find the containers of one target; where that fails, its exact names still count."""
        target, trouble, connection = opened.job.target, opened.trouble, opened.connection
        readers: list[tuple[Reader, Target]] = []
        if connection is None:
            return readers, [trouble]
        names = {name for name in target.containers if not is_glob(name)}
        try:
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
            self._crashed(trouble.where, error)
        return readers, [trouble] if trouble.error is not None else []

    def _survey(self, pair: tuple[Reader, Target]) -> Survey:
        reader, target = pair
        survey = self._surveyor.survey(reader, target.policy, self._target_deadline())
        self._run.tell(ContainerListed(survey.where))
        return survey

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
                stale.extend(self._chosen(survey.stale))
        left = self._limits_left()
        self._run.tell(BudgetCounted(self._run.limits, left))
        plan = make_plan(stale, listed, left)
        self._run.tell(Planned(plan.abort))
        per_target = Counter(decision.upload.where.target for decision in plan.defer)
        for target, share in plan.tripped.items():
            detail = f"{float(share):.1%} of what was listed is stale"
            self._run.tell(LimitReached("share_of_listed", per_target[target], target, detail))
        beyond = sum(count for name, count in per_target.items() if name not in plan.tripped)
        for limit in sorted(plan.binding):
            self._run.tell(LimitReached(limit, beyond))
        return plan

    def _limits_left(self) -> Limits:
        """Take off what runs before this one used up, by what the ledger knows.

        Runs that never finished count against the caps of this one: a crash
        loop must not multiply them.
        """
        ledger, limits = self._run.ledger, self._run.limits
        if ledger is None:
            return limits
        crashed = ledger.spent_by_unfinished_runs()
        now = self._run.now()
        today = ledger.spent_since(now - DAY, now)
        return _left(limits, crashed, today.aborts)

    def _act(self, plan: Plan, surveys: Iterable[Survey]) -> dict[ContainerRef, Tally]:
        """Carry the plan out, or withhold it, and count what became of every stale upload."""
        tallies: dict[ContainerRef, Tally] = defaultdict(Tally)
        by_where = {survey.where: survey for survey in surveys}
        executors = self._executors(plan, by_where)

        def carry_out(decision: Decision) -> UploadResult:
            return self._carry_out(decision, executors)

        for result in bounded_map(self._requests, carry_out, plan.abort, self._window):
            self._count(result, by_where[result.decision.upload.where], tallies)
        for decision in self._left_out:
            withheld = Outcome.WITHHELD if decision.verdict is Verdict.ABORT else None
            result = UploadResult(decision, withheld)
            self._count(result, by_where[decision.upload.where], tallies)
        for decision in plan.defer:
            self._count(UploadResult(decision), by_where[decision.upload.where], tallies)
        for survey in surveys:
            tallies[survey.where]  # every container has a tally, if only an empty one
        return tallies

    def _count(
        self, result: UploadResult, survey: Survey, tallies: dict[ContainerRef, Tally]
    ) -> None:
        decision = result.decision
        if decision.verdict is Verdict.KEEP:
            survey.kept[decision.reason] += 1
            if result.error is not None:  # it could not be judged again
                tally = tallies[survey.where]
                tally.cut_short = tally.cut_short or result.error
        if decision.verdict is Verdict.ABORT or decision.reason is Reason.LIMIT:
            tallies[survey.where].add(result)
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

    def _chosen(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """Leave out what may not be aborted, and keep what received parts since it was named."""
        only = self._run.only
        if only is None:
            return decisions
        chosen = []
        for decision in decisions:
            upload, activity = decision.upload, decision.activity
            parts = only.get((upload.where, *upload.identity))
            if parts is None:
                self._left_out.append(decision)
            elif activity is None or activity.fingerprint != parts:
                self._left_out.append(alive(decision))
            else:
                chosen.append(decision)
        return chosen

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
                found[where] = Executor(
                    checker,
                    aborter,
                    run.caller,
                    self._deadline,
                    run.wall,
                    run.run_id,
                    run.ledger,
                    survey.marks,
                    run.permit,
                )
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


def _left(limits: Limits, spent: Spent, today: int) -> Limits:
    return replace(
        limits,
        aborts_per_run=_less(limits.aborts_per_run, spent.aborts),
        aborts_per_day=_less(limits.aborts_per_day, today),
        bytes_per_run=_less(limits.bytes_per_run, spent.bytes),
    )


def _spent(results: Iterable[ContainerResult]) -> Spent:
    """Count what one run did, where no ledger does."""
    done = [(r.aborted + r.already_gone + r.failed + r.survived, r.bytes_freed) for r in results]
    return Spent(sum(aborts for aborts, _ in done), sum(freed for _, freed in done))


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _header(found: _Open) -> TargetHeader:
    target, identity = found.job.target, found.identity
    return TargetHeader(
        target.name,
        target.provider,
        identity.endpoint,
        identity.region or "",
        identity.account,
        found.job.policy_fingerprint,
    )
