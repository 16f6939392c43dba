"""Carries the plan out, or withholds it, and counts what became of every stale upload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor as Threads
from contextlib import ExitStack, closing
from dataclasses import dataclass

from janitor.engine.act import Executor
from janitor.engine.activity import Checker
from janitor.engine.calls import Deadline
from janitor.engine.discover import ALL
from janitor.engine.pool import bounded_map
from janitor.engine.survey import Survey
from janitor.engine.tally import Tally
from janitor.errors import JanitorError
from janitor.model import ContainerRef, Decision, Outcome, Reason, UploadResult, Verdict
from janitor.observe.events import UploadFinished
from janitor.plan import Plan
from janitor.providers.base import Aborter
from janitor.sweep.opening import crashed
from janitor.sweep.run import Job, Run

# What can abort in a container; or why there is nothing that can.
Executors = Mapping[ContainerRef, Executor | str]


@dataclass(frozen=True, slots=True)
class Actor:
    """Acts for one run; `stack` closes what can abort, `window` bounds what is in flight."""

    run: Run
    stack: ExitStack
    deadline: Deadline
    requests: Threads
    window: int

    def act(
        self,
        plan: Plan,
        left_out: Iterable[Decision],
        jobs: Sequence[Job],
        surveys: Iterable[Survey],
    ) -> Mapping[ContainerRef, Tally]:
        """Act on all that is stale, each exactly once; give a tally for every container."""
        by_where = {survey.where: survey for survey in surveys}
        tallies: dict[ContainerRef, Tally] = defaultdict(Tally)
        executors = self._executors(plan, jobs, by_where)

        def carry_out(decision: Decision) -> UploadResult:
            return self._carry_out(decision, executors)

        def count(result: UploadResult) -> None:
            where = result.decision.upload.where
            self._count(result, by_where[where], tallies[where])

        for result in bounded_map(self.requests, carry_out, plan.abort, self.window):
            count(result)
        for decision in left_out:
            withheld = Outcome.WITHHELD if decision.verdict is Verdict.ABORT else None
            count(UploadResult(decision, withheld))
        for decision in plan.defer:
            count(UploadResult(decision))
        return {where: tallies[where] for where in by_where}

    def _count(self, result: UploadResult, survey: Survey, tally: Tally) -> None:
        decision = result.decision
        if decision.verdict is Verdict.KEEP:
            survey.kept[decision.reason] += 1
            if result.error is not None:  # it could not be judged again
                tally.cut_short = tally.cut_short or result.error
        if decision.verdict is Verdict.ABORT or decision.reason is Reason.LIMIT:
            tally.add(result)
        self.run.tell(UploadFinished(result))

    def _carry_out(self, decision: Decision, executors: Executors) -> UploadResult:
        executor = executors.get(decision.upload.where)
        if executor is None:
            return UploadResult(decision, Outcome.WITHHELD)
        if isinstance(executor, str):
            return UploadResult(decision, Outcome.FAILED, executor)
        try:
            return executor.carry_out(decision)
        except Exception as error:  # noqa: BLE001  # one upload must not stop the others
            crashed(self.run, decision.upload.where, error)
            return UploadResult(decision, Outcome.FAILED, f"{type(error).__name__}: {error}")

    def _executors(
        self, plan: Plan, jobs: Sequence[Job], surveys: Mapping[ContainerRef, Survey]
    ) -> Executors:
        """Make what can abort, where something is to be aborted; or say why that failed."""
        wanted = {decision.upload.where for decision in plan.abort}
        names = {where.target for where in wanted}
        aborters = {job.target.name: self._aborter(job) for job in jobs if job.target.name in names}
        found: dict[ContainerRef, Executor | str] = {}
        for where in wanted:
            aborter = aborters[where.target]
            if isinstance(aborter, str):
                found[where] = aborter
            elif aborter is not None:
                found[where] = self._executor(surveys[where], aborter)
        return found

    def _executor(self, survey: Survey, aborter: Aborter) -> Executor:
        assert survey.reader is not None  # noqa: S101  # for mypy: nothing is stale elsewhere
        run = self.run
        return Executor(
            Checker(survey.reader, survey.policy, run.caller, self.deadline, run.now),
            aborter,
            run.caller,
            self.deadline,
            run.wall,
            run.run_id,
            run.ledger,
            survey.marks,
            run.permit,
        )

    def _aborter(self, job: Job) -> Aborter | str | None:
        if job.aborter is None:
            return None
        try:
            return self.stack.enter_context(closing(job.aborter()))
        except JanitorError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            crashed(self.run, ContainerRef(job.target.name, job.target.provider, ALL), error)
            return f"{type(error).__name__}: {error}"
