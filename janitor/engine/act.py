"""Aborts one upload: look again, write it down, abort, look whether it is really gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from janitor.engine.activity import Checked, Checker, unknown
from janitor.engine.calls import Caller, Deadline
from janitor.engine.conclusions import concluded, freed
from janitor.engine.looks import object_at_risk
from janitor.engine.memory import Memory
from janitor.errors import (
    DeadlineExceeded,
    Incomplete,
    Interrupted,
    JanitorError,
    ProviderError,
    Transient,
    Unexpected,
    Unsent,
    UploadGone,
)
from janitor.grace import Mark, alive, changed_since, settle
from janitor.ledger.types import NOT_SENT
from janitor.model import Decision, Outcome, Reason, Upload, UploadResult, Verdict
from janitor.providers.base import Aborter

# Parts that were on their way when the abort came can land after it.
ABORT_ROUNDS = 5
# A part that lands after the last look is lost, so no look may be much older.
LONGEST_SINCE_LOOK = timedelta(seconds=30)


class _NoLongerStale(Exception):  # noqa: N818  # not an error: the second look says keep
    """Another look at the parts says that the upload must be kept."""

    def __init__(self, checked: Checked) -> None:
        super().__init__()
        self.checked = checked


@dataclass(slots=True)
class _Look:
    """The last look at the parts of an upload, what it led to, and whether that was sent.

    `unresolved`: it was, and neither a reply nor a look told what it did.
    """

    decision: Decision
    at: datetime
    mark: Mark | None = None
    ticks: float = field(default_factory=time.monotonic)
    sent: bool = False
    unresolved: bool = False

    def is_recent(self, now: datetime) -> bool:
        """Ask both clocks: one may be set, and the other stands still while a machine sleeps."""
        since = timedelta(seconds=time.monotonic() - self.ticks)
        return max(since, abs(now - self.at)) <= LONGEST_SINCE_LOOK


@dataclass(frozen=True, slots=True)
class Executor:
    """Carries out decisions on one container.

    `wall` is a clock that goes on while the process is suspended; `memory`
    None means that no record is kept. `permit` is asked right before every abort, and raises
    Interrupted where none may be sent any more.
    """

    checker: Checker
    aborter: Aborter
    caller: Caller
    deadline: Deadline
    wall: Callable[[], datetime]
    run_id: str = ""
    memory: Memory | None = None
    permit: Callable[[], None] = lambda: None

    def carry_out(self, planned: Decision, mark: Mark | None = None) -> UploadResult:
        """Abort what is still stale; whatever happens, say what happened.

        `mark` is what the ledger knew of it when it was planned.
        """
        try:
            look = self._look_before(planned, mark)
        except (Interrupted, DeadlineExceeded) as error:
            return UploadResult(planned, Outcome.WITHHELD, str(error))
        except _NoLongerStale as kept:
            return UploadResult(kept.checked.decision, None, _text(kept.checked.error))
        if self.memory is None:
            return self._abort(look)
        return self._abort_on_record(look, self.memory)

    def _abort_on_record(self, look: _Look, memory: Memory) -> UploadResult:
        """Write the intent down first, and what became of it afterwards.

        What cannot be written down is not done. What was done and cannot be
        concluded stays open, and the next run looks what became of it.
        """
        try:
            intent = memory.intend(self.run_id, self.checker.now(), look.decision)
        except JanitorError as error:
            return UploadResult(look.decision, Outcome.WITHHELD, str(error))
        result = self._abort(look)
        if look.unresolved:
            return result
        word = NOT_SENT if not look.sent else str(result.outcome or Outcome.FAILED)
        return concluded(memory, intent, self.checker.now(), word, result)

    def _abort(self, look: _Look) -> UploadResult:
        lost: list[Transient | Incomplete] = []
        try:
            self._request_while_stale(look, lost)
        except _NoLongerStale as kept:
            look.unresolved = bool(lost) and kept.checked.error is not None
            return _kept_after_all(look.decision, kept.checked, lost)
        except UploadGone:
            # An earlier try of ours may have got through without a reply.
            gone = UploadResult(look.decision, Outcome.ALREADY_GONE)
            return freed(look.decision) if lost else gone
        except (Interrupted, ProviderError) as error:
            if lost or _may_have_been_heard(error):
                return self._after_lost_reply(look, error)
            stopped = isinstance(error, Interrupted | DeadlineExceeded)
            outcome = Outcome.WITHHELD if stopped else Outcome.FAILED
            return UploadResult(look.decision, outcome, str(error))
        return self._verified(look.decision)

    def _look_before(self, planned: Decision, mark: Mark | None) -> _Look:
        """Judge by the parts as they are now; parts that came meanwhile are a sign of life."""
        at = self.wall()
        ticks = time.monotonic()
        checked = self._settled(self.checker.check(planned.upload), mark)
        if checked.decision.verdict is Verdict.KEEP:
            raise _NoLongerStale(checked)
        if changed_since(planned, checked.decision):
            raise _NoLongerStale(replace(checked, decision=alive(checked.decision)))
        if self._may_harm_an_object(planned.upload):
            raise _NoLongerStale(replace(checked, decision=_finished(checked.decision)))
        return _Look(checked.decision, at, mark, ticks)

    def _settled(self, checked: Checked, mark: Mark | None) -> Checked:
        at = checked.at or self.checker.now()
        return replace(checked, decision=settle(checked.decision, self.checker.policy, at, mark))

    def _may_harm_an_object(self, upload: Upload) -> bool:
        """Whether an abort might take a finished object with it; a failed look counts as yes."""
        reader = self.checker.reader
        try:
            return object_at_risk(reader, self.caller, self.deadline, upload) is not None
        except DeadlineExceeded:
            raise
        except ProviderError:
            return True

    def _request_while_stale(self, look: _Look, lost: list[Transient | Incomplete]) -> None:
        """Send the abort; look again before every try that had to wait for its turn."""

        def look_again() -> None:
            if not look.is_recent(self.wall()):
                newer = self._look_before(look.decision, look.mark)
                look.decision, look.at, look.ticks = newer.decision, newer.at, newer.ticks
            self.permit()

        def send() -> None:
            look.sent = True
            self.aborter.abort(look.decision.upload)

        def note(error: Transient | Incomplete) -> None:
            if _may_have_been_heard(error):
                lost.append(error)

        self.caller.call(
            look.decision.upload.where,
            "abort",
            send,
            self.deadline,
            before=look_again,
            on_retry=note,
        )

    def _after_lost_reply(self, look: _Look, error: Exception) -> UploadResult:
        """Look whether the request got through although its reply did not."""
        checked = self._look_after(look.decision.upload)
        if _is_gone(checked, look.decision):
            return freed(look.decision)
        look.unresolved = checked.error is not None
        return UploadResult(look.decision, Outcome.FAILED, str(error))

    def _verified(self, decision: Decision) -> UploadResult:
        """Ask until the store says that nothing is left, aborting again what is."""
        trouble = "its parts are still listed"
        for attempt in range(1, ABORT_ROUNDS + 2):
            look = _Look(decision, self.wall())
            checked = self._look_after(decision.upload)
            if checked.error is not None:
                return UploadResult(decision, Outcome.ABORTED, f"not verified: {checked.error}")
            if _is_gone(checked, decision):
                return freed(decision)
            if _has_grown(checked, decision):
                return UploadResult(decision, Outcome.SURVIVED, "it received parts after the abort")
            if attempt > ABORT_ROUNDS or self.caller.stop.is_set():
                break
            try:
                self.caller.pause(attempt, self.deadline)
                self._request_again(look)
            except UploadGone:
                return freed(decision)
            except Interrupted as error:
                trouble = str(error)
                break
            except (Transient, Incomplete, Unexpected) as error:
                trouble = str(error)  # the next look tells what came of it
            except ProviderError as error:
                return UploadResult(decision, Outcome.SURVIVED, str(error))
        return UploadResult(decision, Outcome.SURVIVED, trouble)

    def _look_after(self, upload: Upload) -> Checked:
        try:
            return self.checker.check(upload, finish=True)
        except DeadlineExceeded as error:
            return Checked(unknown(upload), error)

    def _request_again(self, look: _Look) -> None:
        """Send the abort once more; raise Incomplete where too long ago nobody was at work."""
        upload = look.decision.upload

        def permit() -> None:
            if not look.is_recent(self.wall()):
                message = "the last look at its parts is too old"
                raise Incomplete(message, code="stale_look")
            self.permit()

        self.caller.call(
            upload.where,
            "abort",
            lambda: self.aborter.abort(upload),
            self.deadline,
            finish=True,
            before=permit,
        )


def _may_have_been_heard(error: Exception) -> bool:
    """Whether the request may have got through although it failed."""
    known = isinstance(error, Transient | Incomplete | Unexpected)
    return known and not isinstance(error, Unsent)


def _kept_after_all(
    decision: Decision, checked: Checked, lost: list[Transient | Incomplete]
) -> UploadResult:
    """Say what became of an upload that another look, between two tries, says to keep."""
    if lost and checked.decision.reason is Reason.VANISHED:
        return freed(decision)
    if lost and checked.error is not None:
        return UploadResult(decision, Outcome.FAILED, str(checked.error))
    return UploadResult(checked.decision, None, _text(checked.error))


def _finished(decision: Decision) -> Decision:
    reason = Reason.FINISHED_OBJECT
    return replace(decision, verdict=Verdict.KEEP, reason=reason, eligible_at=None)


def _is_gone(checked: Checked, before: Decision) -> bool:
    if checked.decision.reason in {Reason.VANISHED, Reason.CHANGED}:
        return True
    # No parts are news only of an upload that had some.
    had_parts = before.activity is not None and before.activity.parts > 0
    activity = checked.decision.activity
    return had_parts and activity is not None and activity.complete and activity.parts == 0


def _has_grown(checked: Checked, before: Decision) -> bool:
    """Whether the abort had no effect and somebody goes on: then nobody aborts it again."""
    if checked.decision.reason is Reason.ACTIVE:
        return True
    after, planned = checked.decision.activity, before.activity
    return after is not None and planned is not None and after.parts > planned.parts


def _text(error: ProviderError | None) -> str | None:
    return None if error is None else str(error)
