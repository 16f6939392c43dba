"""Remembers the latest time that the ledger was ever told."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from janitor.ledger import schema
from janitor.ledger.codec import instant, microseconds
from janitor.ledger.place import Place
from janitor.ledger.translate import trouble

# Threads read the time before they take their turn: a little earlier than the
# latest is no clock that was put back, and counts as the latest. Every wait
# begins later then, which is the safe side.
_OUT_OF_TURN = 60 * 1_000_000


class Tick(NamedTuple):
    """A time that was noted, and the latest that ever was, in microseconds."""

    at: int
    high: int


def hold(connection: Connection) -> None:
    """Let nobody else note a time before this transaction ends."""
    connection.execute(select(schema.clock.c.high).with_for_update())


def tick(connection: Connection, place: Place, at: datetime) -> Tick:
    """Note a time."""
    query = select(schema.clock.c.high).with_for_update()
    high: int | None = connection.execute(query).scalar_one_or_none()
    if high is None:
        raise trouble(place, "has lost its clock: restore it from a backup")
    now = microseconds(at)
    if now > high:
        connection.execute(update(schema.clock).values(high=now))
    out_of_turn = 0 < high - now < _OUT_OF_TURN
    return Tick(high if out_of_turn else now, max(now, high))


def catch_up(connection: Connection, place: Place, at: datetime) -> datetime | None:
    """Note a time, and give the latest one if that is later."""
    noted = tick(connection, place, at)
    return instant(noted.high) if noted.at < noted.high else None
