"""Acts on a part of the plan by workers: intents first, then the piece, then its conclusions."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from janitor.backends.hands import TRIES, Team
from janitor.backends.pieces import ACTS, Acted, ActPiece, Reply
from janitor.backends.staff import WorkerLost
from janitor.engine.calls import PASSED, Deadline
from janitor.engine.conclusions import concluded, freed
from janitor.engine.memory import Memory
from janitor.engine.packing import Candidate, pack_candidate, unpack_candidate
from janitor.engine.reconcile import Reconciler
from janitor.errors import DeadlineExceeded, Interrupted, JanitorError
from janitor.ledger.types import NOT_SENT, OpenIntent
from janitor.model import ContainerRef, Outcome, Reason, UploadResult, size_of
from janitor.observe.events import ContainerCrashed, IntentReconciled
from janitor.providers.base import Reader

# A piece begins with so many uploads, and grows while there is time to spare.
FIRST = 16
# So many writes to the ledger are asked for at once: it does them together.
WRITERS = 32
# A piece that is lost is cut into so many, so that one upload does not take others with it.
CUT = 8
STOPPED = "a stop was asked for"


@dataclass(slots=True)
class Pace:
    """How many uploads of a target one piece has; learned from how long pieces take."""

    size: int = FIRST

    def learn(self, sent: int, late: int) -> None:
        """Note how many of so many a worker could not begin in its time."""
        if late:
            self.size = max(1, sent - late)
        elif sent >= self.size:
            self.size = min(ACTS, 2 * self.size)


@dataclass(slots=True)
class _Item:
    """A candidate, its intent, and whether an abort may be under way: a worker was lost with it."""

    candidate: Candidate
    intent: int | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Acting:
    """Carries out pieces of the plan; for many threads.

    `permit` raises Interrupted where nothing may be sent any more. `lease` is
    the time that a piece has for its aborts, in seconds.
    """

    team: Team
    memory: Memory | None
    reconciler: Reconciler | None
    run_id: str
    deadline: Deadline
    readers: Mapping[ContainerRef, Reader]
    permit: Callable[[], None]
    lease: float
    writers: ThreadPoolExecutor
    paces: dict[str, Pace] = field(default_factory=dict)

    def batches(self, candidates: Iterator[Candidate], target: str) -> Iterator[list[Candidate]]:
        """Cut a target's part of the plan into pieces, as large as are done in time."""
        pace = self.paces.setdefault(target, Pace())
        while batch := list(islice(candidates, pace.size)):
            yield batch

    def carry_out(self, batch: Sequence[Candidate]) -> list[UploadResult]:
        """Abort what is still stale of a part of the plan; never raises."""
        items = [_Item(candidate) for candidate in batch]
        try:
            return self._carried(items, 0)
        except Exception as error:  # noqa: BLE001  # one piece must not stop the others
            # What is open in the ledger is looked up by the next run.
            self._crashed(items[0], error)
            told = f"{type(error).__name__}: {error}"
            return [UploadResult(one.decision, Outcome.FAILED, told) for one in batch]

    def _carried(self, items: list[_Item], losses: int) -> list[UploadResult]:
        """Send a piece until all of it is done; `losses` workers were lost at it so far."""
        results: list[UploadResult] = []
        for _ in range(TRIES):
            while items:
                try:
                    self._demand()
                except (Interrupted, DeadlineExceeded) as error:
                    return results + self._dropped(items, error, Outcome.WITHHELD)
                results += self._intended(items)
                if not items:
                    return results
                try:
                    acted = self._sent(items)
                except WorkerLost as error:
                    return results + self._after_loss(items, losses + 1, error)
                except JanitorError as error:
                    return results + self._dropped(items, error, Outcome.WITHHELD)
                except Exception as error:  # noqa: BLE001  # one piece must not stop the others
                    self._crashed(items[0], error)
                    return results + self._dropped(items, error, Outcome.FAILED)
                late = [item for item, one in zip(items, acted, strict=True) if one.late]
                for item, one in zip(items, acted, strict=True):
                    # It was sent, and may still get through: then it was us.
                    item.lost = item.lost or (one.late and one.word != NOT_SENT)
                done = [pair for pair in zip(items, acted, strict=True) if not pair[1].late]
                results += self.writers.map(self._concluded, done)
                items = late
                if not done:
                    break
        never = Interrupted(f"no worker came to it in time, {TRIES} times")
        return results + self._dropped(items, never, Outcome.WITHHELD)

    def _demand(self) -> None:
        """Raise Interrupted or DeadlineExceeded where nothing may be begun."""
        if self.team.stop.is_set():
            raise Interrupted(STOPPED)
        if self.deadline.left() <= 0:
            raise DeadlineExceeded(PASSED, code="deadline")
        self.permit()

    def _intended(self, items: list[_Item]) -> list[UploadResult]:
        """Write down what has no intent yet; take out what cannot be written down, and give it."""
        memory = self.memory
        if memory is None:
            return []

        def intend(item: _Item) -> UploadResult | None:
            if item.intent is None:
                decision = item.candidate.decision
                try:
                    item.intent = memory.intend(self.run_id, self.team.now(), decision)
                except JanitorError as error:
                    return UploadResult(decision, Outcome.WITHHELD, str(error))
            return None

        failed = [result for result in self.writers.map(intend, items) if result is not None]
        items[:] = [item for item in items if item.intent is not None]
        return failed

    def _sent(self, items: Sequence[_Item]) -> Sequence[Acted]:
        """Let a worker do it; raise WorkerLost only when it begins nothing more."""
        target = items[0].candidate.decision.upload.where.target
        names: dict[str, int] = {}
        packed = [
            (
                names.setdefault(item.candidate.decision.upload.where.container, len(names)),
                pack_candidate(item.candidate),
            )
            for item in items
        ]
        piece = ActPiece(tuple(names), tuple(packed), self.lease)
        # Asked again: the ledger may have taken long, and so may have another worker.
        sent = self.team.send(target, piece, self.deadline, self._demand)
        try:
            reply = sent.reply()
        except WorkerLost:
            self.team.wait_for_lease(sent, self.lease)
            raise
        acted = _acted(reply, items)
        self.paces[target].learn(len(items), sum(one.late for one in acted))
        return acted

    def _after_loss(
        self, items: Sequence[_Item], losses: int, error: WorkerLost
    ) -> list[UploadResult]:
        """Send it again, in smaller pieces: one upload may be what ends workers."""
        for item in items:
            item.lost = True
        if losses >= TRIES:
            return self._dropped(items, error, Outcome.FAILED)
        size = max(1, len(items) // CUT)
        cut = [list(items[at : at + size]) for at in range(0, len(items), size)]
        return [result for each in cut for result in self._carried(each, losses)]

    def _concluded(self, pair: tuple[_Item, Acted]) -> UploadResult:
        """Write down what became of an upload."""
        item, acted = pair
        result = UploadResult(
            unpack_candidate(_where(item), acted.decision).decision,
            None if acted.outcome is None else Outcome(acted.outcome),
            acted.error,
            acted.bytes_freed,
        )
        word = acted.word
        if item.lost and _is_gone(result, item):
            # The worker that was lost had sent it.
            result = freed(item.candidate.decision)
            word = str(Outcome.ABORTED)
        elif item.lost and word == NOT_SENT and not _is_there(result):
            # The worker that was lost may have sent it: it stays open until somebody sees.
            word = None
        return self._written(item, result, word)

    def _written(self, item: _Item, result: UploadResult, word: str | None) -> UploadResult:
        if self.memory is None or item.intent is None or word is None:
            return result
        return concluded(self.memory, item.intent, self.team.now(), word, result)

    def _dropped(
        self, items: Sequence[_Item], error: Exception, outcome: Outcome
    ) -> list[UploadResult]:
        """Give up; of those that may have been sent, look what became of them."""
        return [self._drop(item, error, outcome) for item in items]

    def _drop(self, item: _Item, error: Exception, outcome: Outcome) -> UploadResult:
        if item.lost or outcome is Outcome.FAILED:
            return self._looked_up(item, error)
        result = UploadResult(item.candidate.decision, outcome, str(error))
        return self._written(item, result, NOT_SENT)

    def _looked_up(self, item: _Item, error: Exception) -> UploadResult:
        failed = UploadResult(item.candidate.decision, Outcome.FAILED, str(error))
        if self.reconciler is None or item.intent is None:
            return failed
        where, upload = _where(item), item.candidate.decision.upload
        activity = item.candidate.decision.activity
        size = None if activity is None else activity.size
        intent = OpenIntent(
            item.intent,
            self.run_id,
            self.team.now(),
            where,
            upload.key,
            upload.upload_id,
            upload.initiated,
            size,
        )
        try:
            word = self.reconciler.reconcile(intent, self.readers[where], self.deadline)
        except JanitorError as trouble:
            told = IntentReconciled(where, upload.key, upload.upload_id, None, str(trouble))
            self.team.tell(told)
            return failed
        return freed(item.candidate.decision) if word == Outcome.ABORTED else failed

    def _crashed(self, item: _Item, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        self.team.tell(ContainerCrashed(_where(item), trace))


def _acted(reply: Reply, items: Sequence[_Item]) -> Sequence[Acted]:
    if reply.late:
        packed = [pack_candidate(item.candidate) for item in items]
        return [Acted(each, None, None, 0, NOT_SENT, late=True) for each in packed]
    assert isinstance(reply.result, tuple)  # noqa: S101  # for mypy: it is what was asked for
    return reply.result


def _where(item: _Item) -> ContainerRef:
    return item.candidate.decision.upload.where


def _is_there(result: UploadResult) -> bool:
    """Whether a look saw the upload, and said that it has to be kept."""
    return result.outcome is None and result.error is None


def _is_gone(result: UploadResult, item: _Item) -> bool:
    """Whether a look, or another abort, found what an abort leaves."""
    if result.outcome is not None:
        return result.outcome is Outcome.ALREADY_GONE
    if result.decision.reason is Reason.VANISHED:
        return True
    # Some stores keep an aborted upload without parts in sight for a while.
    activity = result.decision.activity
    bare = activity is not None and activity.complete and not activity.parts
    return bare and size_of(item.candidate.decision) > 0
