"""Runs, what they were told, and how the scans of each container ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from janitor.ledger import clock, rounds
from janitor.ledger.journal import gone_since
from janitor.ledger.schema import (
    containers,
    journal,
    plans,
    runs,
    scans,
    sightings,
    targets,
)
from janitor.ledger.session import Session
from janitor.ledger.sightings import (
    container_id,
    ensure_container,
    forget_target,
    forget_vanished,
    run_number,
)
from janitor.ledger.translate import trouble
from janitor.ledger.types import (
    Beginning,
    LastScan,
    PlanRecord,
    RunHeader,
    RunRecord,
    TargetHeader,
)
from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.sharding import Shard

AGGREGATES_KEPT = timedelta(days=400)
# These say that the listing was complete, whatever else happened.
_COMPLETE = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED, TargetOutcome.TRIPPED})
# These say that the sweep of the container did all that it was allowed to.
_SUCCEEDED = _COMPLETE - {TargetOutcome.TRIPPED}


class Runs:
    """The runs of one ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._place = session.place

    def begin(self, header: RunHeader, shard: Shard | None = None) -> Beginning:
        """Record a run before it does anything, and tell what the ledger knew."""
        with self._session.writing() as connection:
            if run_number(connection, header.run_id) is not None:
                raise trouble(self._place, f"has begun run {header.run_id!r} before")
            clock.tick(connection, self._place, header.started_at)
            before = connection.execute(select(func.count()).select_from(runs)).scalar_one()
            _insert(connection, header)
            rounds.begin(connection, self._number(connection, header.run_id), shard)
            changed = {t.target for t in header.targets if _meet(connection, t)}
        return Beginning(before == 0, frozenset(changed), before)

    def finish(self, run_id: str, at: datetime, exit_code: int) -> None:
        """Record that a run came to its end."""
        with self._session.writing() as connection:
            number = self._number(connection, run_id)
            clock.tick(connection, self._place, at)
            ending = {"finished_at": at, "exit_code": exit_code}
            connection.execute(runs.update().where(runs.c.seq == number).values(ending))

    def record_scans(self, run_id: str, at: datetime, results: Sequence[ContainerResult]) -> None:
        """Record how the scans of containers ended, all of them or none."""
        with self._session.writing() as connection:
            clock.tick(connection, self._place, at)
            number = self._number(connection, run_id)
            rows = [_scan_row(connection, number, at, result) for result in results]
            if rows:
                connection.execute(scans.insert(), rows)

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last complete listing of a container that was not doubted."""
        with self._session.reading() as connection:
            number = container_id(connection, where)
            sound = (scans.c.container == number, scans.c.complete, ~scans.c.doubtful)
            newest = select(scans).where(*sound).order_by(scans.c.seq.desc()).limit(1)
            row = connection.execute(newest).first()
            if row is None:
                return None
            later = (scans.c.container == number, scans.c.seq > row.seq, scans.c.doubtful)
            doubts = connection.execute(select(func.count()).where(*later)).scalar_one()
            return LastScan(row.at, row.listed, gone_since(connection, row.run, where), doubts)

    def last_completes(self, shard: Shard | None = None) -> dict[ContainerRef, datetime]:
        """Tell when the containers of the last scan of each target were last complete or capped.

        One that the last scan of its target did not find is left out, and so
        is one that never was complete. `shard` looks at its own containers only.
        """
        # One look into the index for each container, however many scans there are.
        scan = select(scans).where(scans.c.container == containers.c.id)
        newest = scan.order_by(scans.c.seq.desc()).limit(1)
        succeeded = newest.where(scans.c.outcome.in_(sorted(_SUCCEEDED)))
        query = select(
            containers,
            newest.with_only_columns(scans.c.run).scalar_subquery().label("run"),
            succeeded.with_only_columns(scans.c.at).scalar_subquery().label("succeeded"),
        )
        with self._session.reading() as connection:
            rows = [row for row in connection.execute(query) if row.run is not None]
            scan_of = rounds.rounds_of(connection, {row.run for row in rows})
        if shard is not None:
            rows = [row for row in rows if shard.owns(row.target, row.container)]
        last: dict[str, int] = {}
        for row in rows:
            last[row.target] = max(scan_of[row.run], last.get(row.target, 0))
        return {
            ContainerRef(row.target, row.provider, row.container): row.succeeded
            for row in rows
            if scan_of[row.run] == last[row.target] and row.succeeded is not None
        }

    def history(self, limit: int) -> list[RunRecord]:
        """Give the latest runs, newest first."""
        newest = select(runs).order_by(runs.c.seq.desc()).limit(limit)
        with self._session.reading() as connection:
            rows = connection.execute(newest).all()
        return [
            RunRecord(r.run_id, r.mode, r.started_at, r.finished_at, r.exit_code, r.version)
            for r in rows
        ]

    def record_plan(self, plan: PlanRecord) -> None:
        """Remember a plan; the same plan may be recorded again, with another expiry."""
        with self._session.writing() as connection:
            clock.tick(connection, self._place, plan.at)
            connection.execute(delete(plans).where(plans.c.digest == plan.digest))
            connection.execute(plans.insert(), asdict(plan))

    def plan(self, digest: str) -> PlanRecord | None:
        """Give the plan with this digest, if it was made here."""
        with self._session.reading() as connection:
            row = connection.execute(select(plans).where(plans.c.digest == digest)).first()
        return None if row is None else PlanRecord(*row)

    def prune(self, at: datetime) -> None:
        """Forget what is too old to matter; intents and conclusions are never forgotten."""
        limit = at - AGGREGATES_KEPT
        with self._session.writing() as connection:
            # Whoever notes a sighting waits for this, too: no two wait for each other's rows.
            clock.hold(connection)
            forget_vanished(connection, at)
            connection.execute(delete(plans).where(plans.c.expires_at < limit))
            _prune_scans(connection, limit)
            _prune_runs(connection, limit)

    def _number(self, connection: Connection, run_id: str) -> int:
        number = run_number(connection, run_id)
        if number is None:
            raise trouble(self._place, f"knows no run {run_id!r}: begin it first")
        return number


def _scan_row(
    connection: Connection, run: int, at: datetime, result: ContainerResult
) -> dict[str, Any]:
    return {
        "container": ensure_container(connection, result.where),
        "run": run,
        "at": at,
        "complete": result.outcome in _COMPLETE,
        "doubtful": result.outcome is TargetOutcome.SUSPICIOUS_EMPTY,
        "outcome": result.outcome.value,
        "listed": result.listed,
        "stale": result.stale,
        "aborted": result.aborted,
        "bytes_stale": result.bytes_stale,
        "bytes_freed": result.bytes_freed,
        "details": _details(result),
    }


def _insert(connection: Connection, header: RunHeader) -> None:
    row = {
        "run_id": header.run_id,
        "mode": header.mode,
        "started_at": header.started_at,
        "version": header.version,
        "config_fingerprint": header.config_fingerprint,
        "targets": json.dumps([asdict(target) for target in header.targets]),
    }
    connection.execute(runs.insert(), row)


def _meet(connection: Connection, target: TargetHeader) -> bool:
    """Compare a target with what it was; if it changed, let its sightings start again."""
    known = connection.execute(select(targets).where(targets.c.target == target.target)).first()
    if known is None:
        connection.execute(targets.insert(), asdict(target))
        return False
    was = TargetHeader(*known)
    now = _with_what_is_known(target, was)
    changed = now != _with_what_is_known(was, now)
    this = targets.c.target == target.target
    connection.execute(targets.update().where(this).values(asdict(now)))
    if changed:
        forget_target(connection, target.target)
    return changed


def _with_what_is_known(target: TargetHeader, other: TargetHeader) -> TargetHeader:
    """Take an account, and an address, that could not be learned for the one that is known."""
    found = replace(target, account=target.account or other.account)
    if target.endpoint:
        return found
    return replace(found, endpoint=other.endpoint, region=other.region)


def _details(result: ContainerResult) -> str:
    """Write down what is shown but never asked for."""
    oldest = result.oldest_initiated
    details = {
        "started_at": result.started_at.isoformat(),
        "finished_at": result.finished_at.isoformat(),
        "kept": {reason.value: count for reason, count in sorted(result.kept.items())},
        "already_gone": result.already_gone,
        "withheld": result.withheld,
        "failed": result.failed,
        "survived": result.survived,
        "deferred": result.deferred,
        "oldest_initiated": None if oldest is None else oldest.isoformat(),
        "error": result.error,
    }
    return json.dumps(details)


def _prune_scans(connection: Connection, limit: datetime) -> None:
    """Delete old scans, but never the last sound one of a container: shrinking is seen by it."""
    sound = scans.alias("sound")
    last = (
        select(func.max(sound.c.seq))
        .where(sound.c.container == scans.c.container, sound.c.complete, ~sound.c.doubtful)
        .scalar_subquery()
    )
    old = scans.c.seq < func.coalesce(last, scans.c.seq + 1)
    connection.execute(delete(scans).where(scans.c.at < limit, old))


def _prune_runs(connection: Connection, limit: datetime) -> None:
    """Delete old runs that nothing refers to, but never the last."""
    last = select(func.max(runs.c.seq)).scalar_subquery()
    # A look into an index for each old run, however many intents and scans there are.
    old = select(runs.c.seq).where(
        runs.c.started_at < limit,
        runs.c.seq != last,
        ~exists().where(journal.c.run_id == runs.c.run_id),
        ~exists().where(scans.c.run == runs.c.seq),
    )
    candidates = set(connection.execute(old).scalars())
    if candidates:
        # There is no index for this, which costs more each time than this does once.
        first_runs = select(sightings.c.first_run).distinct()
        candidates -= set(connection.execute(first_runs).scalars())
    for number in sorted(candidates):
        connection.execute(delete(runs).where(runs.c.seq == number))
