"""Remembers the latest time that the ledger was ever told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from janitor.ledger import plain, schema
from janitor.ledger.codec import microseconds, whole
from janitor.ledger.place import Place
from janitor.ledger.translate import trouble

# Threads read the time before they take their turn: a little earlier than the
# latest is no clock that was put back, and counts as the latest. Every wait
# begins later then, which is the safe side.
_OUT_OF_TURN = 60 * 1_000_000

_HIGH = "SELECT high FROM janitor_clock"
_ADVANCE = "UPDATE janitor_clock SET high = ?"


class Tick(NamedTuple):
    """A time that was noted, and the latest that ever was, in microseconds."""

    at: int
    high: int


def hold(connection: Connection) -> None:
    """Let nobody else note a time before this transaction ends."""
    connection.execute(select(schema.clock.c.high).with_for_update())


def tick(connection: Connection, place: Place, at: datetime) -> Tick:
    """Note a time; from then on, no other program writes to the ledger before we are done."""
    return _ticks(connection, place, [microseconds(at)])[0]


def catch_ups(connection: Connection, place: Place, times: Sequence[int]) -> list[int | None]:
    """Note times in their order; give for each the latest before it, if that is later."""
    noted = _ticks(connection, place, times)
    return [tick.high if tick.at < tick.high else None for tick in noted]


def _ticks(connection: Connection, place: Place, times: Sequence[int]) -> list[Tick]:
    locking = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    rows = plain.read(connection, _HIGH + locking)
    if not rows:
        raise trouble(place, "has lost its clock: restore it from a backup")
    high = before = whole(rows[0][0])
    noted = []
    for now in times:
        out_of_turn = 0 < high - now < _OUT_OF_TURN
        noted.append(Tick(high if out_of_turn else now, max(now, high)))
        high = max(now, high)
    if high > before:
        plain.run(connection, _ADVANCE, (high,))
    return noted
