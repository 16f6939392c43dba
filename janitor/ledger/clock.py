"""Remembers the latest time that the ledger was ever told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from janitor.ledger import schema
from janitor.ledger.codec import instant, microseconds
from janitor.ledger.place import Place
from janitor.ledger.translate import trouble


def tick(connection: Connection, place: Place, at: datetime) -> int:
    """Note a time, and give the latest that was ever noted, in microseconds."""
    query = select(schema.clock.c.high).with_for_update()
    high: int | None = connection.execute(query).scalar_one_or_none()
    if high is None:
        raise trouble(place, "has lost its clock: restore it from a backup")
    now = microseconds(at)
    if now > high:
        connection.execute(update(schema.clock).values(high=now))
    return max(now, high)


def catch_up(connection: Connection, place: Place, at: datetime) -> datetime | None:
    """Note a time, and give the latest one if that is later."""
    high = tick(connection, place, at)
    return instant(high) if microseconds(at) < high else None
