"""Reads and writes the rows of sightings, many by one statement."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from janitor.ledger import plain
from janitor.ledger.marks import Mark

_KEPT = ("container", "identity", *Mark._fields, "checksum")
# All that changes when an upload is seen again and is what it was.
_AGAIN = ("last_seen", "size", "checksum")
_CHANGED = (*Mark._fields, "checksum")
# What is no count.
_BYTES = frozenset({"identity", "fingerprint"})

# In the order that `read` understands.
COLUMNS = ("id", "identity", *Mark._fields, "checksum")
_FIND = f"SELECT {', '.join(COLUMNS)} FROM janitor_sightings WHERE container = ? AND identity"  # noqa: S608  # constants
# Those of one listing are neighbours in most cases, and SQLite is three times as fast when it may
# go from row to row instead of looking each one up. The plus forbids it another way.
_FIND_NEIGHBOURS = (
    f"SELECT {', '.join(COLUMNS)} FROM janitor_sightings"  # noqa: S608  # constants
    " WHERE +container = ? AND id BETWEEN ? AND ? ORDER BY id"
)
_PROBES = 8


class Kept(NamedTuple):
    """What is kept of some uploads, and in which rows."""

    marks: dict[bytes, Mark]
    rows: dict[bytes, int]


def load(connection: Connection, container: int, names: Sequence[bytes]) -> Kept | None:
    """Give what is kept of some uploads of a container; None if that is damaged."""
    kept = Kept({}, {})
    for values in _find(connection, container, names):
        mark = mark_in(container, values)
        if mark is None:
            return None
        name = values[1]
        kept.marks[name] = mark
        kept.rows[name] = values[0]
    return kept


def _find(
    connection: Connection, container: int, names: Sequence[bytes]
) -> Sequence[Sequence[Any]]:
    if connection.dialect.name != "sqlite" or len(names) <= _PROBES:
        return _find_each(connection, container, names)
    probed = _find_each(connection, container, names[:_PROBES])
    wanted = set(names)
    if probed:
        first = min(values[0] for values in probed)
        where = (container, first, first + 2 * len(names))
        neighbours = plain.read(connection, _FIND_NEIGHBOURS, where)
        found = [values for values in neighbours if values[1] in wanted]
        wanted.difference_update([values[1] for values in found])
    else:
        found = []
    return [*found, *_find_each(connection, container, list(wanted))]


def _find_each(
    connection: Connection, container: int, names: Sequence[bytes]
) -> Sequence[Sequence[Any]]:
    return plain.read_in(connection, _FIND, names, before=[container]) if names else ()


def mark_in(container: int, values: Sequence[Any]) -> Mark | None:
    """Understand `COLUMNS`; None if they are not what was written."""
    mark = Mark(*values[2:-1])
    try:
        sound = mark.checksum(container, values[1]) == values[-1]
    except (struct.error, TypeError):
        return None
    return mark if sound else None


def store(connection: Connection, container: int, marks: Mapping[bytes, Mark], kept: Kept) -> None:
    """Keep marks, of which some are `kept` already, in their order: see the table."""
    new, again, changed = [], [], []
    for name, mark in marks.items():
        checksum = mark.checksum(container, name)
        before = kept.marks.get(name)
        if before is None:
            new.append((container, name, *mark, checksum))
        elif _is_same(mark, before):
            again.append((mark.last_seen, mark.size, checksum, kept.rows[name]))
        else:
            changed.append((*mark, checksum, kept.rows[name]))
    _add(connection, new)
    _update(connection, _AGAIN, again)
    _update(connection, _CHANGED, changed)


def _is_same(mark: Mark, before: Mark) -> bool:
    """Whether only what is `_AGAIN` has changed."""
    return (
        mark[:4] == before[:4]
        and mark.fingerprint == before.fingerprint
        and mark.catch_up == before.catch_up
    )


def _add(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    into = f"janitor_sightings ({', '.join(_KEPT)})"
    if connection.dialect.name == "sqlite":
        plain.insert(connection, into, rows)
    else:
        _write_arrays(connection, f"INSERT INTO {into} SELECT new.* FROM", _KEPT, rows)


def _update(connection: Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "sqlite":
        values = ", ".join(f"{name} = ?" for name in names)
        plain.write(connection, f"UPDATE janitor_sightings SET {values} WHERE id = ?", rows)  # noqa: S608  # constants
    else:
        values = ", ".join(f"{name} = new.{name}" for name in names)
        statement = f"UPDATE janitor_sightings AS kept SET {values} FROM"  # noqa: S608  # constants
        _write_arrays(connection, statement, (*names, "id"), rows, "WHERE kept.id = new.id")


def _write_arrays(
    connection: Connection,
    statement: str,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    condition: str = "",
) -> None:
    """Hand all rows to PostgreSQL at once, a column at a time: much faster than one by one."""
    if rows:
        arrays = ", ".join("?::bytea[]" if name in _BYTES else "?::bigint[]" for name in names)
        rows_of_arrays = f"unnest({arrays}) AS new ({', '.join(names)})"
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        plain.write(connection, f"{statement} {rows_of_arrays} {condition}", [columns])
