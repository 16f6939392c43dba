"""A ledger comes to its tables step by step, and only a known version is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.pool import NullPool
from support.ledger_samples import NOW, decision_of, header_of

from janitor import ledger as package
from janitor.ledger import LedgerError, chain, check, open_ledger, schema, upgrade
from janitor.ledger.place import place_of
from janitor.ledger.sqlite import empty
from janitor.ledger.types import Upgraded


def _execute(url: str, *statements: str) -> list[Sequence[Any]]:
    """Change a ledger behind its back; give the rows of the last statement."""
    if url.startswith("sqlite"):
        raw: Any = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    else:
        raw = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    try:
        for statement in statements:
            cursor = raw.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        raw.close()


def _set_back(url: str) -> None:
    """Make a ledger what it was before there were shards, and the journal refused changes."""
    if url.startswith("sqlite"):
        undo = [
            "DROP TRIGGER janitor_journal_no_update",
            "DROP TRIGGER janitor_journal_no_delete",
            "DROP TRIGGER janitor_journal_no_replace",
        ]
    else:
        undo = ["DROP FUNCTION janitor_journal_refuse CASCADE"]
    undo.append("DROP TABLE janitor_shards")
    _execute(url, *undo, "UPDATE janitor_schema_version SET version_num = '0001'")


def test_the_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    """What is written in two places is the same in both."""
    upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, schema.metadata)

    assert [] == differences


def test_the_code_knows_the_latest_version() -> None:
    """A migration that was added without telling `schema.VERSIONS` fails here."""
    config = Config()
    config.set_main_option("script_location", str(Path(package.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    known = tuple(step.revision for step in scripts.walk_revisions())

    assert schema.VERSIONS == known[::-1]


def test_an_empty_stand_in_is_like_a_new_ledger(url: str) -> None:
    """What acts as an empty ledger has the tables of one, and the same first rows."""
    upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    stand_in = empty(place_of(url))
    with engine.connect() as real, stand_in.reading() as imitated:
        for table in schema.metadata.sorted_tables:
            assert real.execute(select(table)).all() == imitated.execute(select(table)).all()
            assert inspect(real).has_table(table.name)
    stand_in.close()


def test_upgrading_makes_a_missing_ledger(url: str) -> None:
    """And doing it again changes nothing."""
    first = upgrade(url)
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.intend("run-1", NOW, decision_of())
        head = ledger.head()
    second = upgrade(url)
    with open_ledger(url) as ledger:
        after = ledger.head()

    assert Upgraded(None, "0003") == first
    assert Upgraded("0003", "0003") == second
    assert head == after
    assert [] == check(url)


def test_an_older_ledger_is_refused_until_it_is_upgraded(url: str) -> None:
    """Nothing is upgraded by the way; what was recorded stays."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.intend("run-1", NOW, decision_of())
        head = ledger.head()
    _set_back(url)
    remedy = "is of an older janitor: run janitor ledger upgrade"
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=remedy):
            open_ledger(url, read_only=read_only)
    problems = check(url)
    upgraded = upgrade(url)
    with open_ledger(url) as ledger:
        after = ledger.head()

    assert [True] == [remedy in problem for problem in problems]
    assert Upgraded("0001", "0003") == upgraded
    assert head == after
    with pytest.raises((sqlite3.Error, psycopg.Error), match="append-only"):
        _execute(url, "DELETE FROM janitor_journal")


def test_a_newer_ledger_is_refused_and_left_alone(url: str) -> None:
    """An old janitor must not write what a new one would misread."""
    open_ledger(url).close()
    _execute(url, "UPDATE janitor_schema_version SET version_num = '0099'")
    remedy = r"is of a newer janitor \(version '0099'\): upgrade the janitor"
    with pytest.raises(LedgerError, match=remedy):
        open_ledger(url)
    with pytest.raises(LedgerError, match=remedy):
        upgrade(url)

    assert [("0099",)] == _execute(url, "SELECT version_num FROM janitor_schema_version")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM janitor_schema_version",
        "INSERT INTO janitor_schema_version VALUES ('0001')",
    ],
)
def test_a_ledger_without_one_version_is_refused(url: str, statement: str) -> None:
    """Guessing a version could destroy records."""
    open_ledger(url).close()
    _execute(url, statement)

    with pytest.raises(LedgerError, match="does not say its version: restore it"):
        open_ledger(url)


def test_a_ledger_that_lost_its_tables_is_refused(tmp_path: Path) -> None:
    """It was a ledger once: beginning anew in it would hide the loss."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    open_ledger(url).close()
    _execute(url, "DROP TABLE janitor_schema_version")

    with pytest.raises(LedgerError, match="has no tables: restore it"):
        open_ledger(url)


def test_an_upgrade_that_fails_changes_nothing(url: str) -> None:
    """All steps happen, or none."""
    open_ledger(url).close()
    _set_back(url)
    obstacle = (
        "CREATE TRIGGER janitor_journal_no_replace BEFORE INSERT ON janitor_journal"
        " BEGIN SELECT 1; END"
        if url.startswith("sqlite")
        else "CREATE FUNCTION janitor_journal_refuse() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    _execute(url, obstacle)
    with pytest.raises(LedgerError):
        upgrade(url)

    assert [("0001",)] == _execute(url, "SELECT version_num FROM janitor_schema_version")
    if url.startswith("sqlite"):
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        assert [("janitor_journal_no_replace",)] == _execute(url, triggers)


def test_a_new_journal_ends_where_the_chain_begins() -> None:
    """The migration's first head is the one that the code expects."""
    stand_in = empty(place_of("sqlite:///none"))
    with stand_in.reading() as connection:
        row = connection.execute(select(schema.journal_head)).one()
    stand_in.close()

    assert (1, chain.EMPTY.count, chain.EMPTY.hash) == tuple(row)
