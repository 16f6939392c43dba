"""Aborts one upload: look again, abort, look whether it is really gone."""

from __future__ import annotations

from dataclasses import dataclass

from janitor.engine.activity import Checked, Checker, unknown
from janitor.engine.calls import Caller, Deadline
from janitor.errors import (
    DeadlineExceeded,
    Incomplete,
    Interrupted,
    ProviderError,
    Transient,
    UploadGone,
)
from janitor.model import Decision, Outcome, Reason, Upload, UploadResult, Verdict
from janitor.providers.base import Aborter

# Parts that were on their way when the abort came can land after it.
ABORT_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Executor:
    """Carries out decisions on one container."""

    checker: Checker
    aborter: Aborter
    caller: Caller
    deadline: Deadline

    def carry_out(self, planned: Decision) -> UploadResult:
        """Abort what is still stale; whatever happens, say what happened."""
        upload = planned.upload
        try:
            checked = self.checker.check(upload)
        except (Interrupted, DeadlineExceeded) as error:
            return UploadResult(planned, Outcome.WITHHELD, str(error))
        if checked.decision.verdict is Verdict.KEEP:
            return UploadResult(checked.decision, None, _text(checked.error))
        return self._abort(checked.decision)

    def _abort(self, decision: Decision) -> UploadResult:
        upload = decision.upload
        lost: list[Transient | Incomplete] = []
        try:
            self._request(upload, lost)
        except Interrupted as error:
            outcome = Outcome.FAILED if lost else Outcome.WITHHELD
            return UploadResult(decision, outcome, str(error))
        except UploadGone:
            # An earlier try of ours may have got through without a reply.
            return _freed(decision) if lost else UploadResult(decision, Outcome.ALREADY_GONE)
        except Transient as error:
            return self._after_lost_reply(decision, error)
        except ProviderError as error:
            return UploadResult(decision, Outcome.FAILED, str(error))
        return self._verified(decision)

    def _after_lost_reply(self, decision: Decision, error: Transient) -> UploadResult:
        """Look whether the request got through although its reply did not."""
        if _is_gone(self._look(decision.upload)):
            return _freed(decision)
        return UploadResult(decision, Outcome.FAILED, str(error))

    def _verified(self, decision: Decision) -> UploadResult:
        """Ask until the store says that nothing is left, aborting again what is."""
        for attempt in range(1, ABORT_ROUNDS + 1):
            checked = self._look(decision.upload)
            if checked.error is not None:
                return UploadResult(decision, Outcome.ABORTED, f"not verified: {checked.error}")
            if _is_gone(checked):
                return _freed(decision)
            try:
                self.caller.pause(attempt, self.deadline)
                self._request(decision.upload, [], finish=True)
            except UploadGone:
                return _freed(decision)
            except ProviderError as error:
                return UploadResult(decision, Outcome.SURVIVED, str(error))
        return UploadResult(decision, Outcome.SURVIVED, "its parts are still listed")

    def _look(self, upload: Upload) -> Checked:
        try:
            return self.checker.check(upload, finish=True)
        except DeadlineExceeded as error:
            return Checked(unknown(upload), error)

    def _request(
        self, upload: Upload, lost: list[Transient | Incomplete], *, finish: bool = False
    ) -> None:
        self.caller.call(
            upload.where,
            "abort",
            lambda: self.aborter.abort(upload),
            self.deadline,
            finish=finish,
            on_retry=lost.append,
        )


def _freed(decision: Decision) -> UploadResult:
    size = decision.activity.size if decision.activity is not None else None
    return UploadResult(decision, Outcome.ABORTED, bytes_freed=size or 0)


def _is_gone(checked: Checked) -> bool:
    if checked.decision.reason is Reason.VANISHED:
        return True
    activity = checked.decision.activity
    return activity is not None and activity.complete and activity.parts == 0


def _text(error: ProviderError | None) -> str | None:
    return None if error is None else str(error)
