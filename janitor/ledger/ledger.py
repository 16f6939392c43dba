"""The ledger as the rest of the janitor sees it: every method is one durable step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from janitor.fibers import offload
from janitor.ledger.held import Held
from janitor.ledger.journal import Journal
from janitor.ledger.lock import locked
from janitor.ledger.runs import Runs
from janitor.ledger.session import Session
from janitor.ledger.shares import Shares
from janitor.ledger.sightings import Identity, Sightings
from janitor.ledger.translate import trouble
from janitor.ledger.types import (
    Beginning,
    Head,
    IntentRecord,
    LastScan,
    OpenIntent,
    PlanRecord,
    RunHeader,
    RunRecord,
    Seen,
    Sighting,
    Spent,
)
from janitor.model import ContainerRef, ContainerResult, Decision
from janitor.plan import Limits
from janitor.sharding import Shard

P = ParamSpec("P")
T = TypeVar("T")


def _offloaded(
    method: Callable[Concatenate[Ledger, P], T],
) -> Callable[Concatenate[Ledger, P], T]:
    """Let a fiber park while a method works, which waits for its turn and for the disk."""

    @wraps(method)
    def call(self: Ledger, /, *values: P.args, **named: P.kwargs) -> T:
        return offload(lambda: method(self, *values, **named))

    return call


class Ledger:
    """The janitor's durable memory; every method may be called from any thread or fiber.

    Whatever is wrong with the storage is a `LedgerError`. A method that
    writes has written, on the disk, when it returns; when it raises, it may
    have written or not, but never half. With a `shard` it is one of several that
    use it side by side, which only a server allows.
    """

    def __init__(self, session: Session, patience: timedelta, shard: Shard | None = None) -> None:
        self._session = session
        self._place = session.place
        self._patience = patience
        self._held: Held | None = None
        self._journal = Journal(session, self._verify_lock)
        self._sightings = Sightings(session)
        self._runs = Runs(session)
        self._shard = shard
        self._shares = Shares(session)

    def __enter__(self) -> Self:
        """Use it in a `with`, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the storage."""
        self._session.close()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only janitor at work; raise `Locked`, naming the holder, if there is another.

        A shard is the only one of its number; the others must be of as many.
        The lock ends with the block or with the process, however it ends, and
        no child inherits it. While it is held, every intent proves that it
        still is.
        """
        if self._session.read_only:
            raise trouble(self._place, "was opened for reading only")
        with locked(self._place, self._patience, self._shard) as held:
            self._held = held
            try:
                yield
            finally:
                self._held = None

    @_offloaded
    def begin(self, header: RunHeader) -> Beginning:
        """Record a run before it does anything, and tell what the ledger knew.

        The sightings of a target that is not what it was when a run last
        named it (policy, endpoint, region, account) start again.
        """
        return self._runs.begin(header, self._shard)

    @_offloaded
    def finish(self, run_id: str, at: datetime, exit_code: int) -> None:
        """Record that a run came to its end."""
        self._runs.finish(run_id, at, exit_code)

    @_offloaded
    def sight(
        self, where: ContainerRef, run_id: str, at: datetime, seen: Iterable[Seen]
    ) -> dict[Identity, Sighting]:
        """Note the candidates of a complete listing, and tell since when each is known.

        An upload that had vanished for at most 30 d goes on; one with another
        `initiated` starts again. See `marks` for what holds when clocks jump.
        A batch of 10,000 is one step; if a later one fails, earlier ones stay.
        """
        return self._sightings.sight(where, run_id, at, seen)

    @_offloaded
    def sightings(
        self,
        where: ContainerRef,
        identities: Iterable[Identity],
        at: datetime,
        fingerprints: Mapping[Identity, str] | None = None,
    ) -> dict[Identity, Sighting]:
        """Tell the same without noting anything; uploads never seen are left out.

        `fingerprints` are those of the part sets as they are now, as far as
        they are known.
        """
        return self._sightings.look_up(where, identities, at, fingerprints or {})

    @_offloaded
    def record_scans(self, run_id: str, at: datetime, results: Sequence[ContainerResult]) -> None:
        """Record how the scans of containers ended, all of them or none; some may be doubted."""
        self._runs.record_scans(run_id, at, results)

    @_offloaded
    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last complete listing of a container that was not doubted."""
        return self._runs.last_scan(where)

    @_offloaded
    def last_completes(self) -> dict[ContainerRef, datetime]:
        """Tell when the containers of the last scan of each target were last complete or capped.

        What a scan of its target no longer found is left out, and so is what
        never was complete, and for a shard what is not its own.
        """
        return self._runs.last_completes(self._shard)

    def intend(self, run_id: str, at: datetime, decision: Decision) -> int:
        """Record that an abort is about to be sent, and give the number to conclude it by.

        Whatever threads intend and conclude at the same time is written
        together: one fsync serves them all, and what fails, fails for all.
        """
        return self._journal.intend(run_id, at, decision)

    def conclude(
        self,
        intent: int,
        at: datetime,
        outcome: str,
        *,
        size_freed: int = 0,
        error: str | None = None,
    ) -> None:
        """Record what became of an intent: an `Outcome`, `not_sent` or `unknown`; only once."""
        self._journal.conclude(intent, at, outcome, size_freed=size_freed, error=error)

    @_offloaded
    def open_intents(self) -> list[OpenIntent]:
        """Give the intents without a conclusion, oldest first."""
        return self._journal.open_intents()

    @_offloaded
    def spent_since(self, moment: datetime, now: datetime) -> Spent:
        """Sum up the intents since a moment; only those that surely took nothing are left out."""
        return self._journal.spent_since(moment, now)

    @_offloaded
    def spent_by_unfinished_runs(self) -> Spent:
        """Sum up the intents of all runs after the last that finished, this one included.

        Shards count as finished when all of their round are.
        """
        return self._journal.spent_by_unfinished_runs()

    @_offloaded
    def reserve(self, run_id: str, at: datetime, limits: Limits, wanted: Spent) -> Limits:
        """Set aside what a shard wants of limits for all, as far as it is left.

        Tells what was left: the other shards' runs of this round count, whatever
        of earlier ones nothing makes up for yet, and for the day everything. It
        is given back by `finish`, by the end of the process, or by asking again.
        """
        return self._shares.reserve(run_id, at, limits, wanted)

    @_offloaded
    def keep(self, run_id: str, needed: Spent) -> None:
        """Give back what was set aside beyond this."""
        self._shares.keep(run_id, needed)

    @_offloaded
    def left(self, run_id: str, at: datetime, limits: Limits) -> Limits:
        """Tell what is left for a shard, besides what it has set aside itself."""
        return self._shares.left(run_id, at, limits)

    @_offloaded
    def record_plan(self, digest: str, run_id: str, at: datetime, expires_at: datetime) -> None:
        """Remember a plan that was written for `janitor apply`."""
        self._runs.record_plan(PlanRecord(digest, run_id, at, expires_at))

    @_offloaded
    def plan(self, digest: str) -> PlanRecord | None:
        """Give the plan with this digest, if it was made here."""
        return self._runs.plan(digest)

    @_offloaded
    def head(self) -> Head:
        """Give the end of the journal; noted elsewhere, it proves all that came before."""
        return self._journal.head()

    @_offloaded
    def audit(self) -> list[str]:
        """Follow the journal from its first row to its head, and tell every break."""
        return self._journal.audit()

    @_offloaded
    def damaged_sightings(self) -> list[str]:
        """Tell where sightings are not what was written."""
        return self._sightings.damaged()

    @_offloaded
    def prune(self, at: datetime) -> None:
        """Forget sightings after 30 d and aggregates after 400 d; intents and conclusions never."""
        self._runs.prune(at)

    @_offloaded
    def history(self, limit: int) -> list[RunRecord]:
        """Give the latest runs, newest first."""
        return self._runs.history(limit)

    def _verify_lock(self) -> None:
        held = self._held
        if held is not None:
            held.verify()

    @_offloaded
    def uploads_of_run(self, run_id: str) -> list[IntentRecord]:
        """Give the intents of one run with their conclusions, oldest first."""
        return self._journal.of_run(run_id)
