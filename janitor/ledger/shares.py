"""What each shard may take of limits that are for all of them.

Before a shard acts it sets aside what it will need, as far as that is left, and
no other gets it. What it did not use is given back when it finishes. Of a
shard whose process is gone only that counts which it had written down that it
would do: it is closed, and the journal takes nothing more from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from janitor.ledger.journal import spent_by, spent_from
from janitor.ledger.place import PostgresPlace
from janitor.ledger.rounds import unsettled
from janitor.ledger.schema import journal_head, runs, shards
from janitor.ledger.server_lock import is_at_work
from janitor.ledger.session import Session
from janitor.ledger.translate import trouble
from janitor.ledger.types import Spent
from janitor.plan import Limits
from janitor.sharding import Shard

DAY = timedelta(hours=24)
_NOTHING = Spent(0, 0)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A run that counts against the limits: what it spent, and what it may still spend."""

    seq: int
    spent: Spent
    aside: Spent = _NOTHING
    gone: bool = False

    @property
    def most(self) -> Spent:
        """What it will have spent at most."""
        return Spent(
            max(self.spent.aborts, self.aside.aborts), max(self.spent.bytes, self.aside.bytes)
        )


class Shares:
    """What the shards of one ledger have set aside."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._place = session.place

    def reserve(self, run_id: str, at: datetime, limits: Limits, wanted: Spent) -> Limits:
        """Set aside what a shard wants, as far as it is left; tell what was left before that."""
        with self._session.writing() as connection:
            # No intent can be written until all is counted.
            connection.execute(select(journal_head.c.count).with_for_update())
            counted = self._counted(connection, run_id)
            gone = [run.seq for run in counted if run.gone]
            connection.execute(update(shards).where(shards.c.run.in_(gone)).values(closed=True))
            left = _left(connection, counted, at, limits)
            self._set_aside(connection, run_id, _at_most(wanted, left))
        return left

    def keep(self, run_id: str, needed: Spent) -> None:
        """Give back what was set aside beyond this."""
        with self._session.writing() as connection:
            self._set_aside(connection, run_id, needed)

    def left(self, run_id: str, at: datetime, limits: Limits) -> Limits:
        """Tell what is left besides what a shard has set aside itself."""
        with self._session.reading() as connection:
            return _left(connection, self._counted(connection, run_id), at, limits)

    def _set_aside(self, connection: Connection, run_id: str, amount: Spent) -> None:
        own = select(runs.c.seq).where(runs.c.run_id == run_id).scalar_subquery()
        still_open = update(shards).where(shards.c.run == own, shards.c.closed.is_(False))
        values = {"aborts": amount.aborts, "bytes": amount.bytes}
        if connection.execute(still_open.values(values)).rowcount != 1:
            raise trouble(self._place, f"has closed run {run_id!r}: another janitor took its place")

    def _counted(self, connection: Connection, run_id: str) -> list[_Counted]:
        """Give the runs that count against the limits of this one, itself among them."""
        its_round = (
            select(shards.c.round)
            .join(runs, runs.c.seq == shards.c.run)
            .where(runs.c.run_id == run_id)
            .scalar_subquery()
        )
        query = (
            select(runs.c.seq, runs.c.run_id, runs.c.finished_at, shards)
            .select_from(runs.outerjoin(shards, shards.c.run == runs.c.seq))
            .where(or_(runs.c.run_id.in_(unsettled()), shards.c.round == its_round))
            .order_by(runs.c.seq)
        )
        rows = connection.execute(query).all()
        newest = {(row.shard, row.shards): row.seq for row in rows}
        return [
            self._judged(connection, row, run_id, newest[row.shard, row.shards]) for row in rows
        ]

    def _judged(self, connection: Connection, row: Row[Any], own: str, newest: int) -> _Counted:
        spent = spent_by(connection, row.run_id)
        ended = row.run is None or row.closed or row.finished_at is not None
        if ended or row.run_id == own:
            return _Counted(row.seq, spent)
        if row.seq == newest and self._is_at_work(connection, Shard(row.shard, row.shards)):
            return _Counted(row.seq, spent, Spent(row.aborts, row.bytes))
        return _Counted(row.seq, spent, gone=True)

    def _is_at_work(self, connection: Connection, shard: Shard) -> bool:
        # A file is locked for one janitor at a time, and that is the one that asks.
        on_server = isinstance(self._place, PostgresPlace)
        return on_server and is_at_work(connection, shard)


def _left(
    connection: Connection, counted: Iterable[_Counted], at: datetime, limits: Limits
) -> Limits:
    aborts = size = to_come = 0
    for run in counted:
        aborts += run.most.aborts
        size += run.most.bytes
        to_come += run.most.aborts - run.spent.aborts
    today = spent_from(connection, at - DAY, at).aborts + to_come
    return replace(
        limits,
        aborts_per_run=_less(limits.aborts_per_run, aborts),
        aborts_per_day=_less(limits.aborts_per_day, today),
        bytes_per_run=_less(limits.bytes_per_run, size),
    )


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _at_most(wanted: Spent, left: Limits) -> Spent:
    caps = (left.aborts_per_run, left.aborts_per_day)
    aborts = min([wanted.aborts, *(cap for cap in caps if cap is not None)])
    size = wanted.bytes if left.bytes_per_run is None else min(wanted.bytes, left.bytes_per_run)
    return Spent(aborts, size)
