"""What a worker writes instead of the ledger, for one upload: how its intent ends.

The intent is in the ledger already, written by the sweep before it sent the piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from janitor.backends.lease import Lease, LeaseOver
from janitor.backends.pieces import Acted
from janitor.engine.packing import Candidate, pack_candidate
from janitor.ledger.types import NOT_SENT, LastScan, OpenIntent, Seen, Sighting
from janitor.model import ContainerRef, Decision, Outcome, UploadResult


class Slip:
    """A memory for one upload, which is given back with the result."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        # Until the request may have left, it has not.
        self._word: str | None = NOT_SENT
        self._late = False

    def permit(self) -> None:
        """Raise LeaseOver where no abort may begin any more."""
        try:
            self._lease.demand()
        except LeaseOver:
            self._late = True
            raise

    def intend(self, run_id: str, at: datetime, decision: Decision) -> int:
        """Note that from now on nobody knows what becomes of it, until it is concluded."""
        del run_id, at, decision
        self._word = None
        return 0

    def conclude(
        self,
        intent: int,
        at: datetime,
        outcome: str,
        *,
        size_freed: int = 0,
        error: str | None = None,
    ) -> None:
        """Note how it ended; the result says the rest."""
        del intent, at, size_freed, error
        self._word = outcome

    def acted(self, result: UploadResult, *, late: bool = False) -> Acted:
        """Give all that is to be known of it.

        What was refused, is surely still there, and found no time for another try
        comes late as well.
        """
        may_be_sent_again = self._word in {NOT_SENT, str(Outcome.FAILED)}
        return Acted(
            pack_candidate(Candidate(result.decision)),
            None if result.outcome is None else result.outcome.value,
            result.error,
            result.bytes_freed,
            self._word,
            late=late or (self._late and may_be_sent_again),
        )

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Know nothing: a worker judges no listing."""

    def sight(
        self, where: ContainerRef, run_id: str, at: datetime, seen: Iterable[Seen]
    ) -> Mapping[tuple[str, str], Sighting]:
        """Know nothing."""
        del where, run_id, at, seen
        return {}

    def open_intents(self) -> list[OpenIntent]:
        """Know none."""
        return []
