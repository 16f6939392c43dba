"""No question to a large ledger makes SQLite read all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from support.ledger_samples import DAY, HOUR, LAKE, NOW, decision_of, header_of, result_of, seen_of

from janitor.ledger import Ledger, open_ledger

Ask = Callable[[Ledger], object]
# What grows with the uploads, by its name and by those that it has in queries.
LARGE = {"janitor_journal", "intents", "conclusions", "janitor_sightings", "kept"}
QUESTIONS: dict[str, Ask] = {
    "spent_since": lambda ledger: ledger.spent_since(NOW - DAY, NOW),
    "spent_by_unfinished_runs": lambda ledger: ledger.spent_by_unfinished_runs(),
    "open_intents": lambda ledger: ledger.open_intents(),
    "last_scan": lambda ledger: ledger.last_scan(LAKE),
    "last_completes": lambda ledger: ledger.last_completes(),
    "history": lambda ledger: ledger.history(10),
    "uploads_of_run": lambda ledger: ledger.uploads_of_run("run-1"),
    "head": lambda ledger: ledger.head(),
    "sightings": lambda ledger: ledger.sightings(LAKE, [("a/b", "id-1")], NOW),
    "sight": lambda ledger: ledger.sight(LAKE, "run-1", NOW, [seen_of(f"{n}") for n in range(99)]),
    "intend": lambda ledger: ledger.intend("run-1", NOW, decision_of()),
    "conclude": lambda ledger: ledger.conclude(2, NOW, "aborted"),
    "begin": lambda ledger: ledger.begin(header_of("run-2")),
    "finish": lambda ledger: ledger.finish("run-1", NOW, 0),
}


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger with a little of everything."""
    with open_ledger(f"sqlite:///{tmp_path}/janitor.db") as ledger:
        ledger.begin(header_of())
        ledger.sight(LAKE, "run-1", NOW, [seen_of(f"{number}") for number in range(99)])
        ledger.record_scans("run-1", NOW, [result_of()])
        for _ in range(2):
            ledger.intend("run-1", NOW, decision_of())
        ledger.conclude(1, NOW + HOUR, "aborted")
        yield ledger


@contextmanager
def scanned(ledger: Ledger) -> Iterator[list[str]]:
    """Note every table that is read from its first row to its last."""
    engine = ledger._session.engine  # noqa: SLF001  # there is no other way to see its statements
    found: list[str] = []

    def explain(*told: Any) -> None:
        _, cursor, statement, values, _, many = told
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE"}:
            asked = cursor.connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", values[0] if many else values
            )
            steps = [row[3].split() for row in asked]
            found.extend(step[1] for step in steps if step[0] == "SCAN")

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_by_indices(filled: Ledger, name: str) -> None:
    """What it costs depends on what it is about, not on all that was ever recorded."""
    with scanned(filled) as found:
        QUESTIONS[name](filled)

    assert set() == LARGE & set(found)


def test_pruning_reads_no_intent_and_sightings_only_once(filled: Ledger) -> None:
    """What was not seen for long may be anywhere; everything else is found by indices."""
    with scanned(filled) as found:
        filled.prune(NOW + HOUR)

    assert ["janitor_sightings"] == [table for table in found if table in LARGE]


def test_a_scan_would_show(filled: Ledger) -> None:
    """The audit has to read everything, and this test sees that it does."""
    with scanned(filled) as found:
        filled.audit()

    assert {"janitor_journal"} == LARGE & set(found)
