"""Lists one container to its end and judges what is there. Changes nothing."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress, islice
from operator import not_
from typing import Protocol

from janitor.batch import dates_of, those
from janitor.engine.activity import Checked, Checker, unknown
from janitor.engine.backlog import Queue
from janitor.engine.calls import Caller, Deadline
from janitor.engine.chunks import BacklogFailed
from janitor.engine.looks import contradicted, listed
from janitor.engine.memory import Memory
from janitor.engine.packing import Candidate
from janitor.engine.pool import bounded_map
from janitor.engine.splitting import Ranges
from janitor.errors import (
    ClockSkewed,
    Denied,
    Interrupted,
    JanitorError,
    WrongIdentity,
)
from janitor.grace import WAITING, WORTH_A_MARK, Mark, settle
from janitor.ledger.types import Seen
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    ContainerRef,
    Decision,
    Reason,
    TargetOutcome,
    Upload,
    UploadResult,
    Verdict,
    size_of,
)
from janitor.observe.events import ContainerCrashed, Observer, PageListed, UploadFinished
from janitor.policy import Policy, always_young, first_look
from janitor.providers.base import Reader
from janitor.suspicion import PATIENCE

# Candidates are remembered in batches: one fsync each.
BATCH = 1000


@dataclass(slots=True)
class Survey:
    """What one container's listing and its uploads' parts told.

    `actionable` is True only when the listing was proven complete, is believed
    and its candidates are remembered. `young` is a span of dates that need no
    closer look. `outcome` is COMPLETE unless something
    went wrong, which `error` tells.
    """

    where: ContainerRef
    started_at: datetime
    reader: Reader | None = None
    policy: Policy = field(default_factory=Policy)
    actionable: bool = False
    outcome: TargetOutcome = TargetOutcome.COMPLETE
    error: str | None = None
    listed: int = 0
    oldest: datetime | None = None
    young: tuple[datetime, datetime] | None = None
    bytes_waiting: int = 0
    kept: Counter[Reason] = field(default_factory=Counter)

    def note_oldest(self, initiated: datetime) -> None:
        """Note the date of an upload, which must be plausible."""
        if self.oldest is None or initiated < self.oldest:
            self.oldest = initiated

    def fail(self, error: BaseException) -> None:
        """Note what went wrong; the first word stands."""
        if self.outcome is TargetOutcome.COMPLETE:
            self.outcome = outcome_of(error)
            self.error = f"{type(error).__name__}: {error}"


class Elsewhere(Protocol):
    """Does the requests of surveys in other processes; for many threads."""

    def gather(self, survey: Survey, add: Callable[[Upload], None], deadline: Deadline) -> bool:
        """List a container, and note in the survey what came of it; False: it has to be done here.

        What is False has changed nothing.
        """

    def look(
        self, survey: Survey, uploads: Iterator[Upload], deadline: Deadline
    ) -> Iterator[Checked]:
        """Give what the parts of uploads tell, in their order.

        Raises what `Checker.check` raises, after all that was found out before.
        """


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Surveys containers, for a whole run; `stale` takes what may be planned, from any thread.

    `elsewhere` makes the requests in other processes, where there is one, and
    `ranges` are those of the one container that such a process has a share of.
    """

    caller: Caller
    tell: Observer
    requests: Executor
    window: int
    now: Callable[[], datetime]
    run_started: datetime
    stale: Callable[[Sequence[Candidate]], None]
    run_id: str = ""
    memory: Memory | None = None
    every_upload: bool = False
    elsewhere: Elsewhere | None = None
    ranges: Ranges | None = None

    def survey(self, reader: Reader, policy: Policy, deadline: Deadline) -> Survey:
        """Survey one container; never raises, whatever the provider or a bug of ours does."""
        survey = Survey(reader.where, self.now(), reader, policy)
        if not self.every_upload:
            survey.young = always_young(reader.where.provider, policy, self.run_started)
        with Queue(reader.where) as candidates:
            self.gather(survey, candidates.add, deadline)
            self._judge_candidates(survey, candidates, deadline)
        return survey

    def gather(self, survey: Survey, add: Callable[[Upload], None], deadline: Deadline) -> None:
        """List a container to its end, and `add` what needs a closer look; never raises."""
        try:
            elsewhere = self.elsewhere
            if elsewhere is None or not elsewhere.gather(survey, add, deadline):
                for upload in self._candidates(survey, deadline):
                    add(upload)
            if survey.outcome is TargetOutcome.COMPLETE:
                survey.actionable = self._is_believed(survey)
        except JanitorError as error:
            survey.fail(error)
        except Exception as error:  # noqa: BLE001  # one container must not stop the others
            self._crashed(survey, error)

    def _is_believed(self, survey: Survey) -> bool:
        """Compare with the last listing that was believed; a doubtful one changes no mark."""
        last = contradicted(self.memory, survey.where, survey.listed)
        if last is None:
            return True
        survey.outcome = TargetOutcome.SUSPICIOUS_EMPTY
        survey.error = (
            f"{survey.listed} uploads are listed where {last.listed} were at {last.at:%F %T} UTC:"
            f" nothing is done until this was seen {PATIENCE} times"
        )
        return False

    def _candidates(self, survey: Survey, deadline: Deadline) -> Iterator[Upload]:
        reader = survey.reader
        assert reader is not None  # noqa: S101  # for mypy: survey() has set it
        for batch in listed(reader, self.caller, deadline, self.now, self.requests, self.ranges):
            for upload in _but_the_young(survey, batch):
                if self._needs_a_look(survey, upload):
                    yield upload
            self.tell(PageListed(reader.where, len(batch)))

    def _needs_a_look(self, survey: Survey, upload: Upload) -> bool:
        survey.listed += 1
        initiated = upload.initiated
        if initiated is not None and initiated > EARLIEST_PLAUSIBLE[upload.where.provider]:
            survey.note_oldest(initiated)
        decision = first_look(upload, survey.policy, self.run_started)
        if decision is None:
            return True
        self._keep(survey, decision)
        return False

    def _judge_candidates(self, survey: Survey, candidates: Queue, deadline: Deadline) -> None:
        """Ask for the parts of every candidate; keep what was not asked."""
        told = self._judge_in_batches(survey, candidates, deadline) if survey.actionable else 0
        try:
            for upload in candidates.read(start=told):
                self._keep(survey, unknown(upload))
                told += 1
        except BacklogFailed as error:
            survey.fail(error)
            # What they were called is lost, but not that there were so many.
            survey.kept[Reason.ACTIVITY_UNKNOWN] += len(candidates) - told

    def _judge_in_batches(self, survey: Survey, candidates: Queue, deadline: Deadline) -> int:
        """Give how many were asked; what goes wrong ends the asking, and is told."""
        done = 0
        troubled = 0
        try:
            results = self._looks(survey, candidates.read(), deadline)
            while batch := list(islice(results, BATCH)):
                troubled += sum(checked.error is not None for checked in batch)
                self._take(survey, batch)
                done += len(batch)
        except JanitorError as error:
            survey.fail(error)
        except Exception as error:  # noqa: BLE001  # one container must not stop the others
            self._crashed(survey, error)
        if troubled and survey.error is not None:
            survey.error += f" (the parts of {troubled} uploads could not be read)"
        return done

    def _looks(
        self, survey: Survey, uploads: Iterator[Upload], deadline: Deadline
    ) -> Iterator[Checked]:
        """Ask for the parts of uploads, here or elsewhere; give what they tell in their order."""
        if self.elsewhere is not None:
            return self.elsewhere.look(survey, uploads, deadline)
        assert survey.reader is not None  # noqa: S101  # for mypy: survey() has set it
        checker = Checker(survey.reader, survey.policy, self.caller, deadline, self.now)
        return bounded_map(self.requests, checker.check, uploads, self.window)

    def _take(self, survey: Survey, batch: Sequence[Checked]) -> None:
        """Remember a batch of candidates, and judge them by what was remembered before."""
        marks = self._marks(survey, [checked.decision for checked in batch])
        settled = [self._settled(survey, checked, marks) for checked in batch]
        # First, because it can fail: then all of the batch is told of elsewhere.
        self.stale([c for c in settled if c.decision.verdict is Verdict.ABORT])
        for checked, candidate in zip(batch, settled, strict=True):
            if checked.error is not None:
                survey.fail(checked.error)
            if candidate.decision.verdict is Verdict.KEEP:
                self._keep(survey, candidate.decision, checked.error)

    def _settled(
        self, survey: Survey, checked: Checked, marks: Mapping[tuple[str, str], Mark]
    ) -> Candidate:
        mark = marks.get(checked.decision.upload.identity)
        at = checked.at or self.now()
        return Candidate(settle(checked.decision, survey.policy, at, mark), mark)

    def _marks(self, survey: Survey, decisions: Sequence[Decision]) -> dict[tuple[str, str], Mark]:
        if self.memory is None:
            return {}
        seen = {
            decision.upload.identity: Seen(
                decision.upload, decision.activity.fingerprint, decision.activity.size
            )
            for decision in decisions
            if decision.reason in WORTH_A_MARK and decision.activity is not None
        }
        sightings = self.memory.sight(survey.where, self.run_id, self.now(), seen.values())
        return {
            identity: Mark(
                sighting.first_seen,
                sighting.first_run != self.run_id,
                sighting.unchanged_since,
                seen[identity].fingerprint,
            )
            for identity, sighting in sightings.items()
        }

    def _keep(self, survey: Survey, decision: Decision, error: JanitorError | None = None) -> None:
        survey.kept[decision.reason] += 1
        if decision.reason in WAITING:
            survey.bytes_waiting += size_of(decision)
        if self.every_upload or decision.reason is not Reason.YOUNG:
            text = None if error is None else str(error)
            self.tell(UploadFinished(UploadResult(decision, None, text)))

    def _crashed(self, survey: Survey, error: Exception) -> None:
        survey.fail(error)
        self.tell(ContainerCrashed(survey.where, "".join(traceback.format_exception(error))))


def _but_the_young(survey: Survey, uploads: Sequence[Upload]) -> Sequence[Upload]:
    """Count the uploads that need no closer look, by their dates alone, and give the others."""
    if survey.young is None or not uploads:
        return uploads
    first, last = survey.young
    # All of them are plausible, too: so says the span.
    dates = dates_of(uploads)
    is_young = [each is not None and first <= each <= last for each in dates]
    young = [each for each in compress(dates, is_young) if each is not None]
    if not young:
        return uploads
    survey.note_oldest(min(young))
    survey.listed += len(young)
    survey.kept[Reason.YOUNG] += len(young)
    return () if len(young) == len(uploads) else those(uploads, list(map(not_, is_young)))


def outcome_of(error: BaseException) -> TargetOutcome:
    """Say how a container ended that this error ended."""
    match error:
        case Denied():
            return TargetOutcome.FORBIDDEN
        case WrongIdentity():
            return TargetOutcome.WRONG_IDENTITY
        case ClockSkewed():
            return TargetOutcome.CLOCK_SKEW
        case Interrupted():
            return TargetOutcome.INTERRUPTED
        case JanitorError():
            return TargetOutcome.INCOMPLETE
        case _:
            return TargetOutcome.CRASHED
