"""The tables of the ledger as they are now; how they came to be is told by the migrations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from janitor.ledger.columns import ExactText, Instant, Whole

# The schema versions, oldest first; the last is the one that this code can use.
VERSIONS = ("0001", "0002", "0003", "0004")
VERSION_TABLE = "janitor_schema_version"
# "JNTR": how SQLite's file header says whose file it is.
APPLICATION_ID = 0x4A4E5452

metadata = MetaData()


def _only(condition: str) -> dict[str, Any]:
    """Give what makes an index hold only some of the rows.

    The indexes of PostgreSQL are made by the migrations alone: to say the same
    for it here would import all of its drivers, with any ledger.
    """
    return {"sqlite_where": text(condition)}


_OF_INTENTS = _only("run_id IS NOT NULL")
_OF_THE_LATE = _only("catch_up IS NOT NULL")
# SQLite counts by itself only in a column that is called INTEGER.
_COUNT = BigInteger().with_variant(Integer(), "sqlite")

clock = Table(
    "janitor_clock",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("high", Whole, nullable=False),
)

runs = Table(
    "janitor_runs",
    metadata,
    Column("seq", _COUNT, primary_key=True, autoincrement=True),
    Column("run_id", ExactText, nullable=False, unique=True),
    Column("mode", ExactText, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("version", ExactText, nullable=False),
    Column("config_fingerprint", ExactText, nullable=False),
    Column("targets", Text, nullable=False),
    Column("finished_at", Instant),
    Column("exit_code", Whole),
)

targets = Table(
    "janitor_targets",
    metadata,
    Column("target", ExactText, primary_key=True),
    Column("provider", ExactText, nullable=False),
    Column("endpoint", ExactText, nullable=False),
    Column("region", ExactText, nullable=False),
    Column("account", ExactText),
    Column("policy_fingerprint", ExactText, nullable=False),
)

containers = Table(
    "janitor_containers",
    metadata,
    Column("id", _COUNT, primary_key=True, autoincrement=True),
    Column("target", ExactText, nullable=False),
    Column("provider", ExactText, nullable=False),
    Column("container", ExactText, nullable=False),
    UniqueConstraint("target", "provider", "container", name="janitor_containers_once"),
)

scans = Table(
    "janitor_scans",
    metadata,
    Column("seq", _COUNT, primary_key=True, autoincrement=True),
    Column("container", _COUNT, ForeignKey("janitor_containers.id"), nullable=False),
    Column("run", _COUNT, ForeignKey("janitor_runs.seq"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("doubtful", Boolean, nullable=False),
    Column("outcome", ExactText, nullable=False),
    Column("listed", Whole, nullable=False),
    Column("stale", Whole, nullable=False),
    Column("aborted", Whole, nullable=False),
    Column("bytes_stale", Whole, nullable=False),
    Column("bytes_freed", Whole, nullable=False),
    Column("details", Text, nullable=False),
    Index("janitor_scans_by_container", "container", "seq"),
    Index("janitor_scans_by_run", "run"),
)

sightings = Table(
    "janitor_sightings",
    metadata,
    # In the order in which they were first listed, which is the order in which they are listed
    # again: so those of one batch are neighbours, and few pages of the disk are written for them.
    Column("id", _COUNT, primary_key=True, autoincrement=True),
    Column("container", _COUNT, ForeignKey("janitor_containers.id"), nullable=False),
    Column("identity", LargeBinary(16), nullable=False),
    Column("initiated", BigInteger),
    Column("first_seen", BigInteger, nullable=False),
    Column("first_run", _COUNT, nullable=False),
    Column("unchanged_since", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary(16), nullable=False),
    Column("size", BigInteger),
    Column("catch_up", BigInteger),
    Column("checksum", BigInteger, nullable=False),
    UniqueConstraint("container", "identity", name="janitor_sightings_once"),
)

journal = Table(
    "janitor_journal",
    metadata,
    Column("seq", _COUNT, primary_key=True, autoincrement=False),
    Column("kind", ExactText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("catch_up", Instant),
    Column("run_id", ExactText, ForeignKey("janitor_runs.run_id")),
    Column("target", ExactText),
    Column("provider", ExactText),
    Column("container", ExactText),
    Column("key", ExactText),
    Column("upload_id", ExactText),
    Column("initiated", Instant),
    Column("last_activity", Instant),
    Column("parts", Whole),
    Column("size", Whole),
    Column("reason", ExactText),
    Column("rule", ExactText),
    Column("intent", Whole, ForeignKey("janitor_journal.seq"), unique=True),
    Column("outcome", ExactText),
    Column("size_freed", Whole),
    Column("error", ExactText),
    Column("hash", ExactText, nullable=False),
    Index("janitor_journal_by_time", "at", **_OF_INTENTS),
    Index("janitor_journal_by_catch_up", "catch_up", **_OF_THE_LATE),
    Index("janitor_journal_by_place", "run_id", "target", "provider", "container", **_OF_INTENTS),
)

open_intents = Table(
    "janitor_open_intents",
    metadata,
    Column(
        "intent", _COUNT, ForeignKey("janitor_journal.seq"), primary_key=True, autoincrement=False
    ),
)

journal_head = Table(
    "janitor_journal_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("count", Whole, nullable=False),
    Column("hash", ExactText, nullable=False),
)

plans = Table(
    "janitor_plans",
    metadata,
    Column("digest", ExactText, primary_key=True),
    Column("run_id", ExactText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

shards = Table(
    "janitor_shards",
    metadata,
    Column(
        "run",
        _COUNT,
        ForeignKey("janitor_runs.seq", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("round", Whole, nullable=False),
    Column("name", ExactText, nullable=False),
    Column("shard", Whole, nullable=False),
    Column("shards", Whole, nullable=False),
    Column("aborts", Whole, nullable=False),
    Column("bytes", Whole, nullable=False),
    Column("closed", Boolean, nullable=False),
    Index("janitor_shards_by_round", "round"),
)
