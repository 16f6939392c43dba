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
from support import ledger_before
from support.ledger_samples import DAY, LAKE, NOW, decision_of, header_of, seen_of

from janitor import ledger as package
from janitor.ledger import LedgerError, chain, check, open_ledger, schema, upgrade
from janitor.ledger.place import place_of
from janitor.ledger.sqlite import empty
from janitor.ledger.types import Sighting, Spent, Upgraded

LATEST = schema.VERSIONS[-1]


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

    assert Upgraded(None, LATEST) == first
    assert Upgraded(LATEST, LATEST) == second
    assert head == after
    assert [] == check(url)


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_an_older_ledger_is_refused_until_it_is_upgraded(url: str, version: str) -> None:
    """Nothing is upgraded by the way; what was recorded stays."""
    before = ledger_before.make(url, version)
    remedy = "is of an older janitor: run janitor ledger upgrade"
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=remedy):
            open_ledger(url, read_only=read_only)
    problems = check(url)
    upgraded = upgrade(url)
    with open_ledger(url) as ledger:
        after = ledger.head()

    assert [True] == [remedy in problem for problem in problems]
    assert Upgraded(version, LATEST) == upgraded
    assert before.head == after
    assert [] == check(url)
    with pytest.raises((sqlite3.Error, psycopg.Error), match="append-only"):
        _execute(url, "DELETE FROM janitor_journal")


def test_an_upgrade_keeps_what_decides_about_an_abort(url: str) -> None:
    """Since when uploads are known, what was spent, and what nobody knows the end of."""
    before = ledger_before.make(url, "0003")
    upgrade(url)
    names = [("a/b", upload_id) for upload_id in ledger_before.MARKED]
    with open_ledger(url) as ledger:
        known = ledger.sightings(LAKE, names, NOW)
        left = [intent.intent for intent in ledger.open_intents()]
        spent = ledger.spent_since(NOW - DAY, NOW)
        ledger.begin(header_of("run-2"))
        again = ledger.sight(LAKE, "run-2", NOW + DAY, [seen_of(name) for _, name in names])
        ledger.conclude(before.open_intent, NOW + DAY, "aborted")

    assert dict.fromkeys(names, Sighting(NOW, "run-1", NOW)) == known == again
    assert [before.open_intent] == left
    assert Spent(2, 10) == spent
    assert [] == check(url)


def test_an_upgrade_keeps_what_a_shard_has_set_aside(url: str) -> None:
    """Its round goes on, and the other shards count it."""
    ledger_before.make(url, "0003")
    upgrade(url)

    assert [(1, 1, "", 0, 2, 7, 70, False)] == [
        (*row[:-1], bool(row[-1])) for row in _execute(url, "SELECT * FROM janitor_shards")
    ]


def test_a_damaged_ledger_is_not_upgraded(url: str) -> None:
    """With new checksums, the damage would pass for the truth."""
    ledger_before.make(url, "0003")
    damage = "UPDATE janitor_sightings SET first_seen = first_seen - 1024"
    count = "SELECT count(*), max(length(identity)) FROM janitor_sightings"
    _execute(url, damage)
    with pytest.raises(LedgerError, match="is damaged: restore it"):
        upgrade(url)

    assert [("0003",)] == _execute(url, "SELECT version_num FROM janitor_schema_version")
    assert [(len(ledger_before.MARKED), 32)] == [tuple(row) for row in _execute(url, count)]


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
    ledger_before.make(url, "0001")
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
