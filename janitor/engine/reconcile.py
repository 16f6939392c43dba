"""Looks what became of aborts whose end nobody wrote down, before anything else is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from janitor.engine.calls import Caller, Deadline
from janitor.engine.memory import Memory
from janitor.errors import DeadlineExceeded, ProviderError, UploadGone
from janitor.ledger.types import NOT_SENT, OpenIntent
from janitor.model import Outcome, Upload
from janitor.observe.events import IntentReconciled, Observer
from janitor.providers.base import Reader


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Concludes what earlier runs left open; what cannot be looked up stays open."""

    memory: Memory
    caller: Caller
    tell: Observer
    now: Callable[[], datetime]

    def reconcile(self, intent: OpenIntent, reader: Reader, deadline: Deadline) -> str | None:
        """Ask the store about one upload, write the answer down and give it; None: nobody knows.

        Raises LedgerError, Interrupted and DeadlineExceeded.
        """
        upload = Upload(intent.where, intent.key, intent.upload_id, intent.initiated)
        try:
            page = self.caller.call(
                intent.where, "list_parts", lambda: reader.list_parts(upload, None), deadline
            )
        except UploadGone:
            return self._conclude(intent, str(Outcome.ABORTED), intent.size or 0)
        except DeadlineExceeded:
            raise
        except ProviderError as error:
            self.tell(
                IntentReconciled(intent.where, intent.key, intent.upload_id, None, str(error))
            )
            return None
        # Some stores keep an aborted upload without parts in sight for a while.
        gone = not page.parts and page.next is None and bool(intent.size)
        if gone:
            return self._conclude(intent, str(Outcome.ABORTED), intent.size or 0)
        return self._conclude(intent, NOT_SENT, 0)

    def _conclude(self, intent: OpenIntent, outcome: str, freed: int) -> str:
        self.memory.conclude(intent.intent, self.now(), outcome, size_freed=freed)
        self.tell(IntentReconciled(intent.where, intent.key, intent.upload_id, outcome, None))
        return outcome
