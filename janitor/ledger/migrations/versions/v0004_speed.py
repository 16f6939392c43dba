"""Sightings are kept in the order of the listings; open intents have a list; better indices."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from janitor.ledger.codec import Damaged

revision = "0004"
down_revision = "0003"

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BATCH = 5000
_HASHED = 16
_UNKNOWN = -(2**63)
_COPIED = (
    "container, identity, initiated, first_seen, first_run, unchanged_since, last_seen,"
    " fingerprint, size, catch_up, checksum"
)


def upgrade() -> None:
    """Rebuild what must be, and keep all that was recorded."""
    _sightings()
    _open_intents()
    _indices()


def _sightings() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # The name of the key's index would be in the way.
        op.execute("ALTER TABLE janitor_sightings DROP CONSTRAINT janitor_sightings_pkey")
    op.rename_table("janitor_sightings", "janitor_sightings_before")
    op.create_table(
        "janitor_sightings",
        sa.Column("id", _COUNT, primary_key=True, autoincrement=True),
        sa.Column("container", _COUNT, sa.ForeignKey("janitor_containers.id"), nullable=False),
        sa.Column("identity", sa.LargeBinary(16), nullable=False),
        sa.Column("initiated", sa.BigInteger()),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("first_run", _COUNT, nullable=False),
        sa.Column("unchanged_since", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(16), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("catch_up", sa.BigInteger()),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("container", "identity", name="janitor_sightings_once"),
    )
    names = _COPIED.split(", ")
    values = ", ".join(f":{name}" for name in names)
    insert = sa.text(f"INSERT INTO janitor_sightings ({_COPIED}) VALUES ({values})")  # noqa: S608  # constants
    for rows in _batches():
        copied = [dict(zip(names, _shorter(row), strict=True)) for row in rows]
        op.get_bind().execute(insert, copied)
    op.drop_table("janitor_sightings_before")


def _batches() -> Iterator[Sequence[Sequence[Any]]]:
    query = sa.text(f"SELECT {_COPIED} FROM janitor_sightings_before")  # noqa: S608  # constants
    options = {"yield_per": _BATCH}
    yield from op.get_bind().execute(query, execution_options=options).partitions()


def _shorter(row: Sequence[Any]) -> tuple[Any, ...]:
    """Shorten both hashes, and sum up the row in the new way; refuse a damaged one."""
    container, identity, *mark, was = row
    initiated, first_seen, first_run, unchanged_since, last_seen, fingerprint, size, late = mark
    if zlib.crc32(repr((container, identity, *mark)).encode()) != was:
        msg = f"a sighting of container {container}"
        raise Damaged(msg)
    name, parts = identity[:_HASHED], fingerprint[:_HASHED]
    counts = (initiated, first_seen, first_run, unchanged_since, last_seen, size, late)
    numbers = (_UNKNOWN if count is None else count for count in counts)
    checksum = zlib.crc32(struct.pack("<8q16s16s", container, *numbers, name, parts))
    return (
        container,
        name,
        initiated,
        first_seen,
        first_run,
        unchanged_since,
        last_seen,
        parts,
        size,
        late,
        checksum,
    )


def _open_intents() -> None:
    op.create_table(
        "janitor_open_intents",
        sa.Column(
            "intent",
            _COUNT,
            sa.ForeignKey("janitor_journal.seq"),
            primary_key=True,
            autoincrement=False,
        ),
    )
    op.execute(
        """
        INSERT INTO janitor_open_intents (intent)
        SELECT seq FROM janitor_journal AS intents WHERE kind = 'intent' AND NOT EXISTS
        (SELECT 1 FROM janitor_journal AS conclusions WHERE conclusions.intent = intents.seq)
        """
    )


def _indices() -> None:
    of_intents = sa.text("run_id IS NOT NULL")
    of_the_late = sa.text("catch_up IS NOT NULL")
    op.drop_index("janitor_journal_by_run", "janitor_journal")
    op.drop_index("janitor_journal_by_time", "janitor_journal")
    for name, columns, condition in (
        ("janitor_journal_by_time", ["at"], of_intents),
        ("janitor_journal_by_catch_up", ["catch_up"], of_the_late),
        ("janitor_journal_by_place", ["run_id", "target", "provider", "container"], of_intents),
    ):
        op.create_index(
            name, "janitor_journal", columns, sqlite_where=condition, postgresql_where=condition
        )
    op.create_index("janitor_scans_by_run", "janitor_scans", ["run"])
