"""Aborts one upload: look again, abort, look whether it is really gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from janitor.engine.activity import Checked, Checker, unknown
from janitor.engine.calls import Caller, Deadline
from janitor.errors import (
    DeadlineExceeded,
    Incomplete,
    Interrupted,
    ProviderError,
    Transient,
    Unexpected,
    UploadGone,
)
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
    """The last look at the parts of an upload, with what it led to."""

    decision: Decision
    at: datetime
    ticks: float = field(default_factory=time.monotonic)

    def is_recent(self, now: datetime) -> bool:
        """Ask both clocks: one may be set, and the other stands still while a machine sleeps."""
        since = timedelta(seconds=time.monotonic() - self.ticks)
        return max(since, abs(now - self.at)) <= LONGEST_SINCE_LOOK


@dataclass(frozen=True, slots=True)
class Executor:
    """Carries out decisions on one container."""

    checker: Checker
    aborter: Aborter
    caller: Caller
    deadline: Deadline

    def carry_out(self, planned: Decision) -> UploadResult:
        """Abort what is still stale; whatever happens, say what happened."""
        try:
            look = self._look_before(planned.upload)
        except (Interrupted, DeadlineExceeded) as error:
            return UploadResult(planned, Outcome.WITHHELD, str(error))
        except _NoLongerStale as kept:
            return UploadResult(kept.checked.decision, None, _text(kept.checked.error))
        return self._abort(look)

    def _abort(self, look: _Look) -> UploadResult:
        lost: list[Transient | Incomplete] = []
        try:
            self._request_while_stale(look, lost)
        except _NoLongerStale as kept:
            return _kept_after_all(look.decision, kept.checked, lost)
        except UploadGone:
            # An earlier try of ours may have got through without a reply.
            gone = UploadResult(look.decision, Outcome.ALREADY_GONE)
            return _freed(look.decision) if lost else gone
        except (Interrupted, ProviderError) as error:
            if lost or isinstance(error, Transient | Incomplete | Unexpected):
                return self._after_lost_reply(look.decision, error)
            stopped = isinstance(error, Interrupted | DeadlineExceeded)
            outcome = Outcome.WITHHELD if stopped else Outcome.FAILED
            return UploadResult(look.decision, outcome, str(error))
        return self._verified(look.decision)

    def _look_before(self, upload: Upload) -> _Look:
        checked = self.checker.check(upload)
        if checked.decision.verdict is Verdict.KEEP:
            raise _NoLongerStale(checked)
        return _Look(checked.decision, self.checker.now())

    def _request_while_stale(self, look: _Look, lost: list[Transient | Incomplete]) -> None:
        """Send the abort; look again before every try that had to wait for its turn."""

        def look_again() -> None:
            if not look.is_recent(self.checker.now()):
                newer = self._look_before(look.decision.upload)
                look.decision, look.at, look.ticks = newer.decision, newer.at, newer.ticks

        upload = look.decision.upload
        self.caller.call(
            upload.where,
            "abort",
            lambda: self.aborter.abort(upload),
            self.deadline,
            before=look_again,
            on_retry=lost.append,
        )

    def _after_lost_reply(self, decision: Decision, error: Exception) -> UploadResult:
        """Look whether the request got through although its reply did not."""
        if _is_gone(self._look_after(decision.upload), decision):
            return _freed(decision)
        return UploadResult(decision, Outcome.FAILED, str(error))

    def _verified(self, decision: Decision) -> UploadResult:
        """Ask until the store says that nothing is left, aborting again what is."""
        trouble = "its parts are still listed"
        for attempt in range(1, ABORT_ROUNDS + 2):
            checked = self._look_after(decision.upload)
            if checked.error is not None:
                return UploadResult(decision, Outcome.ABORTED, f"not verified: {checked.error}")
            if _is_gone(checked, decision):
                return _freed(decision)
            if attempt > ABORT_ROUNDS or self.caller.stop.is_set():
                break
            try:
                self.caller.pause(attempt, self.deadline)
                self._request_again(decision.upload)
            except UploadGone:
                return _freed(decision)
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

    def _request_again(self, upload: Upload) -> None:
        self.caller.call(
            upload.where, "abort", lambda: self.aborter.abort(upload), self.deadline, finish=True
        )


def _kept_after_all(
    decision: Decision, checked: Checked, lost: list[Transient | Incomplete]
) -> UploadResult:
    """Say what became of an upload that another look, between two tries, says to keep."""
    if lost and checked.decision.reason is Reason.VANISHED:
        return _freed(decision)
    if lost and checked.error is not None:
        return UploadResult(decision, Outcome.FAILED, str(checked.error))
    return UploadResult(checked.decision, None, _text(checked.error))


def _freed(decision: Decision) -> UploadResult:
    size = decision.activity.size if decision.activity is not None else None
    return UploadResult(decision, Outcome.ABORTED, bytes_freed=size or 0)


def _is_gone(checked: Checked, before: Decision) -> bool:
    if checked.decision.reason in {Reason.VANISHED, Reason.CHANGED}:
        return True
    # No parts are news only of an upload that had some.
    had_parts = before.activity is not None and before.activity.parts > 0
    activity = checked.decision.activity
    return had_parts and activity is not None and activity.complete and activity.parts == 0


def _text(error: ProviderError | None) -> str | None:
    return None if error is None else str(error)
