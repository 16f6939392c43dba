"""What the engine asks of the ledger, as a promise. Each call is durable when it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from janitor.ledger.types import (
    Beginning,
    LastScan,
    OpenIntent,
    RunHeader,
    Seen,
    Sighting,
    Spent,
)
from janitor.model import ContainerRef, ContainerResult, Decision
from janitor.plan import Limits


class Memory(Protocol):
    """The part of the ledger that judging and acting need; raises LedgerError."""

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last believed listing of a container."""

    def sight(
        self, where: ContainerRef, run_id: str, at: datetime, seen: Iterable[Seen]
    ) -> Mapping[tuple[str, str], Sighting]:
        """Record candidates of a complete listing; give what is known of each."""

    def intend(self, run_id: str, at: datetime, decision: Decision) -> int:
        """Record that an abort will be sent; only then may it be."""

    def conclude(
        self,
        intent: int,
        at: datetime,
        outcome: str,
        *,
        size_freed: int = 0,
        error: str | None = None,
    ) -> None:
        """Record what became of an intent."""

    def open_intents(self) -> list[OpenIntent]:
        """Give the intents of which nobody knows what became."""


class RunLedger(Memory, Protocol):
    """What a whole sweep asks of the ledger besides; raises LedgerError."""

    def lock(self) -> AbstractContextManager[object]:
        """Hold the ledger for one sweep; raise Locked where another janitor holds it."""

    def begin(self, header: RunHeader) -> Beginning:
        """Record that a run begins, and forget marks of targets that changed."""

    def record_scans(self, run_id: str, at: datetime, results: Sequence[ContainerResult]) -> None:
        """Record the figures of containers, all of them or none."""

    def spent_since(self, moment: datetime, now: datetime) -> Spent:
        """Count the aborts since then; what is not known to have failed counts."""

    def spent_by_unfinished_runs(self) -> Spent:
        """Count the aborts of the runs since the last one that finished."""

    def reserve(self, run_id: str, at: datetime, limits: Limits, wanted: Spent) -> Limits:
        """Set aside what a shard wants of limits for all, as far as it is left; tell what was."""

    def keep(self, run_id: str, needed: Spent) -> None:
        """Give back what was set aside beyond this."""

    def left(self, run_id: str, at: datetime, limits: Limits) -> Limits:
        """Tell what is left for a shard, besides what it has set aside itself."""

    def finish(self, run_id: str, at: datetime, exit_code: int) -> None:
        """Record that a run ended by itself."""

    def prune(self, at: datetime) -> None:
        """Forget sightings and figures that are older than anybody asks for."""
