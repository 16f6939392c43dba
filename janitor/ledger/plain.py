"""Hands plain rows to the driver, past SQLAlchemy's handling of each value.

That takes longer than the databases themselves. What it does is left to do
for whoever comes here: text `escaped`, times as `microseconds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

# Rows of one statement. Few different numbers, so that the drivers have each statement ready.
_TOGETHER = (256, 80, 32, 8, 1)
# What every SQLite takes in one statement.
_MOST_VALUES = 999


def run(connection: Connection, statement: str, values: Sequence[Any] = ()) -> None:
    """Run a statement, whose question marks stand for the values."""
    connection.exec_driver_sql(_spelled(connection, statement), tuple(values))


def write(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement once for each row, whose values stand for the question marks in it."""
    if rows:
        connection.exec_driver_sql(_spelled(connection, statement), list(rows))


def insert(connection: Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, many by one statement.

    For each statement the driver lets go of the interpreter, and has to wait
    for it afterwards as long as other threads are busy.
    """
    for some in _pieces(rows):
        statement = _values(into, len(some), len(some[0]))
        run(connection, statement, tuple(chain.from_iterable(some)))


def read(
    connection: Connection, statement: str, values: Sequence[Any] = ()
) -> Sequence[Sequence[Any]]:
    """Give the rows that a query finds."""
    spelled = _spelled(connection, statement)
    result = connection.exec_driver_sql(spelled, tuple(values))
    assert result.cursor is not None  # noqa: S101  # for mypy: a query has one
    rows: Sequence[Sequence[Any]] = result.cursor.fetchall()
    result.close()
    return rows


def read_in(
    connection: Connection, statement: str, wanted: Sequence[Any], *, before: Sequence[Any] = ()
) -> Sequence[Sequence[Any]]:
    """Give the rows of a query that says last what has to be one of the wanted.

    `before` are the values of the question marks in it.
    """
    whole, values = _ending(connection, statement, wanted)
    return read(connection, whole, (*before, *values))


def run_in(connection: Connection, statement: str, wanted: Sequence[Any]) -> None:
    """Run a statement that says last what has to be one of the wanted."""
    if wanted:
        run(connection, *_ending(connection, statement, wanted))


def _ending(
    connection: Connection, statement: str, wanted: Sequence[Any]
) -> tuple[str, Sequence[Any]]:
    if connection.dialect.name != "sqlite":
        return f"{statement} = ANY(?)", [list(wanted)]
    padded = _padded(wanted)
    return f"{statement} IN ({', '.join('?' * len(padded))})", padded


def _pieces(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    begin = 0
    while begin < len(rows):
        most = min(len(rows) - begin, _MOST_VALUES // len(rows[begin]))
        size = next(size for size in _TOGETHER if size <= most)
        yield rows[begin : begin + size]
        begin += size


def _padded(values: Sequence[Any]) -> Sequence[Any]:
    """Repeat one of the values, which changes nothing but the statement to one that is ready."""
    size = min((size for size in _TOGETHER if size >= len(values)), default=len(values))
    return (*values, *[values[-1]] * (size - len(values)))


@cache
def _values(into: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {into} VALUES {', '.join([row] * rows)}"  # noqa: S608  # constants


def _spelled(connection: Connection, statement: str) -> str:
    return statement if connection.dialect.name == "sqlite" else statement.replace("?", "%s")
