"""Ledgers as earlier janitors wrote them, with records in every table that was changed since."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from janitor import ledger as package
from janitor.ledger import chain
from janitor.ledger.codec import microseconds
from janitor.ledger.schema import APPLICATION_ID
from janitor.ledger.types import Head
from support.ledger_samples import DAY, HOUR, LAKE, NOW

INITIATED = NOW - 30 * DAY
MARKED = tuple(f"id-{number}" for number in range(5))


@dataclass(frozen=True, slots=True)
class Before:
    """What such a ledger knows: the end of its journal, and one intent without an end."""

    head: Head
    open_intent: int


def make(url: str, version: str) -> Before:
    """Make a ledger of an earlier version, with one run, sightings, and three intents."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
            raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(package.__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        _begin(connection)
        if version >= "0003":
            _set_aside(connection)
        for upload_id in MARKED:
            _sight(connection, upload_id)
        return Before(_journal(connection), 3)


def _begin(connection: Connection) -> None:
    run = {
        "run_id": "run-1",
        "mode": "enforce",
        "started_at": microseconds(NOW),
        "version": "0.1.0",
        "config_fingerprint": "c1",
        "targets": "[]",
    }
    _insert(connection, "janitor_runs", run)
    container = {"target": LAKE.target, "provider": LAKE.provider, "container": LAKE.container}
    _insert(connection, "janitor_containers", container)
    connection.execute(text(f"UPDATE janitor_clock SET high = {microseconds(NOW)}"))  # noqa: S608  # a number


def _set_aside(connection: Connection) -> None:
    """Write down that the run is the first of two shards, and may abort seven uploads."""
    shard = {"run": 1, "round": 1, "name": "", "shard": 0, "shards": 2, "aborts": 7, "bytes": 70}
    _insert(connection, "janitor_shards", {**shard, "closed": False})


def _sight(connection: Connection, upload_id: str) -> None:
    """Write down an upload that was seen in the first run, two days after its last change."""
    key = b"a/b"
    identity = hashlib.sha256(b"%d:%b%b" % (len(key), key, upload_id.encode())).digest()
    mark: dict[str, Any] = {
        "initiated": microseconds(INITIATED),
        "first_seen": microseconds(NOW),
        "first_run": 1,
        "unchanged_since": microseconds(NOW),
        "last_seen": microseconds(NOW),
        "fingerprint": hashlib.sha256(b"f1").digest(),
        "size": 5,
        "catch_up": None,
    }
    checksum = zlib.crc32(repr((1, identity, *mark.values())).encode())
    row = {"container": 1, "identity": identity, **mark, "checksum": checksum}
    _insert(connection, "janitor_sightings", row)


def _journal(connection: Connection) -> Head:
    """Write three intents, the first two concluded; the clock fell back before the second."""
    entries = (
        _intent(1, "id-1", NOW, None),
        chain.Entry(2, chain.CONCLUSION, NOW, intent=1, outcome="aborted", size_freed=5),
        _intent(3, "id-2", NOW, None),
        _intent(4, "id-3", NOW - 100 * DAY, NOW),
        chain.Entry(5, chain.CONCLUSION, NOW + HOUR, intent=4, outcome="not_sent", size_freed=0),
    )
    head = chain.EMPTY
    for entry in entries:
        head = Head(entry.seq, chain.link(head.hash, entry))
        values = [microseconds(v) if isinstance(v, datetime) else v for v in entry]
        row = dict(zip(chain.FIELDS, values, strict=True))
        _insert(connection, "janitor_journal", {**row, "hash": head.hash})
    connection.execute(
        text("UPDATE janitor_journal_head SET count = :count, hash = :hash"),
        {"count": head.count, "hash": head.hash},
    )
    return head


def _intent(seq: int, upload_id: str, at: datetime, catch_up: datetime | None) -> chain.Entry:
    return chain.Entry(
        seq=seq,
        kind=chain.INTENT,
        at=at,
        catch_up=catch_up,
        run_id="run-1",
        target=LAKE.target,
        provider=LAKE.provider,
        container=LAKE.container,
        key="a/b",
        upload_id=upload_id,
        initiated=INITIATED,
        parts=1,
        size=5,
        reason="stale",
        rule="default",
    )


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    names: Sequence[str] = tuple(row)
    values = ", ".join(f":{name}" for name in names)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"  # noqa: S608  # constants
    connection.execute(text(statement), row)
