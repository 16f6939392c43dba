"""Which runs belong together: the shards of one run are a round. Everything else is a round alone.

A round is numbered by the run that began it. It is complete when each of its
shards has finished.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Select, and_, func, or_, select, update

from janitor.ledger.schema import runs, shards
from janitor.sharding import Shard

_finished = runs.c.finished_at.is_not(None)
_with_runs = shards.join(runs, shards.c.run == runs.c.seq)
_with_shards = runs.outerjoin(shards, shards.c.run == runs.c.seq)
_complete = (
    select(shards.c.round)
    .select_from(_with_runs)
    .where(_finished)
    .group_by(shards.c.round)
    .having(func.count(shards.c.shard.distinct()) == func.max(shards.c.shards))
)


def begin(connection: Connection, run: int, shard: Shard | None) -> None:
    """Note which round a new run belongs to, and close those that it proves to be dead.

    Whoever begins holds the lock: no earlier run of the same shard can be at
    work any more, and beside a run that is no shard there is none at all.
    """
    dead = shards.c.run < run
    if shard is not None:
        dead = and_(dead, shards.c.shard == shard.index, shards.c.shards == shard.count)
    connection.execute(update(shards).where(dead, shards.c.closed.is_(False)).values(closed=True))
    if shard is None:
        return
    found = _named(connection, shard) if shard.run else _latest(connection, run, shard)
    row = {
        "run": run,
        "round": run if found is None else found,
        "name": shard.run,
        "shard": shard.index,
        "shards": shard.count,
        "aborts": 0,
        "bytes": 0,
        "closed": False,
    }
    connection.execute(shards.insert(), row)


def unsettled() -> Select[tuple[str]]:
    """Ask for the runs that were cut off, or still run, and that nothing makes up for yet.

    What makes up for a run that was cut off is a later one over everything: a
    round that is complete, or a run that was no shard.
    """
    whole = select(func.coalesce(func.max(runs.c.seq), 0)).select_from(_with_shards)
    last_whole = whole.where(_finished, shards.c.run.is_(None)).scalar_subquery()
    last_round = select(func.coalesce(func.max(_complete.subquery().c.round), 0)).scalar_subquery()
    made_up_for = and_(shards.c.closed, shards.c.round.in_(_complete))
    return (
        select(runs.c.run_id)
        .select_from(_with_shards)
        .where(
            ~_finished,
            runs.c.seq > last_whole,
            runs.c.seq > last_round,
            or_(shards.c.run.is_(None), ~made_up_for),
        )
    )


def rounds_of(connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Give the rounds of some runs; one that was no shard is its own."""
    found = {number: number for number in numbers}
    query = select(shards.c.run, shards.c.round).where(shards.c.run.in_(found))
    return found | {row.run: row.round for row in connection.execute(query)}


def _named(connection: Connection, shard: Shard) -> int | None:
    """Find the round that has the name of the shard's run."""
    same = (shards.c.name == shard.run, shards.c.shards == shard.count)
    return connection.execute(select(func.max(shards.c.round)).where(*same)).scalar()


def _latest(connection: Connection, run: int, shard: Shard) -> int | None:
    """Find the round of the run before, unless this shard has finished its part of that."""
    before = select(func.max(runs.c.seq)).where(runs.c.seq < run).scalar_subquery()
    row = connection.execute(select(shards).where(shards.c.run == before)).first()
    if row is None or row.name or row.shards != shard.count:
        return None
    same = (shards.c.round == row.round, shards.c.shard == shard.index)
    done = select(shards.c.run).select_from(_with_runs).where(_finished, *same)
    return None if connection.execute(done).first() is not None else int(row.round)
