"""Opens a ledger that is a SQLite file."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, insert, inspect, update
from sqlalchemy.pool import NullPool, StaticPool

from janitor.ledger import chain, files, schema
from janitor.ledger.migrate import migrate, refuse_other_versions, version_of
from janitor.ledger.place import Place, SqlitePlace
from janitor.ledger.session import Session
from janitor.ledger.translate import translated, trouble

_SETTINGS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "recursive_triggers = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "temp_store = MEMORY",
    # Names of uploads are scattered over the pages of their index: 16 MiB of it in memory, and
    # as much in the log before it is taken over, save most of the writing.
    "cache_size = -16384",
    "wal_autocheckpoint = 4096",
)

# A larger ledger is not read to its end each time that it is opened (bytes).
_LARGE = 32 * 1024 * 1024
# What grows with the uploads and the runs.
_GROWING = frozenset(
    table.name for table in (schema.journal, schema.open_intents, schema.scans, schema.sightings)
)


def open_sqlite(place: SqlitePlace, patience: timedelta, *, read_only: bool) -> Session:
    """Open a ledger, or make a new one; refuse one that is damaged or of another version."""
    with translated(place):
        if not files.exists(place):
            if read_only:
                return empty(place)
            files.create(place, _fill)
        refuse_other_versions(examine(place, patience), place)
        if read_only:
            return Session(place, reading_engine(place, patience), read_only=True)
        return _open_for_writing(place, patience)


def examine(place: SqlitePlace, patience: timedelta, *, thorough: bool = False) -> str:
    """Check that the file is a healthy ledger, changing nothing; give its version.

    Of a large one that is not `thorough`, only what stays small is read:
    every page of the others shows its damage when it is used, their rows are
    summed up or chained, and whoever opens looks at the last of them.
    """
    engine = reading_engine(place, patience)
    with translated(place), engine.connect() as connection:
        application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        if application != schema.APPLICATION_ID:
            raise trouble(place, "is another program's database: check the path")
        findings = _findings(connection, thorough=thorough)
        if thorough:
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            findings = [*findings, *(f"orphan in {row[0]}" for row in orphans[:3])]
        if findings != ["ok"]:
            words = "is damaged: restore it from a backup, or move it away to begin anew"
            raise trouble(place, f"{words} ({'; '.join(map(str, findings))})")
        version = version_of(connection, place)
    if version is None:
        raise trouble(place, "has no tables: restore it from a backup")
    return version


def _findings(connection: Connection, *, thorough: bool) -> list[str]:
    """Give what SQLite finds wrong, up to three of a kind, and "ok" if that is nothing."""
    if thorough:
        checks = ["integrity_check(3)"]
    elif _size(connection) <= _LARGE:
        checks = ["quick_check(3)"]
    else:
        small = inspect(connection).get_table_names()
        checks = [f"quick_check('{name}')" for name in small if name not in _GROWING]
    found = [connection.exec_driver_sql(f"PRAGMA {check}").scalars().all() for check in checks]
    return sorted({str(finding) for findings in found for finding in findings})


def _size(connection: Connection) -> int:
    pages, each = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "page_size")
    )
    return pages * each


def upgrade_sqlite(place: SqlitePlace, patience: timedelta) -> str | None:
    """Bring a ledger to the latest version, all steps or none; give the version before."""
    with translated(place):
        if not files.exists(place):
            files.create(place, _fill)
            return None
        before = examine(place, patience, thorough=True)
        if before not in schema.VERSIONS:
            refuse_other_versions(before, place)
        engine = _engine(place.path, "rw", patience)
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection)
        return before


def empty(place: Place) -> Session:
    """Give a ledger without any record, for reading where there is none yet."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.clock).values(id=1, high=0))
        head = {"id": 1, "count": chain.EMPTY.count, "hash": chain.EMPTY.hash}
        connection.execute(insert(schema.journal_head).values(head))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    return Session(place, engine, read_only=True, missing=True)


def reading_engine(place: SqlitePlace, patience: timedelta) -> Engine:
    """Give an engine that cannot write."""
    # SQLite wants to write beside a database even to read it. Where it cannot,
    # and nothing is left to be taken over, nobody else is writing either.
    still = not os.access(place.real.parent, os.W_OK) and not place.wal_file.exists()
    return _engine(place.path, "ro&immutable=1" if still else "ro", patience)


def _open_for_writing(place: SqlitePlace, patience: timedelta) -> Session:
    before = files.Watch.over(place.path)
    engine = _engine(place.path, "rw", patience)
    with engine.connect() as connection:
        _use_wal(connection, place)
        # Prove now that writing is possible, not at the first abort.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        # Of a file that only can be read, SQLite takes even BEGIN IMMEDIATE for a wish to read.
        connection.execute(update(schema.clock).values(high=schema.clock.c.high))
        connection.exec_driver_sql("ROLLBACK")
        session = Session(
            place,
            engine,
            read_only=False,
            watch=files.Watch.over(place.path, place.wal_file),
        )
    if before.changed() is not None:
        session.close()
        raise trouble(place, "was replaced while it was opened: start again")
    return session


def _use_wal(connection: Connection, place: SqlitePlace) -> None:
    mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
    if mode != "wal":
        words = "is on a file system that SQLite cannot share safely: use a local disk"
        raise trouble(place, f"{words} (journal mode {mode})")


def _fill(path: Path) -> None:
    engine = _engine(path, "rw", timedelta(0))
    with engine.connect() as connection:
        with connection.begin():
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            migrate(connection)
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _engine(path: Path, mode: str, patience: timedelta) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode={mode}",
            uri=True,
            timeout=patience.total_seconds(),
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for setting in _SETTINGS:
                connection.execute(f"PRAGMA {setting}")
            if mode != "rw":
                connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
