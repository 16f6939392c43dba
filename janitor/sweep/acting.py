"""Carries the plan out, or withholds it, and counts what became of every stale upload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeAlias

from janitor.engine.act import Executor
from janitor.engine.activity import Checker
from janitor.engine.calls import Deadline
from janitor.engine.crew import Crew
from janitor.engine.discover import ALL
from janitor.engine.lane import Lane
from janitor.engine.packing import Candidate
from janitor.engine.pool import as_completed
from janitor.engine.survey import Survey
from janitor.engine.tally import Tally
from janitor.errors import JanitorError
from janitor.model import ContainerRef, Outcome, Reason, UploadResult, Verdict
from janitor.observe.events import UploadFinished
from janitor.providers.base import Aborter, Reader
from janitor.sweep.opening import crashed
from janitor.sweep.planning import Allotment, Planner
from janitor.sweep.run import Job, Run

if TYPE_CHECKING:
    from janitor.backends.away import Office


@dataclass(frozen=True, slots=True)
class Actor:
    """Acts for one run; `stack` closes what can abort, `office` is where others do it for us."""

    run: Run
    stack: ExitStack
    deadline: Deadline
    crew: Crew
    office: Office | None = None

    def act(
        self,
        allotment: Allotment,
        planner: Planner,
        jobs: Sequence[Job],
        surveys: Iterable[Survey],
    ) -> Mapping[ContainerRef, Tally]:
        """Act on all that is stale, each exactly once; give a tally for every container."""
        by_where = {survey.where: survey for survey in surveys}
        tallies = {where: Tally() for where in by_where}
        for result in self._results(allotment, planner, _Hands(self, jobs, by_where)):
            where = result.decision.upload.where
            self._count(result, by_where[where], tallies[where])
        return tallies

    def _results(
        self, allotment: Allotment, planner: Planner, hands: _Hands
    ) -> Iterator[UploadResult]:
        """Carry out the plan, the oldest first; then tell what is left for another run."""
        if hands.can_act and self.office is not None:
            yield from self._elsewhere(self.office, allotment, planner, hands)
        elif hands.can_act:
            streams = self._streams(allotment, planner, hands)
            yield from as_completed(hands.carry_out, streams, self.crew.window)
        done = allotment.count if hands.can_act else 0
        stale = planner.chosen.candidates(but=allotment.tripped, skip=done)
        for candidate in islice(stale, allotment.count - done):
            yield UploadResult(candidate.decision, Outcome.WITHHELD)
        for candidate in chain(stale, planner.chosen.candidates(only=allotment.tripped)):
            deferred = replace(candidate.decision, verdict=Verdict.KEEP, reason=Reason.LIMIT)
            yield UploadResult(deferred)
        for candidate in planner.left_out.candidates():
            withheld = Outcome.WITHHELD if candidate.decision.verdict is Verdict.ABORT else None
            yield UploadResult(candidate.decision, withheld)

    def _elsewhere(
        self, office: Office, allotment: Allotment, planner: Planner, hands: _Hands
    ) -> Iterator[UploadResult]:
        """Let others carry out the plan, piece by piece."""
        from janitor.sweep.elsewhere import acting_of  # noqa: PLC0415  # most sweeps have no workers

        acting = acting_of(self.run, office, self.deadline, hands.readers)

        def streams() -> Iterator[tuple[Lane, Iterator[list[Candidate]]]]:
            for target, count in sorted(allotment.shares.items()):
                where = ContainerRef(target, hands.provider(target), ALL)
                oldest = islice(planner.chosen.candidates(only={target}), count)
                yield self.crew.listings(where), acting.batches(oldest, target)

        for results in as_completed(acting.carry_out, streams(), office.team.ahead):
            yield from results

    def _streams(
        self, allotment: Allotment, planner: Planner, hands: _Hands
    ) -> Iterator[tuple[Lane, Iterator[tuple[Candidate, _Hand | None]]]]:
        """Give each target's part of the plan, so that one that hangs does not stop the others."""
        for target, count in sorted(allotment.shares.items()):
            where = ContainerRef(target, hands.provider(target), ALL)
            oldest = islice(planner.chosen.candidates(only={target}), count)
            yield self.crew.requests(where), hands.ready(oldest)

    def _count(self, result: UploadResult, survey: Survey, tally: Tally) -> None:
        decision = result.decision
        if decision.verdict is Verdict.KEEP:
            survey.kept[decision.reason] += 1
            if result.error is not None:  # it could not be judged again
                tally.cut_short = tally.cut_short or result.error
        if decision.verdict is Verdict.ABORT or decision.reason is Reason.LIMIT:
            tally.add(result)
        self.run.tell(UploadFinished(result))


# What can abort in a container, or why there is nothing that can.
_Hand: TypeAlias = Executor | str


class _Hands:
    """Makes what can abort, where something is to be aborted; once for each container."""

    def __init__(
        self, actor: Actor, jobs: Sequence[Job], surveys: Mapping[ContainerRef, Survey]
    ) -> None:
        self._actor = actor
        self._jobs = {job.target.name: job for job in jobs}
        self._surveys = surveys
        self._aborters: dict[str, Aborter | str] = {}
        self._hands: dict[ContainerRef, _Hand] = {}
        self.can_act = any(job.aborter is not None for job in jobs)

    @property
    def readers(self) -> Mapping[ContainerRef, Reader]:
        """Give what reads each container in which something may be stale."""
        found = {where: survey.reader for where, survey in self._surveys.items()}
        return {where: reader for where, reader in found.items() if reader is not None}

    def provider(self, target: str) -> str:
        """Give the provider of a target."""
        return self._jobs[target].target.provider

    def ready(self, candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, _Hand | None]]:
        """Give each upload with what can abort it; None where nothing may."""
        for candidate in candidates:
            yield candidate, self._hand(candidate.decision.upload.where)

    def carry_out(self, pair: tuple[Candidate, _Hand | None]) -> UploadResult:
        """Abort one upload, and say what happened; never raises."""
        candidate, hand = pair
        decision = candidate.decision
        if hand is None:
            return UploadResult(decision, Outcome.WITHHELD)
        if isinstance(hand, str):
            return UploadResult(decision, Outcome.FAILED, hand)
        try:
            return hand.carry_out(decision, candidate.mark)
        except Exception as error:  # noqa: BLE001  # one upload must not stop the others
            crashed(self._actor.run, decision.upload.where, error)
            return UploadResult(decision, Outcome.FAILED, f"{type(error).__name__}: {error}")

    def _hand(self, where: ContainerRef) -> _Hand | None:
        job = self._jobs[where.target]
        if job.aborter is None:
            return None
        if where not in self._hands:
            self._hands[where] = self._made(where, job, job.aborter)
        return self._hands[where]

    def _made(self, where: ContainerRef, job: Job, make: Callable[[], Aborter]) -> _Hand:
        if where.target not in self._aborters:
            self._aborters[where.target] = self._aborter(job, make)
        aborter = self._aborters[where.target]
        return aborter if isinstance(aborter, str) else self._executor(where, aborter)

    def _executor(self, where: ContainerRef, aborter: Aborter) -> Executor:
        survey, run, deadline = self._surveys[where], self._actor.run, self._actor.deadline
        assert survey.reader is not None  # noqa: S101  # for mypy: nothing is stale elsewhere
        return Executor(
            Checker(survey.reader, survey.policy, run.caller, deadline, run.now),
            aborter,
            run.caller,
            deadline,
            run.wall,
            run.run_id,
            run.ledger,
            run.permit,
        )

    def _aborter(self, job: Job, make: Callable[[], Aborter]) -> Aborter | str:
        try:
            return self._actor.stack.enter_context(closing(make()))
        except JanitorError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            where = ContainerRef(job.target.name, job.target.provider, ALL)
            crashed(self._actor.run, where, error)
            return f"{type(error).__name__}: {error}"
