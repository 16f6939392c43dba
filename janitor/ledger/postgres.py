"""Opens a ledger that is in a PostgreSQL database."""

from __future__ import annotations

import hashlib
import os
import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from janitor.ledger import schema
from janitor.ledger.migrate import migrate, refuse_other_versions, version_of
from janitor.ledger.place import PostgresPlace
from janitor.ledger.session import Session
from janitor.ledger.sqlite import empty
from janitor.ledger.translate import translated, trouble

_STATEMENT_TIMEOUT = "5min"
_CONNECT_TIMEOUT = 10  # seconds


def open_postgres(place: PostgresPlace, patience: timedelta, *, read_only: bool) -> Session:
    """Open a ledger, or make a new one; refuse one of another version."""
    with translated(place):
        engine = engine_of(place, patience, read_only=read_only)
        with engine.connect() as connection, connection.begin():
            _refuse_unfit_servers(connection, place, read_only=read_only)
            version = version_of(connection, place)
            if version is None and not read_only:
                version = _create(connection, place)
        if version is None:
            return empty(place)
        refuse_other_versions(version, place)
        return Session(place, engine, read_only=read_only)


def upgrade_postgres(place: PostgresPlace, patience: timedelta) -> str | None:
    """Bring a ledger to the latest version, all steps or none; give the version before."""
    with translated(place):
        engine = engine_of(place, patience, read_only=False)
        with engine.connect() as connection, connection.begin():
            _refuse_unfit_servers(connection, place, read_only=False)
            connection.execute(_WAIT_FOR_TURN, {"key": advisory_key(connection, "upgrade")})
            before = version_of(connection, place)
            if before is not None and before not in schema.VERSIONS:
                refuse_other_versions(before, place)
            migrate(connection)
            return before


_WAIT_FOR_TURN = text("SELECT pg_advisory_xact_lock(:key)")


def advisory_key(connection: Connection, purpose: str) -> int:
    """Give the number that stands for a lock on the ledger in this schema of the database."""
    name = connection.execute(text("SELECT current_schema()")).scalar_one()
    digest = hashlib.sha256(f"upload janitor: {purpose}: {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def engine_of(place: PostgresPlace, patience: timedelta, *, read_only: bool) -> Engine:
    """Give an engine whose sessions wait for nothing without end, and lose nothing."""
    milliseconds = max(1, round(patience.total_seconds() * 1000))
    settings = (
        "synchronous_commit = on",
        f"lock_timeout = {milliseconds}",
        f"statement_timeout = '{_STATEMENT_TIMEOUT}'",
        "default_transaction_isolation = 'read committed'",
        f"default_transaction_read_only = {'on' if read_only else 'off'}",
    )
    defaults = {
        "connect_timeout": str(_CONNECT_TIMEOUT),
        "application_name": f"janitor {os.getpid()} on {socket.gethostname()}"[:63],
    }
    try:
        engine = create_engine(
            # The encoding is needed before any of our settings can be made.
            place.url.set(query={**defaults, **place.url.query, "client_encoding": "utf8"}),
            poolclass=NullPool,
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        words = "needs a driver: pip install 'upload-janitor[postgres]'"
        raise trouble(place, words) from None

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, record: object) -> None:
        del record
        with connection.cursor() as cursor:
            for setting in settings:
                cursor.execute(f"SET {setting}")
        connection.commit()

    return engine


def _create(connection: Connection, place: PostgresPlace) -> str:
    connection.execute(_WAIT_FOR_TURN, {"key": advisory_key(connection, "upgrade")})
    version = version_of(connection, place)
    if version is not None:
        return version
    migrate(connection)
    return schema.VERSIONS[-1]


def _refuse_unfit_servers(connection: Connection, place: PostgresPlace, *, read_only: bool) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise trouble(place, f"is encoded in {encoding}: create the database with UTF8")
    if not read_only and connection.execute(text("SHOW fsync")).scalar_one() != "on":
        raise trouble(place, "may forget what it confirmed: set fsync = on in the server")
