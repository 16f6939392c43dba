"""Whoever changes the journal is found out, and the databases refuse to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledger_samples import NOW, decision_of, header_of
from support.postgres import Server
from support.strategies import law

from janitor.ledger import LedgerError, check, open_ledger
from janitor.ledger.chain import EMPTY, FIELDS, Entry, canonical, link, problems
from janitor.ledger.types import Head

Execute = Callable[[str], Any]


@pytest.fixture
def written(url: str) -> str:
    """Give the URL of a ledger whose journal has six rows: three intents, each concluded."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        for number in range(3):
            intent = ledger.intend("run-1", NOW, decision_of(f"id-{number}"))
            ledger.conclude(intent, NOW, "aborted", size_freed=5)
    return url


def _tamper(url: str, statements: list[str], *, off: bool) -> None:
    """Change a ledger behind its back; `off` takes the guards away first, as an owner can."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        guards = [
            "DROP TRIGGER janitor_journal_no_update",
            "DROP TRIGGER janitor_journal_no_delete",
            "DROP TRIGGER janitor_journal_no_replace",
        ]
    else:
        raw = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)  # type: ignore[assignment]
        guards = ["SET session_replication_role = replica"]
    try:
        for statement in [*(guards if off else ()), *statements]:
            raw.execute(statement)
    finally:
        raw.close()


_COPY = """INSERT INTO janitor_journal (seq, kind, at, hash)
SELECT 7, kind, at, hash FROM janitor_journal WHERE seq = 1"""
_LOWER = """UPDATE janitor_journal_head SET count = 4,
hash = (SELECT hash FROM janitor_journal WHERE seq = 4)"""
_REHASH = "UPDATE janitor_journal_head SET hash = 'deadbeef'"
TAMPERING = {
    "changed": (
        ["UPDATE janitor_journal SET outcome = 'failed' WHERE seq = 4"],
        ["journal: row 4 is not what was written, or not where it was"],
    ),
    "changed time": (
        ["UPDATE janitor_journal SET at = at - 1 WHERE seq = 1"],
        ["journal: row 1 is not what was written, or not where it was"],
    ),
    "changed last": (
        ["UPDATE janitor_journal SET size_freed = 6 WHERE seq = 6"],
        ["journal: row 6 is not what was written, or not where it was"],
    ),
    "deleted": (
        ["DELETE FROM janitor_journal WHERE seq = 4"],
        ["journal: row 4 is missing, the next is row 5"],
    ),
    "truncated": (
        ["DELETE FROM janitor_journal WHERE seq > 4"],
        ["journal: it ends with row 4, but 6 rows were written"],
    ),
    "emptied": (
        ["DELETE FROM janitor_journal WHERE intent IS NOT NULL", "DELETE FROM janitor_journal"],
        ["journal: it ends with row 0, but 6 rows were written"],
    ),
    "inserted": (
        [_COPY],
        [
            "journal: row 7 is not what was written, or not where it was",
            "journal: it ends with row 7, but 6 rows were written",
        ],
    ),
    "reordered": (
        [
            "UPDATE janitor_journal SET seq = 9 WHERE seq = 2",
            "UPDATE janitor_journal SET seq = 2 WHERE seq = 4",
            "UPDATE janitor_journal SET seq = 4 WHERE seq = 9",
        ],
        [
            "journal: row 2 is not what was written, or not where it was",
            "journal: row 2 concludes row 3, which is no open intent",
            "journal: row 3 is not what was written, or not where it was",
            "journal: row 4 is not what was written, or not where it was",
            "journal: row 5 is not what was written, or not where it was",
        ],
    ),
    "head lowered": (
        [_LOWER],
        ["journal: it ends with row 6, but 4 rows were written"],
    ),
    "head rehashed": (
        [_REHASH],
        ["journal: row 6 is not the last that was written"],
    ),
    "listed as open": (
        ["INSERT INTO janitor_open_intents VALUES (3)"],
        ["journal: row 3 is in the list of open intents, but is none"],
    ),
    "head lost": (
        ["DELETE FROM janitor_journal_head"],
        ["journal: the record of its end is missing"],
    ),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_shows(written: str, kind: str) -> None:
    """Whatever is done to the rows or to the head, the audit names the place."""
    statements, expected = TAMPERING[kind]
    _tamper(written, statements, off=True)
    with open_ledger(written, read_only=True) as ledger:
        found = ledger.audit()

    assert expected == found
    assert check(written)


@pytest.mark.parametrize(
    "kind", ["truncated", "emptied", "inserted", "head lowered", "head rehashed", "head lost"]
)
def test_a_journal_with_a_wrong_end_is_refused(written: str, kind: str) -> None:
    """Nothing is added to a journal that was cut: the cut would be hidden."""
    _tamper(written, TAMPERING[kind][0], off=True)

    with pytest.raises(LedgerError, match="journal"):
        open_ledger(written)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE janitor_journal SET outcome = 'failed' WHERE seq = 2",
        "DELETE FROM janitor_journal WHERE seq = 2",
        "DELETE FROM janitor_journal",
    ],
)
def test_the_database_refuses_changes(written: str, statement: str) -> None:
    """A careless hand at the SQL prompt is stopped by the database itself."""
    with pytest.raises((sqlite3.Error, psycopg.Error), match="the journal is append-only"):
        _tamper(written, [statement], off=False)

    assert [] == check(written)


def test_postgres_refuses_to_truncate(postgres: Server) -> None:
    """TRUNCATE asks no row trigger, so it has its own."""
    url = postgres.new_url()
    open_ledger(url).close()

    with pytest.raises(psycopg.Error, match="the journal is append-only"):
        _tamper(url, ["TRUNCATE janitor_journal CASCADE"], off=False)


def test_sqlite_refuses_to_replace(tmp_path: Path) -> None:
    """INSERT OR REPLACE deletes without asking the delete trigger, so it has its own."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.intend("run-1", NOW, decision_of())
    replace = "INSERT OR REPLACE INTO janitor_journal (seq, kind, at, hash) VALUES (1, 'x', 0, '')"

    with pytest.raises(sqlite3.Error, match="the journal is append-only"):
        _tamper(url, [replace], off=False)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE janitor_journal_head SET count = 4"],
        ["UPDATE janitor_journal_head SET count = 6"],
        [_REHASH, "UPDATE janitor_journal_head SET count = 7"],
    ],
)
def test_a_change_in_mid_run_stops_the_run(written: str, statements: list[str]) -> None:
    """A ledger that was set back while we used it takes no more intents."""
    with open_ledger(written) as ledger:
        ledger.intend("run-1", NOW, decision_of())
        _tamper(written, statements, off=True)

        with pytest.raises(LedgerError, match="went back to an earlier state while in use"):
            ledger.intend("run-1", NOW, decision_of())


def test_the_hash_of_a_row_is_the_same_everywhere() -> None:
    """A head that was noted years ago still proves the rows before it."""
    entry = Entry(seq=1, kind="intent", at=NOW, key="\0\ud800é", size=5)

    assert "db38257669c5c640209d534bf128069488a575792711f61e2a6d9d79766d9cf5" == link(
        EMPTY.hash, entry
    )
    assert "70705902" == EMPTY.hash[:8]


@law
@given(
    st.lists(
        st.none() | st.integers() | st.text(st.characters(codec=None)),
        min_size=len(FIELDS),
        max_size=len(FIELDS),
    )
)
def test_a_row_is_hashed_as_the_json_that_it_always_was(values: list[str | int | None]) -> None:
    """What we write by hand is what the standard library writes."""
    named = dict(zip(FIELDS, values, strict=True))

    assert json.dumps(named, sort_keys=True, separators=(",", ":")) == canonical(values)


def test_a_second_conclusion_shows() -> None:
    """Even one whose hash is right."""
    first = Entry(seq=1, kind="intent", at=NOW)
    one = link(EMPTY.hash, first)
    second = Entry(seq=2, kind="conclusion", at=NOW, intent=1)
    two = link(one, second)
    third = Entry(seq=3, kind="conclusion", at=NOW, intent=1)
    three = link(two, third)
    rows = [(first, one), (second, two), (third, three)]

    assert ["journal: row 3 concludes row 1, which is no open intent"] == list(
        problems(rows, Head(3, three))
    )


def test_a_true_chain_has_no_problems() -> None:
    """The pure part says nothing about rows that fit."""
    first = Entry(seq=1, kind="intent", at=NOW)
    one = link(EMPTY.hash, first)
    second = Entry(seq=2, kind="conclusion", at=NOW, intent=1)
    two = link(one, second)

    assert [] == list(problems([(first, one), (second, two)], Head(2, two)))


def test_an_open_intent_that_is_not_in_the_list_shows() -> None:
    """Nobody would look what became of it."""
    entry = Entry(seq=1, kind="intent", at=NOW)
    one = link(EMPTY.hash, entry)

    assert ["journal: row 1 is an open intent, but not in the list of those"] == list(
        problems([(entry, one)], Head(1, one), listed=[])
    )
    assert [] == list(problems([(entry, one)], Head(1, one), listed=[1]))
