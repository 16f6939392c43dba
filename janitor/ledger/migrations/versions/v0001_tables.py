"""The tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EMPTY_HASH = "707059027605672328938c60b93dfa3305a84a206ba38791a3f9a4263307afb4"


def upgrade() -> None:
    """Create the tables, and the two that always have one row."""
    _memory()
    _sightings()
    _journal()
    op.execute("INSERT INTO janitor_clock (id, high) VALUES (1, 0)")
    op.execute(f"INSERT INTO janitor_journal_head (id, count, hash) VALUES (1, 0, '{_EMPTY_HASH}')")  # noqa: S608  # a constant


def _memory() -> None:
    op.create_table(
        "janitor_clock",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1"), primary_key=True),
        sa.Column("high", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "janitor_runs",
        sa.Column("seq", _COUNT, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.Text(), nullable=False, unique=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("targets", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("exit_code", sa.BigInteger()),
    )
    op.create_table(
        "janitor_targets",
        sa.Column("target", sa.Text(), primary_key=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("account", sa.Text()),
        sa.Column("policy_fingerprint", sa.Text(), nullable=False),
    )
    op.create_table(
        "janitor_plans",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )


def _sightings() -> None:
    op.create_table(
        "janitor_containers",
        sa.Column("id", _COUNT, primary_key=True, autoincrement=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.UniqueConstraint("target", "provider", "container", name="janitor_containers_once"),
    )
    op.create_table(
        "janitor_scans",
        sa.Column("seq", _COUNT, primary_key=True, autoincrement=True),
        sa.Column("container", _COUNT, sa.ForeignKey("janitor_containers.id"), nullable=False),
        sa.Column("run", _COUNT, sa.ForeignKey("janitor_runs.seq"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("listed", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.BigInteger(), nullable=False),
        sa.Column("aborted", sa.BigInteger(), nullable=False),
        sa.Column("bytes_stale", sa.BigInteger(), nullable=False),
        sa.Column("bytes_freed", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
    )
    op.create_index("janitor_scans_by_container", "janitor_scans", ["container", "seq"])
    op.create_table(
        "janitor_sightings",
        sa.Column("container", _COUNT, sa.ForeignKey("janitor_containers.id"), primary_key=True),
        sa.Column("identity", sa.LargeBinary(32), primary_key=True),
        sa.Column("initiated", sa.BigInteger()),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("first_run", _COUNT, sa.ForeignKey("janitor_runs.seq"), nullable=False),
        sa.Column("unchanged_since", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("catch_up", sa.BigInteger()),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _journal() -> None:
    op.create_table(
        "janitor_journal",
        sa.Column("seq", _COUNT, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("catch_up", sa.BigInteger()),
        sa.Column("run_id", sa.Text(), sa.ForeignKey("janitor_runs.run_id")),
        sa.Column("target", sa.Text()),
        sa.Column("provider", sa.Text()),
        sa.Column("container", sa.Text()),
        sa.Column("key", sa.Text()),
        sa.Column("upload_id", sa.Text()),
        sa.Column("initiated", sa.BigInteger()),
        sa.Column("last_activity", sa.BigInteger()),
        sa.Column("parts", sa.BigInteger()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("rule", sa.Text()),
        sa.Column("intent", sa.BigInteger(), sa.ForeignKey("janitor_journal.seq"), unique=True),
        sa.Column("outcome", sa.Text()),
        sa.Column("size_freed", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("hash", sa.Text(), nullable=False),
    )
    op.create_index("janitor_journal_by_time", "janitor_journal", ["at"])
    op.create_index("janitor_journal_by_run", "janitor_journal", ["run_id"])
    op.create_table(
        "janitor_journal_head",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1"), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
