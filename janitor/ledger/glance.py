"""Looks into a ledger for a run that must not change anything, not even the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


class _Readable(Protocol):
    def last_scan(self, where: ContainerRef) -> LastScan | None: ...

    def sightings(
        self,
        where: ContainerRef,
        identities: Iterable[tuple[str, str]],
        at: datetime,
        fingerprints: Mapping[tuple[str, str], str] | None = None,
    ) -> Mapping[tuple[str, str], Sighting]: ...

    def spent_since(self, moment: datetime, now: datetime) -> Spent: ...

    def spent_by_unfinished_runs(self) -> Spent: ...

    def left(self, run_id: str, at: datetime, limits: Limits) -> Limits: ...


class Glance:
    """Answers like the ledger, and forgets what it is told.

    An upload that the ledger does not know is seen for the first time now, as
    it would be by a run that may write. No lock is needed to look.
    """

    def __init__(self, ledger: _Readable) -> None:
        self._ledger = ledger

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold nothing: whoever only looks disturbs nobody."""
        yield

    def begin(self, _header: RunHeader) -> Beginning:
        """Record nothing; nothing new is told of the ledger."""
        return Beginning(fresh=False, changed_targets=frozenset(), runs_before=0)

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last believed listing of a container."""
        return self._ledger.last_scan(where)

    def sight(
        self, where: ContainerRef, run_id: str, at: datetime, seen: Iterable[Seen]
    ) -> Mapping[tuple[str, str], Sighting]:
        """Tell what is known of each, and of the others that they are new."""
        prints = {each.upload.identity: each.fingerprint for each in seen}
        known = self._ledger.sightings(where, prints, at, prints)
        new = Sighting(at, run_id, at)
        return {identity: known.get(identity, new) for identity in prints}

    def open_intents(self) -> list[OpenIntent]:
        """Leave what is open to a run that may close it."""
        return []

    def spent_since(self, moment: datetime, now: datetime) -> Spent:
        """Count the aborts since then."""
        return self._ledger.spent_since(moment, now)

    def spent_by_unfinished_runs(self) -> Spent:
        """Count the aborts of the runs since the last one that finished."""
        return self._ledger.spent_by_unfinished_runs()

    def reserve(self, run_id: str, at: datetime, limits: Limits, _wanted: Spent) -> Limits:
        """Set nothing aside; tell what is left."""
        return self._ledger.left(run_id, at, limits)

    def keep(self, _run_id: str, _needed: Spent) -> None:
        """Give nothing back."""

    def left(self, run_id: str, at: datetime, limits: Limits) -> Limits:
        """Tell what is left for a shard."""
        return self._ledger.left(run_id, at, limits)

    def intend(self, _run_id: str, _at: datetime, decision: Decision) -> int:
        """Refuse: without a record there must be no abort."""
        msg = f"a run that only looks cannot abort {decision.upload.upload_id}"
        raise AssertionError(msg)

    def conclude(self, intent: int, *_: object, **__: object) -> None:
        """Refuse: there can be no intent."""
        msg = f"a run that only looks cannot conclude {intent}"
        raise AssertionError(msg)

    def record_scans(
        self, _run_id: str, _at: datetime, _results: Sequence[ContainerResult]
    ) -> None:
        """Record nothing."""

    def finish(self, _run_id: str, _at: datetime, _exit_code: int) -> None:
        """Record nothing."""

    def prune(self, _at: datetime) -> None:
        """Forget nothing."""
