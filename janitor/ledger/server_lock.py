"""Locks that a PostgreSQL server holds for us: for the whole ledger, or for one shard.

Whoever wants all of a ledger locks it exclusively. Shards share that lock, and
each has one of its own, so that they exclude who wants all, and only those of
their own number. They also share a lock that stands for their count: janitors
that cut the work differently would both have the same container.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from janitor.ledger.errors import Locked
from janitor.ledger.held import Held, refusal
from janitor.ledger.place import PostgresPlace
from janitor.ledger.postgres import advisory_key, engine_of
from janitor.ledger.translate import translated, trouble
from janitor.sharding import Shard

_TRY = text("SELECT pg_try_advisory_lock(:key)")
_TRY_SHARED = text("SELECT pg_try_advisory_lock_shared(:key)")
_COUNT_TOO = text(
    "SELECT pg_advisory_lock_shared(CAST(:family AS integer), CAST(:count AS integer))"
)
_GRANTED = """
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS holder ON holder.pid = held.pid
    WHERE held.locktype = 'advisory' AND held.granted
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LOCK = f"""{_GRANTED} AND held.objsubid = 1
    AND held.classid = CAST(:high AS oid) AND held.objid = CAST(:low AS oid)
"""
_OURS = text(f"SELECT count(*) {_LOCK} AND held.pid = pg_backend_pid()")
_ANYBODYS = text(f"SELECT count(*) {_LOCK}")
_WHO = "SELECT held.pid, holder.application_name, holder.backend_start"
_HOLDER = text(f"{_WHO} {_LOCK}")
_OTHER_COUNT = text(
    f"{_WHO}, held.objid AS shards {_GRANTED} AND held.objsubid = 2"
    " AND held.classid = CAST(:family AS oid) AND held.objid <> CAST(:count AS oid)"
)


@contextmanager
def locked_on_server(
    place: PostgresPlace, patience: timedelta, shard: Shard | None
) -> Iterator[Held]:
    """Hold the lock of a ledger, or of a shard of it; raise `Locked` if somebody else does."""
    engine = engine_of(place, patience, read_only=False)
    with translated(place):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with translated(place):
            if shard is None:
                key = _take(connection, place, "lock")
            else:
                key = _take_shard(connection, place, shard)
        yield _held(connection, place, key)
    finally:
        # Closing the connection ends its locks, whatever state it is in.
        connection.invalidate()
        connection.close()
        engine.dispose()


def is_at_work(connection: Connection, shard: Shard) -> bool:
    """Whether somebody holds the lock of a shard now."""
    key = advisory_key(connection, _purpose(shard))
    return bool(connection.execute(_ANYBODYS, _parts_of(key)).scalar_one())


def _take_shard(connection: Connection, place: PostgresPlace, shard: Shard) -> int:
    _take(connection, place, "lock", _TRY_SHARED)
    # Taken before anybody looks, so that of two that differ at least one sees the other.
    counted = {"family": _family(connection), "count": shard.count}
    connection.execute(_COUNT_TOO, counted)
    other = connection.execute(_OTHER_COUNT, _unsigned(counted)).first()
    if other is not None:
        what = f"as one of {shard.count} shards, "
        raise refusal(place, f"{_told(other)}, as one of {other.shards}", what)
    return _take(connection, place, _purpose(shard), what=f"shard {shard} of ")


def _take(
    connection: Connection,
    place: PostgresPlace,
    purpose: str,
    how: TextClause = _TRY,
    what: str = "",
) -> int:
    key = advisory_key(connection, purpose)
    if not connection.execute(how, {"key": key}).scalar_one():
        raise _taken(connection, place, key, what)
    return key


def _taken(connection: Connection, place: PostgresPlace, key: int, what: str) -> Locked:
    row = connection.execute(_HOLDER, _parts_of(key)).first()
    return refusal(place, "unknown" if row is None else _told(row), what)


def _told(row: Row[Any]) -> str:
    since = "" if row.backend_start is None else f" since {row.backend_start:%Y-%m-%dT%H:%M:%S%z}"
    return f"{row.application_name or 'unknown'} (server process {row.pid}){since}"


def _purpose(shard: Shard) -> str:
    return f"shard {shard.index} of {shard.count}"


def _family(connection: Connection) -> int:
    """Give the number that stands for the counts of shards of this ledger; 32 bits."""
    return advisory_key(connection, "count of shards") >> 32


def _held(connection: Connection, place: PostgresPlace, key: int) -> Held:
    socket_of_server = connection.connection.dbapi_connection.fileno()  # type: ignore[union-attr]  # it is connected
    mutex = threading.Lock()

    def verify() -> None:
        with mutex, translated(place):
            try:
                ours = connection.execute(_OURS, _parts_of(key)).scalar_one()
            finally:
                # A connection that was lost is made anew after this, and has no lock.
                connection.rollback()
        if not ours:
            raise trouble(place, "is no longer locked by us: start again")

    def let_go() -> None:
        # Whatever the child's copy of the driver says at its end, the server must not hear it.
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, socket_of_server)
        os.close(nowhere)

    return Held(verify, let_go)


def _parts_of(key: int) -> dict[str, int]:
    """Split the number of a lock as the server shows it."""
    return {"high": key >> 32 & 0xFFFF_FFFF, "low": key & 0xFFFF_FFFF}


def _unsigned(numbers: Mapping[str, int]) -> dict[str, int]:
    """Write numbers as the server shows them."""
    return {name: number & 0xFFFF_FFFF for name, number in numbers.items()}
